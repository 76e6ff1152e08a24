//! Timestamp tokens: what they are over, by whom, and for which time.

use super::message::{Message, Signer};
use super::pki::{DAY_S, Key, NOW_S, anchor, extension, name, root, settings};
use crate::asn1::writer::{self, tlv};
use crate::verify::cms::{CmsFinding, SignedData, SignerFault, normalise, oid};
use crate::verify::signature::{AlgorithmPolicy, Digest, KeyAlgorithm, SignatureAlgorithm};
use crate::verify::{
    AnchorRule, ChainTime, Evidence, Failure, Fault, Settings, Stamped, TimestampError, TimestampFault,
    TimestampFinding, TimestampJudgement, TimestampToken, TrustAnchor, judge_timestamp, oid as extension_oid,
    token_in_response,
};
use std::sync::Arc;

const DATA: &[u8] = b"what is stamped";
/// id-kp-emailProtection.
const EMAIL: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];

fn purposes(critical: bool, list: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = list.iter().flat_map(|oid| tlv(writer::OBJECT_IDENTIFIER, &[oid])).collect();
    extension(extension_oid::EXTENDED_KEY_USAGE, critical, &tlv(writer::SEQUENCE, &[&list]))
}

/// A TSTInfo of `NOW_S` with these octets at its end.
fn tst_info(imprint: &[u8], more: &[u8]) -> Vec<u8> {
    let algorithm =
        tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    let imprint = tlv(writer::SEQUENCE, &[&algorithm, &tlv(writer::OCTET_STRING, &[imprint])]);
    let time = tlv(writer::GENERALIZED_TIME, &[b"20250101000000.50Z"]);
    tlv(writer::SEQUENCE, &[&[2, 1, 1], &[6, 1, 0x2a], &imprint, &[2, 1, 7], &time, more])
}

/// An authority, and a token by it.
struct Case {
    trusted: Arc<TrustAnchor>,
    token: Vec<u8>,
}

impl Case {
    fn new(extensions: Vec<Vec<u8>>, more: &[u8]) -> Self {
        let key = Key::new();
        let trusted = anchor(&root("TSA root", &key, []), AnchorRule::NameAndKey);
        let info = tst_info(&Digest::Sha256.of(DATA).unwrap(), more);
        let signer = Signer::new("TSA root", &key, 7, extensions).over(oid::TST_INFO, &info);
        let token = Message::new(oid::TST_INFO, Some(&info)).signed_by(&signer, &info).der();
        Self { trusted, token }
    }

    fn good() -> Self {
        Self::new(vec![purposes(true, &[oid::TIME_STAMPING])], &[])
    }

    fn judge(&self, stamped: Stamped<'_>) -> TimestampJudgement {
        self.judge_by(stamped, ChainTime::GenTime, &settings(&[&self.trusted]))
    }

    fn judge_by(&self, stamped: Stamped<'_>, time: ChainTime, settings: &Settings<'_>) -> TimestampJudgement {
        let token = TimestampToken::from_der(&self.token).unwrap();
        let mut evidence = Evidence::new();
        token.signed_data.add_to(&mut evidence);
        judge_timestamp(&token, stamped, time, &evidence, settings)
    }
}

#[test]
fn a_token_is_over_its_data_or_their_digest() {
    let case = Case::good();
    let value = Digest::Sha256.of(DATA).unwrap();
    for stamped in [Stamped::NotAsked, Stamped::Data(DATA), Stamped::Digest { digest: Digest::Sha256, value: &value }] {
        let judgement = case.judge(stamped);
        assert!(judgement.is_good() && judgement.findings.is_empty(), "{judgement:?}");
        assert!(judgement.chain.unwrap().is_good());
    }
    assert_eq!(case.judge(Stamped::Data(b"other")).fault, Some(TimestampFault::ImprintDiffers));
    let other = Stamped::Digest { digest: Digest::Sha256, value: &[0; 32] };
    assert_eq!(case.judge(other).fault, Some(TimestampFault::ImprintDiffers));
    let fault = TimestampFault::DigestNotGiven { imprint: Digest::Sha256, given: Digest::Sha3_256 };
    assert_eq!(case.judge(Stamped::Digest { digest: Digest::Sha3_256, value: &value }).fault, Some(fault));
    let token = TimestampToken::from_der(&case.token).unwrap();
    assert_eq!((token.gen_time_s(), token.tst_info.gen_time_us % 1_000_000), (NOW_S, 500_000));
}

