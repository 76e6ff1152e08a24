//! Further issuers of Noonmark's own: a key in the ca token, certified by the root, by hand.

use serde_json::json;

use super::hierarchy::{ANY_POLICY, CA_DAYS};
use super::{CA_PROFILE, LifecycleError, Steward, now_s};
use crate::app::issuer_key::ROOT;
use crate::app::units;
use crate::asn1::Oid;
use crate::ca::registry::{IssueWords, KeyCertificate, RegistryError, is_valid_name};
use crate::ca::{AttributeType, Certificate, IssuerSettings, Subject};
use crate::crypto::KeyAlgorithm;
use crate::keys::Token;
use crate::store::{IssuerOrigin, KeyState};

impl Steward<'_> {
    /// Makes an issuer below the root: its key inside the ca token, its certificate by the root's key.
    ///
    /// # Errors
    /// A name that is taken or can't be, no root here, a token that refuses.
    pub fn create_issuer(
        &self,
        name: &str,
        common_name: &str,
        algorithm: Option<KeyAlgorithm>,
    ) -> Result<Certificate, LifecycleError> {
        if !is_valid_name(name) {
            return Err(RegistryError::Name { name: name.to_owned() }.into());
        }
        let registry = self.registry();
        if registry.issuers()?.iter().any(|issuer| issuer.row.name == name) {
            let reason = format!("there is an issuer {name:?} already; choose another name");
            return Err(RegistryError::Conflict { reason }.into());
        }
        let root = registry.issuer(ROOT)?;
        let no_root = || RegistryError::KeyNotHere { name: ROOT.to_owned() };
        let root_key = self.installation.key_in_state(ROOT, KeyState::Active)?.ok_or_else(no_root)?;
        let root_token = Token::open(&self.installation.configuration.token_settings(&root_key.token)?)?;
        let root_signer = root_token.find(&units::uri(&root_key)?)?;
        if root_signer.public_key().spki_der() != root.certificate.public_key.spki_der() {
            return Err(no_root().into());
        }
        let subject = self.issuer_subject(&root.certificate, common_name)?;
        let algorithm = algorithm.unwrap_or(root.certificate.public_key.algorithm());
        let key_name = self.next_name("ca", name)?;
        let (row, info) = self.generate("ca", &format!("ca:{name}"), &key_name, algorithm)?;
        let wanted = KeyCertificate {
            profile: CA_PROFILE,
            issuer_name: ROOT,
            issuer: &root.certificate,
            subject: &subject,
            public_key: &info.public_key,
            policies: &[Oid::from(ANY_POLICY)],
            days: Some(CA_DAYS),
        };
        let unsigned = registry.draft_for_key(&wanted, now_s()?)?;
        let words = IssueWords { profile: CA_PROFILE, role: &row.role, who: &self.who, task: None };
        let certificate = registry.issue(&root, &unsigned, &*root_signer, now_s()?, &words)?;
        self.attach(&row, &certificate, "key-certified")?;
        registry.add_issuer(name, IssuerOrigin::Own, &certificate, IssuerSettings::default(), &self.who)?;
        self.record("issuer-created", json!({ "issuer": name, "key": row.name, "serial": certificate.serial_hex() }))?;
        Ok(certificate)
    }

    /// The root's country and organization with this common name; nobody else's here has it.
    fn issuer_subject(&self, root: &Certificate, common_name: &str) -> Result<Subject, LifecycleError> {
        let root = Subject::from_name_der(&root.subject_der)?;
        let kept = root.attributes().iter().filter(|(attribute, _)| *attribute != AttributeType::CommonName).cloned();
        let subject = Subject::new(kept.chain([(AttributeType::CommonName, common_name.to_owned())]))?;
        let subject_der = subject.to_der();
        let taken = self.registry().issuers()?.into_iter().any(|issuer| issuer.certificate.subject_der == subject_der);
        if taken {
            let reason = format!("an issuer here has the subject {subject} already; choose another common name");
            return Err(RegistryError::Conflict { reason }.into());
        }
        Ok(subject)
    }
}
