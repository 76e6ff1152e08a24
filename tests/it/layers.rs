//! The layers of docs/ARCHITECTURE.md: a room imports only rooms below it.

use libtest_mimic::{Failed, Trial};
use std::path::{Path, PathBuf};

/// Each room with its level; equal levels may not import each other, but for asn1 and crypto at the bottom.
const LEVELS: [(&str, u8); 16] = [
    ("asn1", 0),
    ("crypto", 0),
    ("clock", 1),
    ("keys", 1),
    ("store", 1),
    ("ledger", 2),
    ("ca", 3),
    ("tsa", 4),
    ("ocsp", 4),
    ("crls", 4),
    ("verify", 4),
    ("batch", 5),
    ("gather", 5),
    ("config", 6),
    ("http", 7),
    ("app", 8),
];
const CLI: u8 = 9;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("layers::imports_point_down", || imports_point_down(Path::new(env!("CARGO_MANIFEST_DIR")))),
        Trial::test("layers::crl_imports_nothing_of_ours", crl_stands_alone),
        Trial::test("layers::the_test_finds_an_upward_import", finds_an_upward_import),
    ]
}

fn level(room: &str) -> Option<u8> {
    if room == "cli" {
        return Some(CLI);
    }
    LEVELS.iter().find(|(name, _)| *name == room).map(|(_, level)| *level)
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a source text names: every `crate::room` and `noonmark::room`, and those in `use crate::{…}`.
fn rooms_named(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    for prefix in ["crate::", "noonmark::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 0_u32;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                        _ if depth == 0 => rooms.push(std::mem::take(&mut word)),
                        _ => {}
                    }
                }
                rooms.push(word);
            } else {
                rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    rooms.retain(|room| level(room).is_some());
    rooms
}

fn violations(room: &str, text: &str) -> Vec<String> {
    let own = level(room).unwrap();
    rooms_named(text)
        .into_iter()
        .filter(|other| other != room)
        .filter(|other| {
            let theirs = level(other).unwrap();
            theirs > own || (theirs == own && own != 0)
        })
        .collect()
}

fn imports_point_down(root: &Path) -> Result<(), Failed> {
    let source = root.join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let relative = path.strip_prefix(&source).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.strip_suffix(".rs").unwrap_or(first);
        if room == "lib" || room == "main" {
            continue;
        }
        if level(room).is_none() {
            wrong.push(format!("{}: the room {room} has no level here", relative.display()));
            continue;
        }
        for other in violations(room, &std::fs::read_to_string(&path).unwrap()) {
            wrong.push(format!("src/{}: {room} imports {other}, which is not below it", relative.display()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn crl_stands_alone() -> Result<(), Failed> {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crl/Cargo.toml")).unwrap();
    if manifest.contains("noonmark") { Err("crl/Cargo.toml names noonmark".into()) } else { Ok(()) }
}

fn finds_an_upward_import() -> Result<(), Failed> {
    assert_eq!(violations("keys", "use crate::crypto::PublicKey;\nuse crate::tsa::Token;"), ["tsa"]);
    assert_eq!(violations("keys", "use crate::{crypto::{A, B}, store, ledger};"), ["store", "ledger"]);
    assert_eq!(violations("store", "fn f() { crate::clock::now(); }"), ["clock"]);
    assert!(violations("http", "use crate::{tsa, config};\n// crate::cli").is_empty());
    Ok(())
}
