//! The documents hold: what they tell the reader to run is run, what they name exists, and what exists is named.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use noonmark::config::Configuration;
use noonmark::verify::policy::Policy;

use crate::support::agent::Agent;
use crate::support::server::{Installation, program, text};
use crate::support::softhsm;

/// Each document whose `sh run` blocks are run, with an installation whose keys are in SoftHSM.
const RUN: [&str; 9] = [
    "README.md",
    "docs/QUICKSTART.md",
    "docs/CONFIGURATION.md",
    "docs/OPERATIONS.md",
    "docs/CLIENTS.md",
    "docs/CERTIFICATES.md",
    "docs/CRLS.md",
    "docs/API.md",
    "docs/VERIFICATION.md",
];

/// The exposure that `systemd-analyze security` may find in the unit, times ten; a bare unit has 96.
const EXPOSURE: &str = "20";

/// How many seconds a block may take.
const BLOCK_LIMIT_S: &str = "60";

pub fn trials() -> Vec<Trial> {
    let has_clients = ["openssl", "curl"].into_iter().all(|name| has(name, "--version") || has(name, "version"));
    let mut trials: Vec<Trial> = RUN
        .into_iter()
        .map(|document| {
            let name = format!("documentation::what_{document}_says_works");
            let possible = has_clients && softhsm::module().is_some();
            Trial::test(name, move || run_document(document)).with_ignored_flag(!possible)
        })
        .collect();
    trials.extend([
        Trial::test("documentation::the_runner_finds_a_block_that_fails", runner_finds_failures),
        Trial::test("documentation::every_configuration_parses", every_configuration_parses),
        Trial::test("documentation::every_policy_parses", every_policy_parses),
        Trial::test("documentation::every_key_is_explained", every_key_is_explained),
        Trial::test("documentation::every_link_leads_somewhere", every_link_leads_somewhere),
        Trial::test("documentation::verbs_and_flags_exist_and_are_named", verbs_and_flags),
        Trial::test("documentation::the_metrics_table_is_complete", metrics_table),
        Trial::test("documentation::hadolint_passes", hadolint_passes).with_ignored_flag(!hadolint().exists()),
        Trial::test("documentation::the_unit_is_sound_and_tight", units_are_sound)
            .with_ignored_flag(!has("systemd-analyze", "--version")),
    ]);
    trials
}

fn has(name: &str, argument: &str) -> bool {
    Command::new(name).arg(argument).output().is_ok_and(|output| output.status.success())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document of the project, relative to its root.
fn documents() -> Vec<String> {
    let mut found = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned(), "tests/clients/README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            found.push(format!("docs/{name}"));
        }
    }
    found
}

/// A fenced block: what stands after the fence, the line it begins on, its content.
struct Block {
    info: String,
    line: usize,
    content: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { info: info.trim().to_owned(), line: at + 2, content: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => {
                block.content.push_str(line);
                block.content.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The documents' text outside of fenced blocks.
fn prose(document: &str) -> String {
    document.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// Runs each block in order in `home`, where `noonmark` and `pgrep` mean this test's server.
fn run_blocks(document: &str, home: &Path, port: u16, pid: u32) -> Result<usize, Failed> {
    let bin = home.join("bin");
    std::fs::create_dir(&bin)?;
    std::os::unix::fs::symlink(program(), bin.join("noonmark"))?;
    // `pgrep` would find the servers of other tests as well.
    let pgrep = bin.join("pgrep");
    std::fs::write(&pgrep, format!("#!/bin/sh\necho {pid}\n"))?;
    std::fs::set_permissions(&pgrep, std::fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH")?);
    let address = format!("127.0.0.1:{port}");
    let mut count = 0;
    for block in blocks(document).into_iter().filter(|block| block.info == "sh run") {
        let output = Command::new("timeout")
            .args([BLOCK_LIMIT_S, "sh", "-euxc", &block.content.replace("127.0.0.1:3161", &address)])
            .current_dir(home)
            .env("PATH", &path)
            .env("NOONMARK_SERVER", format!("http://{address}/tsa"))
            .env_remove("NOONMARK_DIR")
            .output()?;
        if !output.status.success() {
            return Err(format!("the block on line {}: {}\n{}", block.line, output.status, text(&output)).into());
        }
        count += 1;
    }
    Ok(count)
}

fn run_document(document: &str) -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let server = installation.serve();
    let _agent = Agent::start(&installation);
    let home = installation.directory().parent().unwrap();
    let count = run_blocks(&read(document), home, server.port, server.pid())?;
    if count == 0 { Err("no block is marked `sh run`".into()) } else { Ok(()) }
}

fn runner_finds_failures() -> Result<(), Failed> {
    let run = |document: &str| run_blocks(document, tempfile::tempdir().unwrap().path(), 1, 1);
    assert_eq!(run("```sh run\ntrue\n```\n\n```sh\nfalse\n```\n")?, 1);
    let error = run("text\n```sh run\ntrue\n```\n```sh run\nfalse\ntrue\n```\n").unwrap_err();
    let message = error.message().unwrap_or_default();
    if message.contains("line 6") { Ok(()) } else { Err(format!("the wrong block: {message}").into()) }
}

fn every_configuration_parses() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        for block in blocks(&read(&document)).into_iter().filter(|block| block.info == "toml") {
            count += 1;
            if let Err(error) = Configuration::from_text(Path::new("/x"), &block.content) {
                wrong.push(format!("{document} line {}: {error}", block.line));
            }
        }
    }
    assert!(count > 5, "only {count} configurations found");
    report(wrong)
}

fn every_policy_parses() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        for block in blocks(&read(&document)).into_iter().filter(|block| block.info == "toml policy") {
            count += 1;
            if let Err(error) = Policy::from_toml(&block.content, "documented") {
                wrong.push(format!("{document} line {}: {error}", block.line));
            }
        }
    }
    assert!(count >= 2, "only {count} policies found");
    report(wrong)
}

