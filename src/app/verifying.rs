//! What this server verifies with: policies, anchors and files as configured, and what the installation itself issues,
//! publishes and fetches, followed as it changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::answering::Answering;
use super::verification::{self, Skipped, VerificationSetupError};
use crate::ca::Certificate;
use crate::config::Configuration;
use crate::crls::external::Kind;
use crate::crls::{CrlBody, Shelf, ShelvedCrl};
use crate::gather::{GatherLimits, GatherSettings, Gatherer, NamedPolicy, VerificationService, Verifier};
use crate::store::{IssuerOrigin, Store, StoreError};
use crate::tsa::Authority;
use crate::verify::blocks::Anchors;
use crate::verify::policy::Policy;
use crate::verify::{AnchorRule, Evidence, HeldCrl, Origin, TrustAnchor};

/// Between two looks at what the installation publishes: a revocation counts within a second of its CRL.
const POLL: Duration = Duration::from_millis(500);
/// Octets of a CRL that is held: the largest in the field have some tens of MiB, and each is in memory whole.
const MAX_CRL_OCTETS: u64 = 64 * 1024 * 1024;

/// What the configuration names, read.
pub(super) struct Prepared {
    pub(super) verifier: Verifier,
    pub(super) held: Evidence,
    /// Files of directories that are no evidence.
    pub(super) skipped: Vec<Skipped>,
    /// Whether any policy trusts anybody.
    pub(super) has_anchors: bool,
}

impl Prepared {
    /// Tells what is left out.
    pub(super) fn warn(&self) {
        for Skipped { path, reason } in &self.skipped {
            tracing::warn!(path = %path.display(), reason, "a file of [verification] held is left out");
        }
        if !self.has_anchors {
            tracing::warn!("[verification] names no anchors, and trust_own is false: no signature can pass");
        }
    }
}

/// Reads the policies, anchors and files of `[verification]`.
///
/// # Errors
/// One that can't be read: nothing is verified by half of what an operator meant.
pub(super) fn prepare(configuration: &Configuration, store: &Store) -> Result<Prepared, VerificationSetupError> {
    let section = &configuration.verification;
    let mut trusted = Vec::new();
    for path in &section.anchors {
        trusted.extend(verification::anchors(&configuration.path(path), None)?);
    }
    if section.trust_own {
        trusted.extend(own_roots(store)?);
    }
    let anchors = Anchors::for_everything(trusted);
    let built_in = Policy::BUILT_IN.iter().filter_map(|name| Policy::built_in(name));
    let mut policies: Vec<NamedPolicy> =
        built_in.map(|policy| NamedPolicy { policy: policy.clone(), toml: None, anchors: anchors.clone() }).collect();
    let directory = configuration.path(&section.policies);
    policies.extend(policy_files(&directory, &anchors)?);
    let has_anchors =
        policies.iter().any(|named| !named.anchors.signers.is_empty() || !named.anchors.timestamping.is_empty());
    let at = policies.iter().position(|named| named.policy.name == section.policy);
    let no_choice = || VerificationSetupError::FirstChoice { name: section.policy.clone(), directory };
    let first_choice = policies.swap_remove(at.ok_or_else(no_choice)?);

    let (mut held, mut skipped) = (Evidence::new(), Vec::new());
    for path in &section.held {
        skipped.extend(verification::hold(&configuration.path(path), &mut held)?);
    }
    let gatherer = (section.fetch || !section.fetch_hosts.is_empty()).then(|| {
        let allow = section.fetch_hosts.clone();
        Gatherer::new(GatherSettings { allow, any_public_host: section.fetch, limits: GatherLimits::default() })
    });
    Ok(Prepared { verifier: Verifier::new(first_choice, policies, gatherer), held, skipped, has_anchors })
}

