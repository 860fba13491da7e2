//! Lambda's CPU share of a memory size, what Lambda bills, and the report of `--lambda`.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use crate::{
    cgroup::SLICE,
    report::{median, percentile},
    requests::hashes_a_password,
};

/// The measured memory sizes, in MB.
pub const SIZES: [u32; 6] = [128, 256, 512, 1024, ONE_CORE, 3008];

/// The memory size in MB that comes with one whole processor
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).
const ONE_CORE: u32 = 1769;

/// Dollars for a second with 1 GB, x86 (<https://aws.amazon.com/lambda/pricing/>).
const GB_SECOND: f64 = 0.000_016_666_7;

/// Dollars for 1,000 requests, whatever they take.
const REQUESTS: f64 = 0.000_2;

/// A function's requests, by memory size.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The function's name.
    pub name: String,
    /// Its requests with each of [`SIZES`].
    pub sizes: Vec<AtSize>,
}

/// A function's requests with one memory size.
#[derive(Debug, Clone, Default)]
pub struct AtSize {
    /// The memory size, in MB.
    pub memory: u32,
    /// From each event to its answer.
    pub took: Vec<Duration>,
    /// From each event to the next poll.
    pub billed: Vec<Duration>,
    /// The part of each request during which it waited for the endpoints.
    pub waited: Vec<Duration>,
    /// The processor time of each request.
    pub processor: Vec<Duration>,
    /// The slices in which the function used up its quota and waited for the next one.
    pub throttled: u64,
}

/// The processor time in each slice that comes with so many MB.
pub fn quota(memory: u32) -> Duration {
    SLICE * memory / ONE_CORE
}

/// The point of a slice at which the `n`-th of so many requests starts. They are spread evenly over the
/// slice, so that a percentile depends less on chance than with random points.
pub fn phase(n: u32, requests: u32) -> Duration {
    SLICE * (n % requests) / requests
}

/// The first moment at or after `earliest` that lies at this point of a slice. The slices are counted from
/// zero.
pub fn start_after(earliest: Duration, phase: Duration) -> Duration {
    let slices = earliest
        .saturating_sub(phase)
        .as_nanos()
        .div_ceil(SLICE.as_nanos());
    SLICE * u32::try_from(slices).unwrap_or(u32::MAX) + phase
}

/// What 1,000 such requests cost, in dollars: time by the begun millisecond.
pub fn price(billed: &[Duration], memory: u32) -> f64 {
    let milliseconds: u128 = billed
        .iter()
        .map(|billed| billed.as_micros().div_ceil(1000))
        .sum();
    // The mean in milliseconds is the sum of 1,000 requests in seconds.
    let seconds = milliseconds as f64 / billed.len() as f64;
    seconds * f64::from(memory) / 1024.0 * GB_SECOND + REQUESTS
}

impl Measured {
    fn with(&self, memory: u32) -> Option<&AtSize> {
        self.sizes.iter().find(|of| of.memory == memory)
    }
}

impl AtSize {
    fn throttled_a_request(&self) -> f64 {
        self.throttled as f64 / self.took.len() as f64
    }
}

/// Two tables with a row for each function and a column for each memory size.
pub fn table(all: &[Measured]) -> String {
    let times = rows("p50 / p90 in ms (throttled slices)", all, |of| {
        format!(
            "{:.1} / {:.1} ({:.2})",
            median(&of.took),
            percentile(&of.took, 90),
            of.throttled_a_request()
        )
    });
    let prices = rows("dollars for 1,000 requests", all, |of| {
        format!("{:.5}", price(&of.billed, of.memory))
    });
    format!("{times}\n{prices}")
}

