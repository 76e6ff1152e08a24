//! Rules about the certificate's fields beside names, key and extensions.

use super::tbs::UTC_TIME;
use super::{Context, Rule, broken, demand, error, warning};
use crate::asn1::{Tlv, writer};
use crate::crypto::SignatureAlgorithm;

pub(super) const RULES: [Rule; 9] = [
    error("version", "RFC 5280 §4.1.2.1", version),
    error("serial-number", "RFC 5280 §4.1.2.2", serial_number),
    warning("serial-number-entropy", "TLS BR 7.1", serial_number_entropy),
    error("signature-algorithm", "RFC 5280 §4.1.1.2", signature_algorithm),
    error("issuer-name", "RFC 5280 §4.1.2.4", issuer_name),
    error("time-form", "RFC 5280 §4.1.2.5", time_form),
    error("validity-order", "RFC 5280 §4.1.2.5", validity_order),
    error("validity-within-issuer", "RFC 5280 §6.1.3", validity_within_issuer),
    error("unique-identifiers", "RFC 5280 §4.1.2.8", unique_identifiers),
];

/// MUST be version 3 where there are extensions.
fn version(context: &Context<'_>) -> Result<(), String> {
    demand(context.tbs.version == 2, "the version is not 3")
}

/// MUST be positive, at most 20 octets, and as short as DER has it.
fn serial_number(context: &Context<'_>) -> Result<(), String> {
    match context.tbs.serial {
        [] => broken("the serial number is empty"),
        [first, ..] if first & 0x80 != 0 => broken("the serial number is negative"),
        [0, rest @ ..] if rest.first().is_none_or(|second| second & 0x80 == 0) => {
            broken("the serial number is zero or padded")
        }
        serial if serial.len() > 20 => broken(format!("the serial number has {} octets", serial.len())),
        _ => Ok(()),
    }
}

/// At least 64 bits from a random generator: fewer octets can't hold them.
fn serial_number_entropy(context: &Context<'_>) -> Result<(), String> {
    demand(context.tbs.serial.len() >= 8, "the serial number is too short to hold 64 random bits")
}

/// MUST be an algorithm of the issuer's key.
fn signature_algorithm(context: &Context<'_>) -> Result<(), String> {
    let Some(algorithm) = SignatureAlgorithm::from_identifier_der(context.tbs.algorithm, None) else {
        return broken("the signature's algorithm is not known");
    };
    let key = context.issuer.public_key.algorithm();
    if !algorithm.fits(key) {
        return broken(format!("{algorithm} does not go with the issuer's {key} key"));
    }
    // Octet for octet as it is written elsewhere: no absent NULL, no parameters where none belong.
    let written = algorithm.x509_identifier_der().is_ok_and(|identifier| identifier == context.tbs.algorithm);
    demand(written, "the signature's AlgorithmIdentifier has other octets than the standard's")
}

/// MUST be the issuer's subject, which is not empty.
fn issuer_name(context: &Context<'_>) -> Result<(), String> {
    demand(context.tbs.issuer == context.issuer.subject_der, "the issuer's name is not the issuer's subject")?;
    demand(context.tbs.issuer != [writer::SEQUENCE, 0], "the issuer has no name")
}

/// MUST be UTCTime through 2049 and GeneralizedTime from 2050, with seconds, without fractions, ending in Z.
fn time_form(context: &Context<'_>) -> Result<(), String> {
    for (field, time) in [("notBefore", &context.tbs.not_before), ("notAfter", &context.tbs.not_after)] {
        if !is_well_formed(time) {
            return broken(format!("{field} is neither YYMMDDHHMMSSZ through 2049 nor YYYYMMDDHHMMSSZ from 2050"));
        }
    }
    demand(context.tbs.validity_s().is_some(), "notBefore or notAfter is no date")
}

fn is_well_formed(time: &Tlv<'_>) -> bool {
    let Some((b'Z', digits)) = time.content.split_last() else { return false };
    let is_number = digits.iter().all(u8::is_ascii_digit);
    match time.tag {
        UTC_TIME => is_number && digits.len() == 12,
        writer::GENERALIZED_TIME => is_number && digits.len() == 14 && digits >= &b"2050"[..],
        _ => false,
    }
}

fn validity_order(context: &Context<'_>) -> Result<(), String> {
    let ordered = context.tbs.validity_s().is_none_or(|(from_s, until_s)| from_s < until_s);
    demand(ordered, "notAfter does not follow notBefore")
}

/// A certificate that outlives its issuer can't be validated at its end.
fn validity_within_issuer(context: &Context<'_>) -> Result<(), String> {
    let Some((from_s, until_s)) = context.tbs.validity_s() else { return Ok(()) };
    demand(from_s >= context.issuer.not_before_s, "the certificate begins before its issuer's")?;
    demand(until_s <= context.issuer.not_after_s, "the certificate ends after its issuer's")
}

/// CAs MUST NOT write them.
fn unique_identifiers(context: &Context<'_>) -> Result<(), String> {
    demand(!context.tbs.has_unique_identifiers, "there is an issuerUniqueID or subjectUniqueID")
}
