//! What a token says of a key's custody, and what an auditor would object to.

use std::fmt;

use serde::Serialize;

use super::settings::TierKind;

/// The facts of a key's custody, as the token tells them; None where it does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Custody {
    /// Where the key is.
    pub tier: TierKind,
    /// CKA_LOCAL: generated in the token, not imported.
    pub generated_locally: Option<bool>,
    /// CKA_SENSITIVE: never shown in plaintext.
    pub sensitive: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE: and that since it was made.
    pub always_sensitive: Option<bool>,
    /// CKA_EXTRACTABLE: may leave the token wrapped.
    pub extractable: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE: and never could.
    pub never_extractable: Option<bool>,
    /// CKA_WRAP_WITH_TRUSTED: leaves only under a key that the security officer trusts.
    pub wrap_with_trusted: Option<bool>,
    /// CKA_PRIVATE: needs a login.
    pub private: Option<bool>,
    /// CKA_MODIFIABLE: its attributes may change.
    pub modifiable: Option<bool>,
    /// CKA_COPYABLE: may be copied within the token.
    pub copyable: Option<bool>,
    /// CKA_DESTROYABLE: may be destroyed.
    pub destroyable: Option<bool>,
    /// CKA_ALWAYS_AUTHENTICATE: wants the PIN for each signature.
    pub always_authenticate: Option<bool>,
    /// CKA_SIGN.
    pub may_sign: Option<bool>,
    /// CKA_SIGN_RECOVER.
    pub may_sign_recover: Option<bool>,
    /// CKA_DECRYPT.
    pub may_decrypt: Option<bool>,
    /// CKA_UNWRAP.
    pub may_unwrap: Option<bool>,
    /// CKA_DERIVE.
    pub may_derive: Option<bool>,
    /// CKA_KEY_GEN_MECHANISM.
    pub generation_mechanism: Option<String>,
    /// CKA_ALLOWED_MECHANISMS; None or empty: any.
    pub mechanisms: Option<Vec<String>>,
}

/// Something about a key's custody that an auditor would object to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// In a file, not in a token.
    NotInHardware,
    /// Imported.
    Imported,
    /// The token does not say where it was made.
    OriginUnknown,
    /// Readable in plaintext.
    NotSensitive,
    /// It was readable once.
    OnceNotSensitive,
    /// The token does not say whether it is or was readable.
    SensitivityUnknown,
    /// May leave the token.
    Extractable,
    /// Could leave the token once.
    OnceExtractable,
    /// The token does not say whether it can or could leave.
    ExtractabilityUnknown,
    /// Usable without a login.
    NoLoginNeeded,
    /// May do more than sign.
    OtherUses,
    /// May not sign.
    MayNotSign,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInHardware => "the key lies in an encrypted file: whoever has file and passphrase has the key",
            Self::Imported => "the key was imported: copies may exist elsewhere",
            Self::OriginUnknown => "the token does not say whether the key was made in it",
            Self::NotSensitive => "the key can be read from the token in plaintext",
            Self::OnceNotSensitive => "the key could once be read from the token in plaintext",
            Self::SensitivityUnknown => "the token does not say whether the key can or could be read in plaintext",
            Self::Extractable => "the key can be wrapped and taken out of the token",
            Self::OnceExtractable => "the key could once be taken out of the token",
            Self::ExtractabilityUnknown => "the token does not say whether the key can or could be taken out",
            Self::NoLoginNeeded => "the key can be used without a login",
            Self::OtherUses => "the key may do more than sign (decrypt, unwrap, derive or sign with recovery)",
            Self::MayNotSign => "the key may not sign",
        })
    }
}

impl Custody {
    /// A custody of which the token says nothing.
    pub(super) fn unknown(tier: TierKind) -> Self {
        Self {
            tier,
            generated_locally: None,
            sensitive: None,
            always_sensitive: None,
            extractable: None,
            never_extractable: None,
            wrap_with_trusted: None,
            private: None,
            modifiable: None,
            copyable: None,
            destroyable: None,
            always_authenticate: None,
            may_sign: None,
            may_sign_recover: None,
            may_decrypt: None,
            may_unwrap: None,
            may_derive: None,
            generation_mechanism: None,
            mechanisms: None,
        }
    }

    /// The custody of a key in an encrypted file: it can be read by whoever has the passphrase.
    pub(super) fn software() -> Self {
        Self {
            sensitive: Some(false),
            always_sensitive: Some(false),
            extractable: Some(true),
            never_extractable: Some(false),
            private: Some(true),
            may_sign: Some(true),
            ..Self::unknown(TierKind::Software)
        }
    }

    /// What an auditor would object to; empty for a key made in its token that can't and never could leave it.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.tier == TierKind::Software {
            findings.push(Finding::NotInHardware);
        } else {
            match self.generated_locally {
                Some(true) => {}
                Some(false) => findings.push(Finding::Imported),
                None => findings.push(Finding::OriginUnknown),
            }
            match (self.sensitive, self.always_sensitive) {
                (Some(true), Some(true)) => {}
                (Some(false), _) => findings.push(Finding::NotSensitive),
                (_, Some(false)) => findings.push(Finding::OnceNotSensitive),
                _ => findings.push(Finding::SensitivityUnknown),
            }
            match (self.extractable, self.never_extractable) {
                (Some(false), Some(true)) => {}
                (Some(true), _) => findings.push(Finding::Extractable),
                (_, Some(false)) => findings.push(Finding::OnceExtractable),
                _ => findings.push(Finding::ExtractabilityUnknown),
            }
        }
        if self.private == Some(false) {
            findings.push(Finding::NoLoginNeeded);
        }
        let others = [self.may_sign_recover, self.may_decrypt, self.may_unwrap, self.may_derive];
        if others.contains(&Some(true)) {
            findings.push(Finding::OtherUses);
        }
        if self.may_sign == Some(false) {
            findings.push(Finding::MayNotSign);
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Custody {
        Custody {
            generated_locally: Some(true),
            sensitive: Some(true),
            always_sensitive: Some(true),
            extractable: Some(false),
            never_extractable: Some(true),
            private: Some(true),
            may_sign: Some(true),
            may_derive: Some(false),
            ..Custody::unknown(TierKind::Pkcs11)
        }
    }

    #[test]
    fn each_objection_has_its_finding() {
        assert_eq!(good().findings(), []);
        for (custody, finding) in [
            (Custody { generated_locally: Some(false), ..good() }, Finding::Imported),
            (Custody { generated_locally: None, ..good() }, Finding::OriginUnknown),
            (Custody { sensitive: Some(false), ..good() }, Finding::NotSensitive),
            (Custody { always_sensitive: Some(false), ..good() }, Finding::OnceNotSensitive),
            (Custody { always_sensitive: None, ..good() }, Finding::SensitivityUnknown),
            (Custody { extractable: Some(true), ..good() }, Finding::Extractable),
            (Custody { never_extractable: Some(false), ..good() }, Finding::OnceExtractable),
            (Custody { extractable: None, ..good() }, Finding::ExtractabilityUnknown),
            (Custody { private: Some(false), ..good() }, Finding::NoLoginNeeded),
            (Custody { may_derive: Some(true), ..good() }, Finding::OtherUses),
            (Custody { may_sign: Some(false), ..good() }, Finding::MayNotSign),
        ] {
            assert_eq!(custody.findings(), [finding]);
        }
        assert_eq!(Custody::software().findings(), [Finding::NotInHardware]);
    }
}