#[test]
fn the_chain_is_judged_at_gen_time_or_later() {
    let case = Case::good();
    // The certificate ends in 2030.
    let late = Settings { time_s: NOW_S + 10 * 365 * DAY_S, ..settings(&[&case.trusted]) };
    assert!(case.judge_by(Stamped::NotAsked, ChainTime::GenTime, &late).is_good());
    let judgement = case.judge_by(Stamped::NotAsked, ChainTime::Settings, &late);
    assert_eq!(judgement.fault, Some(TimestampFault::Certificate));
    let failure = judgement.chain.unwrap().failure;
    assert!(matches!(failure, Some(Failure::Certificate { fault: Fault::Expired { .. }, .. })), "{failure:?}");
}

#[test]
fn without_an_anchor_or_the_certificate_nothing_is_good() {
    let case = Case::good();
    let judgement = case.judge_by(Stamped::NotAsked, ChainTime::GenTime, &settings(&[]));
    assert_eq!(judgement.fault, Some(TimestampFault::Certificate));
    let token = TimestampToken::from_der(&case.token).unwrap();
    let alone =
        judge_timestamp(&token, Stamped::NotAsked, ChainTime::GenTime, &Evidence::new(), &settings(&[&case.trusted]));
    assert_eq!(alone.fault, Some(TimestampFault::Signer(SignerFault::NoSigningCertificate)));
}

#[test]
fn the_certificate_is_for_timestamping_alone() {
    let of = |extensions: Vec<Vec<u8>>| {
        let judgement = Case::new(extensions, &[]).judge(Stamped::NotAsked);
        (judgement.fault, judgement.findings)
    };
    let not_for = (Some(TimestampFault::NotForTimestamping), Vec::new());
    assert_eq!(of(Vec::new()), not_for);
    assert_eq!(of(vec![purposes(true, &[EMAIL])]), not_for);
    assert_eq!(of(vec![purposes(true, &[extension_oid::ANY_EXTENDED_KEY_USAGE])]), not_for);
    let finding = |list: &[TimestampFinding]| (None, list.to_vec());
    assert_eq!(of(vec![purposes(false, &[oid::TIME_STAMPING])]), finding(&[TimestampFinding::PurposeNotCritical]));
    let both = purposes(true, &[EMAIL, oid::TIME_STAMPING]);
    assert_eq!(of(vec![both]), finding(&[TimestampFinding::OtherPurposes]));
}

#[test]
fn the_tsa_field_is_a_name_of_the_certificate() {
    let with = |common_name: &str| {
        let tsa = tlv(writer::context(0), &[&tlv(0xa4, &[&name(common_name)])]);
        let case = Case::new(vec![purposes(true, &[oid::TIME_STAMPING])], &tsa);
        case.judge(Stamped::NotAsked).findings
    };
    assert_eq!(with("SIGNER"), []);
    assert_eq!(with("Somebody"), [TimestampFinding::TsaNameDiffers]);
}

/// Permits nothing.
struct Nothing;

impl AlgorithmPolicy for Nothing {
    fn permits(&self, _signature: SignatureAlgorithm, _key: KeyAlgorithm) -> bool {
        false
    }
}

#[test]
fn the_policy_is_asked_about_the_tokens_own_signature() {
    let case = Case::good();
    let strict = Settings { algorithms: &Nothing, ..settings(&[&case.trusted]) };
    let fault = case.judge_by(Stamped::NotAsked, ChainTime::GenTime, &strict).fault;
    assert!(matches!(fault, Some(TimestampFault::AlgorithmNotPermitted { .. })), "{fault:?}");
}