/// The policies of a directory, which need not be there. One that names no anchors has those of the configuration.
fn policy_files(directory: &Path, anchors: &Anchors) -> Result<Vec<NamedPolicy>, VerificationSetupError> {
    let failed = |error| VerificationSetupError::Io { path: directory.to_owned(), error };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut policies = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|ending| ending != "toml") || !path.is_file() {
            continue;
        }
        let mut named = verification::policy_file(&path)?;
        if Policy::built_in(&named.policy.name).is_some() {
            return Err(VerificationSetupError::BuiltIn { path });
        }
        if named.policy.anchors.is_empty() {
            named.anchors = anchors.clone();
        }
        policies.push(named);
    }
    Ok(policies)
}

/// The installation's own issuers that signed themselves.
fn own_roots(store: &Store) -> Result<Vec<Arc<TrustAnchor>>, VerificationSetupError> {
    let mut roots = Vec::new();
    for row in store.issuers()?.into_iter().filter(|row| row.origin == IssuerOrigin::Own) {
        let unreadable = |reason: String| VerificationSetupError::OwnRoot { issuer: row.name.clone(), reason };
        let der = store.certificate_der(&row.certificate_sha256)?;
        let der = der.ok_or(StoreError::Row { table: "issuers", column: "certificate_sha256" })?;
        let certificate = Certificate::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
        if certificate.is_self_issued() && certificate.is_signed_by(&certificate) {
            let anchor = TrustAnchor::from_certificate_der(&der, AnchorRule::NameAndKey);
            roots.push(Arc::new(anchor.map_err(|error| unreadable(error.to_string()))?));
        }
    }
    Ok(roots)
}

/// What the installation has that judgements rest on.
pub(super) struct OwnParts {
    pub(super) authority: Arc<Authority>,
    pub(super) answering: Arc<Answering>,
    pub(super) shelf: Arc<Shelf>,
}

/// A CRL of the installation, by what changes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CrlKey {
    /// Published here: its row.
    Own(i64),
    /// Fetched for an external issuer: its number, whether it is the delta, and the edition of what is held.
    External(i64, bool, u64),
}

/// Keeps what is held as it should be, on a thread.
pub(super) struct HeldKeeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    service: Arc<VerificationService>,
    parts: OwnParts,
    /// From files, and whether it is new.
    files: Mutex<(Evidence, bool)>,
    is_stopping: AtomicBool,
}

impl HeldKeeper {
    /// Holds what there is, and follows it from then on.
    pub(super) fn start(service: Arc<VerificationService>, parts: OwnParts, files: Evidence) -> std::io::Result<Self> {
        let files = Mutex::new((files, true));
        let shared = Arc::new(Shared { service, parts, files, is_stopping: AtomicBool::new(false) });
        let mut look = Look::default();
        look.at(&shared);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("verify-held".to_owned()).spawn(move || {
            while !theirs.is_stopping.load(Ordering::Relaxed) {
                std::thread::sleep(POLL);
                look.at(&theirs);
            }
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Judges by what was read again from now on.
    pub(super) fn exchange(&self, prepared: Prepared) {
        self.shared.service.exchange(prepared.verifier);
        *self.shared.files.lock().unwrap_or_else(PoisonError::into_inner) = (prepared.held, true);
    }

    pub(super) fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that follows what judgements rest on ended by a panic");
        }
        self.shared.service.stop();
    }
}

/// What the last look saw.
#[derive(Default)]
struct Look {
    certificates: Vec<[u8; 32]>,
    /// Each CRL once it was read; none where it can't be used, which was said.
    crls: BTreeMap<CrlKey, Option<Arc<HeldCrl>>>,
}

impl Look {
    fn at(&mut self, shared: &Shared) {
        let parts = &shared.parts;
        let plans = parts.answering.plans();
        let units = parts.authority.profiles();
        let units: Vec<_> = units.iter().filter_map(|profile| parts.authority.unit(profile)).collect();
        let mut certificates: Vec<&Certificate> = plans.iter().map(super::answering::IssuerPlan::certificate).collect();
        certificates.extend(units.iter().flat_map(|unit| &unit.chain));
        let names: Vec<[u8; 32]> = certificates.iter().map(|certificate| certificate.sha256()).collect();
        let (crls, has_changed) = self.crls(parts);
        let (files, is_new) = {
            let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
            (files.0.clone(), std::mem::take(&mut files.1))
        };
        if !is_new && !has_changed && names == self.certificates {
            return;
        }
        let mut evidence = files;
        let certificates = certificates.iter().map(|one| evidence.add_certificate_der(one.der(), Origin::Held));
        let refused: Vec<_> = certificates.filter_map(Result::err).collect();
        let refused = crls.values().flatten().filter_map(|crl| evidence.add_crl(Arc::clone(crl)).err()).chain(refused);
        for error in refused {
            tracing::warn!(%error, "judgements do without a certificate or CRL of the installation");
        }
        tracing::debug!(
            certificates = evidence.certificates().len(),
            crls = evidence.crls().len(),
            "what judgements rest on changed"
        );
        shared.service.hold(evidence);
        (self.certificates, self.crls) = (names, crls);
    }

