//! Making an installation: everything or nothing.
//!
//! All is made in a directory beside the one wanted, which takes its name at the very end: an `init` that fails
//! leaves nothing behind, and one over an existing installation refuses before it has touched anything.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::lifecycle::{self, LifecycleError};
use super::toml_template::{self, TokenLines};
use super::{Installation, InstallationError};
use crate::ca::{Certificate, CertificateKind, SubjectName, SubjectNameError, pem_encode};
use crate::clock;
use crate::config::{Configuration, ConfigurationError, FILE_NAME, TierName};
use crate::crypto::KeyAlgorithm;
use crate::keys::{KeyError, Token};

/// What `init` was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The URL that stands in certificates.
    pub public_url: String,
    /// What guards the keys.
    pub tier: TierName,
    /// The PKCS#11 module; SoftHSM where it is not named.
    pub module: Option<PathBuf>,
    /// Tokens that exist: ROLE=LABEL:PINFILE.
    pub existing_tokens: Vec<String>,
    /// The keys' algorithm.
    pub algorithm: KeyAlgorithm,
    /// Country and organization; the common names are the roles'.
    pub subject: SubjectName,
    /// PostgreSQL's URL; SQLite where there is none.
    pub database: Option<String>,
    /// A file with its password.
    pub database_password_file: Option<PathBuf>,
    /// Join the installation in the database.
    pub join: Option<Join>,
    /// The clock's source.
    pub clock: ClockChoice,
    /// Who runs it.
    pub operator: String,
}

/// The wish to join an installation that stands in a database.
#[derive(Clone, Copy, Debug)]
pub struct Join;

/// Where trust in the time is to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChoice {
    /// The best that answers.
    Detect,
    /// chronyd.
    Chrony,
    /// The kernel.
    Kernel,
    /// The machine's clock.
    System,
}

/// What was made, for the operator.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was done.
    pub done: Vec<String>,
    /// What the operator must know.
    pub warnings: Vec<String>,
}

