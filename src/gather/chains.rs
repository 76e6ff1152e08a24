//! Who issued what, from the targets up, as far as it is held: by name, and by the signature.

use std::collections::HashMap;
use std::sync::Arc;

use super::Exhausted;
use super::budget::Stop;
use crate::verify::signature::VerificationKey;
use crate::verify::{Certificate, Evidence, Survey, TrustAnchor};

/// Certificates of all chains: as many as the steps of a judgement, which a document may fill with certificates that have a true
/// issuer's name and key, so that what one finds behind them is found here too.
const MAX_LINKS: usize = 10_000;

/// Who issued a certificate: its key verifies it.
#[derive(Clone)]
pub(super) enum Issuer {
    Anchor(Arc<TrustAnchor>),
    Certificate(Arc<Certificate>),
}

impl Issuer {
    pub(super) fn key(&self) -> Option<&VerificationKey> {
        match self {
            Self::Anchor(anchor) => anchor.key(),
            Self::Certificate(certificate) => certificate.key().ok(),
        }
    }
}

/// A certificate of a chain.
struct Link {
    certificate: Arc<Certificate>,
    issuers: Vec<Issuer>,
    end: Option<End>,
}

/// Why nothing is looked for above a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is an anchor.
    Anchor,
    /// It signed itself.
    SelfSigned,
}

/// The chains above the targets.
pub(super) struct Chains<'a> {
    anchors: &'a [Arc<TrustAnchor>],
    time_s: i64,
    links: Vec<Link>,
    /// How many of the links, the first ones, are targets.
    targets: usize,
    places: HashMap<[u8; 32], usize>,
}

impl<'a> Chains<'a> {
    pub(super) fn new(
        targets: &[Arc<Certificate>],
        anchors: &'a [Arc<TrustAnchor>],
        time_s: i64,
    ) -> Result<Self, Stop> {
        let mut chains = Self { anchors, time_s, links: Vec::new(), targets: 0, places: HashMap::new() };
        for target in targets {
            chains.add(target)?;
        }
        chains.targets = chains.links.len();
        Ok(chains)
    }

    fn add(&mut self, certificate: &Arc<Certificate>) -> Result<(), Stop> {
        if self.places.contains_key(certificate.sha256()) {
            return Ok(());
        }
        if self.links.len() == MAX_LINKS {
            return Err(Stop(Exhausted::Certificates));
        }
        self.places.insert(*certificate.sha256(), self.links.len());
        self.links.push(Link { certificate: Arc::clone(certificate), issuers: Vec::new(), end: None });
        Ok(())
    }

