//! `/v1/issuers`: whose certificates are answered for, and how.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{MAX_BODY_OCTETS, admit, ask, json, now_s, parse, read_body, require};
use super::idempotency::{Reply, write};
use crate::ca::registry::{Issuer, Registry, RegistryError};
use crate::ca::{
    AnswersFrom, Certificate, CrlSettingsChange, ExternalCrlSettings, IssuerSettings, NotIssuedAnswer, pem_decode,
    pem_encode,
};
use crate::http::Services;
use crate::http::problem::Problem;
use crate::http::role::Action;
use crate::store::{CertIdHash, IssuerOrigin};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/issuers")
                .route(web::get().to(list))
                .route(web::post().to(add))
                .default_service(web::to(|| async { Problem::MethodNotAllowed { allow: "GET, POST" }.response() })),
        )
        .service(
            web::resource("/issuers/{issuer}")
                .route(web::get().to(show))
                .route(web::patch().to(set))
                .default_service(web::to(|| async { Problem::MethodNotAllowed { allow: "GET, PATCH" }.response() })),
        );
}

/// How an issuer is answered for.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsView {
    /// How long an answer holds, in seconds.
    validity_s: u32,
    /// The CertID hashes for which answers are signed ahead: sha1, sha256.
    ahead: Vec<String>,
    /// Whether a nonce of 16 octets or more gets an answer of its own.
    answer_nonce: bool,
    /// What is said of serial numbers that were never issued: unknown or revoked.
    not_issued: String,
    /// Whether answers carry ArchiveCutoff.
    archive_cutoff: bool,
    /// How its CRLs are made, where its key is here.
    crl: CrlView,
    /// Where an external issuer's CRLs are fetched.
    external_crl: ExternalCrlView,
}

/// How an issuer's CRLs are made.
#[derive(Serialize, ToSchema)]
pub(super) struct CrlView {
    /// How often complete and partitioned CRLs are made, in seconds.
    interval_s: u32,
    /// How long one holds after the next was due, in seconds.
    overlap_s: u32,
    /// How long after a revocation the complete CRL is made, in seconds.
    debounce_s: u32,
    /// How often a delta is made without a revocation, in seconds; 0 makes none.
    delta_interval_s: u32,
    /// Whether complete CRLs name their delta (freshestCRL).
    names_delta: bool,
    /// Over how many CRLs new certificates are spread; never lowered.
    partitions: u16,
    /// Whether expired certificates stay listed (expiredCertsOnCRL).
    keep_expired: bool,
}

/// Where an external issuer's CRLs are fetched, and what they count for.
#[derive(Serialize, ToSchema)]
pub(super) struct ExternalCrlView {
    /// URLs of one and the same complete CRL, tried in this order; empty: nothing is fetched.
    #[schema(example = json!(["http://crl.example.org/ca.crl"]))]
    urls: Vec<String>,
    /// URLs of one and the same delta CRL, tried in this order.
    delta_urls: Vec<String>,
    /// How often they are fetched, in seconds.
    interval_s: u32,
    /// Whose word OCSP answers give: registry, crl (good only what the registry knows), crl-any-serial.
    #[schema(value_type = String, example = "registry")]
    answers: AnswersFrom,
}

/// An issuer.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuerView {
    /// Its name in URLs.
    name: String,
    /// own: its key is here; external: it is not.
    #[schema(example = "own")]
    origin: String,
    /// Its subject, RFC 4514.
    subject: String,
    /// Its certificate, PEM.
    certificate: String,
    /// The number of the last change to one of its certificates' status.
    change_number: i64,
    /// How it is answered for.
    settings: SettingsView,
}

/// Settings to be changed; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsChange {
    /// How long an answer holds, in seconds.
    validity_s: Option<u32>,
    /// The CertID hashes for which answers are signed ahead: sha1, sha256.
    #[schema(value_type = Option<Vec<String>>)]
    ahead: Option<Vec<CertIdHash>>,
    /// Whether a nonce of 16 octets or more gets an answer of its own.
    answer_nonce: Option<bool>,
    /// What is said of serial numbers that were never issued: unknown or revoked.
    #[schema(value_type = Option<String>)]
    not_issued: Option<NotIssuedAnswer>,
    /// Whether answers carry ArchiveCutoff.
    archive_cutoff: Option<bool>,
    /// How its CRLs are made, where its key is here; what is not named stays.
    #[schema(value_type = Option<CrlView>)]
    crl: Option<CrlSettingsChange>,
    /// Where an external issuer's CRLs are fetched; given whole, what is not named in it gets its default. Officers only:
    /// it makes the server ask hosts of the caller's choice.
    #[schema(value_type = Option<ExternalCrlView>)]
    external_crl: Option<ExternalCrlSettings>,
}

/// Somebody else's CA.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIssuer {
    /// Its name here, as it stands in URLs.
    name: String,
    /// Its certificate, PEM.
    certificate: String,
}

