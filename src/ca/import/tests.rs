use super::*;
use crate::ca::pem_encode;
use crate::store::CertificateState;

fn read(format: ImportFormat, text: &[u8]) -> Result<Vec<ImportEntry>, String> {
    entries(format, text).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

const CSV: &str = "serial,subject,not_after,state,reason,revoked_at,invalidity_date\n\
    01,\"CN=a, O=b\",2030-01-01T00:00:00Z,good,,,\n\
    02,CN=c,2030-01-01T00:00:00Z,revoked,keyCompromise,2026-01-01T00:00:00Z,2025-01-01T00:00:00Z\n\
    03,CN=d,2030-01-01T00:00:00Z,held,certificateHold,2026-01-01T00:00:00Z,\n";
const INDEX: &str = "V\t300101000000Z\t\t01\tunknown\t/C=DE/CN=a\n\
    E\t500101000000Z\t\t02\tunknown\t/CN=b\n\
    R\t20300101000000Z\t260101000000Z\t03\tunknown\t/CN=c\n\
    R\t300101000000Z\t260101000000Z,superseded\t04\tunknown\t/CN=d\n\
    R\t300101000000Z\t260101000000Z,certificateHold\t05\tunknown\t/CN=e\n\
    R\t300101000000Z\t260101000000Z,keyTime,20250101000000Z\t06\tunknown\t/CN=f\n\
    R\t300101000000Z\t260101000000Z,holdInstruction,1.2.840.10040.2.2\t07\tunknown\t/CN=g\n";

#[test]
fn csv_is_read_by_the_names_of_its_columns() {
    let rows = read(ImportFormat::Csv, CSV.as_bytes()).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].subject.as_str(), rows[0].not_before_s, rows[0].not_after_s), ("CN=a, O=b", 0, 1_893_456_000));
    assert_eq!((rows[1].state, rows[1].reason), (CertificateState::Revoked, Some(1)));
    assert_eq!((rows[1].revoked_at_s, rows[1].invalidity_s), (Some(1_767_225_600), Some(1_735_689_600)));
    assert_eq!(rows[2].state, CertificateState::Held);
    for (text, why) in [
        ("serial,state\n", "line 1: there is no column not_after"),
        ("serial,state,not_after,colour\n", "line 1: the column \"colour\" is not known"),
        ("serial,state,not_after\nxx,good,2030-01-01T00:00:00Z\n", "line 2: serial \"xx\""),
        ("serial,state,not_after\n01,fine,2030-01-01T00:00:00Z\n", "line 2: state \"fine\": write good"),
        ("serial,state,not_after\n01,intended,2030-01-01T00:00:00Z\n", "line 2: state"),
        ("serial,state,not_after\n01,good,2030\n", "line 2: not_after \"2030\""),
        ("serial,state,not_after\n01,good,\n", "line 2: not_after \"\": it must be there"),
        ("serial,state,not_after\n01,good,2030-01-01T00:00:00Z\n01,good\n", "line 3"),
        ("serial,state,not_after,reason\n01,good,2030-01-01T00:00:00Z,whim\n", "line 2: reason \"whim\""),
    ] {
        let error = read(ImportFormat::Csv, text.as_bytes()).unwrap_err();
        assert!(error.starts_with(why) || error.contains(why), "{text:?}: {error}");
    }
}

