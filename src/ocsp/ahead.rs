//! Answers signed before anybody asks, in batches on the bulk lane, and renewed before they age.
//!
//! One thread. It walks the registry from serial number to serial number, asks the store for what is missing or old, has
//! a batch signed while the one before is written, and then rests until a status changes or answers come of age.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::currency::ReadAt;
use super::issuer::{ServedIssuer, ServedResponder};
use super::responder::Responder;
use super::{AnswerError, Prepared};
use crate::keys::{Lane, SubmitError};
use crate::store::{AnswerRow, CertIdHash, DueRow, StoreError};

/// Answers in a batch: a write of so many rows takes some ten milliseconds, and a revocation waits behind one batch.
const BATCH: u32 = 1_024;
/// Between two looks at a registry where nothing was due, for the shortest validities.
const SHORTEST_REST: Duration = Duration::from_millis(500);
/// And at most: a certificate that came by a way of its own (a restored database) is signed for by then.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// How long a batch's signatures are waited for: longer than the pool takes to find that its token is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait when the token or the store is away, or another server signs ahead.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the duty is this server's without being renewed.
const LEASE_S: i64 = 30;
/// Changed certificates that wait to be answered for again; beyond it a walk through the registry finds them.
const MAX_URGENT: usize = 8_192;

/// What the thread is told.
enum News {
    /// A certificate's status changed.
    Changed(Arc<ServedIssuer>, Vec<u8>),
    /// Many did, or the issuers themselves.
    LookThrough,
}

/// The thread that signs ahead.
pub struct Ahead {
    news: Mutex<Option<SyncSender<News>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Measures {
    signed: Counter,
    behind: Gauge,
}

impl Ahead {
    /// Starts it. `holder` names this server among those of one store: one of them signs ahead at a time.
    ///
    /// # Errors
    /// No thread from the system.
    pub fn start(responder: Arc<Responder>, holder: String) -> std::io::Result<Arc<Self>> {
        describe_counter!("noonmark_ocsp_signed_ahead_total", "Answers signed before they were asked for");
        describe_gauge!("noonmark_ocsp_signing_ahead", "1 while the registry is walked through, else 0");
        let measures = Measures {
            signed: counter!("noonmark_ocsp_signed_ahead_total"),
            behind: gauge!("noonmark_ocsp_signing_ahead"),
        };
        let (sender, news) = sync_channel(MAX_URGENT);
        let walker = Walker { responder, holder, measures, news, urgent: VecDeque::new(), stopped: false, again: true };
        let thread = std::thread::Builder::new().name("ocsp-ahead".to_owned()).spawn(move || walker.run())?;
        Ok(Arc::new(Self { news: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) }))
    }

    /// A certificate's status changed: its answer is replaced at once.
    pub(super) fn changed(&self, issuer: &Arc<ServedIssuer>, serial: &[u8]) {
        self.tell(News::Changed(Arc::clone(issuer), serial.to_vec()));
    }

    /// Issuers, settings or many certificates changed.
    pub fn look_through(&self) {
        self.tell(News::LookThrough);
    }

    fn tell(&self, news: News) {
        let sender = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref()
            && let Err(TrySendError::Full(_)) = sender.try_send(news)
        {
            // It is answered for on demand, and the walk that is under way or follows finds it.
            tracing::debug!("a changed certificate waits for the walk through the registry");
        }
    }

    /// Ends the thread after the batch under way.
    pub fn stop(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that signs OCSP answers ahead ended by a panic");
        }
    }
}

/// Why a walk is broken off.
enum Broken {
    /// The store or the token is away, or the clock is not trusted: later.
    Later(String),
    Stopped,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

/// A batch whose signatures are on their way.
struct Batch {
    issuer: Arc<ServedIssuer>,
    responder: usize,
    hash: CertIdHash,
    /// The issuer's change number when the rows were read.
    issuer_number: i64,
    rows: Vec<DueRow>,
    /// How many of them were handed to the token.
    asked: usize,
    this_update_s: i64,
    next_update_s: i64,
    signatures: Receiver<(usize, Option<Vec<u8>>)>,
}

struct Walker {
    responder: Arc<Responder>,
    holder: String,
    measures: Measures,
    news: Receiver<News>,
    urgent: VecDeque<(Arc<ServedIssuer>, Vec<u8>)>,
    stopped: bool,
    again: bool,
}

impl Walker {
    fn run(mut self) {
        while !self.stopped {
            self.again = false;
            let rest = match self.walk_all() {
                Ok(()) => self.rest(),
                Err(Broken::Later(reason)) => {
                    tracing::debug!(reason, "signing OCSP answers ahead pauses");
                    self.again = true;
                    PAUSE
                }
                Err(Broken::Stopped) => break,
            };
            if !self.again || rest == PAUSE {
                self.listen(rest);
            }
        }
        for issuer in self.responder.issuers() {
            // It runs out by itself.
            drop(self.responder.store.release_lease(&duty(&issuer), &self.holder));
        }
    }

