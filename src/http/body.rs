//! Reading a request's whole body, under a size and a time limit.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;

use super::problem::Problem;

/// The whole body.
pub(super) async fn read(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit_bytes: usize,
    timeout_s: u64,
) -> Result<Vec<u8>, Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit_bytes) {
        return Err(Problem::TooLarge { limit_bytes });
    }
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::BodyBroken)?;
            if body.len() + chunk.len() > limit_bytes {
                return Err(Problem::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    // A body that is there already costs no timer: the future is polled before the timer is.
    tokio::time::timeout(Duration::from_secs(timeout_s), read)
        .await
        .unwrap_or(Err(Problem::BodyTimeout { after_s: timeout_s }))
}

/// Whether the body's media type is this one; parameters do not matter.
pub(super) fn has_media_type(request: &HttpRequest, expected: &str) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}
