//! Errors outside the protocols: RFC 9457 problem details, chosen here and nowhere else.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use serde_json::json;

/// A refusal on the level of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// No such path, profile or issuer.
    NotFound { what: &'static str },
    /// The path has no such method.
    MethodNotAllowed { allow: &'static str },
    /// The body's media type is not the protocol's.
    UnsupportedMediaType { expected: &'static str },
    /// The body is larger than the limit.
    TooLarge { limit_bytes: usize },
    /// The body did not arrive in time.
    BodyTimeout { after_s: u64 },
    /// The body ended before its time.
    BodyBroken,
    /// The caller showed nothing, or nothing that is known.
    Unauthorized,
    /// The caller is known, and may not.
    Forbidden,
    /// The caller asks more often than it may.
    TooManyRequests,
}

impl Problem {
    pub(super) fn response(&self) -> HttpResponse {
        let (status, title, detail) = match self {
            Self::NotFound { what } => (StatusCode::NOT_FOUND, "Not found", format!("There is no such {what} here.")),
            Self::MethodNotAllowed { allow } => {
                (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", format!("This path takes {allow}."))
            }
            Self::UnsupportedMediaType { expected } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type",
                format!("Send Content-Type: {expected}."),
            ),
            Self::TooLarge { limit_bytes } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Body too large",
                format!("A request's body may have {limit_bytes} octets at most."),
            ),
            Self::BodyTimeout { after_s } => (
                StatusCode::REQUEST_TIMEOUT,
                "Body too slow",
                format!("The request's body did not arrive within {after_s} seconds."),
            ),
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "Body incomplete",
                "The request's body ended early or is malformed.".to_owned(),
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                "Show a client certificate, a bearer token or Basic credentials that are known here.".to_owned(),
            ),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden", "This caller may not use this profile.".to_owned()),
            Self::TooManyRequests => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "This caller asks more often than it may; try again later.".to_owned(),
            ),
        };
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        match self {
            Self::MethodNotAllowed { allow } => {
                response.insert_header((header::ALLOW, *allow));
            }
            Self::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
                response.append_header((header::WWW_AUTHENTICATE, "Basic realm=\"noonmark\""));
            }
            Self::TooManyRequests => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            // What is left of the body is not worth reading.
            Self::TooLarge { .. } | Self::BodyTimeout { .. } | Self::BodyBroken => {
                response.force_close();
            }
            Self::NotFound { .. } | Self::UnsupportedMediaType { .. } | Self::Forbidden => {}
        }
        response.body(
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail }).to_string(),
        )
    }
}