    /// The CRLs that there are now, and whether they are others than before. What was read before is not read again.
    fn crls(&self, parts: &OwnParts) -> (BTreeMap<CrlKey, Option<Arc<HeldCrl>>>, bool) {
        let mut crls = BTreeMap::new();
        let mut put = |key: CrlKey, issuer: &str, read: &dyn Fn() -> std::io::Result<Option<Vec<u8>>>| {
            let crl = match self.crls.get(&key) {
                Some(known) => known.clone(),
                None => read_crl(issuer, read),
            };
            crls.insert(key, crl);
        };
        for (issuer, row) in parts.shelf.rows() {
            if let Some(crl) = parts.shelf.find(&issuer, row.scope) {
                put(CrlKey::Own(crl.row.id), &issuer, &|| shelved_octets(&crl));
            }
        }
        for crl in parts.answering.external_crls() {
            let held = crl.held();
            for kind in [Kind::Complete, Kind::Delta].into_iter().filter(|kind| held.of(*kind).is_some()) {
                let key = CrlKey::External(crl.issuer_id(), kind == Kind::Delta, held.edition);
                put(key, crl.name(), &|| crl.file(kind)?.map_or(Ok(None), |file| file_octets(&file)));
            }
        }
        let has_changed = !crls.keys().eq(self.crls.keys());
        (crls, has_changed)
    }
}

fn read_crl(issuer: &str, read: &dyn Fn() -> std::io::Result<Option<Vec<u8>>>) -> Option<Arc<HeldCrl>> {
    let left_out = |reason: &dyn std::fmt::Display| {
        tracing::warn!(issuer, %reason, "judgements do without a CRL");
        None
    };
    match read() {
        Ok(Some(der)) => match HeldCrl::from_der(&der, Origin::Held) {
            Ok(crl) => Some(Arc::new(crl)),
            Err(error) => left_out(&error),
        },
        Ok(None) => left_out(&format!("it has more than {MAX_CRL_OCTETS} octets, or is gone")),
        Err(error) => left_out(&error),
    }
}

/// A published CRL's octets; none of one that is too large.
fn shelved_octets(crl: &ShelvedCrl) -> std::io::Result<Option<Vec<u8>>> {
    let Some(length) = u64::try_from(crl.row.octets).ok().filter(|length| *length <= MAX_CRL_OCTETS) else {
        return Ok(None);
    };
    match &crl.body {
        CrlBody::Memory(octets) => Ok(Some(octets.to_vec())),
        CrlBody::File(file) => {
            let mut octets = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut octets, 0)?;
            Ok(Some(octets))
        }
    }
}

fn file_octets(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    let read = file.take(MAX_CRL_OCTETS + 1).read_to_end(&mut octets)?;
    Ok((u64::try_from(read).unwrap_or(u64::MAX) <= MAX_CRL_OCTETS).then_some(octets))
}
