//! `POST /v1/verify`, `/v1/verify/certificate`, `/v1/verify/timestamp`: are these signatures, timestamps and certificates
//! good, since when, and why not? Nothing is written: what is asked twice is judged twice.
//!
//! Owns the forms of the question and of the answer. Does not own the judgement (`gather`, `verify`), nor what is held
//! (`app`). The HTTP threads only read and write: judging is done by threads of its own.

mod body;
mod request;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use metrics::{counter, histogram};
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::access::{now_s, query};
use super::refusal::sentence;
use crate::gather::{Verified, Verifier, VerifierError};
use crate::http::Services;
use crate::http::limits::Permit;
use crate::http::problem::Problem;
use crate::http::verification::Pending;
use crate::verify::report::{Report, Verdict};
use crate::verify::{Document, Evidence, EvidenceFile, GivenContent};
use body::VerificationRequest;
use request::{Parameters, Question};

/// How long a question may wait for a thread: whoever asked has given up by then.
const PATIENCE: Duration = Duration::from_secs(30);
/// Octets of the evidence in an answer, before base64: two of the largest CRLs that are held.
const MAX_EVIDENCE_OCTETS: usize = 128 * 1024 * 1024;
/// Octets that evidence takes while it is written: itself, in base64, and in the answer.
const TIMES_WRITTEN: usize = 4;
/// Octets handed to a connection at once, as of CRLs.
const CHUNK: usize = 64 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let only_post = || web::to(|| async { Problem::MethodNotAllowed { allow: "POST" }.response() });
    config
        .service(web::resource("/verify").route(web::post().to(any)).default_service(only_post()))
        .service(web::resource("/verify/certificate").route(web::post().to(certificate)).default_service(only_post()))
        .service(web::resource("/verify/timestamp").route(web::post().to(timestamp)).default_service(only_post()));
}

/// A report with the evidence that it rests on.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportWithEvidence {
    /// The report.
    report: Report,
    /// A file that `noonmark verify` judges again, without anything else.
    #[schema(value_type = Object)]
    evidence: EvidenceFile,
}

/// Judges a signed message, a timestamp or a certificate, whichever it is. The status is 200 whatever the verdict.
///
/// The body is the document itself; or a form with the parts document, content, content_digest, policy and time; or JSON.
#[utoipa::path(post, path = "/v1/verify", tag = "verification", security((), ("api_key" = [])), params(Parameters),
    request_body(content((VerificationRequest = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = Report, description = "The report; with evidence=true, in `report` beside `evidence`"),
        (status = 400, description = "A parameter, a form or JSON that does not read"),
        (status = 413, description = "A document or content that is too large; give the content's digest"),
        (status = 415, description = "A media type that is none of these"),
        (status = 422, description = "No document, a policy that is not known, or evidence that can't be read"),
        (status = 503, description = "As many judgements wait as may; Retry-After says when to come again")))]
pub(super) async fn any(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    answer(&request, payload, &services, None).await
}

/// Judges a certificate, as [`any`] does; other documents are refused.
#[utoipa::path(post, path = "/v1/verify/certificate", tag = "verification", security((), ("api_key" = [])),
    params(Parameters),
    request_body(content((VerificationRequest = "application/json"), (Vec<u8> = "application/pkix-cert"))),
    responses((status = 200, body = Report), (status = 422, description = "Not a certificate")))]
pub(super) async fn certificate(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    answer(&request, payload, &services, Some("certificate")).await
}

/// Judges a timestamp, as [`any`] does; other documents are refused.
#[utoipa::path(post, path = "/v1/verify/timestamp", tag = "verification", security((), ("api_key" = [])),
    params(Parameters),
    request_body(content((VerificationRequest = "application/json"), (Vec<u8> = "application/timestamp-reply"))),
    responses((status = 200, body = Report), (status = 422, description = "Not a timestamp")))]
pub(super) async fn timestamp(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    answer(&request, payload, &services, Some("timestamp")).await
}

