//! The attack suite: `cargo test --test attacks`.
//!
//! Attacks on accounts and on the SMS bill, against the whole system over HTTP. A moved clock makes hours
//! and months pass. Prints a table of attack, promise and result, and fails if a promise is broken.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests"
)]

mod flooding;
mod guessing;
mod lockout;
mod money;
mod outcome;
mod pumping;
mod replaying;
mod world;

use std::process::ExitCode;

use outcome::Outcome;

#[tokio::main]
async fn main() -> ExitCode {
    // As other tests: with a filter, those whose name contains it.
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let mut outcomes = Vec::new();
    macro_rules! run {
        ($($attack:path),* $(,)?) => {$(
            let name = stringify!($attack);
            if filter.as_deref().is_none_or(|filter| name.contains(filter)) {
                let begun = std::time::Instant::now();
                outcomes.extend($attack().await);
                println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
            }
        )*};
    }
    run!(
        guessing::at_once,
        guessing::for_a_month,
        guessing::one_code_over_many_phones,
        flooding::one_phone,
        flooding::from_one_address,
        pumping::a_country,
        lockout::for_a_day,
        lockout::by_decoys,
        replaying::everything,
        replaying::racing_everything,
        money::fifty_environments,
        money::fifty_environments_that_crash,
    );
    let mut table = HEADER.to_owned();
    let mut broken = 0;
    for outcome in &outcomes {
        let verdict = if outcome.held { "" } else { "BROKEN: " };
        let (attack, promise, result) = (outcome.attack, &outcome.promise, &outcome.result);
        table += &format!("| {attack} | {promise} | {verdict}{result} |\n");
        broken += usize::from(!outcome.held);
    }
    println!("\n{table}");
    if filter.is_none() {
        let write = std::env::args().any(|word| word == "--write");
        broken += usize::from(!is_documented(&outcomes, &table, write));
    }
    println!(
        "\n{} passed, {broken} failed",
        outcomes.len().saturating_sub(broken)
    );
    match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Where the table is kept.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

const HEADER: &str = "| attack | promise | result |\n|---|---|---|\n";

/// Whether the document has this table, but for results in which chance has a part. With `write` it gets it.
fn is_documented(outcomes: &[Outcome], table: &str, write: bool) -> bool {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let begin = text.find(HEADER).unwrap();
    let end = text[begin..].find("\n\n").map(|at| begin + at + 1);
    let end = end.unwrap_or(text.len());
    let documented = text[begin..end].lines().skip(2);
    let rows = outcomes.iter().zip(table.lines().skip(2));
    let rows = rows.map(|(outcome, row)| match outcome.varies {
        true => row.strip_suffix(&format!("{} |", outcome.result)),
        false => Some(row),
    });
    let rows: Vec<&str> = rows.flatten().collect();
    let is_same = documented.clone().count() == rows.len()
        && documented
            .zip(&rows)
            .all(|(documented, row)| documented.starts_with(row));
    if is_same && !write {
        return true;
    }
    if write {
        let text = format!("{}{table}{}", &text[..begin], &text[end..]);
        std::fs::write(DOCUMENT, text).unwrap();
        return true;
    }
    println!("tests/README.md has another table: cargo test --test attacks -- --write rewrites it");
    false
}
