//! OpenSSL reads and verifies what the builder writes. Without `openssl`, the tests are shown as ignored.

use std::path::Path;
use std::process::Command;

use crl::scope::{DistributionPoint, IssuingDistributionPoint, OnlyContains};
use crl::{CrlFields, CrlNumber, EntryFields, ReasonCode, TbsCertList, walk};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let absent = Command::new("openssl").arg("version").output().is_err();
    let trials = vec![
        Trial::test("openssl::a_complete_crl_verifies", || verified(false)).with_ignored_flag(absent),
        Trial::test("openssl::a_delta_crl_verifies", || verified(true)).with_ignored_flag(absent),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn openssl(directory: &Path, arguments: &str) -> Result<Vec<u8>, Failed> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output()?;
    if output.status.success() {
        // `crl -CAfile` says on standard error that it verified.
        Ok([output.stdout, output.stderr].concat())
    } else {
        Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// The content of the DER value that starts here, and its whole octets; lengths up to 65,535.
fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = match octets[1] {
        0x82 => (4, usize::from(octets[2]) * 256 + usize::from(octets[3])),
        0x81 => (3, usize::from(octets[2])),
        length => (2, usize::from(length)),
    };
    (&octets[header..header + length], &octets[..header + length])
}

/// A certificate's subject Name: the sixth field, counted with `[0]` version.
fn subject(certificate: &[u8]) -> Vec<u8> {
    let mut fields = split(split(certificate).0).0;
    for _ in 0..5 {
        fields = &fields[split(fields).1.len()..];
    }
    split(fields).1.to_vec()
}

fn verified(delta: bool) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    openssl(
        directory,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -days 3650 \
         -subj /CN=Noonmark/O=Test -addext keyUsage=critical,cRLSign,keyCertSign -addext subjectKeyIdentifier=hash",
    )?;
    openssl(directory, "x509 -in ca.pem -outform DER -out ca.der")?;
    let certificate = std::fs::read(directory.join("ca.der"))?;
    let identifier = openssl(directory, "x509 -in ca.pem -noout -ext subjectKeyIdentifier")?;
    let identifier = String::from_utf8(identifier)?;
    let identifier = identifier.lines().last().unwrap_or_default().trim();
    let identifier: Vec<u8> =
        identifier.split(':').map(|octet| u8::from_str_radix(octet, 16)).collect::<Result<_, _>>()?;

    let mut scope = IssuingDistributionPoint::from_uri("http://crl.example.com/1.crl")?;
    scope.only_contains = OnlyContains::UserCerts;
    let fields = CrlFields {
        issuer: subject(&certificate),
        // ecdsa-with-SHA256
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 4_000_000_000,
        authority_key_identifier: identifier,
        crl_number: CrlNumber::from(66_000),
        base_crl_number: delta.then(|| CrlNumber::from(65_000)),
        issuing_distribution_point: Some(scope),
        freshest_crl: if delta { vec![] } else { vec![DistributionPoint::from_uri("http://crl.example.com/1.delta")?] },
        expired_certs_on_crl_s: Some(1_600_000_000),
    };
    let reason = if delta { ReasonCode::RemoveFromCrl } else { ReasonCode::KeyCompromise };
    let entries = [
        EntryFields { reason: Some(reason), ..EntryFields::new(&[0, 0xca, 0xfe], 1_690_000_000) },
        EntryFields { invalidity_date_s: Some(1_680_000_000), ..EntryFields::new(&[1; 20], 1_690_000_000) },
    ];
    let mut tbs = TbsCertList::new(&fields, walk(&entries[..])?)?;
    let mut signed = std::fs::File::create(directory.join("tbs"))?;
    tbs.write_tbs(&mut signed)?;
    openssl(directory, "dgst -sha256 -sign key.pem -out signature tbs")?;
    let signature = std::fs::read(directory.join("signature"))?;
    tbs.write_certificate_list(&signature, &mut std::fs::File::create(directory.join("crl"))?)?;

    let said = openssl(directory, "crl -inform DER -in crl -CAfile ca.pem -noout -text")?;
    let said = String::from_utf8(said)?;
    let reason = if delta { "Remove From CRL" } else { "Key Compromise" };
    let mut wanted = vec![
        "verify OK",
        "Version 2",
        "66000",
        "Only User Certificates",
        "URI:http://crl.example.com/1.crl",
        "Serial Number: CAFE",
        "Serial Number: 0101010101010101010101010101010101010101",
        "Invalidity Date",
        reason,
        "Next Update: Oct  2 07:06:40 2096 GMT",
    ];
    wanted.push(if delta { "Delta CRL Indicator: critical" } else { "Freshest CRL" });
    match wanted.into_iter().find(|wanted| !said.contains(wanted)) {
        None => Ok(()),
        Some(missing) => Err(format!("openssl does not say {missing:?}: {said}").into()),
    }
}
