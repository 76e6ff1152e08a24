//! What CRLs cost in CPU time and memory, beside OpenSSL's tools and a typed decoder on the same entries, in one run:
//! `cargo bench -p crl --bench cost`.
//!
//! Each figure is of a process of its own, which does one thing so often that it takes a tenth of a second, or once. CPU
//! time is user and system time, by the kernel's account; the median of the rounds is told. Memory is the most that was
//! resident, above the same program that does nothing. Columns: NOONMARK_CRL_ENTRIES, `1000,100000,1000000` where it is
//! not set. Ten million take five minutes and five gigabytes, nearly all of it the others'.

mod entries;
mod others;
mod table;
mod work;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use self::table::{Column, Figure};
use self::work::Work;

const ROUNDS: usize = 5;
/// Rounds above a million entries.
const LARGE_ROUNDS: usize = 1;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [measure, work, count, directory] if measure == "measure" => {
            let work = Work::ALL.into_iter().find(|known| known.name() == work).expect("a name of work");
            println!("{}", measured(work, count.parse().expect("a number of entries"), Path::new(directory)));
        }
        // What cargo gives: --bench, and perhaps a filter, for which there is nothing to filter.
        _ => table(),
    }
}

fn table() {
    let counts = std::env::var("NOONMARK_CRL_ENTRIES").unwrap_or_else(|_| "1000,100000,1000000".to_owned());
    let counts: Vec<u32> = counts.split(',').map(|count| count.trim().parse().expect("NOONMARK_CRL_ENTRIES")).collect();
    let mut columns: Vec<Column> = Vec::new();
    for count in counts {
        let directory = tempfile::tempdir().expect("a directory");
        others::prepare(count, directory.path());
        let rounds = if count > 1_000_000 { LARGE_ROUNDS } else { ROUNDS };
        let octets = std::fs::metadata(directory.path().join("crl")).expect("the CRL").len();
        let possible = Work::ALL.into_iter().filter(|work| work.takes(octets));
        let mut seen: Vec<(Work, Vec<Figure>)> = possible.map(|work| (work, Vec::new())).collect();
        for round in 0..rounds {
            for (work, figures) in &mut seen {
                eprintln!("{count} entries, round {}: {}", round + 1, work.name());
                figures.push(in_a_process(*work, count, directory.path()));
            }
        }
        columns.push((count, seen.into_iter().map(|(work, figures)| (work, Figure::median(figures))).collect()));
    }
    table::print(&columns);
}

/// Has this program do the work in a process of its own.
fn in_a_process(work: Work, count: u32, directory: &Path) -> Figure {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(["measure", work.name(), &count.to_string()]).arg(directory).output();
    let output = output.expect("this program");
    assert!(output.status.success(), "{}: {}", work.name(), String::from_utf8_lossy(&output.stderr));
    Figure::parse(&String::from_utf8_lossy(&output.stdout))
}

/// Does the work as often as takes a tenth of a second.
fn measured(work: Work, count: u32, directory: &Path) -> Figure {
    let mut prepared = work.prepare(count, directory);
    let begin = cpu(work);
    let mut turns = 0_u32;
    while turns == 0 || cpu(work) - begin < Duration::from_millis(100) {
        prepared.turn();
        turns += 1;
    }
    let spent = cpu(work) - begin;
    let operations = turns * prepared.operations();
    Figure { cpu: spent / operations, peak_kib: peak_kib(work) }
}

/// On this process's account, or on that of the programs that it started.
fn cpu(work: Work) -> Duration {
    let who = if work.is_other_program() { UsageWho::RUSAGE_CHILDREN } else { UsageWho::RUSAGE_SELF };
    let usage = getrusage(who).expect("the kernel's account");
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec())
        .into_iter()
        .sum::<i64>();
    Duration::from_micros(u64::try_from(micros).expect("time spent"))
}

/// The most that was resident. A process's own is read where a predecessor's, whose program it was before, does not count.
fn peak_kib(work: Work) -> u64 {
    if work.is_other_program() {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel's account");
        return u64::try_from(usage.max_rss()).expect("memory");
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel's account");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("KiB")
}
