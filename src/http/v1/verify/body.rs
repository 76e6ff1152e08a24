//! A verification request's body: octets as they are, a form, or JSON; bounded in each part, and in all requests together.

use std::sync::Arc;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::{Given, MAX_VALUE_OCTETS, Parameters, shown};
use crate::config::VerificationSection;
use crate::http::problem::Problem;
use crate::http::verification::Pending;

/// Media types of documents. What is in the body is recognised by its octets, so that these only say that it is one. The last
/// is what curl says of everything.
const DOCUMENTS: [&str; 14] = [
    "application/octet-stream",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/cms",
    "application/timestamp-reply",
    "application/timestamp-token",
    "application/vnd.etsi.timestamp-token",
    "application/pkix-cert",
    "application/x-x509-ca-cert",
    "application/x-pem-file",
    "application/pem-certificate-chain",
    "application/x-www-form-urlencoded",
];
/// What a refusal names of them.
const EXPECTED: &str = "application/octet-stream, application/pkcs7-mime, application/pkcs7-signature, application/cms, \
                        application/timestamp-reply, application/pkix-cert, application/x-pem-file, multipart/form-data or \
                        application/json";
/// Octets of a form besides its document and content: five parts' heads, and three short values.
const MAX_FORM_OVERHEAD: usize = 64 * 1024;
/// Octets for which a body has a further second to arrive: 8 Mbit/s.
const OCTETS_A_SECOND: usize = 1024 * 1024;

/// What is asked, as it came.
pub(super) struct Body {
    pub(super) document: Vec<u8>,
    pub(super) content: Option<Vec<u8>>,
    pub(super) given: Given,
    pub(super) parameters: Parameters,
}

/// A document to be judged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationRequest {
    /// The signed message, timestamp or certificate, in base64: DER, BER or PEM.
    document: String,
    /// What is signed or stamped, where it is not in the document, in base64.
    content: Option<String>,
    /// Its digest in place of it.
    #[schema(example = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")]
    content_digest: Option<String>,
    /// The policy's name; the server's first choice where it is not given.
    #[schema(example = "default")]
    policy: Option<String>,
    /// The time to judge for, RFC 3339 or a day; now where it is not given.
    #[schema(example = "2026-11-23T12:00:00Z")]
    time: Option<String>,
    /// Further certificates, DER in base64. They are trusted for nothing: a chain ends in the server's anchors.
    #[serde(default)]
    certificates: Vec<String>,
    /// Further CRLs, DER in base64.
    #[serde(default)]
    crls: Vec<String>,
    /// Further OCSP responses, DER in base64.
    #[serde(default)]
    ocsp_responses: Vec<String>,
    /// Whether the answer has the evidence beside the report.
    #[serde(default)]
    evidence: bool,
}

/// Reads a body of any of the forms.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    settings: &VerificationSection,
    timeout_s: u64,
    pending: &Arc<Pending>,
) -> Result<Body, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence =
        content_type.unwrap_or(DOCUMENTS[0]).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    let limit_bytes = match essence.as_str() {
        "multipart/form-data" => settings.max_document_octets + settings.max_content_octets + MAX_FORM_OVERHEAD,
        // Half of what the request may need: the other half is what is in it.
        "application/json" => settings.max_request_octets() / 2,
        known if DOCUMENTS.contains(&known) => settings.max_document_octets,
        _ => return Err(Problem::UnsupportedMediaType { expected: EXPECTED }),
    };
    if declared.is_some_and(|length| length > limit_bytes) {
        return Err(Problem::TooLarge { limit_bytes });
    }
    let seconds = u64::try_from(declared.unwrap_or(0) / OCTETS_A_SECOND).unwrap_or(0).saturating_add(timeout_s);
    let reading = async {
        match essence.as_str() {
            "multipart/form-data" => form(request, payload, settings, limit_bytes, pending).await,
            "application/json" => json(&whole(payload, limit_bytes, pending).await?, settings, pending),
            _ => Ok(Body {
                document: whole(payload, limit_bytes, pending).await?,
                content: None,
                given: Given::default(),
                parameters: Parameters::default(),
            }),
        }
    };
    tokio::time::timeout(Duration::from_secs(seconds), reading)
        .await
        .unwrap_or(Err(Problem::BodyTimeout { after_s: seconds }))
}

