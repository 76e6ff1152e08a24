//! RFC 3161 over HTTP (§3.4): POST a request, read a TimeStampResp.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use metrics::Histogram;
use tokio::sync::oneshot;

use super::mailbox::Mailbox;
use super::problem::Problem;
use super::{Services, body};
use crate::ca::pem_encode;
use crate::tsa::{Answer, Refusal};

/// What a request's body is.
const QUERY: &str = "application/timestamp-query";
/// What every answer is: jarsigner and osslsigncode compare the string.
const REPLY: &str = "application/timestamp-reply";
/// The profile that `/tsa` stands for.
const DEFAULT_PROFILE: &str = "default";
/// Longer than every limit inside (a hanging token, a database that is away): a last resort, so that no client waits for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/tsa/certchain").to(default_chain))
        .service(web::resource("/tsa").to(default_timestamp))
        .service(web::resource("/api/v1/timestamp").to(default_timestamp))
        .service(web::resource("/tsa/{profile}/certchain").to(chain))
        .service(web::resource("/tsa/{profile}").to(timestamp));
}

/// The time from a request's head to its answer, by one handle, looked up once.
#[derive(Clone)]
pub(super) struct TimestampSeconds(pub(super) Histogram);

pub(super) async fn default_timestamp(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> HttpResponse {
    respond(&request, payload, &services, DEFAULT_PROFILE).await.unwrap_or_else(|problem| problem.response())
}

async fn timestamp(
    request: HttpRequest,
    payload: web::Payload,
    profile: web::Path<String>,
    services: web::Data<Services>,
) -> HttpResponse {
    respond(&request, payload, &services, &profile).await.unwrap_or_else(|problem| problem.response())
}

async fn respond(
    request: &HttpRequest,
    payload: web::Payload,
    services: &Services,
    profile: &str,
) -> Result<HttpResponse, Problem> {
    let began = Instant::now();
    if request.method() != Method::POST {
        return Err(Problem::MethodNotAllowed { allow: "POST" });
    }
    let caller = services.identify(request)?;
    match services.authority.admits(profile, caller.name.as_deref()) {
        None => return Err(Problem::NotFound { what: "timestamping profile" }),
        Some(true) => {}
        Some(false) if caller.name.is_some() => return Err(Problem::Forbidden),
        Some(false) => return Err(Problem::Unauthorized),
    }
    if !body::has_media_type(request, QUERY) {
        return Err(Problem::UnsupportedMediaType { expected: QUERY });
    }
    let _permit = services.limits.admit(&caller.id)?;
    let settings = &services.settings;
    let query = body::read(request, payload, settings.max_body_bytes, settings.body_timeout_s).await?;

    let (sender, receiver) = oneshot::channel::<Answer>();
    let mailbox = request.app_data::<Arc<Mailbox<Answer>>>().cloned();
    let respond = Box::new(move |answer| match mailbox {
        Some(mailbox) => mailbox.deliver(sender, answer),
        // The client may be gone when the answer comes; the record stands all the same.
        None => drop(sender.send(answer)),
    });
    services.authority.answer(profile, query, caller.id, respond);
    let answer = match tokio::time::timeout(ANSWER_TIMEOUT, receiver).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Answer::from(Refusal::Unit),
    };
    if let Some(TimestampSeconds(histogram)) = request.app_data::<TimestampSeconds>() {
        histogram.record(began.elapsed());
    }
    let mut response = HttpResponse::Ok();
    if services.is_leaving.load(Ordering::Relaxed) {
        response.force_close();
    }
    Ok(response.insert_header((header::CONTENT_TYPE, header::HeaderValue::from_static(REPLY))).body(answer.der))
}

async fn default_chain(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    chain_of(&request, &services, DEFAULT_PROFILE)
}

async fn chain(request: HttpRequest, profile: web::Path<String>, services: web::Data<Services>) -> HttpResponse {
    chain_of(&request, &services, &profile)
}

/// PEM, the TSU's certificate first, the root last.
fn chain_of(request: &HttpRequest, services: &Services, profile: &str) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    let Some(unit) = services.authority.unit(profile) else {
        return Problem::NotFound { what: "timestamping profile" }.response();
    };
    let pem: String = unit.chain.iter().map(|certificate| pem_encode("CERTIFICATE", certificate.der())).collect();
    HttpResponse::Ok().content_type("application/pem-certificate-chain").body(pem)
}