    /// Goes up from every certificate, anew where no anchor issued it: more may be held since.
    pub(super) fn walk(&mut self, evidence: &Evidence, survey: &mut Survey) -> Result<(), Stop> {
        let mut at = 0;
        // Bounded: each turn goes one on, and the links are bounded.
        while let Some(link) = self.links.get(at) {
            if link.end.is_none() && !link.issuers.iter().any(|issuer| matches!(issuer, Issuer::Anchor(_))) {
                let certificate = Arc::clone(&link.certificate);
                let (issuers, end) = self.look_above(&certificate, evidence, survey)?;
                for issuer in &issuers {
                    if let Issuer::Certificate(issuer) = issuer {
                        self.add(issuer)?;
                    }
                }
                if let Some(link) = self.links.get_mut(at) {
                    (link.issuers, link.end) = (issuers, end);
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn look_above(
        &self,
        certificate: &Arc<Certificate>,
        evidence: &Evidence,
        survey: &mut Survey,
    ) -> Result<(Vec<Issuer>, Option<End>), Stop> {
        let mut issuers = Vec::new();
        if self.anchors.iter().any(|anchor| anchor.certificate() == Some(certificate)) {
            return Ok((issuers, Some(End::Anchor)));
        }
        let anchors = self.anchors;
        for anchor in anchors.iter().filter(|anchor| anchor.name() == certificate.issuer_name()) {
            if let Some(key) = anchor.key()
                && is_signed(survey, certificate, key)?
            {
                issuers.push(Issuer::Anchor(Arc::clone(anchor)));
            }
        }
        if !issuers.is_empty() {
            return Ok((issuers, None));
        }
        if certificate.is_self_issued()
            && let Ok(key) = certificate.key()
            && is_signed(survey, certificate, key)?
        {
            return Ok((issuers, Some(End::SelfSigned)));
        }
        for candidate in self.candidates(certificate, evidence) {
            if let Ok(key) = candidate.key()
                && is_signed(survey, certificate, key)?
            {
                issuers.push(Issuer::Certificate(candidate));
            }
        }
        Ok((issuers, None))
    }

    /// The certificates with the issuer's name, in the order in which a judgement tries them.
    fn candidates(&self, certificate: &Arc<Certificate>, evidence: &Evidence) -> Vec<Arc<Certificate>> {
        let named = certificate.authority_key_identifier().ok().flatten().and_then(|named| named.key_identifier);
        let held = evidence.certificates_of(certificate.issuer_name()).map(|held| &held.certificate);
        let mut candidates: Vec<_> = held.filter(|held| *held != certificate).cloned().collect();
        candidates.sort_by_cached_key(|candidate| {
            let key = match (named, candidate.subject_key_identifier().ok().flatten()) {
                (Some(named), Some(own)) if named == own => 0,
                (Some(_), Some(_)) => 2,
                _ => 1,
            };
            let valid = (candidate.not_before_s()..=candidate.not_after_s()).contains(&self.time_s);
            (key, !valid, !candidate.is_ca())
        });
        candidates
    }

    /// The certificates above which an anchor stands, anchors themselves left out, with an issuer of each: what a judgement
    /// asks the status of. Of others nothing is asked, so that only who an anchor vouches for has a say in where we ask.
    pub(super) fn anchored(&self) -> Vec<(Arc<Certificate>, Issuer)> {
        let links = self.links.iter().zip(self.flags()).filter(|(_, anchored)| *anchored);
        links.filter_map(|(link, _)| Some((Arc::clone(&link.certificate), link.issuers.first()?.clone()))).collect()
    }

    /// The certificates above which none stands, those first whose issuer is not held at all; empty once all targets have one.
    pub(super) fn unanchored(&self) -> (Vec<Arc<Certificate>>, Vec<Arc<Certificate>>) {
        let flags = self.flags();
        if flags.iter().take(self.targets).all(|anchored| *anchored) {
            return (Vec::new(), Vec::new());
        }
        let links = self.links.iter().zip(flags).filter(|(link, anchored)| !anchored && link.end.is_none());
        let (lacking, others): (Vec<&Link>, Vec<&Link>) =
            links.map(|(link, _)| link).partition(|link| link.issuers.is_empty());
        let certificates = |links: Vec<&Link>| links.into_iter().map(|link| Arc::clone(&link.certificate)).collect();
        (certificates(lacking), certificates(others))
    }

    /// Of each link, whether it is an anchor or one stands above it.
    fn flags(&self) -> Vec<bool> {
        let mut anchored: Vec<bool> = self.links.iter().map(|link| link.end == Some(End::Anchor)).collect();
        // Bounded: each turn but the last finds one more at least.
        loop {
            let mut found = false;
            for (at, link) in self.links.iter().enumerate() {
                let leads_up = link.issuers.iter().any(|issuer| self.leads_up(issuer, &anchored));
                if let Some(known) = anchored.get_mut(at).filter(|known| leads_up && !**known) {
                    (*known, found) = (true, true);
                }
            }
            if !found {
                return anchored;
            }
        }
    }

    fn leads_up(&self, issuer: &Issuer, anchored: &[bool]) -> bool {
        match issuer {
            Issuer::Anchor(_) => true,
            Issuer::Certificate(certificate) => {
                self.places.get(certificate.sha256()).is_some_and(|at| anchored.get(*at) == Some(&true))
            }
        }
    }
}

/// Whether the key signed the certificate. A DSA key without parameters has them from above: its name will do.
fn is_signed(survey: &mut Survey, certificate: &Certificate, key: &VerificationKey) -> Result<bool, Stop> {
    // Counted in either case.
    Ok(survey.is_signed(certificate, key)? || key.lacks_parameters())
}
