//! The hierarchy that `init` makes: root, issuing CA, units and responders, every key generated inside its token.

use serde_json::json;

use super::{ISSUER, Issuer, LifecycleError, PRIVATE_KEY_USAGE_DAYS, Steward, now_s, policies, sign, unit_subject};
use crate::app::adoption;
use crate::app::installation::Installation;
use crate::asn1::Oid;
use crate::ca::builder::{Draft, IssuerUrls};
use crate::ca::{Certificate, CertificateKind, SubjectName};
use crate::crypto::{KeyAlgorithm, SignatureAlgorithm};
use crate::keys::{KeyInfo, Token};
use crate::store::KeyRow;

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
    let ca = {
        let token = Token::open(&installation.configuration.token_settings("root")?)?;
        let signer = token.find(&root_info.uri)?;
        let issuer = Issuer { certificate: &root, signer: &*signer };
        let root_urls = IssuerUrls::new(&installation.configuration.public_url, "root");
        let subject_der = name("Noonmark Issuing CA")?.to_der();
        let any_policy: Oid = "2.5.29.32.0".parse().map_err(|_| LifecycleError::NoIssuer)?;
        let draft = Draft {
            kind: CertificateKind::IssuingCa,
            subject_der: &subject_der,
            public_key: &ca_info.public_key,
            issuer: Some((issuer.certificate, &root_urls)),
            algorithm: signature,
            not_before_s: now_s()?,
            policies: &[any_policy],
            days: None,
            private_key_usage_days: PRIVATE_KEY_USAGE_DAYS,
        };
        sign(&draft.build()?, issuer.signer)?
    };
    steward.attach(&ca_row, &ca, "certificate-issued")?;
    made.push((ISSUER.to_owned(), CertificateKind::IssuingCa, ca.clone()));

    let ca_token = Token::open(&installation.configuration.token_settings("ca")?)?;
    let ca_signer = ca_token.find(&ca_info.uri)?;
    let issuer = Issuer { certificate: &ca, signer: &*ca_signer };
    for (profile, section) in &installation.configuration.tsa {
        let (row, info) = steward.generate_for_profile(profile, algorithm)?;
        let subject_der = unit_subject(&ca, &row.name)?;
        let certificate = sign(
            &steward.draft(CertificateKind::Tsu, &subject_der, &info, &issuer, &policies(section))?,
            issuer.signer,
        )?;
        steward.attach(&row, &certificate, "certificate-issued")?;
        made.push((row.name, CertificateKind::Tsu, certificate));
    }
    let ocsp_name = steward.next_name("service", &format!("ocsp-{ISSUER}"))?;
    let (row, info) = steward.generate("service", &format!("ocsp:{ISSUER}"), &ocsp_name, algorithm)?;
    let subject_der = name("Noonmark OCSP Responder 1")?.to_der();
    let certificate =
        sign(&steward.draft(CertificateKind::OcspResponder, &subject_der, &info, &issuer, &[])?, issuer.signer)?;
    steward.attach(&row, &certificate, "certificate-issued")?;
    made.push((row.name, CertificateKind::OcspResponder, certificate));

    let (row, certificate) =
        root_responder(&steward, &root, &root_info, &name("Noonmark Root OCSP Responder 1")?, algorithm)?;
    made.push((row.name, CertificateKind::OcspResponder, certificate));
    adoption::adopt(installation, &installation.registry(std::sync::Arc::clone(&steward.ledger)))?;
    steward.record("installation-made", json!({ "public_url": installation.configuration.public_url }))?;
    Ok(made)
}

/// The root's responder: its key is the service token's, its certificate made by hand with the root token, so it lives as
/// long as a TSU's private key does.
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
    let signer = token.find(&root_info.uri)?;
    let urls = IssuerUrls::new(&configuration.public_url, "root");
    let draft = Draft {
        kind: CertificateKind::OcspResponder,
        subject_der: &subject.to_der(),
        public_key: &info.public_key,
        issuer: Some((root, &urls)),
        algorithm: algorithm.default_signature(),
        not_before_s: now_s()?,
        policies: &[],
        days: Some(PRIVATE_KEY_USAGE_DAYS),
        private_key_usage_days: 0,
    };
    let certificate = sign(&draft.build()?, &*signer)?;
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
        private_key_usage_days: PRIVATE_KEY_USAGE_DAYS,
    };
    sign(&draft.build()?, &*signer)
}
