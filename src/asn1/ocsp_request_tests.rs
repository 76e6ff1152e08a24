//! One malformed request, one exact error.

use super::*;
use writer::tlv;

/// Made by `openssl ocsp -issuer ca.pem -serial 0x1234 -no_nonce -reqout -`.
const OPENSSL_SHA1: &[u8] = include_bytes!("../../fuzz/seeds/ocsp_request/openssl-sha1");
/// Made by `openssl ocsp -sha256 -issuer ca.pem -serial 0x00ff1234567890abcdef -reqout -`.
const OPENSSL_SHA256_NONCE: &[u8] = include_bytes!("../../fuzz/seeds/ocsp_request/openssl-sha256-nonce");
/// Made by `openssl ocsp -issuer ca.pem -serial 1 -serial 2 -sha256 -serial 3 -reqout -`.
const OPENSSL_SEVERAL: &[u8] = include_bytes!("../../fuzz/seeds/ocsp_request/openssl-several");
/// Made by `openssl ocsp -issuer ca.pem -serial 0x1234 -signer c.pem -signkey c.key -reqout -`.
const OPENSSL_SIGNED: &[u8] = include_bytes!("../../fuzz/seeds/ocsp_request/openssl-signed");

fn cert_id(serial: u8) -> Vec<u8> {
    let algorithm = tlv(writer::SEQUENCE, &[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], &[5, 0]]);
    let hash = tlv(writer::OCTET_STRING, &[&[1; 20]]);
    tlv(writer::SEQUENCE, &[&algorithm, &hash, &hash, &[2, 1, serial]])
}

fn extension(oid: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    let oid = tlv(writer::OBJECT_IDENTIFIER, &[oid]);
    tlv(writer::SEQUENCE, &[&oid, critical, &tlv(writer::OCTET_STRING, &[value])])
}

fn explicit(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(writer::context(number), &[&tlv(writer::SEQUENCE, parts)])
}

fn requests(count: usize) -> Vec<u8> {
    let one = tlv(writer::SEQUENCE, &[&cert_id(7)]);
    tlv(writer::SEQUENCE, &[&one.repeat(count)])
}

/// An OCSPRequest of these parts of its TBSRequest.
fn request(parts: &[&[u8]]) -> Vec<u8> {
    tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, parts)])
}

fn with_extensions(extensions: &[&[u8]]) -> Vec<u8> {
    request(&[&requests(1), &explicit(2, extensions)])
}

fn with_nonce(value: &[u8]) -> Vec<u8> {
    with_extensions(&[&extension(ID_PKIX_OCSP_NONCE, &[], value)])
}

fn refused(der: &[u8]) -> OcspRequestError {
    OcspRequest::from_der(der).unwrap_err()
}

const TRUE: &[u8] = &[1, 1, 0xff];

#[test]
fn reads_what_openssl_asks() {
    let read = OcspRequest::from_der(OPENSSL_SHA1).unwrap();
    assert_eq!(read.cert_ids.len(), 1);
    assert_eq!(read.cert_ids.first().serial, [0x12, 0x34]);
    assert_eq!(read.cert_ids.first().issuer_key_hash.len(), 20);
    assert!(read.nonce.is_none() && read.nonce_len == 0 && !read.is_signed);

    let read = OcspRequest::from_der(OPENSSL_SHA256_NONCE).unwrap();
    assert_eq!(read.cert_ids.first().serial, hex::decode("00ff1234567890abcdef").unwrap());
    assert_eq!(read.cert_ids.first().issuer_name_hash.len(), 32);
    assert_eq!(read.nonce.unwrap()[..2], [writer::OCTET_STRING, 16]);
    assert_eq!((read.nonce.unwrap().len(), read.nonce_len), (18, 16));

    let read = OcspRequest::from_der(OPENSSL_SEVERAL).unwrap();
    let serials: Vec<&[u8]> = read.cert_ids.iter().map(|id| id.serial).collect();
    assert_eq!(serials, [[1], [2], [3]]);
    let hashes: Vec<usize> = read.cert_ids.iter().map(|id| id.issuer_name_hash.len()).collect();
    assert_eq!(hashes, [20, 20, 32]);

    let read = OcspRequest::from_der(OPENSSL_SIGNED).unwrap();
    assert!(read.is_signed);
    assert_eq!(read.cert_ids.first().serial, [0x12, 0x34]);
}

