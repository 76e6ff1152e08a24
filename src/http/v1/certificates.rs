//! `/v1/certificates`: what is known of certificates, and changing their status.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::{MAX_BODY_OCTETS, admit, ask, json, now_s, parse, query, read_body};
use super::idempotency::{Reply, write};
use super::issuers::one_certificate;
use super::keys::only_get;
use super::orders;
use super::page::{Page, cursor, limit, place};
use crate::ca::registry::{ImportEntry, ImportMode, Registry, RegistryError, parse_serial};
use crate::ca::status::StatusWish;
use crate::ca::{pem_encode, reason_from_name, reason_name};
use crate::clock::{from_rfc3339, rfc3339};
use crate::http::Services;
use crate::http::problem::Problem;
use crate::http::role::Action;
use crate::store::{CertificateSearch, CertificateState, RegistryRow};

/// The most rows of an import by the API: one transaction. More of them come by `noonmark cert import`.
const MAX_IMPORT_ROWS: usize = 10_000;
/// The most octets of an import: its rows with certificates of 800 octets.
const MAX_IMPORT_OCTETS: usize = 16 * 1024 * 1024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let only_post = || web::to(|| async { Problem::MethodNotAllowed { allow: "POST" }.response() });
    config
        .service(
            web::resource("/certificates")
                .route(web::get().to(list))
                .route(web::post().to(orders::order))
                .default_service(web::to(|| async { Problem::MethodNotAllowed { allow: "GET, POST" }.response() })),
        )
        .service(
            web::resource("/certificates/{issuer}/{serial}")
                .route(web::get().to(show))
                .default_service(web::to(only_get)),
        )
        .service(
            web::resource("/certificates/{issuer}/{serial}/revoke")
                .route(web::post().to(revoke))
                .default_service(only_post()),
        )
        .service(
            web::resource("/certificates/{issuer}/{serial}/hold")
                .route(web::post().to(hold))
                .default_service(only_post()),
        )
        .service(
            web::resource("/certificates/{issuer}/{serial}/release")
                .route(web::post().to(release))
                .default_service(only_post()),
        )
        .service(web::resource("/issuers/{issuer}/import").route(web::post().to(import)).default_service(only_post()));
}

/// A certificate's status.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusView {
    /// intended, good, held or revoked.
    #[schema(example = "good")]
    state: String,
    /// Why it is revoked or held, as RFC 5280 §5.3.1 names it.
    reason: Option<String>,
    /// Since when it is revoked or held.
    revoked_at: Option<String>,
    /// Since when it is known or suspected not to be valid.
    invalidity_date: Option<String>,
}

/// A certificate.
#[derive(Serialize, ToSchema)]
pub(super) struct CertificateView {
    /// The issuer's name.
    issuer: String,
    /// The serial number, hexadecimal.
    serial: String,
    /// The subject, RFC 4514.
    subject: String,
    /// The issuing profile, or imported.
    profile: String,
    /// The beginning of its validity.
    not_before: String,
    /// The end of its validity.
    not_after: String,
    /// Its status.
    status: StatusView,
    /// Who changed its status last.
    changed_by: String,
    /// When.
    changed_at: String,
    /// The certificate itself, PEM, where it is known and one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

fn view(issuer: &str, row: &RegistryRow) -> CertificateView {
    let status = &row.status;
    CertificateView {
        issuer: issuer.to_owned(),
        serial: hex::encode(&row.serial),
        subject: row.subject.clone(),
        profile: row.profile.clone(),
        not_before: rfc3339(row.not_before_s),
        not_after: rfc3339(row.not_after_s),
        status: StatusView {
            state: status.state.name().to_owned(),
            reason: status.reason.and_then(reason_name).map(str::to_owned),
            revoked_at: status.revoked_at_s.map(rfc3339),
            invalidity_date: status.invalidity_s.map(rfc3339),
        },
        changed_by: row.changed_by.clone(),
        changed_at: rfc3339(row.changed_at_us / 1_000_000),
        certificate: None,
    }
}

/// What certificates are looked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Of this issuer.
    issuer: Option<String>,
    /// In this state: intended, good, held, revoked.
    state: Option<String>,
    /// With this in the subject.
    subject: Option<String>,
    /// Issued by this profile.
    profile: Option<String>,
    /// With a notAfter before this, RFC 3339.
    ends_before: Option<String>,
    /// So many at most; 100 if it is not given, 1000 at most.
    limit: Option<u32>,
    /// The page after the one that gave this as next.
    after: Option<String>,
}

