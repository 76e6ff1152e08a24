//! From a request to an answer: stored octets at once, or the store's word and a signature.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::cache::{AnswerKey, SignedAnswer};
use super::issuer::{ServedIssuer, ServedResponder};
use super::keeper::Keeper;
use super::memory::Memory;
use super::sourced::SourceWord;
use super::{CertStatus, ErrorResponse, SingleAnswer};
use crate::asn1::OcspRequest;
use crate::clock::Clock;
use crate::keys::Lane;
use crate::store::{AnswerRow, CertIdHash, CertificateState, StatusAndAnswer, Store};

/// An answer for the client.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A signed one.
    Signed(Arc<SignedAnswer>),
    /// An error, which is not signed.
    Error(ErrorResponse),
}

/// Takes the answer; called exactly once, on whichever thread has it.
pub type Respond = Box<dyn FnOnce(Answer) + Send>;

/// What a request comes to without waiting.
pub enum Outcome {
    /// This.
    Now(Answer),
    /// A signature, and perhaps the store's word before it: hand it to [`Responder::look_up`].
    Later(Pending),
}

/// A request that was read, with all that answering it needs.
pub struct Pending {
    issuer: Arc<ServedIssuer>,
    responder: usize,
    asked: Vec<Asked>,
    nonce: Option<Vec<u8>>,
    /// What memory knows of those that were asked for; only if it suffices.
    known: Option<Vec<Option<StatusAndAnswer>>>,
    /// Whether what is signed came from memory.
    is_known: bool,
    /// An answer in memory that will do if no newer one can be had, and the time at which it was found to hold.
    instead: Option<(AnswerKey, i64)>,
    /// What the issuer's source said, if it has one.
    word: Option<SourceWord>,
}

impl Pending {
    /// Whether [`Responder::look_up`] will wait for the store, which is not for an HTTP thread.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        self.known.is_none()
    }
}

/// A certificate that was asked for.
pub(super) struct Asked {
    pub(super) cert_id: Vec<u8>,
    /// By which hash it names our issuer; None for somebody else's.
    pub(super) hash: Option<CertIdHash>,
    pub(super) serial: Vec<u8>,
    /// Whether a stored answer carries the very CertID that was asked with.
    pub(super) is_usual: bool,
}

/// A nonce of fewer octets may go unanswered (RFC 9654 §2.1), and a stored answer is then as good.
const SHORT_NONCE: usize = 16;
/// How long it is said that a certificate is not known.
const UNKNOWN_VALIDITY_S: i64 = 300;
/// How often a status that changes under the signer is read again before the client is told to come back.
const READINGS: usize = 4;

struct Measures {
    stored: Counter,
    signed: Counter,
    errors: [Counter; 5],
    cache_bytes: Gauge,
}

/// What the responder is handed.
pub struct Deps {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Status and answers.
    pub store: Arc<Store>,
    /// How many octets of answers are held in memory, at most.
    pub cache_octets: u64,
}

/// The OCSP responder: every issuer that is answered for.
pub struct Responder {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<Store>,
    pub(super) memory: Memory,
    /// Read for every request: a lock here would have all HTTP threads write to the same line of memory.
    served: ArcSwap<Served>,
    keeper: Keeper,
    measures: Measures,
}

/// The issuers, by name and in the order of their numbers.
#[derive(Default)]
struct Served {
    by_name: HashMap<String, Arc<ServedIssuer>>,
    issuers: Vec<Arc<ServedIssuer>>,
}

impl Responder {
    /// A responder that answers for nobody yet.
    ///
    /// # Errors
    /// No thread from the system.
    pub fn new(deps: Deps) -> std::io::Result<Arc<Self>> {
        describe_counter!(
            "noonmark_ocsp_answers_total",
            "OCSP requests answered, by how (stored, signed, or the error's name)"
        );
        describe_gauge!("noonmark_ocsp_cache_bytes", "Octets of answers held in memory");
        let outcome = |outcome: &'static str| counter!("noonmark_ocsp_answers_total", "outcome" => outcome);
        Ok(Arc::new(Self {
            clock: deps.clock,
            keeper: Keeper::start(Arc::clone(&deps.store))?,
            store: deps.store,
            memory: Memory::new(deps.cache_octets),
            served: ArcSwap::default(),
            measures: Measures {
                stored: outcome("stored"),
                signed: outcome("signed"),
                errors: ErrorResponse::ALL.map(|error| outcome(error.name())),
                cache_bytes: gauge!("noonmark_ocsp_cache_bytes"),
            },
        }))
    }

