//! `/healthz`, `/readyz`, `/metrics`.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Services;
use super::problem::Problem;

/// How one part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// In order.
    Ok,
    /// Serving, and somebody should look.
    Warning,
    /// Not serving.
    Failed,
}

/// One part of what serving needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadyCheck {
    /// The part: `clock`, `ledger`, `token service`, `profile default`.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// Why, and what to do; empty when in order.
    pub reason: String,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadyReport {
    /// Whether timestamps can be issued.
    pub ready: bool,
    /// Every part.
    pub checks: Vec<ReadyCheck>,
}

/// Tells whether the service is ready; the application knows.
pub trait Readiness: Send + Sync {
    /// The report, from what is known: it asks nothing that could hang.
    fn report(&self) -> ReadyReport;
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").to(healthz))
        .service(web::resource("/readyz").to(readyz))
        .service(web::resource("/metrics").to(metrics));
}

fn reading(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

async fn healthz(request: HttpRequest) -> HttpResponse {
    if !reading(&request) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    if !reading(&request) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    let report = services.readiness.report();
    let mut response = if report.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((header::CACHE_CONTROL, "no-store")).json(report)
}

async fn metrics(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    if !reading(&request) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((services.render_metrics)())
}
