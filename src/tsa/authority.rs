//! From a request to a recorded, signed answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, counter, describe_counter};

use super::ordering::Orderer;
use super::{Profile, Refusal, TokenError, TokenTemplate, serial};
use crate::asn1::tst_info::{MAX_FRACTION_DIGITS, TstInfoFields, TstInfoTemplate};
use crate::asn1::{Oid, TimeStampRequest, writer};
use crate::ca::Certificate;
use crate::clock::Clock;
use crate::crypto::{DigestAlgorithm, SignatureAlgorithm, sha256};
use crate::keys::{KeyHandle, Lane as KeyLane, Pool};
use crate::ledger::{Announcement, Lane as LedgerLane, Ledger, Record, TokenRecord};
use crate::store::OrderedTimes;

/// An answer for the client: a TimeStampResp, granted or refused.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The TimeStampResp.
    pub der: Vec<u8>,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self { der: refusal.to_der(), refusal: Some(refusal) }
    }
}

/// Takes the answer; called exactly once, on whichever thread has it.
pub type Respond = Box<dyn FnOnce(Answer) + Send>;

/// A caller waiting for its answer: if it is dropped unanswered, the caller hears a refusal, never silence.
pub(super) struct Waiting {
    respond: Option<Respond>,
    if_dropped: Refusal,
    profile: Arc<ServedProfile>,
}

impl Waiting {
    pub(super) fn refuse(self, refusal: Refusal) {
        self.answer(Answer::from(refusal));
    }

    pub(super) fn served(&self) -> Arc<ServedProfile> {
        Arc::clone(&self.profile)
    }

    fn answer(mut self, answer: Answer) {
        self.deliver(answer);
    }

    fn deliver(&mut self, answer: Answer) {
        if let Some(respond) = self.respond.take() {
            self.profile.count(answer.refusal);
            respond(answer);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.deliver(Answer::from(self.if_dropped));
    }
}

/// A time-stamping unit: one key, its certificate and chain, the pool that signs with it.
pub struct Unit {
    /// The key's name in the store and in records.
    pub key_name: Arc<str>,
    /// The unit's certificate.
    pub certificate: Certificate,
    /// The chain, the unit's certificate first, its root last.
    pub chain: Vec<Certificate>,
    template: TokenTemplate,
    pool: Arc<Pool>,
    key: KeyHandle,
}

/// Why a unit can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The token template can't be encoded.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Unit {
    /// Joins a key in a pool with its certificate; `chain` starts with the certificate and ends with the root.
    ///
    /// # Errors
    /// A signature algorithm that CMS has no identifier for.
    pub fn new(
        key_name: &str,
        chain: Vec<Certificate>,
        algorithm: SignatureAlgorithm,
        pool: Arc<Pool>,
        key: KeyHandle,
    ) -> Result<Option<Self>, UnitError> {
        let Some(certificate) = chain.first().cloned() else { return Ok(None) };
        // The root is what the client must hold already; intermediates are for clients that hold only the root.
        let sent: Vec<Certificate> = chain
            .iter()
            .enumerate()
            .filter(|(at, link)| *at == 0 || !link.is_self_issued())
            .map(|(_, c)| c.clone())
            .collect();
        let template = TokenTemplate::new(&certificate, &sent, algorithm)?;
        Ok(Some(Self { key_name: Arc::from(key_name), certificate, chain, template, pool, key }))
    }
}

/// A profile being served: its constant parts, its unit, its counters.
pub(super) struct ServedProfile {
    pub(super) profile: Profile,
    name: Arc<str>,
    policies: Vec<(Vec<u8>, Arc<str>)>,
    template: TstInfoTemplate,
    unit: Arc<Unit>,
    unit_us: i64,
    orderer: Option<Arc<Orderer>>,
    granted: Counter,
    refused: Vec<Counter>,
}

impl ServedProfile {
    fn count(&self, refusal: Option<Refusal>) {
        match refusal {
            None => self.granted.increment(1),
            Some(refusal) => {
                if let Some(counter) = self.refused.get(usize::from(refusal.bit().number())) {
                    counter.increment(1);
                }
            }
        }
    }
}

/// What the authority is handed.
#[derive(Clone)]
pub struct Deps {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The record.
    pub ledger: Arc<Ledger>,
}

/// A profile with the unit that serves it.
pub struct AuthoritySettings {
    /// The profile.
    pub profile: Profile,
    /// Its unit.
    pub unit: Arc<Unit>,
    /// Where an ordering profile takes its times from.
    pub times: Option<OrderedTimes>,
}

/// The time-stamping authority: every profile that is served.
pub struct Authority {
    deps: Deps,
    served: RwLock<Arc<HashMap<String, Arc<ServedProfile>>>>,
}

/// A request that was read and accepted, with what its token and record need.
pub(super) struct Accepted {
    request: Vec<u8>,
    hash: DigestAlgorithm,
    policy: usize,
    caller: Arc<str>,
}