    /// Answers for these issuers from now on. What was heard of an issuer that stays is kept.
    pub fn serve(&self, issuers: Vec<ServedIssuer>) {
        let before = self.issuers();
        let mut served = Served::default();
        for mut issuer in issuers {
            if let Some(known) = before.iter().find(|known| known.id == issuer.id) {
                issuer.currency = Arc::clone(&known.currency);
            }
            let issuer = Arc::new(issuer);
            served.by_name.insert(issuer.name.clone(), Arc::clone(&issuer));
            served.issuers.push(issuer);
        }
        self.served.store(Arc::new(served));
        // Settings or a responder's certificate may be others.
        self.memory.clear();
    }

    /// The issuers that are answered for.
    #[must_use]
    pub fn issuers(&self) -> Vec<Arc<ServedIssuer>> {
        self.served().issuers.clone()
    }

    /// The certificate of the issuer with this name, DER.
    #[must_use]
    pub fn issuer_certificate(&self, name: &str) -> Option<Vec<u8>> {
        self.served().by_name.get(name).map(|issuer| issuer.certificate.der().to_vec())
    }

    fn served(&self) -> arc_swap::Guard<Arc<Served>> {
        self.served.load()
    }

    /// Octets of answers in memory.
    #[must_use]
    pub fn cached_octets(&self) -> u64 {
        self.memory.octets()
    }

    /// Reads a request, and answers it if what is in memory suffices. `issuer` is the path's; None lets the first CertID
    /// that is served choose.
    pub fn begin(&self, issuer: Option<&str>, request: &[u8]) -> Outcome {
        match self.try_begin(issuer, request) {
            Ok(Outcome::Now(answer)) => Outcome::Now(self.counted(answer)),
            Ok(later) => later,
            Err(error) => Outcome::Now(self.counted(Answer::Error(error))),
        }
    }

    fn try_begin(&self, issuer_name: Option<&str>, request: &[u8]) -> Result<Outcome, ErrorResponse> {
        let request = OcspRequest::from_der(request).map_err(|_| ErrorResponse::MalformedRequest)?;
        let served = self.served();
        let issuer = match issuer_name {
            Some(name) => served.by_name.get(name).filter(|issuer| issuer.names_any(&request.cert_ids)),
            None => served.issuers.iter().find(|issuer| issuer.names_any(&request.cert_ids)),
        }
        .ok_or(ErrorResponse::Unauthorized)?;
        let (at, responder) =
            issuer.responder_for(&request.preferred_signature_algorithms).ok_or(ErrorResponse::TryLater)?;
        let nonce = request.nonce.filter(|_| issuer.settings.answer_nonce && request.nonce_len >= SHORT_NONCE);
        let mut instead = None;
        if nonce.is_none()
            && request.cert_ids.len() == 1
            && let one = request.cert_ids.first()
            && let Some(hash) = issuer.hashes.matches(one)
            && issuer.hashes.is_usual_form(one, hash)
            && let Some(key) = issuer.answer_key(responder, hash, one.serial)
            && let Some(answer) = self.memory.answers.get(&key)
            && let Some(now_s) = self.now_s()
            && now_s < answer.next_update_s
        {
            if !answer.wants_renewal(now_s) {
                return Ok(Outcome::Now(Answer::Signed(answer)));
            }
            // A newer one is due; should store or token be away, this one still holds.
            instead = Some((key, now_s));
        }
        let asked: Vec<Asked> = request
            .cert_ids
            .iter()
            .map(|id| {
                let hash = issuer.hashes.matches(id);
                let is_usual = hash.is_some_and(|hash| issuer.hashes.is_usual_form(id, hash));
                Asked { cert_id: id.whole.to_vec(), hash, serial: id.serial.to_vec(), is_usual }
            })
            .collect();
        // A lone certificate without a nonce may have an answer in the store; every other one is signed anyway.
        let is_alone = matches!(asked.as_slice(), [one] if one.is_usual) && nonce.is_none();
        // What a source says may wait for the store as well.
        let known = if is_alone || issuer.source.is_some() { None } else { self.known(issuer, &asked) };
        Ok(Outcome::Later(Pending {
            issuer: Arc::clone(issuer),
            responder: at,
            asked,
            nonce: nonce.map(<[u8]>::to_vec),
            is_known: known.is_some(),
            known,
            instead,
            word: None,
        }))
    }

