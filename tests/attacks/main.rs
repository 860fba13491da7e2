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
mod passwords;
mod pumping;
mod replaying;
mod sessions;
mod sources;
mod telling;
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
        sources::an_ipv6_network,
        sources::numbers_that_sns_refuses,
        sources::foreign_pages,
        pumping::a_country,
        pumping::the_caribbean,
        lockout::for_a_day,
        lockout::by_a_neighbour,
        lockout::by_decoys,
        telling::by_answers,
        telling::by_taken_names,
        passwords::spraying,
        passwords::before_one_is_set_by_sms,
        passwords::dear_hashes,
        sessions::stolen,
        sessions::moving_twice_at_once,
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
    println!("\n{} passed, {broken} failed", outcomes.len() - broken);
    let write = std::env::args().any(|word| word == "--write");
    let stale = match filter {
        None => stale(&outcomes, &table, write),
        Some(_) => Vec::new(),
    };
    if !stale.is_empty() {
        println!("\ntests/README.md has another table: {}", stale.join("\n"));
        println!("cargo test --test attacks -- --write rewrites it");
    }
    if broken == 0 && stale.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Where the table is kept.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

const HEADER: &str = "| attack | promise | result |\n|---|---|---|\n";

/// The rows of the document's table that are stale, and those that it lacks, but for results in which chance
/// has a part. With `write` it gets this table.
fn stale(outcomes: &[Outcome], table: &str, write: bool) -> Vec<String> {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let begin = text.find(HEADER).unwrap();
    let end = text[begin..].find("\n\n").map(|at| begin + at + 1);
    let end = end.unwrap_or(text.len());
    if write {
        let text = format!("{}{table}{}", &text[..begin], &text[end..]);
        std::fs::write(DOCUMENT, text).unwrap();
        return Vec::new();
    }
    let mut documented: Vec<&str> = text[begin..end].lines().skip(2).collect();
    let mut stale = Vec::new();
    for (outcome, row) in outcomes.iter().zip(table.lines().skip(2)) {
        let fixed = match outcome.varies {
            true => row.strip_suffix(&format!("{} |", outcome.result)),
            false => Some(row),
        };
        let is_row = |documented: &&str| fixed.is_some_and(|fixed| documented.starts_with(fixed));
        let at = documented.iter().position(is_row);
        if at.is_none() {
            stale.push(format!("it lacks: {row}"));
        }
        let passed = at.map_or(0, |at| at + 1);
        let others = documented.drain(..passed).take(at.unwrap_or_default());
        stale.extend(others.map(|row| format!("it should not have: {row}")));
    }
    stale.extend(
        documented
            .iter()
            .map(|row| format!("it should not have: {row}")),
    );
    stale
}