/// A page of certificates.
#[derive(Serialize, ToSchema)]
pub(super) struct CertificatePage {
    /// What is on it.
    items: Vec<CertificateView>,
    /// Leads to the next page as `after`; null on the last one.
    next: Option<String>,
}

/// Certificates by issuer and serial number.
#[utoipa::path(get, path = "/v1/certificates", tag = "certificates", security(("api_key" = [])), params(Search),
    responses((status = 200, body = CertificatePage), (status = 400, description = "A parameter that does not read")))]
pub(super) async fn list(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let search: Search = query(&request)?;
    let limit = limit(search.limit)?;
    let after = search.after.as_deref().map(place).transpose()?;
    let state = search.state.as_deref().map(|name| CertificateState::from_name(name).ok_or(name));
    let state =
        state.transpose().map_err(|name| bad(&format!("state {name:?} is none of intended, good, held, revoked")))?;
    let ends_before_s = search.ends_before.as_deref().map(|text| time("ends_before", text)).transpose()?;
    // PostgreSQL has no NUL in a text.
    if [&search.subject, &search.profile].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(bad("a NUL stands in no subject and no profile's name"));
    }
    let page = ask(&services, move |registry| {
        let issuers = registry.issuers()?;
        let issuer_id =
            search.issuer.as_deref().map(|name| registry.issuer(name)).transpose()?.map(|issuer| issuer.row.id);
        let wanted = CertificateSearch {
            issuer_id,
            state,
            subject_contains: search.subject,
            profile: search.profile,
            ends_before_s,
        };
        // One more than asked for tells whether there is a next page.
        let mut rows = registry.search(&wanted, after.as_ref().map(|(id, serial)| (*id, &serial[..])), limit + 1)?;
        let has_more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| has_more).map(|row| cursor(row.issuer_id, &row.serial));
        let name = |row: &RegistryRow| {
            let issuer = issuers.iter().find(|issuer| issuer.row.id == row.issuer_id);
            issuer.map(|issuer| issuer.row.name.clone()).unwrap_or_default()
        };
        Ok(Page { items: rows.iter().map(|row| view(&name(row), row)).collect(), next })
    });
    Ok(json(&page.await?))
}

fn bad(detail: &str) -> Problem {
    Problem::BadRequest { detail: format!("{detail}.") }
}

fn time(field: &str, text: &str) -> Result<i64, Problem> {
    from_rfc3339(text).ok_or_else(|| {
        bad(&format!("{field} {text:?} is no time in whole seconds such as 2027-01-31T12:00:00Z (RFC 3339)"))
    })
}

fn serial(text: &str) -> Result<Vec<u8>, Problem> {
    parse_serial(text).map_err(|error| super::refusal::refusal(&error))
}

/// A certificate, with itself where it is known.
#[utoipa::path(get, path = "/v1/certificates/{issuer}/{serial}", tag = "certificates", security(("api_key" = [])),
    params(("issuer" = String, Path, description = "The issuer's name"),
        ("serial" = String, Path, description = "The serial number, hexadecimal")),
    responses((status = 200, body = CertificateView), (status = 404, description = "No such certificate"),
        (status = 422, description = "No serial number")))]
