//! The figures as a table in Markdown.

use std::fmt;
use std::time::Duration;

use super::work::Work;

/// CPU time of one operation, and the most memory of the process that did it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
}

impl fmt::Display for Figure {
    /// As one process tells another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cpu.as_nanos(), self.peak_kib)
    }
}

impl Figure {
    pub(crate) fn parse(text: &str) -> Self {
        let (nanos, kib) = text.trim().split_once(' ').expect("two numbers");
        Self { cpu: Duration::from_nanos(nanos.parse().expect("time")), peak_kib: kib.parse().expect("memory") }
    }

    /// The median of each.
    pub(crate) fn median(figures: Vec<Self>) -> Self {
        let (mut cpu, mut peak): (Vec<_>, Vec<_>) =
            figures.into_iter().map(|figure| (figure.cpu, figure.peak_kib)).unzip();
        cpu.sort_unstable();
        peak.sort_unstable();
        Self { cpu: cpu[cpu.len() / 2], peak_kib: peak[peak.len() / 2] }
    }
}

/// Ours, and those that it is held against.
const SECTIONS: [(Work, &[Work]); 5] = [
    (Work::BuildSpooled, &[Work::OpensslGencrl]),
    (Work::BuildWalked, &[Work::OpensslGencrl]),
    (Work::ReadStream, &[Work::OpensslCrl, Work::TypedDecoder]),
    (Work::ReadIndex, &[Work::OpensslCrl, Work::TypedDecoder]),
    (Work::FindRevoked, &[Work::FindAbsent, Work::BareRead, Work::TypedFind]),
];

/// A column: how many entries, and what was measured.
pub(crate) type Column = (u32, Vec<(Work, Figure)>);

pub(crate) fn print(columns: &[Column]) {
    let row = |what: &str, cell: &dyn Fn(&Column) -> Option<String>| {
        let cells: Vec<String> =
            columns.iter().map(|column| cell(column).unwrap_or_else(|| "can't".to_owned())).collect();
        println!("| {what} | {} |", cells.join(" | "));
    };
    let head: Vec<String> = columns.iter().map(|(count, _)| format!("{count} entries")).collect();
    println!("| CPU time; most memory above nothing | {} |", head.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    for (ours, others) in SECTIONS {
        row(&format!("**{}**", ours.name()), &|column| {
            Some(format!("{}; {}", time(figure(column, ours)?.cpu), memory(above_nothing(column, ours)?)))
        });
        for other in others {
            row(other.name(), &|column| {
                let (this, base) = (figure(column, *other)?.cpu, figure(column, ours)?.cpu);
                let ratio = this.as_secs_f64() / base.as_secs_f64();
                Some(format!("{}; {} (×{ratio:.1})", time(this), memory(above_nothing(column, *other)?)))
            });
        }
    }
    let start = Work::OpensslNothing;
    row("`openssl version`, in each of OpenSSL's", &|column| Some(time(figure(column, start)?.cpu)));
}

fn figure((_, figures): &Column, wanted: Work) -> Option<Figure> {
    figures.iter().find(|(work, _)| *work == wanted).map(|(_, figure)| *figure)
}

fn above_nothing(column: &Column, work: Work) -> Option<u64> {
    let nothing = if work.is_other_program() { Work::OpensslNothing } else { Work::Nothing };
    Some(figure(column, work)?.peak_kib.saturating_sub(figure(column, nothing)?.peak_kib))
}

/// Three digits or more.
fn time(of: Duration) -> String {
    let nanos = of.as_secs_f64() * 1e9;
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        ..1e6 => format!("{:.1} µs", nanos / 1e3),
        ..1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

fn memory(kib: u64) -> String {
    if kib < 10_240 { format!("{:.1} MiB", mebibytes(kib)) } else { format!("{:.0} MiB", mebibytes(kib)) }
}

fn mebibytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).expect("less than four tebibytes")) / 1024.0
}