/// What is wrong, a line each; nothing is right.
fn report(wrong: Vec<String>) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
}

/// Every field of the configuration's structures has a row in docs/CONFIGURATION.md, and every row a field.
fn every_key_is_explained() -> Result<(), Failed> {
    let mut sources = Vec::new();
    files(&root().join("src/config"), "rs", &mut sources);
    let mut fields = BTreeSet::new();
    for source in sources {
        for line in read(&source).lines() {
            if let Some((name, _)) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(':'))
                && !name.contains(' ')
            {
                fields.insert(name.to_owned());
            }
        }
    }
    let document = read("docs/CONFIGURATION.md");
    let rows: BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with("NOONMARK_"))
        .collect();
    // Sections have headings, not rows.
    let is_section = |name: &str| {
        ["", "http."].into_iter().any(|above| {
            document.contains(&format!("# [{above}{name}]")) || document.contains(&format!("# [{above}{name}.NAME]"))
        })
    };
    let mut wrong: Vec<String> = fields
        .difference(&rows)
        .filter(|name| !is_section(name))
        .map(|name| format!("{name} has no row in docs/CONFIGURATION.md"))
        .collect();
    wrong.extend(rows.difference(&fields).map(|name| format!("{name} has a row, and is no key")));
    assert!(fields.len() > 40, "only {} keys found", fields.len());
    report(wrong)
}

/// The anchors that a document's headings make, by GitHub's rule.
fn anchors(document: &str) -> BTreeSet<String> {
    prose(document)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn every_link_leads_somewhere() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        let content = read(&document);
        let directory = root().join(&document).parent().unwrap().to_owned();
        let prose = prose(&content);
        for (at, _) in prose.match_indices("](") {
            let Some((target, _)) = prose[at + 2..].split_once(')') else { continue };
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { root().join(&document) } else { directory.join(file) };
            if !path.exists() {
                wrong.push(format!("{document}: {target} does not exist"));
            } else if anchor.is_some_and(|anchor| !anchors(&read(&path)).contains(anchor)) {
                wrong.push(format!("{document}: {target} has no such heading"));
            }
        }
    }
    assert!(count > 10, "only {count} links found");
    report(wrong)
}

/// Each verb, such as `key list`, with its flags, from `--help`; a verb with verbs below it stands there as well.
fn verbs() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(words) = waiting.pop() {
        let output = Command::new(program()).args(&words).arg("--help").output().unwrap();
        assert!(output.status.success(), "{words:?} --help: {}", text(&output));
        let help = String::from_utf8(output.stdout).unwrap();
        let flags = help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(flags_in).collect();
        let commands = help.split("Commands:\n").nth(1).unwrap_or_default();
        for line in commands.lines().take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().unwrap();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                waiting.push([words.clone(), vec![name.to_owned()]].concat());
            }
        }
        found.insert(words.join(" "), flags);
    }
    found
}

fn flags_in(line: &str) -> Vec<String> {
    line.split([' ', ',', '=', '`', ')'])
        .filter(|word| word.starts_with('-') && word.chars().any(char::is_alphabetic))
        .map(str::to_owned)
        .collect()
}