    /// What memory knows of these certificates, if it knows all that are ours.
    fn known(&self, issuer: &ServedIssuer, asked: &[Asked]) -> Option<Vec<Option<StatusAndAnswer>>> {
        let status = |one: &Asked| match one.hash {
            None => Some(None),
            Some(_) => self.memory.status(issuer.id, &one.serial).map(Some),
        };
        asked.iter().map(status).collect()
    }

    fn counted(&self, answer: Answer) -> Answer {
        match &answer {
            Answer::Signed(_) => self.measures.stored.increment(1),
            Answer::Error(error) => {
                let at = ErrorResponse::ALL.iter().position(|one| one == error);
                if let Some(counter) = at.and_then(|at| self.measures.errors.get(at)) {
                    counter.increment(1);
                }
            }
        }
        answer
    }

    /// Asks the store, if memory does not know, and has the answer signed unless a stored one stands; `respond` hears of it
    /// exactly once. Not for an HTTP thread if [`Pending::needs_store`].
    pub fn look_up(self: &Arc<Self>, mut pending: Pending, respond: Respond) {
        let issuer = Arc::clone(&pending.issuer);
        let caller = Caller { respond: Some(respond), responder: Arc::clone(self), issuer, instead: pending.instead };
        match pending.known.take() {
            Some(known) => self.sign(pending, known, READINGS, caller),
            None => {
                self.measures.cache_bytes.set(octets(self.memory.octets()));
                self.read_and_sign(pending, READINGS, caller);
            }
        }
    }

    fn read_and_sign(self: &Arc<Self>, mut pending: Pending, readings: usize, mut caller: Caller) {
        pending.is_known = false;
        let issuer = &pending.issuer;
        let Some(responder) = issuer.responders.get(pending.responder) else { return caller.give_up() };
        let Some(now_s) = self.now_s() else { return caller.give_up() };
        let mut read = Vec::with_capacity(pending.asked.len());
        for asked in &pending.asked {
            read.push(match asked.hash {
                None => None,
                Some(hash) => match self.store.status_and_answer(issuer.id, &asked.serial, responder.id, hash) {
                    Ok(row) => Some(row),
                    Err(error) => {
                        tracing::warn!(%error, issuer = issuer.name, "a certificate's status could not be read");
                        return caller.give_up();
                    }
                },
            });
        }
        if let ([asked], [Some(row)], None) = (pending.asked.as_slice(), read.as_slice(), &pending.nonce)
            && let Some(answer) = self.stored(issuer, responder, asked, row, now_s)
        {
            if now_s < answer.renewed_at_s {
                self.measures.stored.increment(1);
                return caller.answer(Answer::Signed(answer));
            }
            // A newer one is due; should none come, this one still holds.
            caller.instead = asked
                .hash
                .and_then(|hash| AnswerKey::new(issuer.id, responder.id, hash, &asked.serial))
                .map(|key| (key, now_s));
        }
        if let Some(source) = issuer.source.clone() {
            match self.ask(&*source, issuer, &pending.asked, &mut read, now_s) {
                Ok(word) => pending.word = Some(word),
                Err(unsure) => {
                    tracing::debug!(%unsure, issuer = issuer.name, "a certificate's status can't be said");
                    if unsure.is_temporary() {
                        return caller.give_up();
                    }
                    // RFC 9919 §3.2.3: it is not able to answer with authority, now or later.
                    return caller.answer(self.counted(Answer::Error(ErrorResponse::Unauthorized)));
                }
            }
        }
        self.sign(pending, read, readings, caller);
    }

    /// Seconds since 1970. Fail closed: with a clock that is not trusted nothing is signed.
    fn now_s(&self) -> Option<i64> {
        self.clock.read().ok().map(|now| now.unix_us.div_euclid(1_000_000))
    }

