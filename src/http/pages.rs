//! `/`: a page for people; a POST to it is a timestamp request, since other servers take it there.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::Problem;
use super::{Services, tsa};

const INDEX: &str = include_str!("index.html");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").to(index));
}

async fn index(request: HttpRequest, payload: web::Payload, services: web::Data<Services>) -> HttpResponse {
    match *request.method() {
        Method::POST => tsa::default_timestamp(request, payload, services).await,
        Method::GET | Method::HEAD => page(&services),
        _ => Problem::MethodNotAllowed { allow: "GET, HEAD, POST" }.response(),
    }
}

fn page(services: &Services) -> HttpResponse {
    let profiles: String = services
        .authority
        .profiles()
        .iter()
        .filter_map(|name| Some((name, services.authority.profile(name)?, services.authority.unit(name)?)))
        .map(|(name, profile, unit)| {
            let policies: Vec<String> = profile.policies.iter().map(ToString::to_string).collect();
            format!(
                "<tr><td><code>/tsa/{name}</code></td><td>{}</td><td>{} µs</td><td>{}</td>\
                 <td><a href=\"/tsa/{name}/certchain\">chain</a></td></tr>",
                escape(&policies.join(", ")),
                profile.accuracy_us,
                escape(&unit.certificate.subject()),
            )
        })
        .collect();
    let report = services.readiness.report();
    let state = if report.ready { "ready" } else { "not ready" };
    let body = INDEX
        .replace("{{url}}", &escape(services.public_url.trim_end_matches('/')))
        .replace("{{state}}", state)
        .replace("{{profiles}}", &profiles);
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
