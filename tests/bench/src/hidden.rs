//! Whether time tells known phones from unknown ones where users are hidden (`HIDE_UNKNOWN_USERS`), with the
//! release binaries on the Runtime API.
//!
//! Lambda gives an environment its next event when it polls again. So work after an answer shows, too: a
//! client that sends a second request right behind the first waits for it.

use std::{fmt::Write, path::Path, time::Duration};

use tokio::runtime::Handle;

use crate::{
    Error,
    binaries::Binaries,
    measure::{environment_of, settle, start_system},
    requests::{Requests, succeeded},
    runtime_api::RuntimeApi,
    subject::Subject,
    timing::{IN_TURN, ROUND, share_of_longer},
    transport::Transport,
};

/// The functions that send a code to a phone that a stranger names.
const SENDERS: [&str; 7] = [
    "send-login-message",
    "send-register-message",
    "send-change-password-message2",
    "send-verification-code",
    "verify-code",
    "auth-otp",
    "auth-update-user",
];

/// Timed requests of each kind.
const TIMED: usize = 10 * ROUND;

/// The share of pairs in which the known phone takes longer is 0.5 if the times are equal. Its standard
/// deviation is 0.046 with [`TIMED`] requests of each kind. Chance exceeds 0.5 ± 0.27 once in 10⁸ shares.
const STRAY: f64 = 0.27;

/// How long SNS takes: 40 to 79 ms.
fn sns(n: u32) -> Duration {
    Duration::from_millis(40 + u64::from(n * 17 % 40))
}

/// The times of requests for phones of one kind.
#[derive(Debug, Default)]
struct Times {
    /// From the event to the answer.
    answer: Vec<Duration>,
    /// From the answer to the next poll.
    busy: Vec<Duration>,
    /// From the answer to that of a request sent right behind it.
    next: Vec<Duration>,
}

/// A function, and the shares of pairs in which the known phone takes longer.
#[derive(Debug)]
pub struct Told {
    function: &'static str,
    /// By the answer, by what follows it, and by the next request.
    shares: [f64; 3],
}

impl Told {
    /// Whether one of the times tells known phones from unknown ones.
    pub fn tells(&self) -> bool {
        self.shares.iter().any(|share| (share - 0.5).abs() >= STRAY)
    }
}

/// Times each function that sends codes.
///
/// # Errors
/// If something fails; binaries that have not been built, for example.
pub fn run(root: &Path, handle: &Handle) -> Result<Vec<Told>, Error> {
    let binaries = Binaries::of(root);
    let system = handle.block_on(start_system(root))?;
    let transport = handle.block_on(Transport::with_slow_sns(&system.endpoints, sns))?;
    let mut requests = Requests::new(&system);
    let (events, mut api) = (root.join("events"), RuntimeApi::start()?);
    let mut all = Vec::new();
    for name in SENDERS {
        let mut functions = system.template.functions.iter();
        let function = functions.find(|function| function.name == name);
        let function = function.ok_or("the template has no such function")?;
        let mut environment = environment_of(function, &transport.endpoints(), &transport.trust);
        environment.insert("HIDE_UNKNOWN_USERS".to_owned(), "true".to_owned());
        let binary = binaries.function(name)?;
        let subject = Subject {
            name: name.to_owned(),
            binary: binary.ok_or("no binary: first cargo lambda build --release")?,
            environment,
        };
        let session = handle.block_on(requests.session(name))?;
        // The first round is not counted, as the function then learns how long SNS takes.
        let order = || IN_TURN.iter().cycle().take(2 * (ROUND + TIMED));
        let sends: Result<Vec<_>, _> = order()
            .map(|known| handle.block_on(requests.send(&events, name, *known, &session)))
            .collect();
        handle.block_on(settle(&system));
        let _running = subject.start(&mut api)?;
        let mut answers = Vec::new();
        for event in sends? {
            let answer = api.invoke(&event)?;
            if !succeeded(&answer.body) {
                return Err(format!("{name} answers {} to {event}", answer.body).into());
            }
            answers.push((answer.took, answer.billed - answer.took));
        }
        let (mut known, mut unknown) = (Times::default(), Times::default());
        let pairs = order().zip(answers.windows(2)).skip(2 * ROUND);
        for (is_known, pair) in pairs {
            let [(took, busy), (next, _)] = pair else {
                continue;
            };
            let times = if *is_known { &mut known } else { &mut unknown };
            times.answer.push(*took);
            times.busy.push(*busy);
            times.next.push(*busy + *next);
        }
        all.push(Told {
            function: name,
            shares: [
                share_of_longer(&known.answer, &unknown.answer),
                share_of_longer(&known.busy, &unknown.busy),
                share_of_longer(&known.next, &unknown.next),
            ],
        });
    }
    Ok(all)
}

/// The table, one row for each function.
pub fn table(all: &[Told]) -> String {
    let mut table = format!(
        "Shares of pairs in which a known phone takes longer than an unknown one; from {:.2} to {:.2} nobody can tell.\n\n\
         | function | to the answer | busy after it | to the next request's answer |\n\
         |---|---|---|---|\n",
        0.5 - STRAY,
        0.5 + STRAY,
    );
    for Told { function, shares } in all {
        let [answer, busy, next] = shares;
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{function}` | {answer:.2} | {busy:.2} | {next:.2} |"
        );
    }
    table
}