    /// Has an answer signed that says what was read.
    fn sign(self: &Arc<Self>, pending: Pending, read: Vec<Option<StatusAndAnswer>>, readings: usize, caller: Caller) {
        let issuer = Arc::clone(&pending.issuer);
        let Some(responder) = issuer.responders.get(pending.responder) else { return caller.give_up() };
        let Some(now_s) = self.now_s() else { return caller.give_up() };
        let (this_update_s, next_update_s) = match issuer.period(responder, now_s) {
            Some(period) => period,
            None => return caller.give_up(),
        };
        let periods_s = pending.word.iter().flat_map(|word| &word.periods_s).chain(std::iter::repeat(&None));
        let singles: Vec<SingleAnswer<'_>> = pending
            .asked
            .iter()
            .zip(&read)
            .zip(periods_s)
            .map(|((asked, row), period_s)| {
                let status = row.as_ref().and_then(|row| row.status);
                let mut single = issuer.single(&asked.cert_id, status, row.is_some(), this_update_s, next_update_s);
                if matches!(single.status, CertStatus::Unknown | CertStatus::NotIssued) {
                    // It may be issued in a moment, and must not be unknown to caches then (TLS BR 4.9.9: 15 minutes).
                    single.next_update_s = single.next_update_s.min(this_update_s + UNKNOWN_VALIDITY_S);
                }
                if let Some((known_at_s, until_s)) = period_s {
                    // RFC 6960 §4.2.2.1: thisUpdate is when the status was last known to be so, which is the CRL's.
                    single.this_update_s = *known_at_s;
                    single.next_update_s = single.next_update_s.min(*until_s);
                    // What expired leaves the CRL: of older certificates it keeps nothing.
                    single.archive_cutoff_s = None;
                }
                single
            })
            .collect();
        let next_update_s = singles.iter().map(|single| single.next_update_s).min().unwrap_or(next_update_s);
        if next_update_s <= this_update_s {
            // What the source said held until a moment ago.
            return caller.give_up();
        }
        let prepared = match responder.template.prepare(&singles, this_update_s, pending.nonce.as_deref()) {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!(%error, issuer = issuer.name, "an answer can't be encoded");
                return caller.give_up();
            }
        };
        drop(singles);
        let message = prepared.to_be_signed().to_vec();
        let (pool, key) = (Arc::clone(&responder.pool), responder.key.clone());
        let this = Arc::clone(self);
        // A full queue or a token that is away drops the completion, and with it `caller`, which then answers tryLater.
        let done = Box::new(move |signature: Result<Vec<u8>, _>| {
            let Ok(signature) = signature else { return caller.give_up() };
            let Some(responder) = issuer.responders.get(pending.responder) else { return caller.give_up() };
            let der = responder.template.assemble(&prepared, &signature);
            let signed = Signed { issuer: &issuer, responder, pending: &pending, read: &read };
            let renewed_at_s = issuer.settings.renewed_at_s(this_update_s, next_update_s);
            let is_shared = pending.nonce.is_none();
            let answer = SignedAnswer::new(der, this_update_s, next_update_s, renewed_at_s, is_shared);
            match this.keep(&signed, &Arc::new(answer), signature) {
                Some(answer) => {
                    this.measures.signed.increment(1);
                    caller.answer(Answer::Signed(answer));
                }
                // The status changed meanwhile. The store must not be waited for on a signing thread.
                None if readings > 1 => this.keeper.run(Box::new({
                    let this = Arc::clone(&this);
                    move || this.read_and_sign(pending, readings - 1, caller)
                })),
                None => caller.give_up(),
            }
        });
        drop(pool.submit(Lane::Interactive, &key, message, done));
    }

    /// A stored answer made whole, and put where the next one finds it.
    fn stored(
        &self,
        issuer: &ServedIssuer,
        responder: &ServedResponder,
        asked: &Asked,
        row: &StatusAndAnswer,
        now_s: i64,
    ) -> Option<Arc<SignedAnswer>> {
        if issuer.source.is_some() {
            // It rests on the registry alone, from when that alone spoke.
            return None;
        }
        let (status, answer, hash) = (row.status?, row.answer.as_ref()?, asked.hash.filter(|_| asked.is_usual)?);
        if answer.form != issuer.form() || now_s >= answer.next_update_s || now_s < answer.this_update_s {
            return None;
        }
        let built = issuer.rebuild(responder, hash, &asked.serial, status, answer)?;
        let held = issuer.currency.hold();
        if !held.is_current(&asked.serial, row.read_at()) {
            return None;
        }
        self.memory.remember(issuer.id, &asked.serial, row);
        let built = Arc::new(built);
        if let Some(key) = AnswerKey::new(issuer.id, responder.id, hash, &asked.serial) {
            self.memory.answers.insert(key, Arc::clone(&built));
        }
        Some(built)
    }

    /// Puts a fresh answer away, unless what it says was overtaken: then None, and it must not leave.
    fn keep(&self, signed: &Signed<'_>, answer: &Arc<SignedAnswer>, signature: Vec<u8>) -> Option<Arc<SignedAnswer>> {
        let Signed { issuer, responder, pending, read } = signed;
        let held = issuer.currency.hold();
        let edition = pending.word.as_ref().map(|word| word.edition);
        if edition.is_some_and(|edition| edition != issuer.edition()) {
            return None;
        }
        for (asked, row) in pending.asked.iter().zip(read.iter()) {
            if row.as_ref().is_some_and(|row| !held.is_current(&asked.serial, row.read_at())) {
                return None;
            }
        }
        // What a source said is remembered by the source.
        if !pending.is_known && edition.is_none() {
            for (asked, row) in pending.asked.iter().zip(read.iter()) {
                if let Some(row) = row {
                    self.memory.remember(issuer.id, &asked.serial, row);
                }
            }
        }
        if let ([asked], [Some(row)], true) = (pending.asked.as_slice(), *read, answer.http.is_some())
            && let (Some(status), Some(hash)) = (row.status, asked.hash)
            && status.state != CertificateState::Intended
            && asked.is_usual
            && let Some(key) = AnswerKey::new(issuer.id, responder.id, hash, &asked.serial)
        {
            self.memory.answers.insert(key.of_edition(edition.unwrap_or(0)), Arc::clone(answer));
            if edition.is_some() {
                return Some(Arc::clone(answer));
            }
            self.keeper.keep(AnswerRow {
                issuer_id: issuer.id,
                serial: asked.serial.clone(),
                responder_id: responder.id,
                hash,
                change_number: status.change_number,
                this_update_s: answer.this_update_s,
                next_update_s: answer.next_update_s,
                form: issuer.form(),
                signature,
            });
        }
        Some(Arc::clone(answer))
    }

    /// Ends the threads; what waits to be kept is kept.
    pub fn stop(&self) {
        self.keeper.stop();
    }
}

