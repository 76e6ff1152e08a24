//! `/ca/{issuer}.cer`: an issuer's certificate, where AIA caIssuers points (RFC 5280 §4.2.2.1).

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::Services;
use super::problem::Problem;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/ca/{file}").to(issuer));
}

async fn issuer(request: HttpRequest, file: web::Path<String>, services: web::Data<Services>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::MethodNotAllowed { allow: "GET, HEAD" }.response();
    }
    match file.strip_suffix(".cer").and_then(|name| services.responder.issuer_certificate(name)) {
        Some(der) => HttpResponse::Ok()
            .content_type("application/pkix-cert")
            .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
            .body(der),
        None => Problem::NotFound { what: "issuer" }.response(),
    }
}
