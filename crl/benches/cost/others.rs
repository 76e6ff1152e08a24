//! OpenSSL's side: a CA whose database has the same entries.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use super::entries;
use super::work;

/// Makes the CRL that is read, and OpenSSL's CA with its database.
pub(crate) fn prepare(count: u32, directory: &Path) {
    work::build_spooled(count, directory, &mut BufWriter::new(File::create(directory.join("crl")).expect("a file")));
    let configuration = "[ca]\ndefault_ca = a\n[a]\ndatabase = index.txt\ncertificate = ca.pem\nprivate_key = ca.key\n\
                         default_md = sha256\ndefault_crl_days = 7\ncrlnumber = number\ncrl_extensions = e\n\
                         [e]\nauthorityKeyIdentifier = keyid\n";
    std::fs::write(directory.join("ca.cnf"), configuration).expect("a file");
    std::fs::write(directory.join("number"), "01\n").expect("a file");
    openssl(
        directory,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=a",
    );
    let mut database = BufWriter::new(File::create(directory.join("index.txt")).expect("a file"));
    for number in 0..count {
        let serial: String = entries::serial(number).iter().map(|octet| format!("{octet:02X}")).collect();
        let date = date(entries::revocation_date_s(number));
        let reason = if entries::reason(number).is_some() { ",superseded" } else { "" };
        writeln!(database, "R\t300101000000Z\t{date}{reason}\t{serial}\tunknown\t/CN={number}").expect("written");
    }
    database.flush().expect("written");
}

pub(crate) fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// YYMMDDHHMMSSZ, by the days' count from 1 March 2020, whose years end with their leap day.
fn date(at_s: i64) -> String {
    const FIRST_OF_MARCH_2020_S: i64 = 1_583_020_800;
    let since = at_s - FIRST_OF_MARCH_2020_S;
    let (days, second) = (since / 86_400, since % 86_400);
    let year = (days - days / 1460) / 365;
    let day = days - year * 365 - year / 4;
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (20 + year, month + 3) } else { (21 + year, month - 9) };
    format!("{year:02}{month:02}{day:02}{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}
