//! GeneralName (RFC 5280 §4.2.1.6), read without copying.

use super::name::CanonicalName;
use crate::asn1::{DerError, Reader, writer};

/// Names of one GeneralNames that are read: a certificate of 128 KiB can't hold many more.
const MAX_NAMES: usize = 16 * 1024;

/// The forms of a name, in the standard's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameForm {
    /// otherName.
    OtherName,
    /// rfc822Name.
    Rfc822Name,
    /// dNSName.
    DnsName,
    /// x400Address.
    X400Address,
    /// directoryName.
    DirectoryName,
    /// ediPartyName.
    EdiPartyName,
    /// uniformResourceIdentifier.
    UniformResourceIdentifier,
    /// iPAddress.
    IpAddress,
    /// registeredID.
    RegisteredId,
}

/// A name of one of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName<'a> {
    /// rfc822Name: a mailbox.
    Rfc822Name(&'a [u8]),
    /// dNSName.
    DnsName(&'a [u8]),
    /// directoryName.
    DirectoryName(CanonicalName),
    /// uniformResourceIdentifier.
    UniformResourceIdentifier(&'a [u8]),
    /// iPAddress: 4 or 16 octets, in a constraint twice as many.
    IpAddress(&'a [u8]),
    /// A form that no constraint can be applied to here, with its content.
    Other(NameForm, &'a [u8]),
}

impl<'a> GeneralName<'a> {
    /// The name's form.
    #[must_use]
    pub fn form(&self) -> NameForm {
        match self {
            Self::Rfc822Name(_) => NameForm::Rfc822Name,
            Self::DnsName(_) => NameForm::DnsName,
            Self::DirectoryName(_) => NameForm::DirectoryName,
            Self::UniformResourceIdentifier(_) => NameForm::UniformResourceIdentifier,
            Self::IpAddress(_) => NameForm::IpAddress,
            Self::Other(form, _) => *form,
        }
    }

    /// Reads the next value as a GeneralName.
    ///
    /// # Errors
    /// A tag that GeneralName has not, a directoryName that is no Name, an IA5String that is none.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let tlv = reader.read()?;
        let content = tlv.content;
        let ia5 = |what| if content.is_ascii() { Ok(content) } else { Err(DerError::Value { what }) };
        Ok(match tlv.tag {
            0xa0 => Self::Other(NameForm::OtherName, content),
            0x81 => Self::Rfc822Name(ia5("rfc822Name")?),
            0x82 => Self::DnsName(ia5("dNSName")?),
            0xa3 => Self::Other(NameForm::X400Address, content),
            // Name is a CHOICE, so the tag is EXPLICIT.
            0xa4 => Self::DirectoryName(CanonicalName::from_der(content)?),
            0xa5 => Self::Other(NameForm::EdiPartyName, content),
            0x86 => Self::UniformResourceIdentifier(ia5("uniformResourceIdentifier")?),
            0x87 => Self::IpAddress(content),
            0x88 => Self::Other(NameForm::RegisteredId, content),
            _ => return Err(DerError::Value { what: "GeneralName's tag" }),
        })
    }

    /// Reads a GeneralNames' DER: at least one name.
    ///
    /// # Errors
    /// Not that structure, no name, or more names than are read.
    pub fn read_all(der: &'a [u8]) -> Result<Vec<Self>, DerError> {
        let mut reader = Reader::only(der, writer::SEQUENCE)?;
        let mut names = Vec::new();
        while !reader.is_finished() {
            if names.len() == MAX_NAMES {
                return Err(DerError::Value { what: "number of names" });
            }
            names.push(Self::read(&mut reader)?);
        }
        if names.is_empty() { Err(DerError::Value { what: "GeneralNames: it is empty" }) } else { Ok(names) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_and_refuses_the_rest() {
        let der = [
            0x30, 24, 0xa0, 0, 0x81, 1, b'a', 0x82, 1, b'b', 0xa3, 0, 0xa4, 2, 0x30, 0, 0xa5, 0, 0x86, 1, b'c', 0x87,
            0, 0x88, 1, 1,
        ];
        let names = GeneralName::read_all(&der).unwrap();
        let forms: Vec<_> = names.iter().map(GeneralName::form).collect();
        assert!(forms.is_sorted() && forms.len() == 9, "{forms:?}");
        assert!(GeneralName::read_all(&[0x30, 0]).is_err());
        assert!(GeneralName::read_all(&[0x30, 2, 0x89, 0]).is_err());
        assert!(GeneralName::read_all(&[0x30, 3, 0x82, 1, 0xff]).is_err());
        assert!(GeneralName::read_all(&[0x30, 4, 0xa4, 2, 0x31, 0]).is_err());
    }
}
