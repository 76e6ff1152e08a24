//! Responders' keys: made in the service token, certified by the issuer that they answer for.
//!
//! A key's role is `ocsp:ISSUER`, or `ocsp:ISSUER:ALGORITHM` for further algorithms beside it.

use std::time::{Duration, Instant};

use super::hierarchy::ROOT_RESPONDER_DAYS;
use super::{LifecycleError, RESPONDER_PROFILE, Steward, now_s};
use crate::app::issuer_key::ROOT;
use crate::app::units;
use crate::ca::csr::UnsignedRequest;
use crate::ca::order::{IssueOrder, OrderOutcome};
use crate::ca::registry::{IssueWords, Issuer, KeyCertificate, RegistryError};
use crate::ca::{AttributeType, Certificate, CertificateKind, Subject, pem_encode};
use crate::crypto::KeyAlgorithm;
use crate::keys::{KeyInfo, Token};
use crate::store::{IssuerOrigin, KeyRow, KeyState};

/// How long the agent is waited for; an order that is at hand takes a fraction of a second.
const AGENT_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the order.
const LOOK: Duration = Duration::from_millis(100);
/// The token in which the server's keys are.
const SERVICE: &str = "service";

/// What became of a responder's key.
#[derive(Debug)]
pub enum ResponderMade {
    /// It has its certificate, and a running server answers with it within a second.
    Certified(KeyRow, Box<Certificate>),
    /// Its signing request, DER, goes to the issuer's own CA; the certificate comes by `key import-cert`.
    Requested(KeyRow, Vec<u8>),
}

/// The issuer that a key with this role answers for.
pub(super) fn issuer_of(role: &str) -> Option<&str> {
    let rest = role.strip_prefix("ocsp:")?;
    Some(rest.split_once(':').map_or(rest, |(name, _)| name))
}

