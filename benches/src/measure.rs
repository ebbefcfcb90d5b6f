//! What is read of a process and of a row of times.

use std::time::Duration;

/// In ascending order.
pub(crate) fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times
}

/// A percentile of what [`sorted`] gave, in milliseconds.
pub(crate) fn ms(sorted: &[Duration], percentile: usize) -> f64 {
    sorted[(sorted.len() * percentile / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

/// User and system time of this process, the load generator included (Linux, proc(5)).
pub(crate) fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that this process had in use so far.
pub(crate) fn peak_memory_mb() -> f64 {
    memory_mb("self", "VmHWM:")
}

/// The memory that a process has in use.
pub(crate) fn resident_mb(process: u32) -> f64 {
    memory_mb(&process.to_string(), "VmRSS:")
}

fn memory_mb(process: &str, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
