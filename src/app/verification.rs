//! What a verification is given in files: policies, trust anchors, and evidence that is held.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::gather::NamedPolicy;
use crate::store::StoreError;
use crate::verify::blocks::Anchors;
use crate::verify::policy::{
    AnchorFileError, AnchorUse, MAX_ANCHOR_FILE_OCTETS, MAX_POLICY_OCTETS, Policy, PolicyError, read_anchors,
};
use crate::verify::{
    AnchorConstraints, AnchorError, AnchorRule, Evidence, EvidenceError, HeldFileError, Origin, TrustAnchor,
};

/// Files of a directory that are looked at, its directories' included: more than any store of certificates has.
const MAX_FILES: usize = 16 * 1024;
/// Directories in directories that are looked into.
const MAX_DEPTH: usize = 4;
/// Octets of a file of evidence: the largest CRLs in the field have some tens of MiB.
const MAX_HELD_FILE_OCTETS: usize = 256 * 1024 * 1024;

/// Why a verification can't begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerificationSetupError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file is larger than is read.
    #[error("{} has more than {limit} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A directory has more in it than is looked at.
    #[error("{} has more than {MAX_FILES} files", path.display())]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
    },
    /// A policy can't be read.
    #[error("{}: {error}", path.display())]
    Policy {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        error: PolicyError,
    },
    /// Neither a policy that Noonmark comes with nor a file.
    #[error("there is no policy {name:?}: write the path of a policy's file, or one of {}", Policy::BUILT_IN.join(", "))]
    NoPolicy {
        /// As given.
        name: String,
    },
    /// A file that should hold trust anchors.
    #[error("{}: {error}", path.display())]
    AnchorFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: AnchorFileError,
    },
    /// A certificate that can't be an anchor.
    #[error("{}: {error}", path.display())]
    Anchor {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        error: AnchorError,
    },
    /// A directory that should hold trust anchors has none.
    #[error("{} has no file with a certificate in it", path.display())]
    NoAnchor {
        /// The directory.
        path: PathBuf,
    },
    /// A file that should hold evidence.
    #[error("{}: {error}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: HeldFileError,
    },
    /// A policy's file is called as one that Noonmark comes with.
    #[error("{}: a policy of this name is built in; call it otherwise", path.display())]
    BuiltIn {
        /// The file.
        path: PathBuf,
    },
    /// The first choice is none of the policies.
    #[error("policy = {name:?} is neither built in nor a file {name}.toml in {}", directory.display())]
    FirstChoice {
        /// As configured.
        name: String,
        /// Where policies are.
        directory: PathBuf,
    },
    /// The installation's own roots.
    #[error("the installation's own roots: {0}")]
    Store(#[from] StoreError),
    /// One of these that can't be read.
    #[error("the installation's own root {issuer}: {reason}")]
    OwnRoot {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        reason: String,
    },
    /// A password's file does not hold text.
    #[error("{}: the password is not UTF-8 text", path.display())]
    Password {
        /// The file.
        path: PathBuf,
    },
}

/// A file of a directory that gave nothing, and why.
#[derive(Debug)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// A policy by the name of one that Noonmark comes with, or by its file. The files that it names are read beside it.
///
/// # Errors
/// A policy, or a file that it names, that can't be read.
pub fn policy(name: &str) -> Result<NamedPolicy, VerificationSetupError> {
    if let Some(policy) = Policy::built_in(name) {
        return Ok(NamedPolicy { policy: policy.clone(), toml: None, anchors: Anchors::default() });
    }
    let path = Path::new(name);
    if !path.is_file() {
        return Err(VerificationSetupError::NoPolicy { name: name.to_owned() });
    }
    policy_file(path)
}

/// A policy's file; it is called by the file's name without its ending.
///
/// # Errors
/// As [`policy`].
pub fn policy_file(path: &Path) -> Result<NamedPolicy, VerificationSetupError> {
    let octets = read(path, MAX_POLICY_OCTETS)?;
    let toml = String::from_utf8_lossy(&octets).into_owned();
    let name = path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned());
    let policy = Policy::from_toml(&toml, &name)
        .map_err(|error| VerificationSetupError::Policy { path: path.to_owned(), error })?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut anchors = Anchors::default();
    for file in &policy.anchors {
        let password = file.password_file.as_ref().map(|file| password(&directory.join(file))).transpose()?;
        let rule = if file.whole_certificate { AnchorRule::WholeCertificate } else { AnchorRule::NameAndKey };
        let read = anchors_in(&directory.join(&file.path), password.as_deref(), rule, &file.constraints)?;
        if file.for_ != AnchorUse::Timestamps {
            anchors.signers.extend(read.iter().map(Arc::clone));
        }
        if file.for_ != AnchorUse::Signatures {
            anchors.timestamping.extend(read);
        }
    }
    Ok(NamedPolicy { policy, toml: Some(toml), anchors })
}