impl Authority {
    /// An authority that serves nothing yet.
    #[must_use]
    pub fn new(deps: Deps) -> Arc<Self> {
        describe_counter!(
            "noonmark_timestamps_total",
            "Timestamp requests answered, by profile and outcome (granted, or the failure bit's name)"
        );
        Arc::new(Self { deps, served: RwLock::new(Arc::new(HashMap::new())) })
    }

    /// Serves these profiles from now on; requests under way finish with the units they began with.
    pub fn serve(&self, settings: Vec<AuthoritySettings>) {
        let mut served = HashMap::new();
        for AuthoritySettings { profile, unit, times } in settings {
            let orderer = times.map(|times| Orderer::start(&profile, times, self.deps.clone()));
            let outcome = |outcome: &'static str| counter!("noonmark_timestamps_total", "profile" => profile.name.clone(), "outcome" => outcome);
            let tsa =
                profile.include_tsa_name.then(|| writer::tlv(writer::context(4), &[&unit.certificate.subject_der]));
            let extensions = if profile.qualified { vec![qualified_statement()] } else { Vec::new() };
            let entry = ServedProfile {
                name: Arc::from(profile.name.as_str()),
                policies: profile
                    .policies
                    .iter()
                    .map(|oid: &Oid| (oid.octets().to_vec(), Arc::from(oid.to_string())))
                    .collect(),
                template: TstInfoTemplate::new(
                    profile.fraction_digits,
                    profile.accuracy_us,
                    profile.ordering,
                    tsa.as_deref(),
                    &extensions,
                ),
                unit,
                unit_us: 10_i64.pow(u32::from(MAX_FRACTION_DIGITS - profile.fraction_digits)),
                orderer,
                granted: outcome("granted"),
                refused: (0..=25)
                    .map(|number| {
                        crate::asn1::FailureBit::from_number(number)
                            .map_or_else(Counter::noop, |bit| outcome(bit.name()))
                    })
                    .collect(),
                profile,
            };
            served.insert(entry.profile.name.clone(), Arc::new(entry));
        }
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(served);
    }

    fn find(&self, profile: &str) -> Option<Arc<ServedProfile>> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).get(profile).cloned()
    }

    /// The names of the profiles being served.
    #[must_use]
    pub fn profiles(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.served.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        names.sort();
        names
    }

    /// The unit that serves a profile.
    #[must_use]
    pub fn unit(&self, profile: &str) -> Option<Arc<Unit>> {
        self.find(profile).map(|served| Arc::clone(&served.unit))
    }

    /// The profile as it is served.
    #[must_use]
    pub fn profile(&self, profile: &str) -> Option<Profile> {
        self.find(profile).map(|served| served.profile.clone())
    }

    /// Whether a profile is served, and to this caller; a caller without a name is `None`.
    #[must_use]
    pub fn admits(&self, profile: &str, caller_name: Option<&str>) -> Option<bool> {
        let served = self.find(profile)?;
        let callers = &served.profile.callers;
        Some(callers.is_empty() || caller_name.is_some_and(|name| callers.iter().any(|allowed| allowed == name)))
    }

    /// Answers a request for a profile that is served; `respond` hears of it exactly once.
    ///
    /// The whole request must have been read: genTime is taken here or later. A profile that is not served
    /// is answered as unavailable; HTTP has told the client of it before.
    pub fn answer(self: &Arc<Self>, profile: &str, request: Vec<u8>, caller: Arc<str>, respond: Respond) {
        let Some(served) = self.find(profile) else {
            respond(Answer::from(Refusal::Unit));
            return;
        };
        let waiting = Waiting { respond: Some(respond), if_dropped: Refusal::Overload, profile: Arc::clone(&served) };
        let accepted = match served.accept(request, caller) {
            Ok(accepted) => accepted,
            Err(refusal) => return waiting.refuse(refusal),
        };
        if !self.deps.ledger.is_up() {
            return waiting.refuse(Refusal::Record);
        }
        if let Some(orderer) = &served.orderer {
            return orderer.submit(accepted, waiting);
        }
        match self.deps.clock.read() {
            Ok(reading) => served.stamp(&self.deps, accepted, reading.unix_us, waiting),
            Err(_) => waiting.refuse(Refusal::Clock),
        }
    }
}

impl ServedProfile {
    /// Holds a request against the profile, in the order of standards: form, version, algorithm, length, policy, extensions.
    fn accept(&self, request: Vec<u8>, caller: Arc<str>) -> Result<Accepted, Refusal> {
        let read = TimeStampRequest::from_der(&request)?;
        let hash = self
            .profile
            .hashes
            .iter()
            .copied()
            .find(|hash| hash.oid().as_bytes() == read.hash_oid)
            .ok_or(Refusal::HashNotAccepted)?;
        // NULL and absence mean the same, and clients send both; anything else is another algorithm.
        if !matches!(read.hash_parameters, None | Some([writer::NULL, 0])) {
            return Err(Refusal::HashNotAccepted);
        }
        if read.hashed_message.len() != hash.output_len() {
            return Err(Refusal::ImprintLength { expected: hash.output_len(), found: read.hashed_message.len() });
        }
        let policy = match read.policy {
            None => 0,
            Some(asked) => {
                self.policies.iter().position(|(octets, _)| octets == asked).ok_or(Refusal::PolicyNotServed)?
            }
        };
        if read.has_extensions {
            return Err(Refusal::Extension);
        }
        Ok(Accepted { request, hash, policy, caller })
    }

