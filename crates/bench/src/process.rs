//! What a process and all that it started have used, read from /proc (proc_pid_stat(5)).

use std::collections::HashMap;
use std::fs;
use std::ops::{Add, Sub};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time and memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a core, in user space and in the kernel, of all threads together.
    pub cpu: Duration,
    /// Bytes of memory that are resident.
    pub resident: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, resident: self.resident + other.resident }
    }
}

impl Sub for Usage {
    type Output = Self;

    /// What was used since; memory that was given back counts as none.
    fn sub(self, before: Self) -> Self {
        let cpu = self.cpu.saturating_sub(before.cpu);
        Self { cpu, resident: self.resident.saturating_sub(before.resident) }
    }
}

/// One line of /proc/*/stat.
struct Stat {
    parent: u32,
    /// Clock ticks of the process and of those of its children that it has waited for.
    ticks: u64,
    pages: u64,
}

/// The sum over a process and its descendants.
///
/// # Errors
/// When the process is not there, or there is no /proc: this needs Linux.
pub fn usage(root: u32) -> Result<Usage> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc").context("reading what processes use needs Linux")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may have gone meanwhile.
        if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(parse) {
            stats.insert(pid, stat);
        }
    }
    stats.get(&root).with_context(|| format!("there is no process {root}"))?;
    let belongs = |mut pid: u32| {
        while pid != root {
            match stats.get(&pid) {
                Some(stat) if stat.parent != 0 => pid = stat.parent,
                _ => return false,
            }
        }
        true
    };
    let of = stats.iter().filter(|(pid, _)| belongs(**pid)).map(|(_, stat)| stat);
    let (ticks, pages) = of.fold((0, 0), |(ticks, pages), stat| (ticks + stat.ticks, pages + stat.pages));
    let page = u64::try_from(rustix::param::page_size())?;
    let cpu = Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second());
    Ok(Usage { cpu, resident: pages * page })
}

/// The name, second of the fields, is in parentheses and may hold anything; the fields are counted from behind it.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
    Some(Stat { parent: u32::try_from(field(4)?).ok()?, ticks, pages: field(24)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_manual() {
        let line = "7 (a b) c) S 3 1 1 0 -1 4194560 1 2 0 0 10 20 30 40 20 0 1 0 5 1000 256 18446744073709551615 1";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.pages), (3, 100, 256));
    }

    #[test]
    fn this_process_uses_something() {
        let before = usage(std::process::id()).unwrap();
        assert!(before.resident > 100 * 1024, "{before:?}");
        assert!(usage(u32::MAX).is_err());
    }
}