fn rows(title: &str, all: &[Measured], cell: impl Fn(&AtSize) -> String) -> String {
    let mut table = format!("| {title} | processor, ms |");
    // Writing to a String cannot fail.
    for memory in SIZES {
        let _ = write!(table, " {memory} MB |");
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---|".repeat(SIZES.len()));
    for of in all {
        let whole = of
            .with(ONE_CORE)
            .map_or(f64::NAN, |of| median(&of.processor));
        let cells: Vec<_> = of.sizes.iter().map(&cell).collect();
        let _ = write!(
            table,
            "\n| `{}` | {whole:.1} | {} |",
            of.name,
            cells.join(" | ")
        );
    }
    table.push('\n');
    table
}

/// All figures: times in milliseconds, prices in dollars for 1,000 requests.
pub fn json(all: &[Measured]) -> Value {
    let at_size = |of: &AtSize| {
        let figures = json!({
            "requests": of.took.len(),
            "quota": quota(of.memory).as_secs_f64() * 1e3,
            "p50": median(&of.took),
            "p90": percentile(&of.took, 90),
            "billed_p50": median(&of.billed),
            "waited_p50": median(&of.waited),
            "processor_p50": median(&of.processor),
            "throttled_slices": of.throttled_a_request(),
            "price": price(&of.billed, of.memory),
        });
        (of.memory.to_string(), figures)
    };
    let functions = all.iter().map(|of| {
        let sizes = of.sizes.iter().map(at_size).collect();
        (of.name.clone(), Value::Object(sizes))
    });
    Value::Object(functions.collect())
}

/// The functions on which the share has no effect, one line each. A password's hash takes longer than a
/// quota, so with a small share it has to take much longer.
pub fn without_effect(all: &[Measured]) -> Vec<String> {
    let mut lines = Vec::new();
    for of in all.iter().filter(|of| hashes_a_password(&of.name)) {
        let with = |memory: u32| of.with(memory).map_or(f64::NAN, |of| median(&of.took));
        let (least, whole) = (with(SIZES[0]), with(ONE_CORE));
        if least < 2.0 * whole {
            let name = &of.name;
            lines.push(format!(
                "{name}: {least:.1} ms with {} MB and {whole:.1} ms with {ONE_CORE} MB: the quota has no effect",
                SIZES[0]
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_quota_is_the_memorys_part_of_1769_mb() {
        assert_eq!(quota(128).as_micros(), 1447);
        assert_eq!(quota(256).as_micros(), 2894);
        assert_eq!(quota(1769), SLICE);
        assert_eq!(quota(3008).as_micros(), 34007, "more than one processor");
    }

    #[test]
    fn requests_start_all_over_the_slice() {
        let phases: Vec<_> = (0..5).map(|n| phase(n, 4)).collect();
        assert_eq!(phases, [ms(0), ms(5), ms(10), ms(15), ms(0)]);
    }

    #[test]
    fn a_request_starts_at_its_point_of_the_next_slice() {
        assert_eq!(start_after(ms(41), ms(5)), ms(45));
        assert_eq!(start_after(ms(45), ms(5)), ms(45));
        assert_eq!(start_after(ms(46), ms(5)), ms(65));
        assert_eq!(start_after(ms(0), ms(5)), ms(5));
    }

    #[test]
    fn a_begun_millisecond_is_billed_as_a_whole_one() {
        let whole = price(&[ms(10)], 1024);
        assert!((whole - (0.01 * 0.000_016_666_7 * 1000.0 + 0.0002)).abs() < 1e-12);
        assert_eq!(price(&[Duration::from_micros(9001)], 1024), whole);
        assert_eq!(price(&[ms(5), ms(15)], 1024), whole, "the mean");
        assert_eq!(price(&[ms(20)], 512), whole, "twice as long, half the size");
    }

    /// A function with these medians with 128 and 1769 MB.
    fn measured(name: &str, least: u64, whole: u64) -> Measured {
        let at_size = |memory, took| AtSize {
            memory,
            took: vec![took; 2],
            billed: vec![took + ms(1); 2],
            waited: vec![ms(1); 2],
            processor: vec![ms(2); 2],
            throttled: 3,
        };
        Measured {
            name: name.to_owned(),
            sizes: vec![at_size(128, ms(least)), at_size(1769, ms(whole))],
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_function() {
        let table = table(&[measured("info", 21, 3)]);
        assert!(table.contains("| 128 MB | 256 MB |"), "{table}");
        assert!(
            table.contains("| `info` | 2.0 | 21.0 / 21.0 (1.50) | 3.0 / 3.0 (1.50) |"),
            "{table}"
        );
        assert!(
            table.contains("| `info` | 2.0 | 0.00025 | 0.00032 |"),
            "{table}"
        );
    }

    #[test]
    fn a_hash_that_the_quota_does_not_slow_down_is_reported() {
        let slowed = measured("login", 560, 40);
        assert_eq!(without_effect(&[slowed]), Vec::<String>::new());
        let same = measured("login", 41, 40);
        assert_eq!(
            without_effect(&[same]),
            ["login: 41.0 ms with 128 MB and 40.0 ms with 1769 MB: the quota has no effect"]
        );
        let short = measured("info", 1, 1);
        assert_eq!(without_effect(&[short]), Vec::<String>::new());
    }
}