/// The first line of a password's file.
///
/// # Errors
/// A file that can't be read, or holds no text.
pub fn password(path: &Path) -> Result<String, VerificationSetupError> {
    /// A password is a line.
    const MAX_PASSWORD_OCTETS: usize = 4096;
    let octets = read(path, MAX_PASSWORD_OCTETS)?;
    let text = String::from_utf8(octets).map_err(|_| VerificationSetupError::Password { path: path.to_owned() })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The trust anchors in a file, or in the files of a directory: those of its files that hold certificates.
///
/// # Errors
/// A file that can't be read or holds no certificate; a directory without any.
pub fn anchors(path: &Path, password: Option<&str>) -> Result<Vec<Arc<TrustAnchor>>, VerificationSetupError> {
    anchors_in(path, password, AnchorRule::NameAndKey, &AnchorConstraints::default())
}

fn anchors_in(
    path: &Path,
    password: Option<&str>,
    rule: AnchorRule,
    constraints: &AnchorConstraints,
) -> Result<Vec<Arc<TrustAnchor>>, VerificationSetupError> {
    let of_file = |path: &Path| -> Result<Vec<Arc<TrustAnchor>>, VerificationSetupError> {
        let octets = read(path, MAX_ANCHOR_FILE_OCTETS)?;
        let certificates = read_anchors(&octets, password)
            .map_err(|error| VerificationSetupError::AnchorFile { path: path.to_owned(), error })?;
        let anchor = |certificate| {
            let anchor = TrustAnchor::from_certificate(certificate, rule)
                .map_err(|error| VerificationSetupError::Anchor { path: path.to_owned(), error })?;
            Ok(Arc::new(anchor.with_constraints(constraints.clone())))
        };
        certificates.into_iter().map(anchor).collect()
    };
    if !path.is_dir() {
        return of_file(path);
    }
    let mut anchors = Vec::new();
    for file in files(path)? {
        match of_file(&file) {
            Ok(more) => anchors.extend(more),
            // Of what lies in a directory, what is no file of certificates is passed over; a broken one is not.
            Err(VerificationSetupError::AnchorFile {
                error:
                    AnchorFileError::Form
                    | AnchorFileError::NoCertificate
                    | AnchorFileError::Encoding(_)
                    | AnchorFileError::Structure(_),
                ..
            }) => {}
            // CRLs and OCSP responses lie beside certificates in many a directory.
            Err(error @ VerificationSetupError::AnchorFile { error: AnchorFileError::Certificate { .. }, .. }) => {
                let octets = read(&file, MAX_ANCHOR_FILE_OCTETS)?;
                if Evidence::new().add_file(&octets, Origin::Held).is_err() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    if anchors.is_empty() { Err(VerificationSetupError::NoAnchor { path: path.to_owned() }) } else { Ok(anchors) }
}

/// Adds the evidence in a file, or in the files of a directory. Of a directory, files that hold none are told.
///
/// # Errors
/// A file that can't be read, or one given by name that holds none.
pub fn hold(path: &Path, evidence: &mut Evidence) -> Result<Vec<Skipped>, VerificationSetupError> {
    let held = |path: &Path, error| VerificationSetupError::Held { path: path.to_owned(), error };
    if !path.is_dir() {
        let octets = read(path, MAX_HELD_FILE_OCTETS)?;
        evidence.add_file(&octets, Origin::Held).map_err(|error| held(path, error))?;
        return Ok(Vec::new());
    }
    let mut skipped = Vec::new();
    for file in files(path)? {
        let octets = match read(&file, MAX_HELD_FILE_OCTETS) {
            Ok(octets) => octets,
            // No CRL in the field is as large.
            Err(error @ VerificationSetupError::TooLarge { .. }) => {
                skipped.push(Skipped { reason: error.to_string(), path: file });
                continue;
            }
            Err(error) => return Err(error),
        };
        match evidence.add_file(&octets, Origin::Held) {
            Ok(_) => {}
            // What comes after would be left out without a word.
            Err(HeldFileError::Evidence(error @ EvidenceError::TooMany { .. })) => {
                return Err(held(&file, HeldFileError::Evidence(error)));
            }
            Err(error) => skipped.push(Skipped { path: file, reason: error.to_string() }),
        }
    }
    Ok(skipped)
}

/// The files of a directory and of those in it, in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>, VerificationSetupError> {
    let mut found = Vec::new();
    collect(directory, MAX_DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), VerificationSetupError> {
    let failed = |error| VerificationSetupError::Io { path: directory.to_owned(), error };
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            if found.len() == MAX_FILES {
                return Err(VerificationSetupError::TooManyFiles { path: directory.to_owned() });
            }
            found.push(path);
        } else if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

/// A file's octets, up to a limit.
///
/// # Errors
/// It can't be read, or has more.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, VerificationSetupError> {
    use std::io::Read as _;
    let failed = |error| VerificationSetupError::Io { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut octets = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut octets).map_err(failed)?;
    if octets.len() > limit {
        Err(VerificationSetupError::TooLarge { path: path.to_owned(), limit })
    } else {
        Ok(octets)
    }
}
