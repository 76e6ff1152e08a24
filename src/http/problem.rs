//! Errors outside the protocols: RFC 9457 problem details, chosen here and nowhere else.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
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
    /// A part of the body is larger than the limit.
    PartTooLarge { part: &'static str, limit_bytes: usize },
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
    /// The caller has no API key, or one whose role does not allow this.
    WrongRole { needed: &'static str },
    /// The request does not read: its JSON, a parameter, a header.
    BadRequest { detail: String },
    /// What the path names is not there.
    Missing { detail: String },
    /// It can't be done as things stand.
    Conflict { detail: String },
    /// It reads, and can't be done.
    Unprocessable { detail: String },
    /// The store, or what else it needs, is away.
    Unavailable,
    /// As much is under way as may.
    Busy,
    /// A defect.
    Failed,
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
            Self::PartTooLarge { part, limit_bytes } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Body too large",
                format!("The {part} may have {limit_bytes} octets at most."),
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
            Self::WrongRole { needed } => {
                (StatusCode::FORBIDDEN, "Forbidden", format!("This takes an API key with the role of {needed}."))
            }
            Self::BadRequest { detail } => (StatusCode::BAD_REQUEST, "Bad request", detail.clone()),
            Self::Missing { detail } => (StatusCode::NOT_FOUND, "Not found", detail.clone()),
            Self::Conflict { detail } => (StatusCode::CONFLICT, "Conflict", detail.clone()),
            Self::Unprocessable { detail } => (StatusCode::UNPROCESSABLE_ENTITY, "It can't be done", detail.clone()),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not available",
                "The store does not answer at the moment. Whether a change was made can be asked once it does."
                    .to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Busy",
                "As many requests are under way as may; try again later.".to_owned(),
            ),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Defect",
                "The server could not finish this; its log says more.".to_owned(),
            ),
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
            Self::TooManyRequests | Self::Unavailable | Self::Busy => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            // What is left of the body is not worth reading.
            Self::TooLarge { .. } | Self::PartTooLarge { .. } | Self::BodyTimeout { .. } | Self::BodyBroken => {
                response.force_close();
            }
            _ => {}
        }
        response.body(
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail }).to_string(),
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// So that an endpoint can end with `?`.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.response().status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
