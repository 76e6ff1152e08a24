//! `POST /v1/certificates` and `/v1/orders/{id}`: certificates asked for.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{MAX_BODY_OCTETS, admit, ask, json, now_s, parse, read_body};
use super::idempotency::{Reply, write};
use super::keys::only_get;
use crate::ca::order::{IssueOrder, OrderOutcome, OrderReport};
use crate::ca::pem_encode;
use crate::ca::registry::{Registry, RegistryError};
use crate::clock::rfc3339;
use crate::http::Services;
use crate::http::problem::Problem;
use crate::http::role::Action;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/orders/{id}").route(web::get().to(show)).default_service(web::to(only_get)));
}

/// A certificate to be issued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    /// The issuer's name.
    #[schema(example = "issuing")]
    issuer: String,
    /// The issuing profile's name.
    #[schema(example = "document-signer")]
    profile: String,
    /// The signing request (PKCS#10), PEM.
    csr: String,
    /// The subject in place of the request's.
    #[schema(example = "C=DE, O=Example, CN=Name")]
    subject: Option<String>,
    /// The alternative names in place of the request's: dns:, email:, ip: or uri: and the name.
    alternative_names: Option<Vec<String>>,
    /// The policies in place of the profile's, where it allows that.
    #[serde(default)]
    policies: Vec<String>,
    /// The days of validity; the profile's where it is not given.
    days: Option<u32>,
}

/// How an order stands.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderView {
    /// Its name.
    id: String,
    /// waiting, done or failed.
    #[schema(example = "done")]
    state: String,
    /// The issuer's name.
    issuer: String,
    /// The issuing profile's name.
    profile: String,
    /// Who asked.
    asked_by: String,
    /// When.
    asked_at: String,
    /// The certificate's serial number, once it is issued.
    serial: Option<String>,
    /// The certificate, PEM, once it is issued.
    certificate: Option<String>,
    /// Why it was refused, if it was.
    refused: Option<String>,
}

fn view(registry: &Registry, report: OrderReport) -> Result<OrderView, RegistryError> {
    let (mut serial, mut certificate, mut refused) = (None, None, None);
    match report.outcome {
        None => {}
        Some(OrderOutcome::Refused { reason }) => refused = Some(reason),
        Some(OrderOutcome::Issued { serial: issued, .. }) => {
            let octets = hex::decode(&issued).map_err(|_| RegistryError::Serial { text: issued.clone() })?;
            certificate = Some(pem_encode("CERTIFICATE", &registry.certificate_der(&report.order.issuer, &octets)?));
            serial = Some(issued);
        }
    }
    Ok(OrderView {
        id: report.id,
        state: report.state.name().to_owned(),
        issuer: report.order.issuer,
        profile: report.order.profile,
        asked_by: report.asked_by,
        asked_at: rfc3339(report.asked_at_us / 1_000_000),
        serial,
        certificate,
        refused,
    })
}

/// Orders a certificate. It is held against its profile at once; the agent that has the issuer's key makes it.
#[utoipa::path(post, path = "/v1/certificates", tag = "certificates", security(("api_key" = [])), request_body = NewOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 202, body = OrderView, description = "It waits for the agent; Location names the order"),
        (status = 404, description = "No such issuer"),
        (status = 422, description = "What in the order can't be, or breaks its profile")))]
pub(super) async fn order(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::ChangeCertificates)?;
    let body = read_body(&request, payload, &services, MAX_BODY_OCTETS).await?;
    let new: NewOrder = parse(&body)?;
    let order = IssueOrder {
        issuer: new.issuer,
        profile: new.profile,
        csr: new.csr,
        subject: new.subject,
        alternative_names: new.alternative_names,
        policies: new.policies,
        days: new.days,
    };
    let now_s = now_s()?;
    write(&request, &services, &admitted, &body, move |registry, who| {
        let id = registry.order(&order, now_s, who)?;
        let report = registry.order_report(&id)?;
        let report = report.ok_or_else(|| RegistryError::Conflict { reason: format!("order {id} is gone") })?;
        Ok(Reply::new(StatusCode::ACCEPTED, &view(registry, report)?)?.at(format!("/v1/orders/{id}")))
    })
    .await
}

/// Hexadecimal digits of an order's name.
const ORDER_DIGITS: usize = 32;

/// How an order stands; the certificate, once it is issued.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "certificates", security(("api_key" = [])),
    params(("id" = String, Path, description = "The order's name")),
    responses((status = 200, body = OrderView), (status = 404, description = "No such order")))]
pub(super) async fn show(
    request: HttpRequest,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    if id.len() != ORDER_DIGITS || !id.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Err(Problem::Missing { detail: "There is no such order.".to_owned() });
    }
    let found =
        ask(&services, move |registry| registry.order_report(&id)?.map(|report| view(registry, report)).transpose());
    let view = found.await?.ok_or_else(|| Problem::Missing { detail: "There is no such order.".to_owned() })?;
    Ok(json(&view))
}
