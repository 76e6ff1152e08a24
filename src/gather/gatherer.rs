//! What is asked for, in its order: issuers first, then, of each certificate that an anchor vouches for, its status.

use std::collections::HashSet;
use std::sync::Arc;

use crl::scope::{DistributionPoint, DistributionPointName, GeneralName as PointName};

use super::budget::{Spending, Stop};
use super::chains::{Chains, Issuer};
use super::destination::{MAX_URL, destination};
use super::fetcher::Fetcher;
use super::ocsp_request::ocsp_request;
use super::{FetchError, FetchKind, FetchRecord, GatherSettings, Gathered, pem};
use crate::asn1::{Reader, writer};
use crate::verify::cms::{CmsError, SignedData, normalise};
use crate::verify::{Certificate, Evidence, EvidenceError, GeneralName, Origin, RevocationRule, TrustAnchor, oid};

/// Rounds of fetching issuers, each of which goes one up: the longest paths in use have seven certificates.
const MAX_ROUNDS: usize = 8;
/// URLs of one kind that are read in a certificate or a distribution point: real ones have up to four.
const MAX_URLS: usize = 8;
/// Distribution points that are looked at: real certificates have up to four.
const MAX_POINTS: usize = 8;
/// Certificates of a bundle: those of bridges have about a hundred.
const MAX_BUNDLE: usize = 256;

/// Fetches what judgements lack. Keeps nothing between two of them; several threads may use one.
pub struct Gatherer {
    settings: Arc<GatherSettings>,
    fetcher: Fetcher,
}

impl Gatherer {
    /// A gatherer that keeps to these settings.
    #[must_use]
    pub fn new(settings: GatherSettings) -> Self {
        let settings = Arc::new(settings);
        Self { fetcher: Fetcher::new(Arc::clone(&settings)), settings }
    }

    /// Adds to the evidence what judging the targets for a time, seconds since 1970, lacks and can be had:
    ///
    /// 1. certificates of issuers, by caIssuers, where nothing that is held leads up to an anchor;
    /// 2. of each certificate below an anchor whose status is not held, an OCSP answer, or where none can be used a complete
    ///    CRL and the delta that goes with it. A certificate with id-pkix-ocsp-nocheck is not asked about.
    ///
    /// What is fetched for a time in the past is newer than that; whether it counts, the judgement's rule says.
    ///
    /// It never fails: what can't be had stands in the report, and the judgement is made without it.
    pub fn gather(
        &self,
        evidence: &mut Evidence,
        targets: &[Arc<Certificate>],
        anchors: &[Arc<TrustAnchor>],
        time_s: i64,
    ) -> Gathered {
        let spending = Spending::new(self.settings.limits);
        let mut gathering = Gathering { gatherer: self, evidence, spending, gathered: Gathered::default() };
        if let Err(Stop(exhausted)) = gathering.run(targets, anchors, time_s) {
            gathering.gathered.exhausted = Some(exhausted);
        }
        gathering.gathered
    }
}

/// One gathering's work.
struct Gathering<'a> {
    gatherer: &'a Gatherer,
    evidence: &'a mut Evidence,
    spending: Spending,
    gathered: Gathered,
}

