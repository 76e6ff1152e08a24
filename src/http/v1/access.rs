//! Who may do what, the request's body, and the registry's work away from the HTTP threads.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::de::DeserializeOwned;

use super::refusal::refusal;
use crate::ca::registry::{Registry, RegistryError};
use crate::http::body;
use crate::http::limits::Permit;
use crate::http::problem::Problem;
use crate::http::role::{Action, Role};
use crate::http::{Caller, Services};

/// What a request's body is.
const JSON: &str = "application/json";
/// The most octets of a request's body, an import aside: a signing request with a hundred names has 10,000.
pub(super) const MAX_BODY_OCTETS: usize = 262_144;

/// A caller that may do what it asks for.
pub(super) struct Admitted {
    pub(super) caller: Caller,
    pub(super) role: Role,
    _permit: Permit,
}

impl Admitted {
    /// Who stands in the records.
    pub(super) fn who(&self) -> &str {
        &self.caller.id
    }
}

/// Lets a caller in whose role allows the action.
pub(super) fn admit(request: &HttpRequest, services: &Services, action: Action) -> Result<Admitted, Problem> {
    let caller = services.identify(request)?;
    let permit = services.limits.admit(&caller.id)?;
    let Some(role) = caller.role else {
        // Who showed nothing is asked to; who is known without a role has none to gain by asking again.
        let has_shown = caller.name.is_some();
        return Err(if has_shown { Problem::WrongRole { needed: needed(action) } } else { Problem::Unauthorized });
    };
    let admitted = Admitted { caller, role, _permit: permit };
    require(&admitted, action)?;
    Ok(admitted)
}

/// Holds a caller that was let in against a further action.
pub(super) fn require(admitted: &Admitted, action: Action) -> Result<(), Problem> {
    if admitted.role.may(action) { Ok(()) } else { Err(Problem::WrongRole { needed: needed(action) }) }
}

const fn needed(action: Action) -> &'static str {
    match action {
        Action::SeeSelf => "officer, operator, auditor or client",
        Action::See => "officer, operator or auditor",
        Action::SetIssuer => "officer or operator",
        Action::AddIssuer | Action::ChangeCertificates => "officer",
    }
}

/// The whole body; its media type must be JSON's.
pub(super) async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    services: &Services,
    limit_octets: usize,
) -> Result<Vec<u8>, Problem> {
    if !body::has_media_type(request, JSON) {
        return Err(Problem::UnsupportedMediaType { expected: JSON });
    }
    body::read(request, payload, limit_octets, services.settings.body_timeout_s).await
}

/// Reads JSON; what is wrong is said with its place.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::BadRequest { detail: format!("The body does not read: {error}.") })
}

/// The query's parameters.
pub(super) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| Problem::BadRequest { detail: format!("The query does not read: {error}.") })
}

/// Asks the registry on a thread that may wait.
pub(super) async fn ask<T: Send + 'static>(
    services: &Services,
    work: impl FnOnce(&Registry) -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, Problem> {
    let registry = Arc::clone(&services.registry);
    let asked = web::block(move || work(&registry)).await;
    asked.map_err(|_| Problem::Unavailable)?.map_err(|error| refusal(&error))
}

/// Now, in seconds since 1970.
pub(super) fn now_s() -> Result<i64, Problem> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Problem::Unavailable)?;
    i64::try_from(since.as_secs()).map_err(|_| Problem::Unavailable)
}

/// JSON that no cache keeps.
pub(super) fn json(value: &impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(value)
}
