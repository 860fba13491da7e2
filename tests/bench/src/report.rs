//! Reports the measured figures as a table or as JSON, and checks them against the budgets.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use crate::samples::{Measured, Samples};

/// The limit of a start, as a multiple of `bare-sdk`'s start with the remedies.
///
/// Both build the same clients and open the same connections, where nothing listens: a connection is
/// refused at once, so the time of the endpoints is not in the figure, but the function's own work is.
///
/// The limit was 1.4 × `bare-http`'s start while a function left its clients unbuilt where nothing
/// listened. Now it builds them in any case. That adds 0.1 ms with one client and 0.3 ms with two where
/// nothing listens; where endpoints accept connections, as AWS's do, 0.1 ms at most could be measured.
/// Both limits were about equally strict: the functions were 4 to 12 % below the old one (1.23 to 1.34) and
/// 1 to 4 % below this one. The ratio to `bare-http` is in the JSON.
const START: f64 = 1.0;
/// A ratio of starts is over its limit if it is so by more than so many of its standard errors: equal starts
/// stay below that 39 times out of 40.
const ERRORS: f64 = 2.0;
/// The limit of a first request over TLS, as a multiple of `bare-sdk`'s.
const FIRST: f64 = 1.25;
/// The limit of a warm request over TLS, as a multiple of `bare-sdk`'s.
const WARM: f64 = 1.1;
/// The limit of a start for a function of access tokens, which opens a connection to KMS too: as [`START`].
const START_OF_TOKENS: f64 = 1.1;
/// The limits of first and warm requests over TLS of the functions of access tokens, as multiples of `info`'s in
/// the same run: `info` makes one call. `auth-token` makes two, one after the other, and `authorizer` does so the
/// first time; `auth-jwks` makes one the first time, and none later. `auth-verify` makes four, `auth-reauthenticate`
/// three and its message, `auth-update-user` two, `auth-resend` two at once. Those that check a token ask for the keys
/// the first time.
const OF_TOKENS: [(&str, f64, f64); 12] = [
    ("auth-delete-user", 4.8, 3.8),
    ("auth-update-user", 4.0, 2.8),
    ("auth-reauthenticate", 6.5, 6.0),
    ("auth-resend", 2.2, 2.4),
    ("auth-not-here", 0.4, 0.4),
    ("auth-verify", 6.0, 6.0),
    ("auth-user", 2.5, 1.3),
    ("auth-logout", 3.5, 2.6),
    ("auth-token", 2.5, 2.6),
    ("authorizer", 2.5, 1.3),
    ("auth-jwks", 1.4, 0.4),
    ("auth-discovery", 0.4, 0.4),
];
/// With the SDK as it comes, start and first request over TLS take at least so many times as long.
const AS_IT_COMES: f64 = 2.5;
/// The limit of the binary's size, in bytes.
const BINARY: u64 = 5_600_000;
/// The limit of the zip file's size, in bytes.
const ZIP: u64 = 2_600_000;
/// The same for those functions that send messages and have KMS sign or check tokens: they hold both clients.
const WITH_SNS_AND_KMS: [&str; 3] = ["auth-reauthenticate", "auth-update-user", "auth-verify"];
const BINARY_WITH_BOTH: u64 = 5_900_000;
const ZIP_WITH_BOTH: u64 = 2_700_000;
/// The limit of the peak memory, in bytes.
const MEMORY: u64 = 10_000_000;

/// A percentile of the samples, in milliseconds.
pub(crate) fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut ms: Vec<f64> = samples.iter().map(|it| it.as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    percentile_of(&ms, percent)
}

pub(crate) fn median(samples: &[Duration]) -> f64 {
    percentile(samples, 50)
}

/// The figure for ratios of requests: other load on the machine affects it least.
fn lower_quartile(samples: &[Duration]) -> f64 {
    percentile(samples, 25)
}

/// The ratio of starts that were measured in turns: the median of each one's ratio to its neighbour. The
/// processor's speed changes from one second to the next, for both alike.
fn paired(starts: &[Duration], bare: &[Duration]) -> f64 {
    percentile_of(&pairs(starts, bare), 50)
}

/// The standard error of [`paired`], from the quartiles of the ratios, as if they were distributed normally: 1.25 ×
/// the standard deviation by the root of their number.
fn paired_error(starts: &[Duration], bare: &[Duration]) -> f64 {
    let ratios = pairs(starts, bare);
    let quartiles = percentile_of(&ratios, 75) - percentile_of(&ratios, 25);
    1.2533 * quartiles / 1.349 / (ratios.len() as f64).sqrt()
}