impl Gathering<'_> {
    fn run(&mut self, targets: &[Arc<Certificate>], anchors: &[Arc<TrustAnchor>], time_s: i64) -> Result<(), Stop> {
        let mut chains = Chains::new(targets, anchors, time_s)?;
        let mut asked = HashSet::new();
        for round in 0..=MAX_ROUNDS {
            chains.walk(self.evidence, &mut self.spending.survey)?;
            // Before anything else is fetched: certificates that lead nowhere must not use up what these need.
            for (certificate, issuer) in chains.anchored() {
                if asked.insert(*certificate.sha256()) {
                    self.fetch_status(&certificate, &issuer, time_s)?;
                }
            }
            if round == MAX_ROUNDS {
                break;
            }
            let (lacking, others) = chains.unanchored();
            let mut came = false;
            for certificate in &lacking {
                came |= self.fetch_issuer(certificate)?;
            }
            // An issuer's certificate that is held may lead nowhere, a cross-certificate of a CA that is gone, say.
            for certificate in &others {
                came = came || self.fetch_issuer(certificate)?;
            }
            if !came {
                break;
            }
        }
        Ok(())
    }

    /// Whether something came that was not there before.
    fn fetch_issuer(&mut self, certificate: &Certificate) -> Result<bool, Stop> {
        for url in access_urls(certificate, oid::ACCESS_CA_ISSUERS) {
            // What it gave before did not help.
            if self.spending.asked_before(&url, &[]).is_some() {
                continue;
            }
            let add = |evidence: &mut Evidence, octets| add_issuers(evidence, octets, certificate);
            if self.fetch(FetchKind::Issuer, &url, None, add)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fetch_status(&mut self, certificate: &Certificate, issuer: &Issuer, time_s: i64) -> Result<(), Stop> {
        // RFC 6960 §4.2.2.2.1
        let Some(key) = issuer.key().filter(|_| certificate.extension(oid::OCSP_NO_CHECK).is_none()) else {
            return Ok(());
        };
        let current = RevocationRule::required_at(time_s);
        if self.spending.survey.is_status_held(self.evidence, certificate, key, &current)? {
            return Ok(());
        }
        // What is fetched is of now, and there is nothing better for a time in the past.
        let rule = RevocationRule { latest_this_update_s: i64::MAX, ..current };
        let question = ocsp_request(certificate, key);
        for url in access_urls(certificate, oid::ACCESS_OCSP) {
            let add = |evidence: &mut Evidence, octets| {
                each_value(octets, |der| evidence.add_ocsp_response_der(der, Origin::Fetched))
            };
            let came = self.fetch(FetchKind::OcspResponse, &url, Some(&question), add)?;
            if came && self.spending.survey.is_status_held(self.evidence, certificate, key, &rule)? {
                return Ok(());
            }
        }
        let mut has_crl = false;
        // Points that can't be read name nothing; the judgement tells of them.
        for point in certificate.crl_distribution_points().unwrap_or_default().iter().take(MAX_POINTS) {
            has_crl |= self.fetch_crl(FetchKind::Crl, point)?;
            if has_crl && self.spending.survey.is_status_held(self.evidence, certificate, key, &rule)? {
                break;
            }
        }
        if has_crl {
            self.fetch_deltas(certificate)?;
        }
        Ok(())
    }

    /// The deltas that the certificate and its issuer's fetched CRLs name (RFC 5280 §4.2.1.15, §5.2.6).
    fn fetch_deltas(&mut self, certificate: &Certificate) -> Result<(), Stop> {
        let mut points = certificate.freshest_crl().unwrap_or_default();
        let fetched = self.evidence.crls_of(certificate.issuer_name()).filter(|crl| crl.origin() == Origin::Fetched);
        points.extend(fetched.flat_map(|crl| crl.crl().extensions.freshest_crl.iter().cloned()));
        for point in points.iter().take(MAX_POINTS) {
            self.fetch_crl(FetchKind::DeltaCrl, point)?;
        }
        Ok(())
    }

    /// Fetches a point's CRL; its names are of the same CRL, so that the first that gives one will do (§4.2.1.13).
    fn fetch_crl(&mut self, what: FetchKind, point: &DistributionPoint) -> Result<bool, Stop> {
        let Some(DistributionPointName::FullName(names)) = &point.name else { return Ok(false) };
        for url in names.iter().filter_map(PointName::uri).take(MAX_URLS) {
            let add = |evidence: &mut Evidence, octets| {
                let before = evidence.crls().len();
                each_value(octets, |der| evidence.add_crl_der(der, Origin::Fetched))?;
                let wants_delta = what == FetchKind::DeltaCrl;
                let added = evidence.crls().iter().skip(before);
                let fits = added.into_iter().any(|crl| crl.crl().is_delta() == wants_delta);
                if fits { Ok(()) } else { Err(FetchError::OtherKindOfCrl) }
            };
            if self.fetch(what, url, None, add)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks one URL, unless it was asked the same before, and tells; whether something came that is in the evidence.
    fn fetch(
        &mut self,
        what: FetchKind,
        url: &str,
        question: Option<&[u8]>,
        add: impl FnOnce(&mut Evidence, Vec<u8>) -> Result<(), FetchError>,
    ) -> Result<bool, Stop> {
        let asked = question.unwrap_or_default();
        if let Some(came) = self.spending.asked_before(url, asked) {
            return Ok(came);
        }
        let mut octets = 0;
        // What is refused costs no fetch: certificates name LDAP beside HTTP.
        let outcome = match destination(&self.gatherer.settings, url) {
            Err(refused) => {
                self.spending.refuse()?;
                Err(refused)
            }
            Ok(_) => {
                let allowance = self.spending.next(what)?;
                let fetched = self.gatherer.fetcher.fetch(url, question, allowance, &mut octets);
                fetched.and_then(|body| add(self.evidence, body))
            }
        };
        self.spending.read(octets);
        self.spending.note(url, asked, outcome.is_ok());
        let came = outcome.is_ok();
        let url = url.chars().take(MAX_URL).collect();
        self.gathered.fetched.push(FetchRecord { url, what, octets, outcome });
        Ok(came)
    }
}

/// The URLs of an access method (RFC 5280 §4.2.2.1); an extension that can't be read names none.
fn access_urls(certificate: &Certificate, method: &[u8]) -> Vec<String> {
    let described = certificate.authority_info_access().unwrap_or_default();
    let locations = described.into_iter().filter(|one| one.method == method).map(|one| one.location);
    let urls = locations.filter_map(|location| match location {
        GeneralName::UniformResourceIdentifier(url) => std::str::from_utf8(url).ok().map(str::to_owned),
        _ => None,
    });
    urls.take(MAX_URLS).collect()
}

/// Adds each value of a file, DER or PEM.
fn each_value(octets: Vec<u8>, mut add: impl FnMut(&[u8]) -> Result<(), EvidenceError>) -> Result<(), FetchError> {
    for der in pem::values(octets)? {
        add(&der)?;
    }
    Ok(())
}

/// Adds certificates, one or a bundle; the issuer's must be among them.
fn add_issuers(evidence: &mut Evidence, octets: Vec<u8>, issued: &Certificate) -> Result<(), FetchError> {
    let mut has_issuer = false;
    for value in pem::values(octets)? {
        for certificate in certificates(&value)? {
            has_issuer |= certificate.subject_name() == issued.issuer_name();
            evidence.add_certificate(Arc::new(certificate), Origin::Fetched)?;
        }
    }
    if has_issuer { Ok(()) } else { Err(FetchError::NotIssuer) }
}

/// A certificate, or those of a message of certificates alone (RFC 5280 §4.2.2.1: "certs-only" CMS), BER or DER.
fn certificates(value: &[u8]) -> Result<Vec<Certificate>, FetchError> {
    let not_one = match Certificate::from_der(value) {
        Ok(certificate) => return Ok(vec![certificate]),
        Err(error) => EvidenceError::from(error),
    };
    let der = normalise(value).map_err(|error| FetchError::Bundle(CmsError::from(error)))?;
    let begins_as_message =
        Reader::only(&der, writer::SEQUENCE).is_ok_and(|inner| inner.peek() == Some(writer::OBJECT_IDENTIFIER));
    if !begins_as_message {
        return Err(not_one.into());
    }
    let bundle = SignedData::from_der(&der)?;
    if bundle.certificates.len() > MAX_BUNDLE {
        return Err(FetchError::TooManyCertificates { limit: MAX_BUNDLE });
    }
    // One that can't be read is as good as none; the issuer's may be another.
    Ok(bundle.certificates.iter().filter_map(|der| Certificate::from_der(der).ok()).collect())
}
