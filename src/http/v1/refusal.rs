//! What the registry refuses, in HTTP's words; chosen here and nowhere else. Internals never leak.

use crate::ca::registry::RegistryError;
use crate::ca::status::StatusError;
use crate::http::problem::Problem;

pub(super) fn refusal(error: &RegistryError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        RegistryError::NoSuchIssuer { .. }
        | RegistryError::NoSuchCertificate { .. }
        | RegistryError::NotKept { .. } => Problem::Missing { detail },
        RegistryError::Conflict { .. }
        | RegistryError::Status(
            StatusError::Revoked | StatusError::Held | StatusError::NotHeld | StatusError::NotIssued,
        ) => Problem::Conflict { detail },
        RegistryError::Name { .. }
        | RegistryError::Serial { .. }
        | RegistryError::External { .. }
        | RegistryError::KeyNotHere { .. }
        | RegistryError::NotAnIssuer { .. }
        | RegistryError::Settings(_)
        | RegistryError::Certificate(_)
        | RegistryError::Order(_)
        | RegistryError::Import(_)
        | RegistryError::Status(_) => Problem::Unprocessable { detail },
        RegistryError::Profiles(_) | RegistryError::Ledger(_) | RegistryError::Store(_) => {
            tracing::error!(%error, "a request to the API could not be answered");
            Problem::Unavailable
        }
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?']) { "" } else { "." };
    first + letters.as_str() + end
}