pub(super) async fn show(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let (issuer, text) = path.into_inner();
    let serial = serial(&text)?;
    let shown = ask(&services, move |registry| {
        let row = registry.certificate(&issuer, &serial)?;
        let der = match registry.certificate_der(&issuer, &serial) {
            Ok(der) => Some(der),
            Err(RegistryError::NotKept { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(CertificateView { certificate: der.map(|der| pem_encode("CERTIFICATE", &der)), ..view(&issuer, &row) })
    });
    Ok(json(&shown.await?))
}

/// A revocation.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    /// Why, as RFC 5280 §5.3.1 names it: keyCompromise, superseded, …; a TSU's and a CA's certificate need one.
    #[schema(example = "superseded")]
    reason: Option<String>,
    /// Since when, RFC 3339; now if it is not given.
    at: Option<String>,
    /// Since when it is known or suspected not to be valid, RFC 3339.
    invalidity_date: Option<String>,
}

/// Revokes a certificate, for ever. Every server answers so within a second.
#[utoipa::path(post, path = "/v1/certificates/{issuer}/{serial}/revoke", tag = "certificates",
    security(("api_key" = [])), request_body = Revocation,
    params(("issuer" = String, Path, description = "The issuer's name"),
        ("serial" = String, Path, description = "The serial number, hexadecimal"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 200, body = CertificateView), (status = 404, description = "No such certificate"),
        (status = 409, description = "It is revoked already"),
        (status = 422, description = "A reason or date that can't be")))]
pub(super) async fn revoke(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::ChangeCertificates)?;
    let body = read_body(&request, payload, &services, MAX_BODY_OCTETS).await?;
    let revocation: Revocation = parse(&body)?;
    let wish = StatusWish::Revoke {
        reason: reason(revocation.reason.as_deref())?,
        at_s: revocation.at.as_deref().map(|text| time("at", text)).transpose()?,
        invalidity_s: revocation.invalidity_date.as_deref().map(|text| time("invalidity_date", text)).transpose()?,
    };
    change(&request, &services, &admitted, &body, path.into_inner(), wish).await
}

fn reason(name: Option<&str>) -> Result<Option<u8>, Problem> {
    name.map(|name| reason_from_name(name).ok_or_else(|| bad(&format!("{name:?} is no reason of RFC 5280 §5.3.1"))))
        .transpose()
}

/// Holds a certificate: it may come back.
#[utoipa::path(post, path = "/v1/certificates/{issuer}/{serial}/hold", tag = "certificates", security(("api_key" = [])),
    params(("issuer" = String, Path, description = "The issuer's name"),
        ("serial" = String, Path, description = "The serial number, hexadecimal"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 200, body = CertificateView), (status = 409, description = "It is held or revoked already"),
        (status = 422, description = "Its profile has no hold")))]
pub(super) async fn hold(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::ChangeCertificates)?;
    change(&request, &services, &admitted, &[], path.into_inner(), StatusWish::Hold).await
}

/// Releases a certificate that is held.
#[utoipa::path(post, path = "/v1/certificates/{issuer}/{serial}/release", tag = "certificates", security(("api_key" = [])),
    params(("issuer" = String, Path, description = "The issuer's name"),
        ("serial" = String, Path, description = "The serial number, hexadecimal"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 200, body = CertificateView), (status = 409, description = "It is not held")))]
pub(super) async fn release(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::ChangeCertificates)?;
    change(&request, &services, &admitted, &[], path.into_inner(), StatusWish::Release).await
}

async fn change(
    request: &HttpRequest,
    services: &Services,
    admitted: &super::access::Admitted,
    body: &[u8],
    (issuer, text): (String, String),
    wish: StatusWish,
) -> Result<HttpResponse, Problem> {
    let (serial, now_s) = (serial(&text)?, now_s()?);
    write(request, services, admitted, body, move |registry, who| {
        let row = registry.change_status(&issuer, &serial, &wish, now_s, who)?;
        Reply::new(StatusCode::OK, &view(&issuer, &row))
    })
    .await
}

/// A certificate or status from elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportRow {
    /// The serial number, hexadecimal.
    serial: String,
    /// The subject, RFC 4514.
    #[serde(default)]
    subject: String,
    /// The beginning of its validity, RFC 3339.
    not_before: String,
    /// The end of its validity, RFC 3339.
    not_after: String,
    /// good, held or revoked.
    state: String,
    /// Why it is revoked, as RFC 5280 §5.3.1 names it.
    reason: Option<String>,
    /// Since when it is revoked or held, RFC 3339.
    revoked_at: Option<String>,
    /// Since when it is known or suspected not to be valid, RFC 3339.
    invalidity_date: Option<String>,
    /// The certificate itself, PEM; it must be the issuer's.
    certificate: Option<String>,
}