async fn whole(mut payload: web::Payload, limit_bytes: usize, pending: &Pending) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    // Bounded: every chunk has octets, and the octets are.
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::BodyBroken)?;
        if body.len() + chunk.len() > limit_bytes {
            return Err(Problem::TooLarge { limit_bytes });
        }
        pending.grow(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn json(body: &[u8], settings: &VerificationSection, pending: &Pending) -> Result<Body, Problem> {
    // For what is made of it.
    pending.grow(body.len())?;
    let request: VerificationRequest = serde_json::from_slice(body)
        .map_err(|error| bad(format!("The body does not read: {}.", shown(&error.to_string()))))?;
    let decode = |name: &'static str, text: &str| {
        STANDARD.decode(text).map_err(|_| Problem::BadRequest { detail: format!("The field {name} is not base64.") })
    };
    let all =
        |name: &'static str, texts: &[String]| texts.iter().map(|text| decode(name, text)).collect::<Result<_, _>>();
    let document = decode("document", &request.document)?;
    within("document", &document, settings.max_document_octets)?;
    let content = request.content.as_deref().map(|text| decode("content", text)).transpose()?;
    within("content", content.as_deref().unwrap_or_default(), settings.max_content_octets)?;
    Ok(Body {
        document,
        content,
        given: Given {
            certificates: all("certificates", &request.certificates)?,
            crls: all("crls", &request.crls)?,
            ocsp_responses: all("ocsp_responses", &request.ocsp_responses)?,
        },
        parameters: Parameters {
            policy: request.policy,
            time: request.time,
            content_digest: request.content_digest,
            evidence: request.evidence,
        },
    })
}

fn within(part: &'static str, octets: &[u8], limit_bytes: usize) -> Result<(), Problem> {
    if octets.len() > limit_bytes { Err(Problem::PartTooLarge { part, limit_bytes }) } else { Ok(()) }
}

/// RFC 7578: a part each for the document, the content and the parameters, each once.
async fn form(
    request: &HttpRequest,
    payload: web::Payload,
    settings: &VerificationSection,
    limit_bytes: usize,
    pending: &Arc<Pending>,
) -> Result<Body, Problem> {
    let mut form = Multipart::new(request.headers(), counted(payload, limit_bytes, Arc::clone(pending)));
    let (mut document, mut content) = (None, None);
    let mut parameters = Parameters::default();
    // Bounded: there are five names, each of which comes once.
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|error| broken(&error, limit_bytes))?;
        let name = field.name().unwrap_or_default().to_owned();
        let (part, limit, is_there) = match name.as_str() {
            "document" => ("document", settings.max_document_octets, document.is_some()),
            "content" => ("content", settings.max_content_octets, content.is_some()),
            "content_digest" => ("content_digest", MAX_VALUE_OCTETS, parameters.content_digest.is_some()),
            "policy" => ("policy", MAX_VALUE_OCTETS, parameters.policy.is_some()),
            "time" => ("time", MAX_VALUE_OCTETS, parameters.time.is_some()),
            _ => {
                return Err(bad(format!(
                    "The form has a part {:?}; its parts are document, content, content_digest, policy and time.",
                    shown(&name)
                )));
            }
        };
        if is_there {
            return Err(bad(format!("The form has the part {part} twice.")));
        }
        let octets = part_octets(&mut field, part, limit, limit_bytes, pending).await?;
        match part {
            "document" => document = Some(octets),
            "content" => content = Some(octets),
            _ => {
                let text = String::from_utf8(octets).map_err(|_| bad(format!("The part {part} is no text.")))?;
                let value = Some(text.trim().to_owned());
                match part {
                    "content_digest" => parameters.content_digest = value,
                    "policy" => parameters.policy = value,
                    _ => parameters.time = value,
                }
            }
        }
    }
    let document = document.ok_or_else(|| bad("The form has no part document.".to_owned()))?;
    Ok(Body { document, content, given: Given::default(), parameters })
}

async fn part_octets(
    field: &mut Field,
    part: &'static str,
    limit: usize,
    limit_bytes: usize,
    pending: &Pending,
) -> Result<Vec<u8>, Problem> {
    let mut octets = Vec::new();
    while let Some(chunk) = field.next().await {
        let chunk = chunk.map_err(|error| broken(&error, limit_bytes))?;
        if octets.len() + chunk.len() > limit {
            return Err(Problem::PartTooLarge { part, limit_bytes: limit });
        }
        pending.grow(chunk.len())?;
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// The payload, which ends with an error where it has more octets than it may: what reads forms looks for the end of a part's
/// head in all that comes.
fn counted(
    payload: web::Payload,
    limit: usize,
    pending: Arc<Pending>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> + 'static {
    let mut left = limit;
    payload.map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len()).ok_or(PayloadError::Overflow)?;
        pending.grow(chunk.len()).map_err(|_| PayloadError::EncodingCorrupted)?;
        Ok(chunk)
    })
}

fn broken(error: &MultipartError, limit_bytes: usize) -> Problem {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => Problem::TooLarge { limit_bytes },
        // Said by `counted` alone: no encoding is decoded here.
        MultipartError::Payload(PayloadError::EncodingCorrupted) => Problem::Busy,
        MultipartError::Payload(_) | MultipartError::Incomplete => Problem::BodyBroken,
        error => bad(format!("The form does not read: {error}.")),
    }
}

fn bad(detail: String) -> Problem {
    Problem::BadRequest { detail }
}
