//! Whether a certificate is revoked: CRLs by RFC 5280 §6.3, OCSP by RFC 6960, from what is held.
//!
//! Owns what CRLs and OCSP responses say and when they may be believed. Does not own where they come from (nothing is
//! fetched here) nor the path of whoever signed them: for that the search is asked again. Enter at [`status_of`].

mod crl_status;
mod held_crl;
mod ocsp_response;
mod ocsp_status;
mod status;
mod survey;

pub use held_crl::{CrlError, HeldCrl};
pub use ocsp_response::{HeldOcspResponse, OcspCertStatus, OcspResponseError};
pub use status::{CertificateStatus, NotUsed, Revocation, Source, SourceKind, SourceSigner, WhyNotUsed};
pub use survey::Survey;

pub(super) use crl_status::{Subject, status_of};

/// An INTEGER's content octets without padding, as CRLs and CertIDs are asked by.
fn minimal(mut serial: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = serial
        && rest.first().is_some_and(|next| next & 0x80 == 0)
    {
        serial = rest;
    }
    while let [0xff, rest @ ..] = serial
        && rest.first().is_some_and(|next| next & 0x80 != 0)
    {
        serial = rest;
    }
    serial
}
