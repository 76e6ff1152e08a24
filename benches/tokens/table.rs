//! The table: each contender beside OpenSSL at the same question.

/// What one contender took for a token.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) what: &'static str,
    pub(crate) micros: f64,
}

fn of(rows: &[Row], what: &str) -> Option<f64> {
    rows.iter().find(|row| row.what == what).map(|row| row.micros)
}

fn ratio(other: Option<f64>, micros: f64) -> String {
    other.map_or_else(|| "not here".to_owned(), |other| format!("×{:.2}", other / micros))
}

/// As Markdown. A ratio says how many tokens are judged where the other judges one.
pub(crate) fn write(measured: &[Vec<Row>]) -> String {
    let mut report = String::from(
        "| TSU's key | what | µs CPU a token | tokens a core-second | of OpenSSL, revocation not asked | of OpenSSL with the CRL | of pyHanko |\n|---|---|---|---|---|---|---|\n",
    );
    for rows in measured {
        let bare = of(rows, "OpenSSL, revocation not asked");
        let with_crl = of(rows, "OpenSSL, with the CRL");
        let pyhanko = of(rows, "pyHanko, revocation not asked");
        for Row { key, what, micros } in rows {
            let ratios = [bare, with_crl, pyhanko].map(|other| ratio(other, *micros)).join(" | ");
            report += &format!("| {key} | {what} | {micros:.1} | {:.0} | {ratios} |\n", 1e6 / micros);
        }
    }
    report
}