/// The commands of this program that a document names, without the program's name.
fn commands(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in blocks(document).into_iter().filter(|block| block.info.starts_with("sh")) {
        let joined = block.content.replace("\\\n", " ").replace("$(", "\n").replace('"', " ");
        for part in joined.split(['\n', '|', ';', '#']) {
            let part = part.trim().strip_prefix("sudo -u noonmark ").unwrap_or(part.trim());
            if let Some((name, rest)) = part.split_once(' ')
                && name.rsplit('/').next() == Some("noonmark")
            {
                found.push(rest.split(['>', ')']).next().unwrap().trim().to_owned());
            }
        }
    }
    for code in prose(document).split('`').skip(1).step_by(2) {
        let code = code.replace('\n', " ");
        if let Some(rest) = code.strip_prefix("noonmark ") {
            found.push(rest.to_owned());
        } else if code.starts_with("key ") || code.starts_with("audit ") {
            found.push(code);
        }
    }
    found
}

fn verbs_and_flags() -> Result<(), Failed> {
    let verbs = verbs();
    let mut named = BTreeSet::new();
    let mut wrong = Vec::new();
    for document in documents() {
        for command in commands(&read(&document)) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
            let verb = if verbs.contains_key(&two) { two } else { words[0].to_owned() };
            let Some(flags) = verbs.get(&verb) else {
                wrong.push(format!("{document}: `noonmark {command}` is no verb"));
                continue;
            };
            let is_group = verbs.keys().any(|other| other.starts_with(&format!("{verb} ")));
            if is_group && words.get(1).is_some_and(|word| !word.starts_with('-') && *word != "…") {
                wrong.push(format!("{document}: `noonmark {command}` names no verb of {verb}"));
            }
            let unknown = flags_in(&command).into_iter().filter(|flag| !flags.contains(flag));
            wrong.extend(unknown.map(|flag| format!("{document}: `noonmark {verb}` has no {flag}")));
            named.insert(verb);
        }
    }
    let groups: BTreeSet<&str> = verbs.keys().filter_map(|verb| verb.split_once(' ')).map(|(group, _)| group).collect();
    for verb in verbs.keys().filter(|verb| !verb.is_empty() && !groups.contains(verb.as_str())) {
        if !named.contains(verb) {
            wrong.push(format!("no document names `noonmark {verb}`"));
        }
    }
    assert!(verbs.len() > 12, "only {} verbs found", verbs.len());
    report(wrong)
}

fn metrics_table() -> Result<(), Failed> {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let mut measured = BTreeSet::new();
    for source in sources {
        let code = read(&source);
        for name in ["counter!(", "gauge!(", "histogram!("] {
            for (at, _) in code.match_indices(name) {
                let argument = code[at + name.len()..].trim_start();
                if let Some((metric, _)) = argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                    measured.insert(metric.to_owned());
                }
            }
        }
    }
    let document = read("docs/OPERATIONS.md");
    let rows: BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `noonmark_")?.split_once('`'))
        .map(|(name, _)| format!("noonmark_{name}"))
        .collect();
    assert!(measured.len() > 15, "only {} metrics found", measured.len());
    let missing = measured.difference(&rows).map(|name| format!("{name} is measured, and not in the table"));
    let idle = rows.difference(&measured).map(|name| format!("{name} is in the table, and not measured"));
    report(missing.chain(idle).collect())
}

fn hadolint() -> PathBuf {
    root().join(".venv/bin/hadolint")
}

fn hadolint_passes() -> Result<(), Failed> {
    let output = Command::new(hadolint()).arg("--no-color").arg(root().join("deploy/Dockerfile")).output()?;
    if output.status.success() { Ok(()) } else { Err(text(&output).into()) }
}

fn units_are_sound() -> Result<(), Failed> {
    unit_is_sound("noonmark.service")?;
    unit_is_sound("noonmark-ca-agent.service")
}

fn unit_is_sound(name: &str) -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let installed = "/usr/local/bin/noonmark";
    let unit = read(format!("deploy/{name}"));
    assert!(unit.contains(installed), "the unit starts another program");
    let path = home.path().join(name);
    std::fs::write(&path, unit.replace(installed, program().to_str().unwrap()))?;
    let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output()?;
    // `verify` ends with 0 on a directive that it does not know.
    if !verified.status.success() || text(&verified).contains(&format!("{name}:")) {
        return Err(text(&verified).into());
    }
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE}")])
        .arg(&path)
        .output()?;
    if rated.status.success() { Ok(()) } else { Err(text(&rated).into()) }
}
