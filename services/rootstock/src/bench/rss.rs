//! The memory that this process has and has had, as Linux counts it.

const STATUS: &str = "/proc/self/status";
const PEAK: &str = "VmHWM:";
const PRESENT: &str = "VmRSS:";
const BYTES_PER_KB: u64 = 1024;

/// Bytes of the largest resident set so far; 0 where the system doesn't tell.
pub(super) fn peak_bytes() -> u64 {
    bytes(PEAK)
}

/// Bytes of the resident set now; 0 where the system doesn't tell.
pub(super) fn resident_bytes() -> u64 {
    bytes(PRESENT)
}

fn bytes(name: &str) -> u64 {
    std::fs::read_to_string(STATUS).ok().and_then(|status| told(&status, name)).unwrap_or(0)
}

/// A line reads `VmHWM:    12345 kB`.
fn told(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * BYTES_PER_KB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_is_read_from_its_line_alone() {
        let status = "Name:\trootstock\nVmPeak:\t  999 kB\nVmHWM:\t    42 kB\nVmRSS:\t    7 kB\n";
        assert_eq!((told(status, PEAK), told(status, PRESENT)), (Some(42 * 1024), Some(7 * 1024)));
        assert_eq!(told("Name:\trootstock\n", PEAK), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_was_touched_is_in_the_peak() {
        const TOUCHED: usize = 8 << 20;
        let touched = std::hint::black_box(vec![1_u8; TOUCHED]);
        assert!(resident_bytes() >= touched.len() as u64 && peak_bytes() >= touched.len() as u64);
    }
}
