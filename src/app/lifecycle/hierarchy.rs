//! The hierarchy that `init` makes: root, issuing CA, units and responders, every key generated inside its token.

use const_oid::ObjectIdentifier;
use serde_json::json;

use super::{
    CA_PROFILE, ISSUER, LifecycleError, RESPONDER_PROFILE, Steward, TSU_PROFILE, now_s, policies, sign, unit_subject,
};
use crate::app::adoption;
use crate::app::crl_publishing::{Publishing, scopes};
use crate::app::installation::Installation;
use crate::asn1::Oid;
use crate::ca::builder::Draft;
use crate::ca::registry::KeyCertificate;
use crate::ca::{Certificate, CertificateKind, Subject, SubjectName};
use crate::crypto::{KeyAlgorithm, SignatureAlgorithm};
use crate::keys::{KeyInfo, Token};
use crate::store::KeyRow;

/// The issuing CA's certificate: fifteen years, so that its TSUs have ten whole ones for five years on.
pub(super) const CA_DAYS: u32 = 15 * 365;
/// The root's responder's: the root's token is opened by hand, so once a year with a month of slack.
pub(super) const ROOT_RESPONDER_DAYS: u32 = 395;
/// anyPolicy (RFC 5280 §4.2.1.4).
pub(super) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");

/// What [`make_hierarchy`] made.
type Made = Vec<(String, CertificateKind, Certificate)>;

/// Root, issuing CA, TSU and OCSP responder: every key generated inside its token.
pub(in crate::app) fn make_hierarchy(
    installation: &Installation,
    algorithm: KeyAlgorithm,
    subject: &SubjectName,
    who: &str,
) -> Result<Made, LifecycleError> {
    let steward = Steward::new(installation, who)?;
    steward.record("installation-begun", json!({ "public_url": installation.configuration.public_url }))?;
    let name = |common_name: &str| SubjectName::new(&subject.country, &subject.organization, common_name);
    let signature = algorithm.default_signature();
    let mut made = Made::new();

    let (root_row, root_info) = steward.generate("root", "root", "root", algorithm)?;
    let root = self_signed(installation, &root_row, &root_info, &name("Noonmark Root")?, signature)?;
    steward.attach(&root_row, &root, "certificate-issued")?;
    made.push(("root".to_owned(), CertificateKind::Root, root.clone()));

    let (ca_row, ca_info) = steward.generate("ca", &format!("ca:{ISSUER}"), ISSUER, algorithm)?;
    let registry = steward.registry();
    let any_policy = [Oid::from(ANY_POLICY)];
    let ca = {
        let token = Token::open(&installation.configuration.token_settings("root")?)?;
        let wanted = KeyCertificate {
            profile: CA_PROFILE,
            issuer_name: "root",
            issuer: &root,
            subject: &Subject::from(&name("Noonmark Issuing CA")?),
            public_key: &ca_info.public_key,
            policies: &any_policy,
            days: Some(CA_DAYS),
        };
        sign(&registry.draft_for_key(&wanted, now_s()?)?, &*token.find(&root_info.uri)?)?
    };
    steward.attach(&ca_row, &ca, "certificate-issued")?;
    made.push((ISSUER.to_owned(), CertificateKind::IssuingCa, ca.clone()));

    let ca_token = Token::open(&installation.configuration.token_settings("ca")?)?;
    let ca_signer = ca_token.find(&ca_info.uri)?;
    for (profile, section) in &installation.configuration.tsa {
        let (row, info) = steward.generate_for_profile(profile, algorithm)?;
        let wanted = KeyCertificate {
            profile: TSU_PROFILE,
            issuer_name: ISSUER,
            issuer: &ca,
            subject: &unit_subject(&ca, &row.name)?,
            public_key: &info.public_key,
            policies: &policies(section),
            days: None,
        };
        let certificate = sign(&registry.draft_for_key(&wanted, now_s()?)?, &*ca_signer)?;
        steward.attach(&row, &certificate, "certificate-issued")?;
        made.push((row.name, CertificateKind::Tsu, certificate));
    }
    let ocsp_name = steward.next_name("service", &format!("ocsp-{ISSUER}"))?;
    let (row, info) = steward.generate("service", &format!("ocsp:{ISSUER}"), &ocsp_name, algorithm)?;
    let wanted = KeyCertificate {
        profile: RESPONDER_PROFILE,
        issuer_name: ISSUER,
        issuer: &ca,
        subject: &Subject::from(&name("Noonmark OCSP Responder 1")?),
        public_key: &info.public_key,
        policies: &[],
        days: None,
    };
    let certificate = sign(&registry.draft_for_key(&wanted, now_s()?)?, &*ca_signer)?;
    steward.attach(&row, &certificate, "certificate-issued")?;
    made.push((row.name, CertificateKind::OcspResponder, certificate));

    let (row, certificate) =
        root_responder(&steward, &root, &root_info, &name("Noonmark Root OCSP Responder 1")?, algorithm)?;
    made.push((row.name, CertificateKind::OcspResponder, certificate));
    adoption::adopt(installation, &registry)?;
    for name in ["root", ISSUER] {
        let issuer = registry.issuer(name)?;
        let scopes = scopes(&issuer.settings.crl);
        let publishing = Publishing { who, may_end_earlier: false, on_step: &|_| {} };
        installation.publish_crls(&registry, &issuer, &scopes, &publishing)?;
    }
    steward.record("installation-made", json!({ "public_url": installation.configuration.public_url }))?;
    Ok(made)
}

/// The root's responder: its key is the service token's, its certificate made by hand with the root token.
fn root_responder(
    steward: &Steward<'_>,
    root: &Certificate,
    root_info: &KeyInfo,
    subject: &SubjectName,
    algorithm: KeyAlgorithm,
) -> Result<(KeyRow, Certificate), LifecycleError> {
    let configuration = &steward.installation.configuration;
    let key_name = steward.next_name("service", "ocsp-root")?;
    let (row, info) = steward.generate("service", "ocsp:root", &key_name, algorithm)?;
    let token = Token::open(&configuration.token_settings("root")?)?;
    let wanted = KeyCertificate {
        profile: RESPONDER_PROFILE,
        issuer_name: "root",
        issuer: root,
        subject: &Subject::from(subject),
        public_key: &info.public_key,
        policies: &[],
        days: Some(ROOT_RESPONDER_DAYS),
    };
    let certificate = sign(&steward.registry().draft_for_key(&wanted, now_s()?)?, &*token.find(&root_info.uri)?)?;
    steward.attach(&row, &certificate, "certificate-issued")?;
    Ok((row, certificate))
}

fn self_signed(
    installation: &Installation,
    row: &KeyRow,
    info: &KeyInfo,
    subject: &SubjectName,
    algorithm: SignatureAlgorithm,
) -> Result<Certificate, LifecycleError> {
    let token = Token::open(&installation.configuration.token_settings(&row.token)?)?;
    let signer = token.find(&info.uri)?;
    let subject_der = subject.to_der();
    let draft = Draft {
        kind: CertificateKind::Root,
        subject_der: &subject_der,
        public_key: &info.public_key,
        issuer: None,
        algorithm,
        not_before_s: now_s()?,
        policies: &[],
        days: None,
        private_key_usage_days: 0,
    };
    sign(&draft.build()?, &*signer)
}