/// Why an installation can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is one already.
    #[error("{} holds an installation or other files already; nothing was changed. Start it with `noonmark up --dir {}`, or choose another directory", directory.display(), directory.display())]
    Exists {
        /// The directory.
        directory: PathBuf,
    },
    /// No PKCS#11 module at hand.
    #[error(
        "no PKCS#11 module found. Install one (`apt-get install softhsm2`), name yours with --module, or try without hardware: `noonmark init --tier software`"
    )]
    NoModule,
    /// The module that was named is not there.
    #[error("--module: there is no file {}", path.display())]
    ModuleMissing {
        /// The path.
        path: PathBuf,
    },
    /// Another `init` was quicker.
    #[error("another `init` made {} meanwhile; nothing of it was changed", directory.display())]
    Raced {
        /// The directory.
        directory: PathBuf,
    },
    /// A --use-token that does not read.
    #[error("--use-token {text:?} is not ROLE=LABEL:PINFILE with the role root, ca or service")]
    UseToken {
        /// As given.
        text: String,
    },
    /// A file or directory.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The random generator failed.
    #[error("the system's random generator failed")]
    Random,
    /// The database holds an installation already.
    #[error("the database holds an installation already; `init --join` makes a further server for it")]
    DatabaseTaken,
    /// The database holds no installation to join.
    #[error("the database holds no installation to join; make the first server without --join")]
    NothingToJoin,
    /// Joining needs the tokens that exist.
    #[error(
        "--join needs the token that is used already: --use-token service=LABEL:PINFILE for a further server, ca=LABEL:PINFILE for a ca-agent (and --tier pkcs11)"
    )]
    JoinNeedsToken,
    /// The plan's URL or names.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A subject.
    #[error(transparent)]
    Subject(#[from] SubjectNameError),
    /// A token or key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Keys and certificates.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The store.
    #[error(transparent)]
    Installation(#[from] InstallationError),
}

const ROLES: [&str; 3] = ["root", "ca", "service"];

/// Where Debian, Fedora and Homebrew put SoftHSM.
const SOFTHSM: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/// Where SoftHSM reads the path of its configuration from.
const SOFTHSM_VARIABLE: &str = "SOFTHSM2_CONF";

/// The directory in which the installation is being made.
#[derive(Clone, Debug)]
pub struct Staging {
    directory: PathBuf,
    module: Option<PathBuf>,
    /// The variables that the module must see when it is loaded.
    pub environment: BTreeMap<String, String>,
    is_softhsm: bool,
}

impl Staging {
    /// Removes what was made.
    pub fn discard(&self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> SetupError {
    let path = path.to_owned();
    move |source| SetupError::File { path, source }
}

/// Makes a new directory; one that exists may be somebody else's, who would then hold the secrets in it.
fn make_directory(path: &Path) -> Result<(), SetupError> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(file(path))
}

/// Writes a new file; never over one that exists.
fn write_new(path: &Path, mode: u32, content: &[u8]) -> Result<(), SetupError> {
    let mut new = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(file(path))?;
    std::io::Write::write_all(&mut new, content).and_then(|()| new.sync_all()).map_err(file(path))
}

/// Refuses a directory that is in use, chooses the module, and prepares what it reads when it is loaded.
///
/// Called again in the process that starts with the module's environment, it finds what it made.
///
/// # Errors
/// An existing installation, or no module.
pub fn prepare(directory: &Path, plan: &Plan) -> Result<Staging, SetupError> {
    let in_use = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if in_use {
        return Err(SetupError::Exists { directory: directory.to_owned() });
    }
    let module = match plan.tier {
        TierName::Software => None,
        TierName::Pkcs11 => Some(choose_module(plan)?),
    };
    let is_softhsm = plan.existing_tokens.is_empty()
        && module
            .as_ref()
            .and_then(|path| path.file_name())
            .is_some_and(|name| name.to_string_lossy().contains("softhsm"));
    let absolute = std::path::absolute(directory).map_err(file(directory))?;
    let name = absolute.file_name().map_or_else(|| "noonmark".to_owned(), |name| name.to_string_lossy().into_owned());
    // Directories above that are missing are made at the very end, so that a failure leaves none of them either.
    let anchor = absolute.ancestors().skip(1).find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/"));
    let staging = anchor.join(format!(".{name}.init-{}", std::process::id()));
    let configuration = staging.join("softhsm2.conf");
    let mut prepared = Staging { directory: staging.clone(), module, environment: BTreeMap::new(), is_softhsm };
    if is_softhsm {
        prepared.environment.insert(SOFTHSM_VARIABLE.to_owned(), configuration.display().to_string());
        // Only a process that was started again by this one has this very path in its environment.
        if std::env::var_os(SOFTHSM_VARIABLE).is_some_and(|value| value == configuration.as_os_str()) {
            return Ok(prepared);
        }
    }
    make_directory(&staging)?;
    if is_softhsm {
        let tokens = staging.join("tokens");
        let made = make_directory(&tokens)
            .and_then(|()| write_new(&configuration, 0o600, softhsm_configuration(&tokens).as_bytes()));
        if let Err(error) = made {
            prepared.discard();
            return Err(error);
        }
    }
    Ok(prepared)
}

fn choose_module(plan: &Plan) -> Result<PathBuf, SetupError> {
    match &plan.module {
        Some(path) if path.is_file() => std::path::absolute(path).map_err(file(path)),
        Some(path) => Err(SetupError::ModuleMissing { path: path.clone() }),
        None => SOFTHSM.into_iter().map(PathBuf::from).find(|path| path.exists()).ok_or(SetupError::NoModule),
    }
}

fn softhsm_configuration(tokens: &Path) -> String {
    format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        tokens.display()
    )
}

/// A secret of 160 random bits in a form that every token takes and a person can copy.
fn random_pin() -> Result<SecretString, SetupError> {
    let mut octets = zeroize::Zeroizing::new([0_u8; 20]);
    aws_lc_rs::rand::fill(octets.as_mut_slice()).map_err(|_| SetupError::Random)?;
    Ok(SecretString::from(hex::encode(octets.as_slice())))
}

/// Makes the installation.
///
/// # Errors
/// Whatever goes wrong; the caller then discards the staging directory.
pub fn make(directory: &Path, plan: &Plan, staging: &Staging) -> Result<Report, SetupError> {
    let mut report = Report::default();
    let home = &staging.directory;
    make_directory(&home.join("secrets"))?;
    make_directory(&home.join("certificates"))?;
    make_directory(&home.join("cache"))?;
    let tokens = token_lines(plan, staging)?;
    let final_environment = if staging.is_softhsm {
        let at = std::path::absolute(directory).map_err(file(directory))?.join("softhsm2.conf");
        BTreeMap::from([(SOFTHSM_VARIABLE.to_owned(), at.display().to_string())])
    } else {
        // Tokens that exist are where the operator's own environment says.
        let softhsm = staging.module.as_ref().is_some_and(|path| path.to_string_lossy().contains("softhsm"));
        let own = std::env::var(SOFTHSM_VARIABLE).ok().filter(|_| softhsm);
        own.map(|path| (SOFTHSM_VARIABLE.to_owned(), path)).into_iter().collect()
    };
    let (clock_source, clock_warning) = choose_clock(plan.clock);
    report.warnings.extend(clock_warning);
    let database = database_lines(plan, home)?;
    let text = |profiles: &str| {
        toml_template::render(&plan.public_url, clock_source, &database, &final_environment, &tokens, profiles)
    };
    let first_text = text(toml_template::DEFAULT_PROFILE);
    write_new(&home.join(FILE_NAME), 0o600, first_text.as_bytes())?;

    let installation = Installation::create(Configuration::load(home)?).map_err(SetupError::from)?;
    // A PIN that is wrong shows before anything is made in a token.
    for role in ROLES.into_iter().filter(|role| is_existing(plan, role)) {
        Token::open(&installation.configuration.token_settings(role)?)?;
    }
    let taken = !installation.store.keys().map_err(InstallationError::from)?.is_empty();
    match (plan.join, taken) {
        (Some(Join), true) => {
            let profiles = lifecycle::stored_profiles(&installation)?;
            let path = home.join(FILE_NAME);
            std::fs::write(&path, text(&profiles)).map_err(file(&path))?;
            lifecycle::record_join(&installation, &plan.operator)?;
            report.done.push("joined the installation in the database".to_owned());
        }
        (Some(Join), false) => return Err(SetupError::NothingToJoin),
        (None, true) => return Err(SetupError::DatabaseTaken),
        (None, false) => make_keys(plan, staging, &installation, home, &mut report)?,
    }
    drop(installation);
    if staging.is_softhsm {
        // The tokens move with the directory; their configuration names the place they will have.
        let at = std::path::absolute(directory).map_err(file(directory))?;
        let configuration = home.join("softhsm2.conf");
        std::fs::write(&configuration, softhsm_configuration(&at.join("tokens"))).map_err(file(&configuration))?;
    }
    take_its_name(home, directory)?;
    add_general_warnings(plan, staging, directory, &mut report);
    Ok(report)
}

/// Gives the finished directory its name. It replaces an empty directory, and never one that is not empty.
fn take_its_name(home: &Path, directory: &Path) -> Result<(), SetupError> {
    let absolute = std::path::absolute(directory).map_err(file(directory))?;
    if let Some(parent) = absolute.parent() {
        std::fs::create_dir_all(parent).map_err(file(parent))?;
    }
    std::fs::rename(home, &absolute).map_err(|error| match error.kind() {
        std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => {
            SetupError::Raced { directory: directory.to_owned() }
        }
        _ => file(directory)(error),
    })
}

fn add_general_warnings(plan: &Plan, staging: &Staging, directory: &Path, report: &mut Report) {
    if plan.tier == TierName::Software {
        report.warnings.push(toml_template::SOFTWARE_TIER_WARNING.to_owned());
    }
    if staging.is_softhsm {
        report.warnings.push(
            "SoftHSM keeps keys in files on this machine: good for trials and tests. For production name a hardware token's module with --module"
                .to_owned(),
        );
    }
    if plan.public_url.starts_with("http://127.0.0.1") {
        report.warnings.push(format!(
            "the certificates carry {}, which only this machine reaches; for clients elsewhere make the installation with --public-url",
            plan.public_url
        ));
    }
    if plan.existing_tokens.is_empty() && plan.join.is_none() {
        report.warnings.push(format!(
            "move {0}/secrets/root.pin and {0}/secrets/*.so-pin to a safe place away from this machine",
            directory.display()
        ));
    }
}

fn choose_clock(choice: ClockChoice) -> (&'static str, Option<String>) {
    match choice {
        ClockChoice::Chrony => ("chrony", None),
        ClockChoice::Kernel => ("kernel", None),
        ClockChoice::System => ("system", Some(system_clock_warning("it was asked for"))),
        ClockChoice::Detect => {
            let detected = clock::detect();
            match detected.source.name() {
                "chrony" => ("chrony", None),
                "kernel" => ("kernel", None),
                _ => ("system", Some(system_clock_warning(&detected.reason))),
            }
        }
    }
}

fn system_clock_warning(reason: &str) -> String {
    format!(
        "the clock's source is \"system\" ({reason}): nothing guards against a wrong clock. Install chrony, or name SNTP servers in [clock]"
    )
}

fn database_lines(plan: &Plan, home: &Path) -> Result<String, SetupError> {
    let Some(url) = &plan.database else { return Ok("url = \"sqlite:noonmark.db\"\n".to_owned()) };
    let mut lines = format!("url = {}\n", toml_template::quote(url));
    if let Some(path) = &plan.database_password_file {
        let secret = std::fs::read(path).map_err(file(path))?;
        write_new(&home.join("secrets/database.password"), 0o600, &secret)?;
        lines.push_str("password_file = \"secrets/database.password\"\n");
    }
    Ok(lines)
}

fn token_lines(plan: &Plan, staging: &Staging) -> Result<Vec<TokenLines>, SetupError> {
    let mut existing: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for text in &plan.existing_tokens {
        let wrong = || SetupError::UseToken { text: text.clone() };
        let (role, rest) = text.split_once('=').ok_or_else(wrong)?;
        let (label, pin) = rest.rsplit_once(':').ok_or_else(wrong)?;
        if !ROLES.contains(&role) || label.is_empty() || pin.is_empty() {
            return Err(wrong());
        }
        let pin = std::path::absolute(pin).map_err(file(Path::new(pin)))?;
        existing.insert(role.to_owned(), (label.to_owned(), pin));
    }
    if plan.join.is_some() && !existing.contains_key("service") && !existing.contains_key("ca") {
        return Err(SetupError::JoinNeedsToken);
    }
    let roles = ROLES.into_iter().filter(|role| plan.join.is_none() || existing.contains_key(*role));
    Ok(roles
        .map(|role| match (plan.tier, existing.get(role)) {
            (TierName::Software, _) => TokenLines::software(role),
            (TierName::Pkcs11, Some((label, pin))) => TokenLines::pkcs11(
                role,
                staging.module.as_deref().unwrap_or(Path::new("")),
                label,
                &pin.display().to_string(),
            ),
            (TierName::Pkcs11, None) => TokenLines::pkcs11(
                role,
                staging.module.as_deref().unwrap_or(Path::new("")),
                &format!("noonmark-{role}"),
                &format!("secrets/{role}.pin"),
            ),
        })
        .collect())
}

fn is_existing(plan: &Plan, role: &str) -> bool {
    plan.existing_tokens.iter().any(|text| text.starts_with(&format!("{role}=")))
}

fn make_keys(
    plan: &Plan,
    staging: &Staging,
    installation: &Installation,
    home: &Path,
    report: &mut Report,
) -> Result<(), SetupError> {
    for role in ROLES.into_iter().filter(|role| !is_existing(plan, role)) {
        let (pin, so_pin) = (random_pin()?, random_pin()?);
        write_new(&home.join(format!("secrets/{role}.pin")), 0o600, pin.expose_secret().as_bytes())?;
        if plan.tier == TierName::Pkcs11 {
            write_new(&home.join(format!("secrets/{role}.so-pin")), 0o600, so_pin.expose_secret().as_bytes())?;
        }
        Token::create(&installation.configuration.token_settings(role)?, &so_pin, &pin)?;
        report.done.push(format!("made the {role} token with a PIN of its own (secrets/{role}.pin)"));
    }
    let made = lifecycle::make_hierarchy(installation, plan.algorithm, &plan.subject, &plan.operator)?;
    for (name, kind, certificate) in &made {
        let path = home.join(format!("certificates/{name}.pem"));
        write_new(&path, 0o644, pem_encode("CERTIFICATE", certificate.der()).as_bytes())?;
        report.done.push(describe(name, *kind, certificate));
    }
    if staging.is_softhsm {
        report.done.push("every key was generated inside its token (SoftHSM, tokens/)".to_owned());
    }
    Ok(())
}

fn describe(name: &str, kind: CertificateKind, certificate: &Certificate) -> String {
    format!(
        "made key {name} ({}) and its {kind} certificate: {}, until {}",
        certificate.public_key.algorithm(),
        certificate.subject(),
        super::units::rfc3339(certificate.not_after_s)
    )
}
