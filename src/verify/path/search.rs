//! The search for a path: from the certificate up to an anchor, over everything that is held.
//!
//! Depth first, anchors before certificates, likely issuers before unlikely ones. A certificate is tried as an issuer only
//! after its key has verified what it is to have issued, so that forged certificates cost one signature and no more; paths
//! over certificates that verify may still be many, and each step is counted.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::anchor::TrustAnchor;
use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::Certificate;
use super::super::evidence::{Evidence, Origin};
use super::super::judgement::{Chain, Failure, Link};
use super::super::revocation::{CertificateStatus, Subject, status_of};
use super::super::settings::{RevocationMode, RevocationRule, Settings};
use super::{Fault, Inputs, Place, PolicyOutcome, SignatureMemory, ValidPath, validate};

/// Certificates of a path: the longest that are in use have seven.
const MAX_PATH_CERTIFICATES: usize = 24;
/// Searches inside searches: for the signer of a CRL, for the signer of the CRL that tells of that one, and so on.
const MAX_NESTED_SEARCHES: usize = 4;

/// A certificate of a path, and where it came from.
#[derive(Clone, Copy)]
pub(crate) struct PathCertificate<'a> {
    pub(crate) certificate: &'a Arc<Certificate>,
    pub(crate) origin: Option<Origin>,
}

/// What is searched for.
pub(crate) struct Request<'a> {
    /// The anchors that a path may start at.
    pub(crate) anchors: Vec<&'a Arc<TrustAnchor>>,
    /// The purpose that the last certificate must allow.
    pub(crate) purpose: Option<&'a [u8]>,
    /// Whether the settings' policies are demanded.
    pub(crate) policies: bool,
    /// The time that the last certificate is judged for.
    pub(crate) last_time_s: i64,
}

/// How far a path came: what is told of several that fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// No issuer.
    Unfinished,
    /// A signature on the way up does not verify, or the path grows too long.
    Broken,
    /// It reached an anchor, and does not hold at this place.
    Invalid(Place),
    /// It holds, but a status is not known.
    StatusUnknown,
    /// It holds, but a certificate is revoked.
    Revoked,
}

/// The failure that is told.
pub(crate) struct Furthest {
    stage: Stage,
    pub(crate) failure: Failure,
    pub(crate) chain: Option<Chain>,
}