/// What an import did.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    /// Rows that were read.
    read: u64,
    /// Certificates that were new.
    new: u64,
    /// Known certificates whose status was changed.
    changed: u64,
    /// Known certificates that may not get the status of their row, and stay as they are.
    refused: u64,
    /// The first of these.
    refusals: Vec<RefusedRow>,
}

/// A row whose status was not taken.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusedRow {
    /// The serial number, hexadecimal.
    serial: String,
    /// Why.
    reason: String,
}

/// How an import is done.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Gives known certificates the status of their rows, each by the rules for changes; otherwise they stay as they are.
    #[serde(default)]
    update: bool,
}

/// Takes certificates and statuses from elsewhere, the new ones in one transaction.
#[utoipa::path(post, path = "/v1/issuers/{issuer}/import", tag = "issuers", security(("api_key" = [])),
    request_body = Vec<ImportRow>,
    params(("issuer" = String, Path, description = "The issuer's name"), ImportQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 200, body = Imported), (status = 404, description = "No such issuer"),
        (status = 409, description = "A row that contradicts itself or the issuer"),
        (status = 413, description = "More than 10,000 rows or 16 MiB")))]
pub(super) async fn import(
    request: HttpRequest,
    payload: web::Payload,
    issuer: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::ChangeCertificates)?;
    let body = read_body(&request, payload, &services, MAX_IMPORT_OCTETS).await?;
    // Megabytes of certificates are not read on a thread that others' requests wait for.
    let read = web::block(move || read_rows(&body).map(|entries| (entries, body)));
    let (entries, body) = read.await.map_err(|_| Problem::Unavailable)??;
    let now_s = now_s()?;
    let ImportQuery { update } = query(&request)?;
    write(&request, &services, &admitted, &body, move |registry: &Registry, who| {
        let mode = if update { ImportMode::Update } else { ImportMode::Add };
        let counts = registry.import(&issuer, entries.into_iter().map(Ok), mode, now_s, who, |_| {})?;
        let refusals = counts.refusals.into_iter().map(|(serial, reason)| RefusedRow { serial, reason }).collect();
        let (new, changed, refused) = (counts.new, counts.changed, counts.refused);
        Reply::new(StatusCode::OK, &Imported { read: counts.read, new, changed, refused, refusals })
    })
    .await
}

fn read_rows(body: &[u8]) -> Result<Vec<ImportEntry>, Problem> {
    let rows: Vec<ImportRow> = parse(body)?;
    if rows.len() > MAX_IMPORT_ROWS {
        return Err(Problem::TooLarge { limit_bytes: MAX_IMPORT_OCTETS });
    }
    rows.into_iter().enumerate().map(|(at, row)| entry(row).map_err(|problem| in_row(at, problem))).collect()
}

fn in_row(at: usize, problem: Problem) -> Problem {
    match problem {
        Problem::BadRequest { detail } => Problem::BadRequest { detail: format!("Row {at}: {detail}") },
        Problem::Unprocessable { detail } => Problem::Unprocessable { detail: format!("Row {at}: {detail}") },
        other => other,
    }
}

fn entry(row: ImportRow) -> Result<ImportEntry, Problem> {
    let state = CertificateState::from_name(&row.state).filter(|state| *state != CertificateState::Intended);
    let certificate = row.certificate.as_deref().map(one_certificate).transpose();
    Ok(ImportEntry {
        serial: serial(&row.serial)?,
        subject: row.subject,
        not_before_s: time("not_before", &row.not_before)?,
        not_after_s: time("not_after", &row.not_after)?,
        state: state.ok_or_else(|| bad("state is none of good, held, revoked"))?,
        reason: reason(row.reason.as_deref())?,
        revoked_at_s: row.revoked_at.as_deref().map(|text| time("revoked_at", text)).transpose()?,
        invalidity_s: row.invalidity_date.as_deref().map(|text| time("invalidity_date", text)).transpose()?,
        certificate: certificate.map_err(|error| super::refusal::refusal(&error))?,
    })
}