    /// A sixteenth of the shortest renewal: an answer is renewed with plenty of its time left.
    fn rest(&self) -> Duration {
        let issuers = self.responder.issuers();
        let shortest = issuers.iter().map(|issuer| issuer.settings.renewal_age_s()).min().unwrap_or(i64::MAX);
        let seconds = u64::try_from(shortest).unwrap_or(0);
        (Duration::from_secs(seconds) / 16).clamp(SHORTEST_REST, LONGEST_REST)
    }

    /// Waits for news, at most so long; changed certificates are answered for at once.
    fn listen(&mut self, rest: Duration) {
        let until = Instant::now() + rest;
        while !self.stopped && !self.again {
            let left = until.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok(news) => self.take(news),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.stopped = true,
            }
            if let Err(Broken::Later(reason)) = self.answer_urgent() {
                tracing::debug!(reason, "a changed certificate is answered for on demand meanwhile");
                self.again = true;
            }
        }
        if self.again && !self.stopped && rest == PAUSE {
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(PAUSE));
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Changed(issuer, serial) => self.urgent.push_back((issuer, serial)),
            News::LookThrough => self.again = true,
        }
    }

    /// Hears what came meanwhile, without waiting.
    fn hear(&mut self) -> Result<(), Broken> {
        loop {
            match self.news.try_recv() {
                Ok(news) => self.take(news),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.stopped = true;
                    return Err(Broken::Stopped);
                }
            }
        }
        self.answer_urgent()
    }

    fn walk_all(&mut self) -> Result<(), Broken> {
        for issuer in self.responder.issuers() {
            // What a source may take back any moment is signed on demand.
            if issuer.settings.ahead.is_empty() || issuer.responders.is_empty() || issuer.source.is_some() {
                continue;
            }
            if !self.responder.store.take_lease(&duty(&issuer), &self.holder, LEASE_S)? {
                continue;
            }
            self.measures.behind.set(1.0);
            let walked = self.walk(&issuer);
            self.measures.behind.set(0.0);
            walked?;
        }
        Ok(())
    }

    fn walk(&mut self, issuer: &Arc<ServedIssuer>) -> Result<(), Broken> {
        let mut renewed = Instant::now();
        for responder in 0..issuer.responders.len() {
            for hash in issuer.settings.ahead.iter().copied() {
                let mut after: Option<Vec<u8>> = None;
                let mut under_way: Option<Batch> = None;
                loop {
                    let now_s = self.now_s()?;
                    let signed_before_s = now_s - issuer.settings.renewal_age_s();
                    let Some(id) = issuer.responders.get(responder).map(|responder| responder.id) else { break };
                    let (issuer_number, due, next) = self.responder.store.answers_due(
                        issuer.id,
                        id,
                        hash,
                        issuer.form(),
                        signed_before_s,
                        now_s,
                        after.as_deref(),
                        BATCH,
                    )?;
                    let batch = match due.is_empty() {
                        true => None,
                        false => Some(self.submit(issuer, responder, hash, (issuer_number, due), now_s)?),
                    };
                    // The batch before is written while this one is signed.
                    if let Some(before) = std::mem::replace(&mut under_way, batch) {
                        self.finish(before)?;
                    }
                    self.hear()?;
                    if renewed.elapsed() > Duration::from_secs(5) {
                        if !self.responder.store.take_lease(&duty(issuer), &self.holder, LEASE_S)? {
                            return Ok(());
                        }
                        renewed = Instant::now();
                    }
                    match next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                if let Some(last) = under_way {
                    self.finish(last)?;
                }
            }
        }
        Ok(())
    }

    fn now_s(&self) -> Result<i64, Broken> {
        let now = self.responder.clock.read().map_err(|fault| Broken::Later(format!("the clock: {fault}")))?;
        Ok(now.unix_us.div_euclid(1_000_000))
    }

    /// Certificates whose status changed: one by one, before everything else.
    fn answer_urgent(&mut self) -> Result<(), Broken> {
        while let Some((issuer, serial)) = self.urgent.pop_front() {
            if issuer.source.is_some() {
                continue;
            }
            for (at, responder) in issuer.responders.iter().enumerate() {
                for hash in issuer.settings.ahead.iter().copied() {
                    let row = self.responder.store.status_and_answer(issuer.id, &serial, responder.id, hash)?;
                    let Some(status) =
                        row.status.filter(|status| status.state != crate::store::CertificateState::Intended)
                    else {
                        continue;
                    };
                    let now_s = self.now_s()?;
                    if row.answer.is_none() && row.not_after_s >= now_s {
                        let due = vec![DueRow { serial: serial.clone(), status }];
                        let batch = self.submit(&issuer, at, hash, (row.issuer_change_number, due), now_s)?;
                        self.finish(batch)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Has a batch signed on the bulk lane; waits while that is full.
    fn submit(
        &self,
        issuer: &Arc<ServedIssuer>,
        responder: usize,
        hash: CertIdHash,
        (issuer_number, rows): (i64, Vec<DueRow>),
        now_s: i64,
    ) -> Result<Batch, Broken> {
        let served = issuer.responders.get(responder).ok_or(Broken::Stopped)?;
        let (this_update_s, next_update_s) = issuer.period(served, now_s).ok_or_else(|| {
            Broken::Later(format!("the certificate of responder {} is not valid now", served.key_name))
        })?;
        let (sender, signatures) = channel();
        let mut full_since: Option<Instant> = None;
        let mut asked = 0;
        for (at, row) in rows.iter().enumerate() {
            let mut prepared = match prepare(issuer, served, hash, row, this_update_s, next_update_s) {
                Ok(prepared) => Some(prepared),
                Err(error) => {
                    // One row that can't be said must not keep a million others waiting.
                    let serial = hex::encode(&row.serial);
                    tracing::error!(%error, issuer = issuer.name, serial, "a certificate's status can't be encoded");
                    continue;
                }
            };
            asked += 1;
            while let Some(ready) = prepared.take() {
                let sender = sender.clone();
                // The receiver is gone when the batch was given up; there is nobody to tell then.
                let done = Box::new(move |signature: Result<Vec<u8>, _>| drop(sender.send((at, signature.ok()))));
                match served.pool.submit(Lane::Bulk, &served.key, ready.to_be_signed().to_vec(), done) {
                    Ok(()) => {}
                    Err(SubmitError::Full) if full_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                        std::thread::sleep(Duration::from_millis(5));
                        prepared = Some(ready);
                    }
                    Err(error) => return Err(Broken::Later(error.to_string())),
                }
            }
        }
        Ok(Batch {
            issuer: Arc::clone(issuer),
            responder,
            hash,
            issuer_number,
            rows,
            asked,
            this_update_s,
            next_update_s,
            signatures,
        })
    }

    /// Collects a batch's signatures and stores the answers; those whose status changed meanwhile fall away there.
    fn finish(&self, batch: Batch) -> Result<(), Broken> {
        let Some(served) = batch.issuer.responders.get(batch.responder) else { return Err(Broken::Stopped) };
        let mut answers = Vec::with_capacity(batch.rows.len());
        let mut places = Vec::with_capacity(batch.rows.len());
        for _ in 0..batch.asked {
            let Ok((at, signature)) = batch.signatures.recv_timeout(PATIENCE) else { break };
            if let (Some(signature), Some(row)) = (signature, batch.rows.get(at)) {
                places.push(at);
                answers.push(AnswerRow {
                    issuer_id: batch.issuer.id,
                    serial: row.serial.clone(),
                    responder_id: served.id,
                    hash: batch.hash,
                    change_number: row.status.change_number,
                    this_update_s: batch.this_update_s,
                    next_update_s: batch.next_update_s,
                    form: batch.issuer.form(),
                    signature,
                });
            }
        }
        let missing = batch.asked - answers.len();
        let stored = self.responder.store.put_answers(&answers)?;
        self.measures.signed.increment(stored);
        for (answer, at) in answers.iter().zip(&places) {
            if let Some(row) = batch.rows.get(*at) {
                self.freshen(&batch, served, row, answer);
            }
        }
        if missing > 0 {
            return Err(Broken::Later(format!("{missing} signatures did not come; the token may be away")));
        }
        Ok(())
    }
}

impl Walker {
    /// An answer in memory is older: the new one takes its place, and is there even if the store goes away now. One that is not in
    /// memory stays out: nobody asked for it.
    fn freshen(&self, batch: &Batch, served: &ServedResponder, row: &DueRow, answer: &AnswerRow) {
        let Some(key) = batch.issuer.answer_key(served, batch.hash, &row.serial) else { return };
        let memory = &self.responder.memory.answers;
        if memory.get(&key).is_none() {
            return;
        }
        let built = batch.issuer.rebuild(served, batch.hash, &row.serial, row.status, answer);
        let read = ReadAt { issuer_number: batch.issuer_number, certificate_number: row.status.change_number };
        let held = batch.issuer.currency.hold();
        match built.filter(|_| held.is_current(&row.serial, read)) {
            Some(built) => memory.insert(key, Arc::new(built)),
            None => memory.remove(&key),
        }
    }
}

fn prepare(
    issuer: &ServedIssuer,
    responder: &ServedResponder,
    hash: CertIdHash,
    row: &DueRow,
    this_update_s: i64,
    next_update_s: i64,
) -> Result<Prepared, AnswerError> {
    let cert_id = issuer.hashes.cert_id_der(hash, &row.serial);
    let single = issuer.single(&cert_id, Some(row.status), true, this_update_s, next_update_s);
    responder.template.prepare(&[single], this_update_s, None)
}

fn duty(issuer: &ServedIssuer) -> String {
    format!("sign-ahead:{}", issuer.name)
}