/// One judgement's work.
pub(crate) struct Judge<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) settings: &'a Settings<'a>,
    pub(crate) budget: Budget,
    pub(crate) memory: SignatureMemory,
    /// Issuers of a certificate, likely ones first, by its address.
    candidates: HashMap<usize, Rc<[usize]>>,
    /// Statuses that are settled, by the addresses of the path down to the certificate, see [`Subject::path`].
    pub(crate) statuses: HashMap<Vec<usize>, CertificateStatus>,
    /// The certificates whose status is being found, by address.
    pub(crate) in_progress: Vec<usize>,
    /// Whether revocation data of any age counts: it is asked for revocations alone.
    pub(crate) any_age: bool,
    nested: usize,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(evidence: &'a Evidence, settings: &'a Settings<'a>, memory: SignatureMemory) -> Self {
        Self {
            evidence,
            settings,
            budget: Budget::new(settings.limits),
            memory,
            candidates: HashMap::new(),
            statuses: HashMap::new(),
            in_progress: Vec::new(),
            any_age: false,
            nested: 0,
        }
    }

    /// The rule on revocation data, but for its age where that is not asked.
    pub(crate) fn rule(&self) -> RevocationRule {
        let rule = self.settings.revocation;
        match self.any_age {
            true => RevocationRule { earliest_this_update_s: i64::MIN, earliest_next_update_s: i64::MIN, ..rule },
            false => rule,
        }
    }

    /// Looks for a path that holds.
    ///
    /// # Errors
    /// The outer: the budget is spent. The inner: none holds, and why not the one that came furthest.
    pub(crate) fn search(
        &mut self,
        target: PathCertificate<'a>,
        request: &Request<'a>,
    ) -> Result<Result<Chain, Furthest>, BudgetExhausted> {
        let mut furthest = Furthest {
            stage: Stage::Unfinished,
            failure: Failure::NoIssuer { certificate: Arc::clone(target.certificate) },
            chain: None,
        };
        if self.nested == MAX_NESTED_SEARCHES {
            return Ok(Err(furthest));
        }
        self.nested += 1;
        let found = self.search_from(target, request, &mut furthest);
        self.nested -= 1;
        Ok(found?.ok_or(furthest))
    }

    fn search_from(
        &mut self,
        target: PathCertificate<'a>,
        request: &Request<'a>,
        furthest: &mut Furthest,
    ) -> Result<Option<Chain>, BudgetExhausted> {
        // An anchor's own certificate is trusted as it stands.
        for anchor in &request.anchors {
            if anchor.certificate().is_some_and(|own| own == target.certificate) {
                return self.try_path(anchor, &[], request, furthest);
            }
        }
        self.extend(&mut vec![target], request, furthest)
    }

    /// `path` begins with the certificate that is judged; the last one's issuer is looked for.
    fn extend(
        &mut self,
        path: &mut Vec<PathCertificate<'a>>,
        request: &Request<'a>,
        furthest: &mut Furthest,
    ) -> Result<Option<Chain>, BudgetExhausted> {
        let Some(current) = path.last().copied() else { return Ok(None) };
        let certificate = current.certificate;
        let mut has_issuer = false;
        for anchor in request.anchors.iter().filter(|anchor| anchor.name() == certificate.issuer_name()) {
            self.budget.spend(Resource::PathSteps, 1)?;
            has_issuer = true;
            if let Some(chain) = self.try_path(anchor, path, request, furthest)? {
                return Ok(Some(chain));
            }
        }
        let candidates = self.candidates(certificate);
        if path.len() == MAX_PATH_CERTIFICATES {
            if !candidates.is_empty() {
                furthest.offer(Stage::Broken, || (Failure::TooLong { limit: MAX_PATH_CERTIFICATES }, None));
            }
            return Ok(None);
        }
        // An issuer's old and new keys have one name: that one of them did not sign is no fault as long as the other did.
        let (mut broken, mut is_signed) = (None, false);
        for place in candidates.iter() {
            self.budget.spend(Resource::PathSteps, 1)?;
            let Some(held) = self.evidence.certificates().get(*place) else { continue };
            let issuer = &held.certificate;
            if path.iter().any(|one| is_same_entity(one.certificate, issuer)) || is_anchors(issuer, request) {
                continue;
            }
            has_issuer = true;
            if let Err(fault) = self.verify_under(certificate, issuer)? {
                broken.get_or_insert(fault);
                continue;
            }
            is_signed = true;
            path.push(PathCertificate { certificate: issuer, origin: Some(held.origin) });
            let found = self.extend(path, request, furthest);
            path.pop();
            if let Some(chain) = found? {
                return Ok(Some(chain));
            }
        }
        if let Some(fault) = broken.filter(|_| !is_signed) {
            let certificate = Arc::clone(certificate);
            furthest.offer(Stage::Broken, || (Failure::Certificate { certificate, fault }, None));
        }
        if !has_issuer {
            furthest.offer(Stage::Unfinished, || (Failure::NoIssuer { certificate: Arc::clone(certificate) }, None));
        }
        Ok(None)
    }

    /// Whether the issuer's key signed the certificate. A DSA key without parameters is left to the validation, which knows
    /// the keys above.
    fn verify_under(
        &mut self,
        certificate: &Certificate,
        issuer: &'a Certificate,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        match issuer.key() {
            Err(error) => Ok(Err(Fault::IssuerKey(error))),
            Ok(key) if key.lacks_parameters() => Ok(Ok(())),
            Ok(key) => self.memory.verify(certificate, key, self.settings.algorithms, &mut self.budget),
        }
    }

    /// The certificates with the issuer's name: first those whose key identifier is the one that the certificate names, that
    /// are valid at the time, that are CAs'.
    fn candidates(&mut self, certificate: &Certificate) -> Rc<[usize]> {
        let address = std::ptr::from_ref(certificate).addr();
        if let Some(known) = self.candidates.get(&address) {
            return Rc::clone(known);
        }
        let named = certificate.authority_key_identifier().ok().flatten().and_then(|named| named.key_identifier);
        let time_s = self.settings.time_s;
        let unlikeliness = |place: &usize| {
            let held = self.evidence.certificates().get(*place)?;
            let key = match (named, &held.key_identifier) {
                (Some(named), Some(own)) if named == own => 0,
                (Some(_), Some(_)) => 2,
                _ => 1,
            };
            let valid = (held.certificate.not_before_s()..=held.certificate.not_after_s()).contains(&time_s);
            Some((key, !valid, !held.is_ca))
        };
        let mut places = self.evidence.by_subject(certificate.issuer_name()).to_vec();
        places.sort_by_cached_key(unlikeliness);
        let places: Rc<[usize]> = places.into();
        self.candidates.insert(address, Rc::clone(&places));
        places
    }

    /// Validates a path that reached an anchor, then asks about revocation. `path` begins with the certificate judged.
    fn try_path(
        &mut self,
        anchor: &'a Arc<TrustAnchor>,
        path: &[PathCertificate<'a>],
        request: &Request<'a>,
        furthest: &mut Furthest,
    ) -> Result<Option<Chain>, BudgetExhausted> {
        let path: Vec<PathCertificate<'a>> = path.iter().rev().copied().collect();
        let certificates: Vec<&'a Certificate> = path.iter().map(|one| &**one.certificate).collect();
        let inputs = Inputs {
            settings: self.settings,
            purpose: request.purpose,
            last_time_s: request.last_time_s,
            policies: request.policies,
        };
        let valid = match validate(anchor, &certificates, &inputs, &mut self.memory, &mut self.budget)? {
            Ok(valid) => valid,
            Err((place, fault)) => {
                furthest.offer(Stage::Invalid(place), || {
                    let failure = match place {
                        Place::Certificate(at) if at < path.len() => {
                            Failure::Certificate { certificate: Arc::clone(path[at].certificate), fault }
                        }
                        _ => Failure::Anchor { anchor: Arc::clone(anchor), fault },
                    };
                    (failure, Some(chain(anchor, &path, None, Vec::new())))
                });
                return Ok(None);
            }
        };
        let statuses = self.statuses_of(anchor, &path, &valid)?;
        match failing(&statuses, self.settings, request.last_time_s) {
            None => Ok(Some(chain(anchor, &path, Some(valid), statuses))),
            Some(at) => {
                let certificate = Arc::clone(path[at].certificate);
                let (stage, failure) = match &statuses[at] {
                    CertificateStatus::Revoked(revocation) => {
                        (Stage::Revoked, Failure::Revoked { certificate, revocation: revocation.clone() })
                    }
                    CertificateStatus::Unknown(not_used) => {
                        (Stage::StatusUnknown, Failure::StatusUnknown { certificate, not_used: not_used.clone() })
                    }
                    _ => return Ok(Some(chain(anchor, &path, Some(valid), statuses))),
                };
                furthest.offer(stage, || (failure, Some(chain(anchor, &path, Some(valid), statuses))));
                Ok(None)
            }
        }
    }

    fn statuses_of(
        &mut self,
        anchor: &'a Arc<TrustAnchor>,
        path: &[PathCertificate<'a>],
        valid: &ValidPath<'a>,
    ) -> Result<Vec<CertificateStatus>, BudgetExhausted> {
        if self.settings.revocation.mode == RevocationMode::NotAsked {
            return Ok(vec![CertificateStatus::NotAsked; path.len()]);
        }
        let mut statuses = Vec::with_capacity(path.len());
        for (at, (one, issuer_key)) in path.iter().zip(&valid.issuer_keys).enumerate() {
            let subject =
                Subject { certificate: one.certificate, issuer_key: issuer_key.clone(), anchor, above: &path[..at] };
            statuses.push(status_of(self, &subject)?);
        }
        Ok(statuses)
    }
}

/// Whether a status lets a path hold, of a certificate that is judged for this time.
pub(crate) fn is_acceptable(status: &CertificateStatus, settings: &Settings<'_>, time_s: i64) -> bool {
    match status {
        CertificateStatus::NotAsked | CertificateStatus::Good(_) | CertificateStatus::NoCheck => true,
        CertificateStatus::Revoked(revocation) => !revocation.holds_at(time_s),
        CertificateStatus::Unknown(_) => status.is_tolerated_unknown(settings.revocation.mode),
    }
}

/// The certificate for whose status a path fails: a revoked one, else one that is not known.
fn failing(statuses: &[CertificateStatus], settings: &Settings<'_>, last_time_s: i64) -> Option<usize> {
    let fails = |(at, status): &(usize, &CertificateStatus)| {
        let time_s = if at + 1 == statuses.len() { last_time_s } else { settings.time_s };
        !is_acceptable(status, settings, time_s)
    };
    let revoked = |one: &(usize, &CertificateStatus)| fails(one) && matches!(one.1, CertificateStatus::Revoked(_));
    let first = statuses.iter().enumerate().find(revoked).or_else(|| statuses.iter().enumerate().find(fails));
    first.map(|(at, _)| at)
}

/// RFC 4158 §5.2: the same name and key twice make a path longer and no better.
fn is_same_entity(one: &Certificate, other: &Certificate) -> bool {
    one == other || (one.subject_name() == other.subject_name() && one.spki_der() == other.spki_der())
}

/// Whether it is an anchor's own certificate, over which a path is only longer than from the anchor itself.
fn is_anchors(certificate: &Certificate, request: &Request<'_>) -> bool {
    certificate.is_self_issued()
        && request.anchors.iter().any(|anchor| {
            anchor.name() == certificate.subject_name()
                && anchor.key().is_some_and(|key| key.spki_der() == certificate.spki_der())
        })
}

fn chain(
    anchor: &Arc<TrustAnchor>,
    path: &[PathCertificate<'_>],
    valid: Option<ValidPath<'_>>,
    statuses: Vec<CertificateStatus>,
) -> Chain {
    let (policies, keys) = match valid {
        Some(valid) => (valid.policies, valid.issuer_keys),
        None => (PolicyOutcome::default(), Vec::new()),
    };
    let mut statuses = statuses.into_iter();
    let links = path.iter().enumerate().map(|(at, one)| Link {
        certificate: Arc::clone(one.certificate),
        origin: one.origin,
        signature: one.certificate.signature_algorithm().ok(),
        issuer_key: keys.get(at).map(|key| key.key().algorithm()),
        status: statuses.next().unwrap_or(CertificateStatus::NotAsked),
    });
    Chain { anchor: Arc::clone(anchor), links: links.collect(), policies }
}

impl Furthest {
    fn offer(&mut self, stage: Stage, tell: impl FnOnce() -> (Failure, Option<Chain>)) {
        if stage > self.stage || (stage == self.stage && self.chain.is_none()) {
            let (failure, chain) = tell();
            *self = Self { stage, failure, chain };
        }
    }
}