    /// Builds, signs and records the token for a request that was accepted, at this time.
    pub(super) fn stamp(self: &Arc<Self>, deps: &Deps, accepted: Accepted, now_us: i64, mut waiting: Waiting) {
        let unit = Arc::clone(&self.unit);
        let now_s = now_us.div_euclid(1_000_000);
        // EN 319 421 TIS-7.6.7-04: no token once the private key's period is over.
        if now_s < unit.certificate.usable_from_s() || now_s > unit.certificate.usable_until_s() {
            return waiting.refuse(Refusal::Unit);
        }
        let gen_time_us = now_us - now_us.rem_euclid(self.unit_us);
        let Ok(read) = TimeStampRequest::from_der(&accepted.request) else { return waiting.refuse(Refusal::Unit) };
        let Ok(serial_number) = serial::fresh(now_us) else { return waiting.refuse(Refusal::Unit) };
        let (policy_octets, policy_text) = &self.policies[accepted.policy];
        let built = self.template.build(&TstInfoFields {
            policy: &writer::tlv(writer::OBJECT_IDENTIFIER, &[policy_octets]),
            message_imprint: read.message_imprint,
            serial_number: &serial_number,
            gen_time_us,
            nonce: read.nonce,
        });
        let Ok(tst_info) = built else { return waiting.refuse(Refusal::Clock) };
        let prepared = unit.template.prepare(tst_info);
        let to_be_signed = prepared.to_be_signed().to_vec();
        let record = TokenRecord {
            serial: serial_number,
            gen_time_us,
            profile: Arc::clone(&self.name),
            hash_algorithm: accepted.hash.name().into(),
            imprint: read.hashed_message.to_vec(),
            policy: Arc::clone(policy_text),
            key_name: Arc::clone(&unit.key_name),
            caller: accepted.caller,
            token_sha256: [0; 32],
            token: None,
        };
        let (cert_req, keep_token) = (read.cert_req, self.profile.keep_tokens);
        let announcement = deps.ledger.announce();
        let (pool, key) = (Arc::clone(&unit.pool), unit.key.clone());
        // A full queue or a token that is away drops the completion, and with it `waiting`, which then answers.
        waiting.if_dropped = Refusal::Overload;
        let done = Box::new(move |signature: Result<Vec<u8>, _>| {
            let Ok(signature) = signature else { return waiting.refuse(Refusal::Unit) };
            let (der, token_at) = unit.template.assemble(&prepared, &signature, cert_req);
            record_then_release(announcement, record, der, token_at, keep_token, waiting);
        });
        // The error needs no handling here: what was refused has been answered by the drop above.
        drop(pool.submit(KeyLane::Interactive, &key, to_be_signed, done));
    }
}

/// Nothing leaves unrecorded: the answer is released when the ledger has the record on disk.
fn record_then_release(
    announcement: Announcement,
    mut record: TokenRecord,
    der: Vec<u8>,
    token_at: usize,
    keep_token: bool,
    mut waiting: Waiting,
) {
    let token = &der[token_at..];
    record.token_sha256 = sha256(token);
    if keep_token {
        record.token = Some(token.to_vec());
    }
    waiting.if_dropped = Refusal::Record;
    let done = Box::new(move |recorded: Result<_, _>| match recorded {
        Ok(_) => waiting.answer(Answer { der, refusal: None }),
        Err(_) => waiting.refuse(Refusal::Record),
    });
    drop(announcement.submit(LedgerLane::Interactive, Record::Token(record), done));
}

/// qcStatements with esi4-qtstStatement-1 (0.4.0.19422.1.1), non-critical (EN 319 422 §9.1).
fn qualified_statement() -> Vec<u8> {
    const ID_PE_QC_STATEMENTS: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 3];
    const ESI4_QTST_STATEMENT_1: [u8; 9] = [6, 7, 0x04, 0x00, 0x81, 0x97, 0x5e, 1, 1];
    let statement = writer::tlv(writer::SEQUENCE, &[&ESI4_QTST_STATEMENT_1]);
    let statements = writer::tlv(writer::SEQUENCE, &[&statement]);
    writer::tlv(writer::SEQUENCE, &[&ID_PE_QC_STATEMENTS, &writer::tlv(writer::OCTET_STRING, &[&statements])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qualified_statement_has_the_identifiers_of_en_319_422() {
        let statement: Oid = "0.4.0.19422.1.1".parse().unwrap();
        let extension: Oid = "1.3.6.1.5.5.7.1.3".parse().unwrap();
        let der = qualified_statement();
        let expected_inner = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SEQUENCE, &[&statement.to_der()])]);
        let expected = writer::tlv(
            writer::SEQUENCE,
            &[&extension.to_der(), &writer::tlv(writer::OCTET_STRING, &[&expected_inner])],
        );
        assert_eq!(der, expected);
    }
}