#[test]
fn nonces_have_1_to_128_octets_and_are_kept_as_they_came() {
    for length in [1, 15, 16, 32, 127, 128] {
        let value = tlv(writer::OCTET_STRING, &[&vec![0xab; length]]);
        let der = with_nonce(&value);
        let read = OcspRequest::from_der(&der).unwrap();
        assert_eq!((read.nonce, read.nonce_len), (Some(&value[..]), length));
    }
    for length in [0, 129, 200, 1000] {
        let value = tlv(writer::OCTET_STRING, &[&vec![0xab; length]]);
        assert_eq!(refused(&with_nonce(&value)), OcspRequestError::NonceLength { length });
    }
}

#[test]
fn a_bare_nonce_is_measured_whole() {
    // BouncyCastle's users put the octets into extnValue without another OCTET STRING.
    for length in [1, 8, 32, 128] {
        let value = vec![0xab; length];
        let der = with_nonce(&value);
        let read = OcspRequest::from_der(&der).unwrap();
        assert_eq!((read.nonce, read.nonce_len), (Some(&value[..]), length));
    }
    for length in [0, 129] {
        assert_eq!(refused(&with_nonce(&vec![0xab; length])), OcspRequestError::NonceLength { length });
    }
    // An OCTET STRING with octets after it is none.
    let value = [4, 1, 0xab, 0xcd];
    assert_eq!(OcspRequest::from_der(&with_nonce(&value)).unwrap().nonce_len, 4);
}

#[test]
fn the_number_of_requests_is_bounded() {
    assert_eq!(refused(&request(&[&requests(0)])), OcspRequestError::NoRequests);
    let der = request(&[&requests(MAX_CERT_IDS)]);
    assert_eq!(OcspRequest::from_der(&der).unwrap().cert_ids.iter().count(), MAX_CERT_IDS);
    assert_eq!(refused(&request(&[&requests(MAX_CERT_IDS + 1)])), OcspRequestError::TooManyRequests);
    assert_eq!(refused(&request(&[&requests(1_000)])), OcspRequestError::TooManyRequests);
}

#[test]
fn the_version_is_v1_written_or_not() {
    let with = |version: u8| request(&[&[0xa0, 3, 2, 1, version], &requests(1)]);
    assert!(OcspRequest::from_der(&with(0)).is_ok());
    assert_eq!(refused(&with(1)), OcspRequestError::Version);
    let twice = request(&[&[0xa0, 6, 2, 1, 0, 2, 1, 0], &requests(1)]);
    assert_eq!(refused(&twice), DerError::Trailing { count: 3 }.into());
}

#[test]
fn a_requestor_name_is_passed_over() {
    let name = [0xa1, 4, 0x82, 2, b'a', b'b'];
    let der = request(&[&name, &requests(1)]);
    assert_eq!(OcspRequest::from_der(&der), OcspRequest::from_der(&request(&[&requests(1)])));
    assert_eq!(refused(&request(&[&[0xa1, 0], &requests(1)])), DerError::Truncated { at: 0 }.into());
}

#[test]
fn octets_after_the_end_are_refused_everywhere() {
    let der = request(&[&requests(1)]);
    assert_eq!(refused(&[&der[..], &[0]].concat()), DerError::Trailing { count: 1 }.into());
    assert_eq!(refused(&request(&[&requests(1), &[5, 0]])), DerError::Trailing { count: 2 }.into());
    let tbs = tlv(writer::SEQUENCE, &[&requests(1)]);
    assert_eq!(refused(&tlv(writer::SEQUENCE, &[&tbs, &[5, 0]])), DerError::Trailing { count: 2 }.into());
    let list = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&cert_id(1), &[5, 0]])]);
    assert_eq!(refused(&request(&[&list])), DerError::Trailing { count: 2 }.into());
}

