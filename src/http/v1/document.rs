//! `/openapi.json` and `/docs`: the API described, and a page to read it with that asks no other host.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{certificates, issuers, keys, orders, verify};

/// The API's description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Noonmark",
        description = "Issuers, certificates and their status; the verification of what others signed. Every request but \
                       those to verify shows an API key (`noonmark api-key create`) as a bearer token. Errors are problem+json (RFC 9457). Writes take an Idempotency-Key."
    ),
    paths(
        keys::me,
        keys::api_keys,
        keys::profiles,
        issuers::list,
        issuers::add,
        issuers::show,
        issuers::set,
        certificates::import,
        certificates::list,
        orders::order,
        orders::show,
        certificates::show,
        certificates::revoke,
        certificates::hold,
        certificates::release,
        verify::any,
        verify::certificate,
        verify::timestamp,
    ),
    components(schemas(verify::ReportWithEvidence)),
    modifiers(&ApiKeyScheme)
)]
struct Document;

struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("api_key", scheme);
    }
}

/// The page's scripts and styles are its own; it shows them inline, and asks this server alone.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' \
                                       'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"));
    config
        .service(web::resource("/openapi.json").route(web::get().to(document)))
        .service(web::redirect("/docs", "/docs/"))
        .service(
            web::scope("/docs")
                .wrap(headers)
                .service(SwaggerUi::new("/{_:.*}").config(Config::from("/openapi.json").validator_url("none"))),
        );
}

async fn document() -> HttpResponse {
    HttpResponse::Ok().json(Document::openapi())
}
