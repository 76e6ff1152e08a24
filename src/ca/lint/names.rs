//! Rules about the subject's name.

use super::tbs::elements;
use super::{Context, Rule, broken, demand, error, warning};
use crate::asn1::{Reader, writer};
use crate::ca::subject::{AttributeType, dotted, is_printable_string};

const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

pub(super) const RULES: [Rule; 5] = [
    error("name-form", "RFC 5280 §4.1.2.4", name_form),
    error("name-string-types", "RFC 5280 appendix A.1", name_string_types),
    error("name-lengths", "RFC 5280 appendix A.1", name_lengths),
    error("subject-is-not-issuer", "RFC 5280 §4.1.2.6", subject_is_not_issuer),
    warning("email-address-in-subject", "RFC 5280 §4.1.2.6", email_address_in_subject),
];

/// An attribute's identifier, string type and octets.
struct Pair<'a> {
    oid: &'a [u8],
    kind: Option<AttributeType>,
    tag: u8,
    content: &'a [u8],
}

impl Pair<'_> {
    fn name(&self) -> String {
        self.kind.map_or_else(|| dotted(self.oid), |kind| kind.name().to_owned())
    }
}

/// None if it is not made as a Name is.
fn pairs(name: &[u8]) -> Option<Vec<Pair<'_>>> {
    let mut found = Vec::new();
    for set in elements(name).ok()? {
        let mut list = Reader::only(set.whole, writer::SET).ok()?;
        while !list.is_finished() {
            let mut pair = list.enter(writer::SEQUENCE).ok()?;
            let oid = pair.expect(writer::OBJECT_IDENTIFIER).ok()?.content;
            let value = pair.read().ok()?;
            pair.finish().ok()?;
            let kind = AttributeType::from_oid_octets(oid);
            found.push(Pair { oid, kind, tag: value.tag, content: value.content });
        }
    }
    Some(found)
}

/// The values of an attribute in the subject.
pub(super) fn values<'a>(context: &Context<'a>, kind: AttributeType) -> Vec<&'a [u8]> {
    let pairs = pairs(context.tbs.subject).unwrap_or_default();
    pairs.iter().filter(|pair| pair.kind == Some(kind)).map(|pair| pair.content).collect()
}

/// The kinds of the subject's attributes; None for what Noonmark does not know.
pub(super) fn kinds(context: &Context<'_>) -> Vec<Option<AttributeType>> {
    pairs(context.tbs.subject).unwrap_or_default().iter().map(|pair| pair.kind).collect()
}

fn name_form(context: &Context<'_>) -> Result<(), String> {
    let Some(found) = pairs(context.tbs.subject) else {
        return broken("the subject is not a sequence of sets of attributes");
    };
    demand(!context.tbs.is_ca() || !found.is_empty(), "a CA's subject is empty")
}

/// DirectoryString MUST be PrintableString or UTF8String; some attributes have one type alone.
fn name_string_types(context: &Context<'_>) -> Result<(), String> {
    for pair in pairs(context.tbs.subject).unwrap_or_default() {
        let allowed: &[u8] = match pair.kind.map(AttributeType::string_tag) {
            Some(writer::UTF8_STRING) | None => &[PRINTABLE_STRING, writer::UTF8_STRING],
            Some(PRINTABLE_STRING) => &[PRINTABLE_STRING],
            Some(_) => &[IA5_STRING],
        };
        let text = std::str::from_utf8(pair.content).ok();
        let fits = text.is_some_and(|text| match pair.tag {
            PRINTABLE_STRING => is_printable_string(text),
            IA5_STRING => text.is_ascii(),
            _ => true,
        });
        if !allowed.contains(&pair.tag) || !fits {
            return broken(format!("{} is not written as the string that it must be", pair.name()));
        }
    }
    Ok(())
}

/// Upper bounds MUST be kept: ub-common-name is 64; no value is empty.
fn name_lengths(context: &Context<'_>) -> Result<(), String> {
    for pair in pairs(context.tbs.subject).unwrap_or_default() {
        let characters = std::str::from_utf8(pair.content).map_or(pair.content.len(), |text| text.chars().count());
        let most = pair.kind.map_or(usize::MAX, AttributeType::max_characters);
        if characters == 0 || characters > most {
            return broken(format!("{} has {characters} characters", pair.name()));
        }
        if pair.kind == Some(AttributeType::Country) && characters != most {
            return broken("C has one character, not two");
        }
    }
    Ok(())
}

/// A name stands for one entity: the issuer's own name belongs to the issuer's keys alone.
fn subject_is_not_issuer(context: &Context<'_>) -> Result<(), String> {
    demand(context.tbs.subject != context.tbs.issuer, "the subject has the issuer's name")?;
    let own = context.tbs.key.key_bits() == context.issuer.public_key.key_bits();
    demand(!own, "the subject has the issuer's key")
}

/// Addresses MUST stand in subjectAltName in new certificates.
fn email_address_in_subject(context: &Context<'_>) -> Result<(), String> {
    let none = values(context, AttributeType::EmailAddress).is_empty();
    demand(none, "emailAddress stands in the subject; subjectAltName is its place")
}
