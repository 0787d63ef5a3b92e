//! What the kernel says of a running process: its memory and its children.

use std::fs;

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Now, in KiB.
    pub(crate) now_kib: u64,
    /// At most so far, in KiB.
    pub(crate) peak_kib: u64,
}

/// The memory of `pid`, or `None` when it is gone.
pub(crate) fn memory(pid: u32) -> Option<Memory> {
    parse_memory(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Processor time that all threads of `pid` have used, in seconds, or `None` when it is gone.
pub(crate) fn processor_time(pid: u32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanoseconds: u64 = threads
        .flatten()
        .filter_map(|thread| {
            let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            statistics.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum();
    Some(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}

fn parse_memory(status: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse()
            .ok()
    };
    Some(Memory {
        now_kib: field("VmRSS")?,
        peak_kib: field("VmHWM")?,
    })
}

/// The processes below `ancestor` whose program is called `name`.
pub(crate) fn descendants(ancestor: u32, name: &str) -> Vec<u32> {
    let mut all: Vec<(u32, u32, String)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if let Some((parent, program)) = parse_stat(&stat) {
            all.push((pid, parent, program));
        }
    }
    let mut family = vec![ancestor];
    let mut at = 0;
    while let Some(&above) = family.get(at) {
        family.extend(
            all.iter()
                .filter(|(_, parent, _)| *parent == above)
                .map(|(pid, ..)| *pid),
        );
        at += 1;
    }
    // The kernel keeps 15 bytes of a program's name.
    let short = name.get(..15).unwrap_or(name);
    all.into_iter()
        .filter(|(pid, _, program)| family.contains(pid) && program == short)
        .map(|(pid, ..)| pid)
        .collect()
}

/// Parent and program from `/proc/<pid>/stat`: the name stands in parentheses and may hold any character.
fn parse_stat(stat: &str) -> Option<(u32, String)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, program) = head.split_once('(')?;
    Some((tail.split_whitespace().nth(1)?.parse().ok()?, program.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_status_of_a_process() {
        let status = "Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t     678 kB\nThreads:\t1\n";
        assert_eq!(
            parse_memory(status),
            Some(Memory {
                now_kib: 678,
                peak_kib: 12345
            })
        );
        assert_eq!(parse_memory("Name:\tkthread\n"), None);
        assert!(memory(std::process::id()).is_some_and(|m| m.now_kib > 0 && m.peak_kib >= m.now_kib));
    }

    #[test]
    fn processor_time_grows_with_work() {
        let own = std::process::id();
        let before = processor_time(own).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while processor_time(own).unwrap() <= before {
            assert!(std::time::Instant::now() < deadline, "it never grew");
        }
        assert_eq!(processor_time(u32::MAX), None);
    }

    #[test]
    fn a_program_with_a_strange_name_does_not_confuse_the_parents() {
        assert_eq!(
            parse_stat("12 (a) (b) c) S 7 12 12 0"),
            Some((7, "a) (b) c".to_owned()))
        );
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn a_child_is_found_below_its_parent_by_name() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        // Between fork and exec the child still bears its parent's name.
        while descendants(std::process::id(), "sleep") != [child.id()] {
            assert!(std::time::Instant::now() < deadline, "the child was not found");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