#[test]
fn the_certificate_is_named_by_a_signed_attribute() {
    let key = Key::new();
    let trusted = anchor(&root("TSA root", &key, []), AnchorRule::NameAndKey);
    let info = tst_info(&[0; 32], &[]);
    let mut signer = Signer::new("TSA root", &key, 7, vec![purposes(true, &[oid::TIME_STAMPING])]);
    signer = signer.over(oid::TST_INFO, &info);
    signer.attributes.truncate(2);
    let token = Message::new(oid::TST_INFO, Some(&info)).signed_by(&signer, &info).der();
    let judgement = Case { trusted, token }.judge(Stamped::NotAsked);
    assert_eq!(judgement.fault, Some(TimestampFault::NoSigningCertificateAttribute));
    assert_eq!(judgement.findings, [TimestampFinding::Cms(CmsFinding::NoSigningCertificateAttribute)]);
}

#[test]
fn refuses_what_is_no_token_by_name() {
    let good = Case::good().token;
    let error = |content_type: &[u8], content: Option<&[u8]>, signers: usize| {
        let signer = Signer::new("TSA root", &Key::new(), 7, Vec::new());
        let mut message = Message::new(content_type, content);
        message.signers = vec![signer.over(content_type, b"").info(b""); signers];
        TimestampToken::from_der(&message.der()).err()
    };
    let info = tst_info(&[0; 32], &[]);
    let data = TimestampError::NotTstInfo { oid: "1.2.840.113549.1.7.1".to_owned() };
    assert_eq!(error(oid::DATA, Some(&info), 1), Some(data));
    assert_eq!(error(oid::TST_INFO, None, 1), Some(TimestampError::NoTstInfo));
    assert!(matches!(error(oid::TST_INFO, Some(b"0"), 1), Some(TimestampError::TstInfo(_))));
    for count in [0, 2] {
        assert_eq!(error(oid::TST_INFO, Some(&info), count), Some(TimestampError::Signers { count }));
    }
    let short = TimestampError::ImprintLength { digest: Digest::Sha256, octets: 31 };
    assert_eq!(error(oid::TST_INFO, Some(&tst_info(&[0; 31], &[])), 1), Some(short));
    let unknown = tlv(writer::context(1), &[&extension(&[0x2a, 3], true, &[])]);
    let critical = TimestampError::UnknownCriticalExtension { oid: "1.2.3".to_owned() };
    assert_eq!(error(oid::TST_INFO, Some(&tst_info(&[0; 32], &unknown)), 1), Some(critical));

    let granted = tlv(writer::SEQUENCE, &[&[0x30, 3, 2, 1, 0], &good]);
    assert_eq!(token_in_response(&granted), Ok(&good[..]));
    let rejected = [0x30, 5, 0x30, 3, 2, 1, 2];
    assert_eq!(token_in_response(&rejected), Err(TimestampError::NotGranted { status: 2 }));
    assert!(matches!(token_in_response(&[0x30, 0]), Err(TimestampError::Response(_))));
}

#[test]
fn no_octet_of_a_token_can_be_changed() {
    let case = Case::good();
    let settings = settings(&[&case.trusted]);
    for at in 0..case.token.len() {
        for flip in [1, 2, 0x20, 0x80, 0xff] {
            let mut altered = case.token.clone();
            altered[at] ^= flip;
            let Ok(normal) = normalise(&altered) else { continue };
            let Ok(token) = TimestampToken::from_der(&normal) else { continue };
            let mut evidence = Evidence::new();
            token.signed_data.add_to(&mut evidence);
            let judgement = judge_timestamp(&token, Stamped::Data(DATA), ChainTime::GenTime, &evidence, &settings);
            // The versions and the signer's identifier are not signed: what is wrong there is told.
            let told = !judgement.findings.is_empty();
            assert!(!judgement.is_good() || told, "octet {at}, {flip:#04x}");
        }
    }
    assert!(SignedData::from_der(&case.token).is_ok());
}
