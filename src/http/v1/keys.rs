//! `/v1/me`, `/v1/api-keys`, `/v1/profiles`: who asks, who could, and what is issued.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{admit, ask, json};
use crate::clock::rfc3339;
use crate::http::Services;
use crate::http::problem::Problem;
use crate::http::role::Action;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/me").route(web::get().to(me)).default_service(web::to(only_get)))
        .service(web::resource("/api-keys").route(web::get().to(api_keys)).default_service(web::to(only_get)))
        .service(web::resource("/profiles").route(web::get().to(profiles)).default_service(web::to(only_get)));
}

pub(super) async fn only_get() -> HttpResponse {
    Problem::MethodNotAllowed { allow: "GET" }.response()
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// As it stands in records.
    caller: String,
    /// The API key's name.
    name: String,
    /// officer, operator, auditor or client.
    #[schema(example = "officer")]
    role: String,
}

/// Who asks, as the server knows the caller.
#[utoipa::path(get, path = "/v1/me", tag = "callers", security(("api_key" = [])),
    responses((status = 200, body = Me), (status = 401, description = "No API key, or one that opens nothing")))]
pub(super) async fn me(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::SeeSelf)?;
    Ok(json(&Me {
        caller: admitted.caller.id.to_string(),
        name: admitted.caller.name.as_deref().unwrap_or_default().to_owned(),
        role: admitted.role.name().to_owned(),
    }))
}

/// A key to the API, without its secret or anything made from it.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyView {
    /// Its name, which is the caller's.
    name: String,
    /// officer, operator, auditor or client.
    role: String,
    /// When it was made.
    created_at: String,
    /// When it ends, if it does.
    expires_at: Option<String>,
    /// When it was revoked, if it was.
    revoked_at: Option<String>,
}

/// Every key to the API, also those that open nothing any more. They are made and revoked by `noonmark api-key`.
#[utoipa::path(get, path = "/v1/api-keys", tag = "callers", security(("api_key" = [])),
    responses((status = 200, body = Vec<ApiKeyView>), (status = 403, description = "For officers, operators and auditors")))]
pub(super) async fn api_keys(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let rows = ask(&services, |registry| Ok(registry.store().api_keys()?)).await?;
    let views: Vec<ApiKeyView> = rows
        .into_iter()
        .map(|row| ApiKeyView {
            name: row.name,
            role: row.role,
            created_at: rfc3339(row.created_at_us / 1_000_000),
            expires_at: row.expires_at_s.map(rfc3339),
            revoked_at: row.revoked_at_us.map(|at_us| rfc3339(at_us / 1_000_000)),
        })
        .collect();
    Ok(json(&views))
}

/// An issuing profile.
#[derive(Serialize, ToSchema)]
pub(super) struct ProfileView {
    /// Its name in orders.
    name: String,
    /// What it is for.
    description: String,
    /// Whether its certificates are CAs.
    ca: bool,
    /// The days of validity where the order does not say.
    validity_days: u32,
    /// The most days that an order may ask for.
    max_validity_days: u32,
    /// Whether its certificates may be held.
    hold_allowed: bool,
}

/// The issuing profiles.
#[utoipa::path(get, path = "/v1/profiles", tag = "certificates", security(("api_key" = [])),
    responses((status = 200, body = Vec<ProfileView>), (status = 503, description = "A profile's file is not in order")))]
pub(super) async fn profiles(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let profiles = ask(&services, |registry| registry.profiles()).await?;
    let views: Vec<ProfileView> = profiles
        .iter()
        .map(|profile| {
            let (validity_days, max_validity_days) = profile.validity_days();
            ProfileView {
                name: profile.name().to_owned(),
                description: profile.description().to_owned(),
                ca: profile.is_ca(),
                validity_days,
                max_validity_days,
                hold_allowed: profile.status_policy().hold_allowed,
            }
        })
        .collect();
    Ok(json(&views))
}
