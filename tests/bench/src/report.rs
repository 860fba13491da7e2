//! What has been measured, as a table, as JSON, and held to the budgets.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use crate::samples::{Measured, Samples};

/// Start to first poll, over that of a constant answer through `lambda_http`.
const START: f64 = 1.4;
/// First request over TLS, over that of the bare SDK calls with the same remedies.
const FIRST: f64 = 1.25;
/// How many times quicker start and first request over TLS are than with the SDK's defaults.
const DEFAULTS: f64 = 2.5;
/// Warm request over TLS, over that of the bare SDK calls.
const WARM: f64 = 1.1;
const BINARY: u64 = 5_600_000;
const ZIP: u64 = 2_600_000;
const MEMORY: u64 = 10_000_000;

/// The sample at this hundredth, in milliseconds.
fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort();
    let at = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples
        .get(at)
        .map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e3)
}

fn median(samples: &[Duration]) -> f64 {
    percentile(samples, 50)
}

/// What ratios are made of: a machine that is busy with something else disturbs it least.
fn lower_quartile(samples: &[Duration]) -> f64 {
    percentile(samples, 25)
}

struct Ratios {
    start: f64,
    first: f64,
    defaults: f64,
    warm: f64,
}

fn ratios(of: &Measured) -> Ratios {
    let (tls, bare) = (&of.tls, &of.bare_sdk);
    Ratios {
        start: lower_quartile(&of.alone.start) / lower_quartile(&of.bare_http.start),
        first: requests(
            (&tls.first, &tls.first_waited),
            (&bare.first, &bare.first_waited),
        ),
        defaults: lower_quartile(&of.as_it_comes.cold) / lower_quartile(&tls.cold),
        warm: requests(
            (&tls.warm, &tls.warm_waited),
            (&bare.warm, &bare.warm_waited),
        ),
    }
}

/// A function's requests over the bare one's. The local endpoints take longer for what a function
/// asks than for what the bare one does, by more than the functions differ: both are charged what the
/// bare one waits, and each its own time.
fn requests(
    (took, waited): (&[Duration], &[Duration]),
    (bare_took, bare_waited): (&[Duration], &[Duration]),
) -> f64 {
    let waits = lower_quartile(bare_waited);
    (own(took, waited) + waits) / (own(bare_took, bare_waited) + waits)
}

/// What requests take without what they wait for.
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

/// The table of README: one line a function; medians in milliseconds, MB, ratios of lower quartiles.
pub fn table(all: &[Measured]) -> String {
    let mut table = String::from(
        "| function | start | × bare | start, TLS | first, TLS | × bare | start + first | defaults | × quicker | warm p50 / p99 | × bare | memory | binary | zip | DynamoDB (in turn) | SNS |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for of in all {
        let ratios = ratios(of);
        let ms = |samples: &[Duration]| match samples {
            [] => "–".to_owned(),
            samples => format!("{:.1}", median(samples)),
        };
        let times = |ratio: f64| match ratio.is_nan() {
            true => "–".to_owned(),
            false => format!("{ratio:.2}"),
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
            times(ratios.defaults),
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

/// All figures: medians in milliseconds, sizes in bytes, ratios of lower quartiles.
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
            "bare_sdk_http": samples(&of.bare_sdk_plain),
            "bare_sdk_tls": samples(&of.bare_sdk),
            "sdk_defaults_tls": samples(&of.as_it_comes),
            "ratios": {
                "start": ratios.start,
                "start_tls_over_bare_sdk": lower_quartile(&of.tls.start) / lower_quartile(&of.bare_sdk.start),
                "first_tls": ratios.first,
                "quicker_than_defaults": ratios.defaults,
                "warm_tls": ratios.warm,
            },
        });
        (of.name.clone(), figures)
    });
    Value::Object(functions.collect())
}

/// What a function has over its budget: the figure and the limit, one line each.
pub fn over_budget(of: &Measured) -> Vec<String> {
    let mut over = Vec::new();
    let name = &of.name;
    let (binary, zip) = of.sizes;
    let ratios = ratios(of);
    let memory = of.plain.memory.max(of.tls.memory);
    for (what, bytes, limit) in [
        ("binary", binary, BINARY),
        ("zip", zip, ZIP),
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
    for (what, ratio, limit) in [
        ("start to first poll", ratios.start, START),
        ("first request over TLS", ratios.first, FIRST),
        ("warm request over TLS", ratios.warm, WARM),
    ] {
        if ratio > limit {
            over.push(format!(
                "{name}: {what} {ratio:.2} × the bare function's, over {limit} ×"
            ));
        }
    }
    if ratios.defaults < DEFAULTS {
        over.push(format!(
            "{name}: start and first request over TLS {:.2} × quicker than with the SDK's defaults, under {DEFAULTS} ×",
            ratios.defaults
        ));
    }
    over
}