/// Lets a caller in: everybody, or those that are known by name.
fn admit(request: &HttpRequest, services: &Services, anonymous: bool) -> Result<(Arc<str>, Permit), Problem> {
    let caller = services.identify(request)?;
    let permit = services.limits.admit(&caller.id)?;
    if anonymous || caller.name.is_some() { Ok((caller.id, permit)) } else { Err(Problem::Unauthorized) }
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    services: &Services,
    kind: Option<&'static str>,
) -> Result<HttpResponse, Problem> {
    let began = Instant::now();
    let off = || Problem::Missing { detail: "This server does not verify ([verification] enabled).".to_owned() };
    let verification = services.verification.as_ref().ok_or_else(off)?;
    let settings = &verification.settings;
    let (caller, permit) = admit(request, services, settings.anonymous)?;
    let parameters: Parameters = query(request)?;
    let pending = Arc::new(verification.pending());
    let body = body::read(request, payload, settings, services.settings.body_timeout_s, &pending).await?;
    let question = Question::new(body, parameters, now_s()?)?;

    let (sender, receiver) = oneshot::channel();
    let (verifier, held) = (verification.service.verifier(), verification.service.held());
    let (asked_at, theirs) = (Instant::now(), Arc::clone(&pending));
    let queued = verification.service.submit(move || {
        // Nobody may listen any more: the question is not worth a judgement then.
        if sender.is_closed() {
            return;
        }
        let answer = if asked_at.elapsed() > PATIENCE {
            Err(Problem::Busy)
        } else {
            judge(&verifier, &held, question, kind, &theirs)
        };
        drop(sender.send(answer));
    });
    queued.map_err(|_| Problem::Busy)?;
    // Without an answer the judgement ended by a panic.
    let judged = receiver.await.map_err(|_| Problem::Failed)??;

    let took = began.elapsed();
    counter!("noonmark_verifications_total", "format" => judged.format.clone(), "verdict" => name(judged.verdict))
        .increment(1);
    histogram!("noonmark_verification_seconds").record(took);
    tracing::debug!(caller = &*caller, format = judged.format, verdict = name(judged.verdict), ?took, "verified");
    let mut response = HttpResponse::Ok();
    if services.is_leaving.load(Ordering::Relaxed) {
        response.force_close();
    }
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type("application/json");
    let length = u64::try_from(judged.json.len()).map_err(|_| Problem::Failed)?;
    // The caller's place, and its octets, are taken until the last of them are on their way.
    let slices = futures_util::stream::unfold((judged.json, (permit, pending)), |(mut left, places)| async move {
        let slice = left.split_to(left.len().min(CHUNK));
        (!slice.is_empty()).then(|| (Ok::<_, actix_web::Error>(slice), (left, places)))
    });
    Ok(response.body(SizedStream::new(length, Box::pin(slices))))
}

/// A judgement as it is answered.
struct Judged {
    json: Bytes,
    format: String,
    verdict: Verdict,
}

/// Judges on a thread that may take its time.
fn judge(
    verifier: &Verifier,
    held: &Evidence,
    question: Question,
    kind: Option<&'static str>,
    pending: &Pending,
) -> Result<Judged, Problem> {
    let unprocessable = |error: &dyn std::error::Error| Problem::Unprocessable { detail: sentence(&error.to_string()) };
    let policy = question.policy.as_deref();
    let named = verifier.policy(policy).map_err(|error| unprocessable(&error))?;
    let document = Document::read(&question.document).map_err(|error| unprocessable(&error))?;
    if let Some(kind) = kind.filter(|kind| *kind != document.format()) {
        let found = if document.format() == "cms" { "signed message" } else { document.format() };
        let detail = format!("This is a {found}, not a {kind}; /v1/verify takes both.");
        return Err(Problem::Unprocessable { detail });
    }
    let mut evidence = held.clone();
    question.given.add_to(&mut evidence).map_err(|error| unprocessable(&error))?;
    let verified = verifier
        .verify_document(document, &question.content, policy, question.time, evidence)
        .map_err(|error: VerifierError| unprocessable(&error))?;
    let (format, verdict) = (verified.report.format.clone(), verified.report.verdict);
    let json = if question.with_evidence {
        within_limits(&verified, &question, pending)?;
        let judged_s = question.time.judged_s;
        let mut evidence = EvidenceFile::new(judged_s, &named.policy, named.toml.as_deref(), &named.anchors);
        evidence.add(None, &verified.document, &question.content, &verified.evidence);
        serde_json::to_vec(&ReportWithEvidence { report: verified.report, evidence })
    } else {
        serde_json::to_vec(&verified.report)
    };
    let json = json.map_err(|error| {
        tracing::error!(%error, "a report could not be written: a defect, please report it");
        Problem::Failed
    })?;
    Ok(Judged { json: Bytes::from(json), format, verdict })
}

/// Evidence may hold much more than the question: it counts as the question's octets do.
fn within_limits(verified: &Verified, question: &Question, pending: &Pending) -> Result<(), Problem> {
    let evidence = &verified.evidence;
    let certificates: usize = evidence.certificates().iter().map(|held| held.certificate.der().len()).sum();
    let crls: usize = evidence.crls().iter().map(|crl| crl.der().len()).sum();
    let responses: usize = evidence.ocsp_responses().iter().map(|response| response.der().len()).sum();
    let content = match &question.content {
        GivenContent::Octets(octets) => octets.len(),
        _ => 0,
    };
    let octets = [question.document.len(), content, certificates, crls, responses].iter().sum::<usize>();
    if octets > MAX_EVIDENCE_OCTETS {
        let detail = format!("The evidence has {octets} octets, and an answer {MAX_EVIDENCE_OCTETS} at most.");
        return Err(Problem::Unprocessable { detail });
    }
    pending.grow(octets.saturating_mul(TIMES_WRITTEN))
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Indeterminate => "indeterminate",
        Verdict::Failed => "failed",
    }
}
