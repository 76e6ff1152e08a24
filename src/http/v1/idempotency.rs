//! Writes that may come twice: with an Idempotency-Key the second one gets the first one's answer.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::access::Admitted;
use super::refusal::refusal;
use crate::ca::registry::{Registry, RegistryError};
use crate::crypto::sha256;
use crate::http::Services;
use crate::http::problem::Problem;
use crate::store::{Claim, StoreError};

/// The header's name.
const HEADER: &str = "idempotency-key";
/// A UUID has 36 characters; longer ones are nobody's need.
const MAX_KEY_OCTETS: usize = 128;

/// What a write answers with.
pub(super) struct Reply {
    status: StatusCode,
    body: String,
    location: Option<String>,
}

impl Reply {
    pub(super) fn new(status: StatusCode, value: &impl Serialize) -> Result<Self, RegistryError> {
        let body = serde_json::to_string(value).map_err(|_| StoreError::Row { table: "answer", column: "json" })?;
        Ok(Self { status, body, location: None })
    }

    pub(super) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }
}

/// Does a write once for each Idempotency-Key; without one, each time.
pub(super) async fn write(
    request: &HttpRequest,
    services: &Services,
    admitted: &Admitted,
    body: &[u8],
    work: impl FnOnce(&Registry, &str) -> Result<Reply, RegistryError> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let key = key_of(request)?;
    let target = request.uri().to_string();
    let asked = [request.method().as_str().as_bytes(), b"\n", target.as_bytes(), b"\n", body].concat();
    let request_sha256 = sha256(&asked);
    let (registry, who) = (Arc::clone(&services.registry), admitted.who().to_owned());
    let done = web::block(move || match key {
        None => work(&registry, &who).map_err(|error| refusal(&error)),
        Some(key) => write_once(&registry, &who, &key, &request_sha256, work),
    });
    let reply = done.await.map_err(|_| Problem::Unavailable)??;
    let mut response = HttpResponse::build(reply.status);
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(location) = reply.location {
        response.insert_header((header::LOCATION, location));
    }
    Ok(response.body(reply.body))
}

fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let is_good = (1..=MAX_KEY_OCTETS).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
    if is_good {
        Ok(Some(text.to_owned()))
    } else {
        let detail = format!("Idempotency-Key has 1 to {MAX_KEY_OCTETS} visible ASCII characters.");
        Err(Problem::BadRequest { detail })
    }
}

fn write_once(
    registry: &Registry,
    who: &str,
    key: &str,
    request_sha256: &[u8; 32],
    work: impl FnOnce(&Registry, &str) -> Result<Reply, RegistryError>,
) -> Result<Reply, Problem> {
    let store = registry.store();
    let away = |error: StoreError| refusal(&error.into());
    match store.claim_idempotency(who, key, request_sha256).map_err(away)? {
        Claim::New => {}
        Claim::InProgress => {
            let detail = "A request with this Idempotency-Key is under way, or its outcome is not known: look at what stands \
                          before asking with another key.";
            return Err(Problem::Conflict { detail: detail.to_owned() });
        }
        Claim::Other => {
            let detail = "This Idempotency-Key was used for another request.".to_owned();
            return Err(Problem::Unprocessable { detail });
        }
        Claim::Done { status, body } => {
            let kept: Kept = serde_json::from_str(&body).map_err(|_| Problem::Unavailable)?;
            let status = StatusCode::from_u16(status).map_err(|_| Problem::Unavailable)?;
            return Ok(Reply { status, body: kept.body, location: kept.location });
        }
    }
    match work(registry, who) {
        Ok(reply) => {
            let kept = Kept { body: reply.body.clone(), location: reply.location.clone() };
            let kept = serde_json::to_string(&kept).map_err(|_| Problem::Unavailable)?;
            // The write stands; one whose answer could not be kept is in progress for whoever asks again.
            if let Err(error) = store.finish_idempotency(who, key, reply.status.as_u16(), &kept) {
                tracing::warn!(%error, "an answer to a request with an Idempotency-Key could not be kept");
            }
            Ok(reply)
        }
        Err(error) => {
            let problem = refusal(&error);
            // Nothing was done, so the key is free again; of what may have been done it stays taken.
            if problem != Problem::Unavailable
                && let Err(error) = store.drop_idempotency(who, key)
            {
                tracing::warn!(%error, "an Idempotency-Key of a refused request could not be freed");
            }
            Err(problem)
        }
    }
}

/// An answer as the store keeps it.
#[derive(Serialize, serde::Deserialize)]
struct Kept {
    body: String,
    location: Option<String>,
}
