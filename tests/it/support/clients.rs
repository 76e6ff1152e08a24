//! Servers for real clients to ask, and a place for each client to work in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::server::{Installation, Server, text};

/// The keys that servers sign with; each has an installation of its own on SoftHSM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// What `init` makes if not told otherwise.
    P256,
    P384,
    Rsa3072,
    /// RSA-3072 with PSS, under a P-256 CA.
    Pss,
    /// Ed25519, under a P-256 CA.
    Ed25519,
}

impl KeyKind {
    pub const ALL: [Self; 5] = [Self::P256, Self::P384, Self::Rsa3072, Self::Pss, Self::Ed25519];

    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa3072 => "rsa3072",
            Self::Pss => "pss",
            Self::Ed25519 => "ed25519",
        }
    }

    fn install(self) -> Installation {
        match self {
            Self::P256 | Self::P384 | Self::Rsa3072 => {
                Installation::new(&[&IDENTITY[..], &["--algorithm", self.name()]].concat())
            }
            Self::Pss => {
                let installation = Installation::new(&IDENTITY);
                installation.run(&["key", "rotate", "--profile", "default", "--algorithm", "rsa3072"]);
                installation.reconfigure("[tsa.default]", "[tsa.default]\nrsa_padding = \"pss\"");
                installation
            }
            Self::Ed25519 => {
                let installation = Installation::new(&IDENTITY);
                installation.run(&["key", "rotate", "--profile", "default", "--algorithm", "ed25519"]);
                installation
            }
        }
    }
}

/// The one policy that `init` configures.
pub const POLICY: &str = "0.4.0.2023.1.1";

/// Whose certificates `init` makes. Linters want a host name and a country that are possible.
pub const IDENTITY: [&str; 6] =
    ["--public-url", "http://tsa.noonmark.example", "--country", "DE", "--organization", "Example"];

/// An installation and its running server.
pub struct House {
    pub kind: KeyKind,
    pub installation: Installation,
    pub server: Server,
}

impl House {
    /// The endpoint that clients are given.
    pub fn url(&self) -> String {
        format!("{}/tsa", self.server.url())
    }

    /// A certificate that `init` or `key rotate` wrote.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.installation.directory().join(format!("certificates/{name}.pem"))
    }
}

static HOUSES: [OnceLock<House>; 5] = [const { OnceLock::new() }; 5];
static STRANGER: OnceLock<Installation> = OnceLock::new();

/// The server with such keys; started when first asked for, it lives as long as the test process.
pub fn house(kind: KeyKind) -> &'static House {
    let position = KeyKind::ALL.iter().position(|known| *known == kind).unwrap();
    HOUSES[position].get_or_init(|| {
        let installation = kind.install();
        let server = installation.serve();
        House { kind, installation, server }
    })
}

/// Another installation's root: its name is the same, its key is not.
pub fn wrong_root() -> PathBuf {
    STRANGER.get_or_init(|| Installation::new(&[&IDENTITY[..], &["--tier", "software"]].concat())).root()
}

/// Ends the shared servers and removes their directories: what is static is never dropped.
pub fn finish() {
    let houses = HOUSES.iter().filter_map(OnceLock::get);
    houses.clone().for_each(|house| house.server.signal("-KILL"));
    for installation in houses.map(|house| &house.installation).chain(STRANGER.get()) {
        let home = installation.directory().parent().unwrap();
        std::fs::remove_dir_all(home).unwrap_or_else(|error| eprintln!("{}: {error}", home.display()));
    }
}

/// An empty directory in which a client works.
pub struct Workplace {
    directory: tempfile::TempDir,
}

impl Workplace {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// A command that works here, without the proxies of whoever runs the tests.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_ascii_uppercase());
        }
        command
    }

    /// Runs a line whose words are parted by spaces; it must succeed. Gives its standard output.
    pub fn run(&self, line: &str) -> String {
        let output = self.output(line);
        assert!(output.status.success(), "{line}\n{}: {}", output.status, text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a line that must fail, and gives all it said.
    pub fn fail(&self, line: &str) -> String {
        let output = self.output(line);
        assert!(!output.status.success(), "{line}\nended well: {}", text(&output));
        text(&output)
    }

    fn output(&self, line: &str) -> Output {
        let mut words = line.split_whitespace();
        let program = words.next().unwrap();
        self.command(program).args(words).output().unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

/// The directory of the clients' programs.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Whether all of these programs are on the path.
pub fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    programs.iter().all(|program| directories.iter().any(|directory| directory.join(program).is_file()))
}

/// What scripts/venv.sh made.
fn environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv")
}

/// The Python that has the clients' packages.
pub fn python() -> PathBuf {
    environment().join("bin/python")
}

/// A program that a Python package brought.
pub fn python_program(name: &str) -> PathBuf {
    environment().join("bin").join(name)
}

/// Whether that Python is there and has this module. Looked up by its folder: starting Python would cost every run.
pub fn has_module(module: &str) -> bool {
    let Ok(versions) = std::fs::read_dir(environment().join("lib")) else { return false };
    let mut libraries = versions.flatten().map(|version| version.path().join("site-packages"));
    python().exists() && libraries.any(|library| library.join(module).is_dir())
}

/// BouncyCastle's class path as Debian's and Fedora's packages install it, if it is there with a JDK.
pub fn bouncycastle() -> Option<String> {
    let jars = ["bcprov", "bcpkix", "bcutil"].map(|name| format!("/usr/share/java/{name}.jar"));
    // The JDK's compiler is what runs a program from its source.
    (installed(&["java", "javac"]) && jars.iter().all(|jar| Path::new(jar).exists())).then(|| jars.join(":"))
}

/// The recipe under a heading of tests/clients/README.md.
pub fn recipe(heading: &str) -> String {
    let readme = std::fs::read_to_string(programs().join("README.md")).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let (_, block) = section.split_once("```sh\n").expect("a recipe");
    let (block, _) = block.split_once("```").expect("the recipe's end");
    block.to_owned()
}
