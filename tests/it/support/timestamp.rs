//! Timestamp requests and answers, taken apart by the test's own eyes where that matters.

use noonmark::asn1::tst_info::TstInfo;
use noonmark::asn1::{FailureBit, Reader, writer};
use noonmark::crypto::DigestAlgorithm;

/// A request to be changed piece by piece.
#[derive(Clone, Debug)]
pub struct Request {
    pub version: u8,
    pub hash_oid: Vec<u8>,
    pub parameters: Vec<u8>,
    pub imprint: Vec<u8>,
    pub policy: Option<String>,
    pub nonce: Option<Vec<u8>>,
    pub cert_req: bool,
    pub extensions: Option<Vec<u8>>,
}

impl Request {
    /// SHA-256 over `data`, certReq, a nonce.
    pub fn over(data: &[u8]) -> Self {
        Self {
            version: 1,
            hash_oid: DigestAlgorithm::Sha256.oid().as_bytes().to_vec(),
            parameters: vec![5, 0],
            imprint: DigestAlgorithm::Sha256.digest(data).as_ref().to_vec(),
            policy: None,
            nonce: Some(vec![0x00, 0x80, 1, 2, 3, 4, 5, 6, 7]),
            cert_req: true,
            extensions: None,
        }
    }

    pub fn to_der(&self) -> Vec<u8> {
        let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[&self.hash_oid]);
        let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &self.parameters]);
        let imprint =
            writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&self.imprint])]);
        let policy = self.policy.as_ref().map(|policy| policy.parse::<noonmark::asn1::Oid>().unwrap().to_der());
        let nonce = self.nonce.as_ref().map(|nonce| writer::tlv(writer::INTEGER, &[nonce]));
        let cert_req: &[u8] = if self.cert_req { &[1, 1, 0xff] } else { &[] };
        let extensions = self.extensions.as_ref().map(|content| writer::tlv(writer::context(0), &[content]));
        writer::tlv(
            writer::SEQUENCE,
            &[
                &[2, 1, self.version],
                &imprint,
                &policy.unwrap_or_default(),
                &nonce.unwrap_or_default(),
                cert_req,
                &extensions.unwrap_or_default(),
            ],
        )
    }
}

/// A TimeStampResp's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Status granted, with the token's octets.
    Granted(Vec<u8>),
    /// Status rejection with this one bit.
    Refused(FailureBit),
}

/// Reads a TimeStampResp; panics where it breaks RFC 3161 §2.4.2.
pub fn outcome(response: &[u8]) -> Outcome {
    let mut fields = Reader::only(response, writer::SEQUENCE).expect("a TimeStampResp");
    let mut status = fields.enter(writer::SEQUENCE).unwrap();
    match status.integer().unwrap() {
        [0] => {
            let token = fields.expect(writer::SEQUENCE).unwrap().whole.to_vec();
            fields.finish().unwrap();
            Outcome::Granted(token)
        }
        [2] => {
            let mut texts = status.enter(writer::SEQUENCE).unwrap();
            texts.expect(writer::UTF8_STRING).unwrap();
            let bits = status.expect(writer::BIT_STRING).unwrap().content;
            status.finish().unwrap();
            fields.finish().expect("no token in a refusal");
            let set: Vec<u8> = (0..=25)
                .filter(|number| {
                    bits.get(1 + usize::from(number / 8)).is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0)
                })
                .collect();
            assert_eq!(set.len(), 1, "exactly one failure bit: {bits:02x?}");
            Outcome::Refused(FailureBit::from_number(set[0]).expect("one of the eight bits"))
        }
        other => panic!("status {other:02x?}"),
    }
}

/// What a test wants to know of a granted token.
#[derive(Clone, Debug)]
pub struct Token {
    pub serial: Vec<u8>,
    pub gen_time: String,
    pub gen_time_us: i64,
    pub policy: String,
    pub nonce: Option<Vec<u8>>,
    pub ordering: bool,
    pub accuracy_us: Option<u64>,
    pub has_certificates: bool,
    pub has_tsa: bool,
    pub extensions: Option<Vec<u8>>,
    pub imprint: Vec<u8>,
}

/// Takes a granted response apart.
pub fn token(response: &[u8]) -> Token {
    let Outcome::Granted(token) = outcome(response) else { panic!("refused: {:?}", outcome(response)) };
    let mut content_info = Reader::only(&token, writer::SEQUENCE).unwrap();
    content_info.expect(writer::OBJECT_IDENTIFIER).unwrap();
    let mut explicit = content_info.enter(writer::context(0)).unwrap();
    let mut data = explicit.enter(writer::SEQUENCE).unwrap();
    assert_eq!(data.integer().unwrap(), [3], "SignedData v3");
    data.expect(writer::SET).unwrap();
    let mut encapsulated = data.enter(writer::SEQUENCE).unwrap();
    encapsulated.expect(writer::OBJECT_IDENTIFIER).unwrap();
    let content = encapsulated.enter(writer::context(0)).unwrap().expect(writer::OCTET_STRING).unwrap().content;
    let certificates = data.optional(writer::context(0)).unwrap();
    let info = TstInfo::from_der(content).unwrap();
    Token {
        serial: info.serial_number.to_vec(),
        gen_time: info.gen_time.to_owned(),
        gen_time_us: info.gen_time_us,
        policy: noonmark::asn1::Oid::from_octets(info.policy).unwrap().to_string(),
        nonce: info.nonce.map(<[u8]>::to_vec),
        ordering: info.ordering,
        accuracy_us: info.accuracy_us,
        has_certificates: certificates.is_some(),
        has_tsa: info.tsa.is_some(),
        extensions: info.extensions.map(<[u8]>::to_vec),
        imprint: info.message_imprint.to_vec(),
    }
}