fn view(issuer: &Issuer) -> IssuerView {
    let settings = &issuer.settings;
    let hash = |hash: &CertIdHash| match hash {
        CertIdHash::Sha1 => "sha1".to_owned(),
        CertIdHash::Sha256 => "sha256".to_owned(),
    };
    IssuerView {
        name: issuer.row.name.clone(),
        origin: issuer.row.origin.name().to_owned(),
        subject: issuer.certificate.subject(),
        certificate: pem_encode("CERTIFICATE", issuer.certificate.der()),
        change_number: issuer.row.change_number,
        settings: SettingsView {
            validity_s: settings.validity_s,
            ahead: settings.ahead.iter().map(hash).collect(),
            answer_nonce: settings.answer_nonce,
            not_issued: match settings.not_issued {
                NotIssuedAnswer::Unknown => "unknown".to_owned(),
                NotIssuedAnswer::Revoked => "revoked".to_owned(),
            },
            archive_cutoff: settings.archive_cutoff,
            crl: CrlView {
                interval_s: settings.crl.interval_s,
                overlap_s: settings.crl.overlap_s,
                debounce_s: settings.crl.debounce_s,
                delta_interval_s: settings.crl.delta_interval_s,
                names_delta: settings.crl.names_delta,
                partitions: settings.crl.partitions,
                keep_expired: settings.crl.keep_expired_since_s.is_some(),
            },
            external_crl: ExternalCrlView {
                urls: settings.external_crl.urls.clone(),
                delta_urls: settings.external_crl.delta_urls.clone(),
                interval_s: settings.external_crl.interval_s,
                answers: settings.external_crl.answers,
            },
        },
    }
}

/// Every issuer.
#[utoipa::path(get, path = "/v1/issuers", tag = "issuers", security(("api_key" = [])),
    responses((status = 200, body = Vec<IssuerView>)))]
pub(super) async fn list(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let issuers = ask(&services, Registry::issuers).await?;
    Ok(json(&issuers.iter().map(view).collect::<Vec<_>>()))
}

/// An issuer.
#[utoipa::path(get, path = "/v1/issuers/{issuer}", tag = "issuers", security(("api_key" = [])),
    params(("issuer" = String, Path, description = "Its name")),
    responses((status = 200, body = IssuerView), (status = 404, description = "No such issuer")))]
pub(super) async fn show(
    request: HttpRequest,
    name: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let _admitted = admit(&request, &services, Action::See)?;
    let issuer = ask(&services, move |registry| registry.issuer(&name)).await?;
    Ok(json(&view(&issuer)))
}

/// Answers for somebody else's CA from now on; its responder's key is made by `noonmark issuer responder`.
#[utoipa::path(post, path = "/v1/issuers", tag = "issuers", security(("api_key" = [])), request_body = NewIssuer,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 201, body = IssuerView), (status = 409, description = "The name is taken"),
        (status = 422, description = "A name or certificate that can't be an issuer's")))]
pub(super) async fn add(
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::AddIssuer)?;
    let body = read_body(&request, payload, &services, MAX_BODY_OCTETS).await?;
    let new: NewIssuer = parse(&body)?;
    write(&request, &services, &admitted, &body, move |registry, who| {
        let certificate = one_certificate(&new.certificate)?;
        registry.add_issuer(&new.name, IssuerOrigin::External, &certificate, IssuerSettings::default(), who)?;
        let issuer = registry.issuer(&new.name)?;
        Ok(Reply::new(StatusCode::CREATED, &view(&issuer))?.at(format!("/v1/issuers/{}", new.name)))
    })
    .await
}

/// The one certificate in a text.
pub(super) fn one_certificate(text: &str) -> Result<Certificate, RegistryError> {
    let blocks = pem_decode("CERTIFICATE", text)?;
    match blocks.as_slice() {
        [der] => Ok(Certificate::from_der(der)?),
        _ => Err(RegistryError::NotAnIssuer {
            reason: format!("{} certificates are given, one is needed", blocks.len()),
        }),
    }
}

/// Changes how an issuer is answered for. Servers follow within a second.
#[utoipa::path(patch, path = "/v1/issuers/{issuer}", tag = "issuers", security(("api_key" = [])),
    request_body = SettingsChange,
    params(("issuer" = String, Path, description = "Its name"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 200, body = IssuerView), (status = 404, description = "No such issuer"),
        (status = 409, description = "Somebody else changed them meanwhile"),
        (status = 422, description = "Settings out of bounds")))]
pub(super) async fn set(
    request: HttpRequest,
    payload: web::Payload,
    name: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &services, Action::SetIssuer)?;
    let body = read_body(&request, payload, &services, MAX_BODY_OCTETS).await?;
    let (change, now_s): (SettingsChange, i64) = (parse(&body)?, now_s()?);
    if change.external_crl.is_some() {
        require(&admitted, Action::AddIssuer)?;
    }
    write(&request, &services, &admitted, &body, move |registry, who| {
        let issuer = registry.issuer(&name)?;
        let before = issuer.settings.clone();
        let settings = IssuerSettings {
            validity_s: change.validity_s.unwrap_or(before.validity_s),
            ahead: change.ahead.unwrap_or(before.ahead),
            answer_nonce: change.answer_nonce.unwrap_or(before.answer_nonce),
            not_issued: change.not_issued.unwrap_or(before.not_issued),
            archive_cutoff: change.archive_cutoff.unwrap_or(before.archive_cutoff),
            crl: change.crl.unwrap_or_default().over(before.crl, now_s),
            external_crl: change.external_crl.unwrap_or(before.external_crl),
        };
        Reply::new(StatusCode::OK, &view(&registry.change_settings(&issuer, settings, who)?))
    })
    .await
}