/// A signature with what it was made for.
struct Signed<'a> {
    issuer: &'a ServedIssuer,
    responder: &'a ServedResponder,
    pending: &'a Pending,
    read: &'a [Option<StatusAndAnswer>],
}

/// A client that waits: dropped unanswered, it hears tryLater, never silence.
struct Caller {
    respond: Option<Respond>,
    responder: Arc<Responder>,
    issuer: Arc<ServedIssuer>,
    /// An answer in memory that will do if no newer one can be had, and the time at which it was found to hold.
    instead: Option<(AnswerKey, i64)>,
}

impl Caller {
    fn answer(mut self, answer: Answer) {
        if let Some(respond) = self.respond.take() {
            respond(answer);
        }
    }

    fn give_up(self) {
        // By the drop below.
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let Some(respond) = self.respond.take() else { return };
        // One whose status changed meanwhile is not in memory any more, or of a former edition.
        let instead = self.instead.filter(|(key, _)| key.edition() == self.issuer.edition());
        let instead = instead.and_then(|(key, now_s)| {
            self.responder.memory.answers.get(&key).filter(|answer| now_s < answer.next_update_s)
        });
        respond(match instead {
            Some(answer) => self.responder.counted(Answer::Signed(answer)),
            None => self.responder.counted(Answer::Error(ErrorResponse::TryLater)),
        });
    }
}

/// A figure for a gauge; cache sizes are far below 2^53.
fn octets(count: u64) -> f64 {
    u32::try_from(count / 1_024).map_or(f64::MAX, |kib| f64::from(kib) * 1_024.0)
}