/// The ratio of each start to its neighbour, smallest first.
fn pairs(starts: &[Duration], bare: &[Duration]) -> Vec<f64> {
    let mut ratios: Vec<f64> = starts
        .iter()
        .zip(bare)
        .map(|(start, bare)| start.as_secs_f64() / bare.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// A percentile of what is sorted.
fn percentile_of(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

struct Ratios {
    start: f64,
    /// Its standard error.
    start_error: f64,
    first: f64,
    warm: f64,
    /// How many times quicker than the SDK as it comes.
    quicker: f64,
}

fn ratios(of: &Measured) -> Ratios {
    let (tls, bare) = (&of.tls, &of.bare_sdk);
    Ratios {
        start: paired(&of.alone.start, &of.bare_sdk_alone.start),
        start_error: paired_error(&of.alone.start, &of.bare_sdk_alone.start),
        first: requests(
            (&tls.first, &tls.first_waited),
            (&bare.first, &bare.first_waited),
        ),
        warm: requests(
            (&tls.warm, &tls.warm_waited),
            (&bare.warm, &bare.warm_waited),
        ),
        quicker: lower_quartile(&of.as_it_comes.cold) / lower_quartile(&tls.cold),
    }
}

/// The ratio of a function's requests to the bare one's. The local endpoints take longer for the
/// function's calls than for the bare one's, and this difference would hide that of the functions. So both
/// are charged the bare one's wait, and each its own time.
fn requests(
    (took, waited): (&[Duration], &[Duration]),
    (bare_took, bare_waited): (&[Duration], &[Duration]),
) -> f64 {
    let waits = lower_quartile(bare_waited);
    (own(took, waited) + waits) / (own(bare_took, bare_waited) + waits)
}

/// The time of requests without their waits for the endpoints.
fn own(took: &[Duration], waited: &[Duration]) -> f64 {
    let own = took.iter().zip(waited);
    let own: Vec<_> = own
        .map(|(took, waited)| took.saturating_sub(*waited))
        .collect();
    lower_quartile(&own)
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The table, one row for each function: medians in milliseconds, sizes in MB, ratios as `ratios` makes them.
pub fn table(all: &[Measured]) -> String {
    let mut table = String::from(
        "| function | start | × bare | start, TLS | first, TLS | × bare | start + first | as it comes | × quicker | warm p50 / p99 | × bare | memory | binary | zip | DynamoDB (in turn) | SNS |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for of in all {
        let ratios = ratios(of);
        let ms = |samples: &[Duration]| match samples {
            [] => "–".to_owned(),
            samples => format!("{:.1}", median(samples)),
        };
        let times = |ratio: f64| {
            if ratio.is_nan() {
                "–".to_owned()
            } else {
                format!("{ratio:.2}")
            }
        };
        let warm = match of.tls.warm.as_slice() {
            [] => "–".to_owned(),
            warm => format!("{:.1} / {:.1}", median(warm), percentile(warm, 99)),
        };
        let (binary, zip) = of.sizes;
        let memory = of.plain.memory.max(of.tls.memory);
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {warm} | {} | {:.1} | {:.2} | {:.2} | {} ({}) | {} |",
            of.name,
            ms(&of.alone.start),
            times(ratios.start),
            ms(&of.tls.start),
            ms(&of.tls.first),
            times(ratios.first),
            ms(&of.tls.cold),
            ms(&of.as_it_comes.cold),
            times(ratios.quicker),
            times(ratios.warm),
            mb(memory),
            mb(binary),
            mb(zip),
            of.cost.dynamodb,
            of.cost.depth,
            of.cost.sns,
        );
    }
    table
}

/// All figures: medians in milliseconds, sizes in bytes, ratios as `ratios` makes them.
pub fn json(all: &[Measured]) -> Value {
    let samples = |of: &Samples| {
        json!({
            "start": median(&of.start),
            "first": median(&of.first),
            "start_and_first": median(&of.cold),
            "first_waited": median(&of.first_waited),
            "warm_waited": median(&of.warm_waited),
            "warm_p50": median(&of.warm),
            "warm_p99": percentile(&of.warm, 99),
            "peak_memory": of.memory,
        })
    };
    let functions = all.iter().map(|of| {
        let ratios = ratios(of);
        let figures = json!({
            "binary": of.sizes.0,
            "zip": of.sizes.1,
            "rounds": of.cost.rounds,
            "dynamodb": of.cost.dynamodb,
            "sequential_depth": of.cost.depth,
            "sns": of.cost.sns,
            "start_alone": median(&of.alone.start),
            "http": samples(&of.plain),
            "tls": samples(&of.tls),
            "bare_lambda_http_start": median(&of.bare_http.start),
            "bare_sdk_start_alone": median(&of.bare_sdk_alone.start),
            "bare_sdk_http": samples(&of.bare_sdk_plain),
            "bare_sdk_tls": samples(&of.bare_sdk),
            "sdk_as_it_comes_tls": samples(&of.as_it_comes),
            "ratios": {
                "start": ratios.start,
                "start_error": ratios.start_error,
                "start_over_lambda_http": paired(&of.alone.start, &of.bare_http.start),
                "start_tls_over_bare_sdk": lower_quartile(&of.tls.start) / lower_quartile(&of.bare_sdk.start),
                "first_tls": ratios.first,
                "warm_tls": ratios.warm,
                "quicker_than_as_it_comes": ratios.quicker,
            },
        });
        (of.name.clone(), figures)
    });
    Value::Object(functions.collect())
}

/// The budgets that a function exceeds: figure and limit, one line each.
pub fn over_budget(of: &Measured) -> Vec<String> {
    let mut over = Vec::new();
    let name = &of.name;
    let (binary, zip) = of.sizes;
    let ratios = ratios(of);
    let memory = of.plain.memory.max(of.tls.memory);
    let (most_binary, most_zip) = if WITH_SNS_AND_KMS.contains(&name.as_str()) {
        (BINARY_WITH_BOTH, ZIP_WITH_BOTH)
    } else {
        (BINARY, ZIP)
    };
    for (what, bytes, limit) in [
        ("binary", binary, most_binary),
        ("zip", zip, most_zip),
        ("peak memory", memory, MEMORY),
    ] {
        if bytes > limit && (what != "peak memory" || !of.hashes) {
            over.push(format!(
                "{name}: {what} {:.2} MB, over {:.2} MB",
                mb(bytes),
                mb(limit)
            ));
        }
    }
    if of.hashes {
        return over;
    }
    let start = if of.compared { START } else { START_OF_TOKENS };
    // Not a number, and so not above the limit, where the bare functions do not make the same calls.
    for (what, ratio, limit) in [
        (
            "start to first poll",
            ratios.start,
            start + ERRORS * ratios.start_error,
        ),
        ("first request over TLS", ratios.first, FIRST),
        ("warm request over TLS", ratios.warm, WARM),
    ] {
        if ratio > limit {
            over.push(format!(
                "{name}: {what} {ratio:.3} × the bare function's, over {limit:.3} ×"
            ));
        }
    }
    // Not a number, and so not below the limit, where the SDK as it comes was not measured.
    if ratios.quicker < AS_IT_COMES {
        over.push(format!(
            "{name}: start and first request over TLS {:.2} × quicker than with the SDK as it comes, under {AS_IT_COMES} ×",
            ratios.quicker
        ));
    }
    over
}

/// What the functions of access tokens exceed of their budgets, if they and `info` were measured: name, and
/// figure and limit in one line.
pub fn tokens_over_budget(all: &[Measured]) -> Vec<(String, String)> {
    let named = |name: &str| all.iter().find(|of| of.name == name);
    let Some(info) = named("info") else {
        return Vec::new();
    };
    let mut over = Vec::new();
    for (name, first, warm) in OF_TOKENS {
        let Some(of) = named(name) else { continue };
        for (what, samples, of_info, limit) in [
            ("first", &of.tls.first, &info.tls.first, first),
            ("warm", &of.tls.warm, &info.tls.warm, warm),
        ] {
            let ratio = lower_quartile(samples) / lower_quartile(of_info);
            if ratio > limit {
                let line =
                    format!("{name}: {what} request over TLS {ratio:.2} × info's, over {limit} ×");
                over.push((name.to_owned(), line));
            }
        }
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_compared_pair_by_pair() {
        let ms = |samples: [u64; 3]| samples.map(Duration::from_millis);
        // The processor was slow, then quick, then slow again.
        assert_eq!(paired(&ms([22, 15, 18]), &ms([16, 10, 20])), 1.375);
        assert!(paired(&[], &[]).is_nan());
    }

    #[test]
    fn the_error_of_a_ratio_shrinks_with_the_root_of_the_number_of_pairs() {
        let starts = |pairs: u64| -> Vec<_> {
            let spread = (0..pairs).map(|n| 900 + n % 100 * 2);
            spread.map(Duration::from_micros).collect()
        };
        let bare = |pairs| vec![Duration::from_millis(1); pairs];
        let of_100 = paired_error(&starts(100), &bare(100));
        let of_900 = paired_error(&starts(900), &bare(900));
        assert!((of_100 - 0.0093).abs() < 1e-4, "{of_100}");
        assert!((of_100 / of_900 - 3.0).abs() < 1e-9, "{of_900}");
    }

    #[test]
    fn a_percentile_is_the_sample_that_so_many_percent_are_below() {
        let mut samples: Vec<_> = (0..50).map(Duration::from_millis).collect();
        samples.reverse();
        assert_eq!(percentile(&samples, 50), 25.0);
        assert_eq!(percentile(&samples, 90), 45.0);
        assert_eq!(percentile(&samples, 100), 49.0, "the last one");
        assert!(percentile(&[], 50).is_nan());
    }
}