#[test]
fn unknown_extensions_are_ignored_unless_critical() {
    let oid = || "2.999".parse::<Oid>().unwrap();
    let unknown = |critical: &[u8]| extension(oid().octets(), critical, &[5, 0]);
    let single = |critical: &[u8]| {
        let one = tlv(writer::SEQUENCE, &[&cert_id(1), &explicit(0, &[&unknown(critical)])]);
        request(&[&tlv(writer::SEQUENCE, &[&one])])
    };
    for critical in [&[][..], &[1, 1, 0]] {
        assert!(OcspRequest::from_der(&with_extensions(&[&unknown(critical)])).is_ok());
        assert!(OcspRequest::from_der(&single(critical)).is_ok());
    }
    let refusal = OcspRequestError::UnknownCriticalExtension { oid: oid() };
    assert_eq!(refused(&with_extensions(&[&unknown(TRUE)])), refusal);
    assert_eq!(refused(&single(TRUE)), refusal);
    assert_eq!(refused(&with_extensions(&[&unknown(&[1, 1, 1])])), DerError::Value { what: "critical" }.into());
    // A known one may be critical.
    let nonce = extension(ID_PKIX_OCSP_NONCE, TRUE, &[4, 1, 7]);
    assert_eq!(OcspRequest::from_der(&with_extensions(&[&nonce])).unwrap().nonce_len, 1);
}