#[test]
fn an_index_of_openssl_is_read() {
    let rows = read(ImportFormat::OpensslIndex, INDEX.as_bytes()).unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.reason)).collect();
    let (good, held, revoked) = (CertificateState::Good, CertificateState::Held, CertificateState::Revoked);
    let expected = [
        (good, None),
        (good, None),
        (revoked, None),
        (revoked, Some(4)),
        (held, Some(6)),
        (revoked, Some(1)),
        (held, Some(6)),
    ];
    assert_eq!(states, expected);
    assert_eq!(rows[0].not_after_s, 1_893_456_000);
    assert_eq!(rows[1].not_after_s, -631_152_000, "1950");
    assert_eq!(rows[5].invalidity_s, Some(1_735_689_600));
    for (text, why) in [
        ("V\t300101000000Z\t\t01\tunknown", "line 1: 5 fields"),
        ("X\t300101000000Z\t\t01\tunknown\t/CN=a", "line 1: status \"X\""),
        ("V\t300101000000Z\t260101000000Z\t01\tunknown\t/CN=a", "line 1: status \"V\""),
        ("R\t300101000000Z\t\t01\tunknown\t/CN=a", "line 1: revocation \"\""),
        ("V\t3001010000Z\t\t01\tunknown\t/CN=a", "line 1: end"),
        ("V\t301301000000Z\t\t01\tunknown\t/CN=a", "line 1: end"),
        ("V\t300101000000Z\t\t0g\tunknown\t/CN=a", "line 1: serial number"),
        ("\nR\t300101000000Z\t260101000000Z,whim\t01\tunknown\t/CN=a", "line 2: reason \"whim\""),
    ] {
        let error = read(ImportFormat::OpensslIndex, text.as_bytes()).unwrap_err();
        assert!(error.starts_with(why), "{text:?}: {error}");
    }
}

/// Certificates of the corpus' kind that the project makes itself.
fn certificates() -> Vec<u8> {
    let root = crate::ca::test_key::TestIssuer::new().root;
    let pem = pem_encode("CERTIFICATE", root.der());
    format!("text\n{pem}\nmore text\n{pem}").into_bytes()
}

#[test]
fn certificates_in_pem_are_read_with_what_stands_between() {
    let bundle = certificates();
    let rows = read(ImportFormat::Pem, &bundle).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.certificate.is_some() && row.state == CertificateState::Good));
    let text = String::from_utf8(bundle).unwrap();
    for (from, to, why) in [
        ("MII", "M*I", "this is not base64"),
        ("-----END CERTIFICATE-----", "", "no END CERTIFICATE follows"),
        ("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMIJ", "does not read"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        let error = read(ImportFormat::Pem, changed.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn the_form_is_told_by_the_beginning() {
    assert_eq!(ImportFormat::of(CSV.as_bytes()), Some(ImportFormat::Csv));
    assert_eq!(ImportFormat::of(INDEX.as_bytes()), Some(ImportFormat::OpensslIndex));
    assert_eq!(ImportFormat::of(&certificates()), Some(ImportFormat::Pem));
    assert_eq!(ImportFormat::of(b"hello\n"), None);
    assert_eq!(ImportFormat::of(b""), None);
    for format in ImportFormat::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
}

#[test]
fn a_line_without_an_end_is_refused_before_it_is_held() {
    let endless = || std::io::repeat(b'1').take(100_000_000);
    for format in ImportFormat::ALL {
        let error = entries(format, endless()).next().unwrap().unwrap_err().to_string();
        assert!(error.contains("more than 65536 octets"), "{format}: {error}");
    }
}

#[test]
fn mutated_files_never_panic() {
    let bundle = certificates();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below
    };
    let mut read_rows = 0;
    for (format, text) in [
        (ImportFormat::Csv, CSV.as_bytes()),
        (ImportFormat::OpensslIndex, INDEX.as_bytes()),
        (ImportFormat::Pem, &bundle),
    ] {
        for _ in 0..10_000 {
            let mut text = text.to_vec();
            for _ in 0..=random(4) {
                let at = random(text.len());
                match random(3) {
                    0 => text[at] = u8::try_from(random(256)).unwrap(),
                    1 => drop(text.remove(at)),
                    _ => text.insert(at, *b"\t\n,\"Z0\xff-".get(random(8)).unwrap()),
                }
            }
            read_rows += entries(format, &text[..]).filter(Result::is_ok).count();
            let _ = ImportFormat::of(&text);
        }
    }
    assert!(read_rows > 10_000, "most of what is left of a file still reads: {read_rows}");
}
