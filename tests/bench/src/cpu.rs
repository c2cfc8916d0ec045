//! What processes use, as the kernel counts it.

use std::fs;

/// The kernel's clock ticks a second: `USER_HZ`, 100 on every Linux that Belfry runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A host's process and those of its plugins.
pub(crate) fn family(host: i32) -> Vec<i32> {
    let mut pids = vec![host];
    let tasks = fs::read_dir(format!("/proc/{host}/task")).unwrap();
    for task in tasks {
        let children =
            fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        pids.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    pids
}

/// CPU seconds that the processes have used.
pub(crate) fn seconds(pids: &[i32]) -> f64 {
    let ticks = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The second field is the name in parentheses, which may hold anything.
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let number = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        number(11) + number(12)
    };
    pids.iter().map(ticks).sum::<f64>() / TICKS_PER_SECOND
}

/// Resident memory of the processes that is not shared between them, in MB.
pub(crate) fn resident_mb(pids: &[i32]) -> f64 {
    let kilobytes = |pid: &i32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let value = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        value.unwrap_or(0.0)
    };
    pids.iter().map(kilobytes).sum::<f64>() / 1_000.0
}