#[test]
fn extensions_stand_once_and_are_few() {
    let nonce = extension(ID_PKIX_OCSP_NONCE, &[], &[4, 1, 7]);
    let oid = Oid::from_octets(ID_PKIX_OCSP_NONCE).unwrap();
    assert_eq!(refused(&with_extensions(&[&nonce, &nonce])), OcspRequestError::DuplicateExtension { oid });
    assert_eq!(refused(&with_extensions(&[])), DerError::Value { what: "Extensions" }.into());
    let many = |count: u8| {
        let list: Vec<Vec<u8>> = (0..count).map(|number| extension(&[0x2a, number], &[], &[])).collect();
        with_extensions(&list.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    assert!(OcspRequest::from_der(&many(16)).is_ok());
    assert_eq!(refused(&many(17)), OcspRequestError::TooManyExtensions);
    // An identifier is looked at when it is to be named.
    let broken = extension(&[0x80], TRUE, &[]);
    assert_eq!(refused(&with_extensions(&[&broken])), DerError::Value { what: "extension identifier" }.into());
}

#[test]
fn a_basic_response_must_be_acceptable() {
    let basic = tlv(writer::OBJECT_IDENTIFIER, &[ID_PKIX_OCSP_BASIC]);
    let other = [6, 1, 0x2a];
    let with =
        |types: &[&[u8]]| with_extensions(&[&extension(ID_PKIX_OCSP_RESPONSE, &[], &tlv(writer::SEQUENCE, types))]);
    assert!(OcspRequest::from_der(&with(&[&basic])).is_ok());
    assert!(OcspRequest::from_der(&with(&[&other, &basic])).is_ok());
    assert_eq!(refused(&with(&[&other])), OcspRequestError::NoAcceptableResponse);
    assert_eq!(refused(&with(&[])), OcspRequestError::NoAcceptableResponse);
    assert_eq!(refused(&with(&[&[5, 0]])), DerError::Tag { expected: 6, found: 5 }.into());
}

#[test]
fn preferred_algorithms_keep_their_order() {
    let first = tlv(writer::SEQUENCE, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let second = tlv(writer::SEQUENCE, &[&[6, 1, 0x2a], &[5, 0]]);
    let with = |entries: &[&[u8]]| {
        with_extensions(&[&extension(ID_PKIX_OCSP_PREF_SIG_ALGS, &[], &tlv(writer::SEQUENCE, entries))])
    };
    // The second says which keys it takes, too.
    let der = with(&[&tlv(writer::SEQUENCE, &[&first]), &tlv(writer::SEQUENCE, &[&second, &first])]);
    assert_eq!(OcspRequest::from_der(&der).unwrap().preferred_signature_algorithms, [&first[..], &second]);
    let entry = tlv(writer::SEQUENCE, &[&first]);
    assert!(OcspRequest::from_der(&with(&[&entry[..]; MAX_PREFERRED_ALGORITHMS])).is_ok());
    let too_many = with(&[&entry[..]; MAX_PREFERRED_ALGORITHMS + 1]);
    assert_eq!(refused(&too_many), OcspRequestError::TooManyPreferredAlgorithms);
}

#[test]
fn a_signature_has_its_form() {
    let signed = |parts: &[&[u8]]| {
        let tbs = tlv(writer::SEQUENCE, &[&requests(1)]);
        tlv(writer::SEQUENCE, &[&tbs, &explicit(0, parts)])
    };
    let algorithm = tlv(writer::SEQUENCE, &[&[6, 1, 0x2a]]);
    let value = [3, 2, 0, 0x55];
    assert!(OcspRequest::from_der(&signed(&[&algorithm, &value])).unwrap().is_signed);
    assert!(OcspRequest::from_der(&signed(&[&algorithm, &value, &explicit(0, &[&algorithm[..]; 16])])).is_ok());
    let malformed = |parts: &[&[u8]]| match refused(&signed(parts)) {
        OcspRequestError::Malformed(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(&[&algorithm]), DerError::Truncated { at: algorithm.len() });
    assert_eq!(malformed(&[&algorithm, &[3, 1, 0]]), DerError::Value { what: "signature" });
    assert_eq!(malformed(&[&algorithm, &[3, 2, 1, 2]]), DerError::Value { what: "signature" });
    assert_eq!(malformed(&[&algorithm, &value, &[5, 0]]), DerError::Trailing { count: 2 });
    let too_many = DerError::Value { what: "number of the signer's certificates" };
    assert_eq!(malformed(&[&algorithm, &value, &explicit(0, &[&algorithm[..]; 17])]), too_many);
}

#[test]
fn a_hundred_thousand_mutated_requests_never_panic() {
    let prefer = {
        let entry = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&[6, 3, 0x2b, 0x65, 0x70]])]);
        let basic = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[ID_PKIX_OCSP_BASIC])]);
        with_extensions(&[
            &extension(ID_PKIX_OCSP_PREF_SIG_ALGS, &[], &tlv(writer::SEQUENCE, &[&entry])),
            &extension(ID_PKIX_OCSP_RESPONSE, &[], &basic),
            &extension(ID_PKIX_OCSP_NONCE, TRUE, &[4, 1, 7]),
        ])
    };
    let seeds = [OPENSSL_SHA1, OPENSSL_SHA256_NONCE, OPENSSL_SEVERAL, OPENSSL_SIGNED, &prefer];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut read, mut refused) = (0_u32, 0_u32);
    for round in 0..100_000 {
        let mut der = seeds[round % seeds.len()].to_vec();
        for _ in 0..=random(3) {
            let at = random(der.len());
            match random(4) {
                0 => der[at] ^= 1 << random(8),
                1 => der[at] = u8::try_from(random(256)).unwrap(),
                2 => der.truncate(at.max(1)),
                _ => der.insert(at, u8::try_from(random(256)).unwrap()),
            }
        }
        match OcspRequest::from_der(&der) {
            Ok(request) => {
                read += 1;
                assert!((1..=MAX_CERT_IDS).contains(&request.cert_ids.len()));
                assert!(request.cert_ids.iter().all(|id| id.whole[0] == writer::SEQUENCE && !id.serial.is_empty()));
                assert_eq!(request.nonce.is_some(), (1..=MAX_NONCE_OCTETS).contains(&request.nonce_len));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    // Both ways are gone: a mutation of a hash or a serial number is still a request.
    assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
}