impl Steward<'_> {
    /// Makes a responder's key for an issuer, and has it certified where the issuer's key is here.
    ///
    /// One that has the algorithm of an active key follows that one; else it answers beside the others, to clients that
    /// prefer its algorithm (RFC 6960 §4.4.7).
    ///
    /// # Errors
    /// No such issuer, a token that refuses, an agent that does not answer.
    pub fn make_responder(
        &self,
        issuer_name: &str,
        algorithm: Option<KeyAlgorithm>,
    ) -> Result<ResponderMade, LifecycleError> {
        let issuer = self.registry().issuer(issuer_name)?;
        let algorithm = algorithm.unwrap_or_else(|| match issuer.certificate.public_key.algorithm() {
            // A curve that tokens here do not generate.
            KeyAlgorithm::EcP521 => KeyAlgorithm::EcP384,
            other => other,
        });
        let role = self.responder_role(issuer_name, algorithm)?;
        let key_name = self.next_name(SERVICE, &format!("ocsp-{issuer_name}"))?;
        let (row, info) = self.generate(SERVICE, &role, &key_name, algorithm)?;
        let subject = responder_subject(&issuer.certificate, &key_name)?;
        if issuer.row.origin == IssuerOrigin::External {
            return Ok(ResponderMade::Requested(row.clone(), self.responder_request(&row, &info, &subject)?));
        }
        let certificate = if self.installation.agent_key(issuer_name)?.is_some() {
            self.certified_by_agent(&issuer, &row, &info, &subject)?
        } else {
            self.certified_by_root(&issuer, &row, &info, &subject)?
        };
        self.attach(&row, &certificate, "key-certified")?;
        Ok(ResponderMade::Certified(row, Box::new(certificate)))
    }

    /// The role that a key of this algorithm has: that of the one it follows, else a free one.
    fn responder_role(&self, issuer_name: &str, algorithm: KeyAlgorithm) -> Result<String, LifecycleError> {
        let algorithm = algorithm.to_string();
        let keys = self.installation.store.keys()?;
        let active: Vec<&KeyRow> = keys
            .iter()
            .filter(|key| key.state == KeyState::Active && issuer_of(&key.role) == Some(issuer_name))
            .collect();
        let plain = format!("ocsp:{issuer_name}");
        Ok(match active.iter().find(|key| key.algorithm == algorithm) {
            Some(former) => former.role.clone(),
            None if active.iter().all(|key| key.role != plain) => plain,
            None => format!("{plain}:{algorithm}"),
        })
    }

    fn responder_request(&self, row: &KeyRow, info: &KeyInfo, subject: &Subject) -> Result<Vec<u8>, LifecycleError> {
        let token = Token::open(&self.installation.configuration.token_settings(&row.token)?)?;
        let signer = token.find(&info.uri)?;
        let algorithm = info.public_key.algorithm().default_signature();
        let request =
            UnsignedRequest::new(CertificateKind::OcspResponder, &subject.to_der(), &info.public_key, algorithm)?;
        let signature = signer.sign(algorithm, request.info_der())?;
        self.record("certificate-requested", serde_json::json!({ "key": row.name, "subject": subject.to_string() }))?;
        Ok(request.assemble(&signature))
    }

    /// By the agent, which alone opens the ca token while a server runs.
    fn certified_by_agent(
        &self,
        issuer: &Issuer,
        row: &KeyRow,
        info: &KeyInfo,
        subject: &Subject,
    ) -> Result<Certificate, LifecycleError> {
        let csr = self.responder_request(row, info, subject)?;
        let order = IssueOrder {
            issuer: issuer.row.name.clone(),
            profile: RESPONDER_PROFILE.to_owned(),
            csr: pem_encode("CERTIFICATE REQUEST", &csr),
            subject: None,
            alternative_names: None,
            policies: Vec::new(),
            days: None,
        };
        let registry = self.registry();
        let id = registry.order(&order, now_s()?, &self.who)?;
        let until = Instant::now() + AGENT_PATIENCE;
        while Instant::now() < until {
            match registry.order_report(&id)?.and_then(|report| report.outcome) {
                None => std::thread::sleep(LOOK),
                Some(OrderOutcome::Refused { reason }) => return Err(LifecycleError::AgentRefused { reason }),
                Some(OrderOutcome::Issued { serial, .. }) => {
                    let serial = hex::decode(&serial).map_err(|_| RegistryError::Serial { text: serial })?;
                    return Ok(Certificate::from_der(&registry.certificate_der(&issuer.row.name, &serial)?)?);
                }
            }
        }
        Err(LifecycleError::AgentSilent { order: id, key: row.name.clone() })
    }

    /// By hand, with the root's token.
    fn certified_by_root(
        &self,
        issuer: &Issuer,
        row: &KeyRow,
        info: &KeyInfo,
        subject: &Subject,
    ) -> Result<Certificate, LifecycleError> {
        let no_key = || RegistryError::KeyNotHere { name: issuer.row.name.clone() };
        let key = self.installation.key_in_state(ROOT, KeyState::Active)?.ok_or_else(no_key)?;
        let token = Token::open(&self.installation.configuration.token_settings(&key.token)?)?;
        let signer = token.find(&units::uri(&key)?)?;
        if signer.public_key().spki_der() != issuer.certificate.public_key.spki_der() {
            return Err(no_key().into());
        }
        let wanted = KeyCertificate {
            profile: RESPONDER_PROFILE,
            issuer_name: &issuer.row.name,
            issuer: &issuer.certificate,
            subject,
            public_key: &info.public_key,
            policies: &[],
            days: Some(ROOT_RESPONDER_DAYS),
        };
        let registry = self.registry();
        let unsigned = registry.draft_for_key(&wanted, now_s()?)?;
        let words = IssueWords { profile: RESPONDER_PROFILE, role: &row.role, who: &self.who, task: None };
        Ok(registry.issue(issuer, &unsigned, &*signer, now_s()?, &words)?)
    }
}

/// The issuer's country and organization, as far as it has them, and a name of the key's own.
fn responder_subject(issuer: &Certificate, key_name: &str) -> Result<Subject, LifecycleError> {
    let kept = [AttributeType::Country, AttributeType::Organization];
    // An issuer from elsewhere may have attributes that no profile here knows; its responder needs none of them.
    let issuer = Subject::from_name_der(&issuer.subject_der).unwrap_or_default();
    let attributes = issuer.attributes().iter().filter(|(attribute, _)| kept.contains(attribute)).cloned();
    let common_name = (AttributeType::CommonName, format!("Noonmark {key_name}"));
    Ok(Subject::new(attributes.chain([common_name]))?)
}
