//! OCSP over HTTP (RFC 6960 appendix A, RFC 9919): POST a request, or GET it in the path.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use tokio::sync::oneshot;

use super::mailbox::Mailbox;
use super::problem::Problem;
use super::{Services, body};
use crate::ca::registry::is_valid_name;
use crate::ocsp::{Answer, ErrorResponse, Outcome, SignedAnswer, decode_get_path};

/// What a request's body is.
const REQUEST: &str = "application/ocsp-request";
/// What every answer is.
const RESPONSE: &str = "application/ocsp-response";
/// Longer than every limit inside; a last resort, so that no client waits for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most octets of a request: the 100 CertIDs that are answered for at once need a sixth of it.
const MAX_REQUEST_BYTES: usize = 65_536;
/// The path's beginning.
const PREFIX: &str = "/ocsp";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    // The raw path is read by hand: base64 has slashes of its own, and none may be merged or decoded on the way. A scope is
    // matched by comparing octets; a pattern for the rest went through a regular expression, which cost 40 % of a GET.
    config.service(web::scope(PREFIX).default_service(web::to(answer)));
}

async fn answer(request: HttpRequest, payload: web::Payload, services: web::Data<Services>) -> HttpResponse {
    let target = Target::of(request.uri().path());
    if request.method() == Method::GET {
        return get(&request, target, &services).await;
    }
    if request.method() != Method::POST {
        return Problem::MethodNotAllowed { allow: "GET, POST" }.response();
    }
    post(&request, payload, target, &services).await
}

/// What a raw path asks for.
struct Target<'a> {
    issuer: Option<&'a str>,
    request: &'a str,
}

impl<'a> Target<'a> {
    /// A request in base64 begins with M, an issuer's name with a lower-case letter: they can't be mixed up.
    fn of(path: &'a str) -> Self {
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
        if is_valid_name(first) {
            Self { issuer: Some(first), request: after }
        } else {
            Self { issuer: None, request: rest }
        }
    }
}

async fn get(request: &HttpRequest, target: Target<'_>, services: &web::Data<Services>) -> HttpResponse {
    let Some(query) = decode_get_path(target.request.as_bytes()) else {
        return error(StatusCode::OK, ErrorResponse::MalformedRequest, services);
    };
    match services.responder.begin(target.issuer, &query) {
        Outcome::Now(answer) => cacheable(request, &answer, services),
        later @ Outcome::Later(_) => cacheable(request, &look_up(request, later, services).await, services),
    }
}

async fn post(
    request: &HttpRequest,
    payload: web::Payload,
    target: Target<'_>,
    services: &web::Data<Services>,
) -> HttpResponse {
    if !target.request.is_empty() {
        return error(StatusCode::NOT_FOUND, ErrorResponse::MalformedRequest, services);
    }
    if !body::has_media_type(request, REQUEST) {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorResponse::MalformedRequest, services);
    }
    let query = match body::read(request, payload, MAX_REQUEST_BYTES, services.settings.body_timeout_s).await {
        Ok(query) => query,
        Err(problem) => {
            let mut answer = error(problem.response().status(), ErrorResponse::MalformedRequest, services);
            // What is left of the body is not worth reading.
            answer.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
            return answer;
        }
    };
    let answer = match services.responder.begin(target.issuer, &query) {
        Outcome::Now(answer) => answer,
        later @ Outcome::Later(_) => look_up(request, later, services).await,
    };
    match answer {
        Answer::Signed(answer) => signed(StatusCode::OK, services).body(answer.der.clone()),
        Answer::Error(what) => error(StatusCode::OK, what, services),
    }
}

/// The store's part, away from this thread, and the signature. Only what costs is counted against its caller.
async fn look_up(request: &HttpRequest, outcome: Outcome, services: &web::Data<Services>) -> Answer {
    let pending = match outcome {
        Outcome::Now(answer) => return answer,
        Outcome::Later(pending) => pending,
    };
    // Credentials mean nothing here, wrong ones included: a proxy may send some along.
    let caller = services.identify_or_anonymous(request);
    let Ok(_permit) = services.limits.admit(&caller) else {
        return Answer::Error(ErrorResponse::TryLater);
    };
    let (sender, receiver) = oneshot::channel::<Answer>();
    let mailbox = request.app_data::<Arc<Mailbox<Answer>>>().cloned();
    let respond = Box::new(move |answer| match mailbox {
        Some(mailbox) => mailbox.deliver(sender, answer),
        // The client may be gone when the answer comes; it is kept for the next one.
        None => drop(sender.send(answer)),
    });
    let responder = Arc::clone(&services.responder);
    let asked = if pending.needs_store() {
        Some(web::block(move || responder.look_up(pending, respond)))
    } else {
        responder.look_up(pending, respond);
        None
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, async {
        if let Some(asked) = asked {
            // A pool that is gone drops the work, and with it the sender.
            drop(asked.await);
        }
        receiver.await
    });
    match answer.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Answer::Error(ErrorResponse::TryLater),
    }
}

fn signed(status: StatusCode, services: &Services) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if services.is_leaving.load(Ordering::Relaxed) {
        response.force_close();
    }
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(RESPONSE)));
    response
}

fn error(status: StatusCode, what: ErrorResponse, services: &Services) -> HttpResponse {
    signed(status, services)
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .body(what.der().to_vec())
}

/// An answer to a GET, with what caches need (RFC 9919 §6, §7).
fn cacheable(request: &HttpRequest, answer: &Answer, services: &Services) -> HttpResponse {
    let answer = match answer {
        Answer::Signed(answer) => answer,
        Answer::Error(what) => return error(StatusCode::OK, *what, services),
    };
    let Some(texts) = &answer.http else {
        return signed(StatusCode::OK, services).body(answer.der.clone());
    };
    let is_known =
        request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|tags| {
            tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == texts.etag)
        });
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = signed(status, services);
    let fixed =
        [(header::ETAG, &texts.etag), (header::LAST_MODIFIED, &texts.last_modified), (header::EXPIRES, &texts.expires)];
    for (name, text) in fixed {
        // Shared, not copied; hexadecimal digits and dates are always a header's value.
        if let Ok(value) = HeaderValue::from_maybe_shared(text.clone()) {
            response.insert_header((name, value));
        }
    }
    response.insert_header((header::CACHE_CONTROL, cache_control(answer)));
    if is_known { response.finish() } else { response.body(answer.der.clone()) }
}

fn cache_control(answer: &SignedAnswer) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    format!("max-age={},public,no-transform,must-revalidate", answer.max_age_s(now_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_issuer_or_a_request() {
        let parts = |path| {
            let target = Target::of(path);
            (target.issuer.map(str::to_owned), target.request.to_owned())
        };
        assert_eq!(parts("/ocsp"), (None, String::new()));
        assert_eq!(parts("/ocsp/"), (None, String::new()));
        assert_eq!(parts("/ocsp/issuing"), (Some("issuing".to_owned()), String::new()));
        assert_eq!(parts("/ocsp/issuing/MEk/w=="), (Some("issuing".to_owned()), "MEk/w==".to_owned()));
        assert_eq!(parts("/ocsp/MEk//w%2F"), (None, "MEk//w%2F".to_owned()));
    }
}
