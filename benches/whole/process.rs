//! CPU time and memory by the kernel's account.

use std::time::Duration;

fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
    let after_name = text.rsplit_once(')').expect("a stat line").1;
    after_name.split_whitespace().map(str::to_owned).collect()
}

/// User and system time of a process and its threads so far; ticks of 10 ms.
pub(crate) fn cpu(pid: u32) -> Duration {
    let fields = stat(pid);
    let ticks: u64 = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    Duration::from_millis(ticks * 10)
}

/// User and system time of a process and its children, by `/proc`.
pub(crate) fn tree_cpu(pid: u32) -> Duration {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |child: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok()) == Some(pid)
    };
    cpu(pid) + pids.filter(is_child).map(cpu).sum::<Duration>()
}

/// User and system time of children that were waited for.
pub(crate) fn children_cpu() -> Duration {
    let fields = stat(std::process::id());
    let ticks: u64 = fields[13].parse::<u64>().expect("cutime") + fields[14].parse::<u64>().expect("cstime");
    Duration::from_millis(ticks * 10)
}

/// User and system time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    Duration::from_nanos(text.split_whitespace().next().and_then(|text| text.parse().ok()).expect("run time"))
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory so far, in KiB.
pub(crate) fn peak_kib(pid: u32) -> u64 {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    text.lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .expect(field)
}
