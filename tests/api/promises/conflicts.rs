//! Calls that DynamoDB does not carry out, at every endpoint: a transaction holds the item, there is no
//! capacity, or the answer is lost. If it passes, the client gets the answer that it gets otherwise, and
//! the tables become what they become otherwise. If it lasts, the calls of a request are bounded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use crate::support::{
    DAY, Person, TestApp,
    acts::{self, Act, Manner, Said, is_internal_error, is_success},
    calls::Call,
    fault::{
        Fault,
        WriteFault::{self, Cancelled, Conflicts, Fails, LosesAnswer},
        cancelled, dynamodb_error,
    },
    left::Left,
    permissions::has_tables,
    root, scenario_with, template,
};

/// A login replaces the people's hashes, which are of another cost. The guard refuses nothing.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PASSWORD_MEMORY_KIB", "128"),
    ("SENDS_PER_ADDRESS_HOUR", "3"),
    ("SENDS_PER_ADDRESS_DAY", "3"),
    ("FRAUD_GUARD", "off"),
];

#[test]
fn every_function_has_an_act() {
    let functions = template().functions;
    let functions = functions.iter().map(|function| function.name.as_str());
    let functions = functions.filter(|name| has_tables(name));
    let functions: BTreeSet<&str> = functions.collect();
    let right = acts::all().into_iter();
    let right = right.filter(|act| act.manner == Manner::Right);
    let acting: BTreeSet<&str> = right.map(|act| act.function).collect();
    assert_eq!(acting, functions);
}

/// What an act came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    said: Said,
    left: Left,
    messages: usize,
}

/// A system where acts are performed one after the other, each by another person on another day.
struct Stage<'a> {
    app: &'a TestApp,
    people: u64,
    /// The acts to which a fault made a difference.
    different: Vec<String>,
    /// How long the last request took.
    took: Duration,
}

impl<'a> Stage<'a> {
    fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            people: 0,
            different: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// Performs an act; its calls.
    async fn act(&mut self, act: Act, fault: Option<Fault>) -> (Outcome, Vec<Call>) {
        let app = self.app;
        self.people += 1;
        app.wait(DAY);
        let (first, messages) = (app.calls().0.len(), app.inbox().messages().len());
        let person = Person::new(app, self.people).await;
        let prepared = act.prepare(app, person).await;
        let acted = app.calls().0.len();
        if let Some(fault) = fault {
            app.dynamodb.break_it(fault);
        }
        let begun = Instant::now();
        let said = prepared.perform().await;
        self.took = begun.elapsed();
        app.dynamodb.mend().await;
        let mut calls = app.calls().0;
        let outcome = Outcome {
            said,
            left: Left::by(&calls[first..], app).await,
            messages: app.inbox().messages().len() - messages,
        };
        (outcome, calls.split_off(acted))
    }

    /// Performs an act without a fault, and then with one conflict, and with all faults, at each of its writes.
    async fn compare(&mut self, act: Act) {
        let (expected, calls) = self.act(act, None).await;
        let due = writes(&calls);
        assert_eq!(
            is_success(&expected.said),
            act.succeeds(),
            "{act:?}: {expected:?}"
        );
        let each = due.iter();
        let each = each.flat_map(|(write, times)| (0..*times).map(move |n| (write, n)));
        let each = each.flat_map(|of| [&FAULTS[..1], &FAULTS].map(|faults| (of, faults)));
        for ((write, passes), faults) in each {
            let fault = Fault::OfWrite {
                write: write.clone(),
                passes,
                faults: faults.to_vec(),
            };
            let (outcome, calls) = self.act(act, Some(fault)).await;
            let has_met_all = writes(&calls)[write] >= due[write] + faults.len();
            if !has_met_all || !is_same(act, write, &outcome, &expected) {
                let told = format!("{act:?}, {write}, number {passes}: {outcome:?}");
                self.different.push(told);
            }
        }
    }
}

/// How often each write was made.
fn writes(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    for write in calls.iter().filter_map(Call::write) {
        *writes.entry(write).or_default() += 1;
    }
    writes
}

/// Whether an act came to the same. Where a price is reserved, the ledger may hold more: a reservation
/// whose answer is lost can be made twice.
fn is_same(act: Act, write: &str, outcome: &Outcome, expected: &Outcome) -> bool {
    if write != "UpdateItem spend" || !act.reserves() {
        return outcome == expected;
    }
    let ledger = outcome.left.ledger.iter();
    let has_enough = ledger
        .zip(&expected.left.ledger)
        .all(|(has, due)| has >= due);
    let beside = |outcome: &Outcome| {
        let Outcome {
            said,
            left,
            messages,
        } = outcome;
        (said.clone(), left.items.clone(), *messages)
    };
    has_enough && beside(outcome) == beside(expected)
}

/// How many systems perform the acts at the same time: acts that meet faults mostly wait.
const STAGES: usize = 16;

/// What each write meets, one after the other. Only then it is made, and its answer is lost, and its
/// repeat meets a transaction again.
const FAULTS: [WriteFault; 8] = [
    Conflicts,
    Conflicts,
    Conflicts,
    Cancelled("ThrottlingError"),
    Cancelled("ProvisionedThroughputExceeded"),
    Fails("TransactionInProgressException"),
    LosesAnswer,
    Conflicts,
];

#[tokio::test(flavor = "multi_thread")]
async fn each_write_of_each_endpoint_counts_once_whatever_transactions_and_lost_answers_it_meets() {
    compare_all(acts::all(), &ENVIRONMENT, STAGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_write_counts_once_where_users_are_hidden() {
    let environment = [&ENVIRONMENT[..], &[("HIDE_UNKNOWN_USERS", "true")]].concat();
    compare_all(acts::hidden(), &environment, STAGES / 4).await;
}

async fn compare_all(acts: Vec<Act>, environment: &[(&str, &str)], stages: usize) {
    let stages = (0..stages).map(|stage| {
        let acts = acts.iter().skip(stage).step_by(stages).copied();
        scenario_with(environment, async move |app: &TestApp| {
            let mut stage = Stage::new(app);
            for act in acts.clone() {
                stage.compare(act).await;
            }
            assert!(stage.different.is_empty(), "{:#?}", stage.different);
        })
    });
    join_all(stages).await;
}

/// The acts that succeed.
fn successful() -> impl Iterator<Item = Act> {
    let acts = acts::all().into_iter();
    acts.filter(|act| act.succeeds())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_a_batch_leaves_unread_are_asked_for_again() {
    scenario_with(&ENVIRONMENT, async |app: &TestApp| {
        let mut stage = Stage::new(app);
        for act in successful() {
            let (expected, _) = stage.act(act, None).await;
            for (answered, times) in [(0, 1), (1, 2)] {
                let fault = Fault::LeavesKeys { answered, times };
                let (outcome, _) = stage.act(act, Some(fault)).await;
                assert_eq!(
                    outcome, expected,
                    "{act:?}, {answered} of the keys answered"
                );
            }
        }
    })
    .await;
}

/// In what time every request is answered.
const WITHIN: Duration = Duration::from_secs(10);

/// Where the bounds are documented.
const DOCUMENT: &str = "tests/bench/README.md";

/// What DynamoDB refuses for ever, as the document says it, and the functions to call meanwhile.
fn lasting_faults() -> [(&'static str, Fault, &'static [&'static str]); 4] {
    let unread = Fault::LeavesKeys {
        answered: 0,
        times: usize::MAX,
    };
    let throttled = cancelled(1, "ThrottlingError");
    let held = dynamodb_error(400, "TransactionConflictException");
    // The SDK repeats a throttled call. It stops when many calls of the process have failed, those of the
    // other tests too.
    let few = &["send-login-message", "login-by-message", "login"];
    [
        ("leaves all keys of each batch unread", unread, &[]),
        (
            "throttles each call",
            dynamodb_error(400, "ThrottlingException"),
            few,
        ),
        (
            "cancels each transaction because it throttles a write",
            throttled.only_to("TransactWriteItems", usize::MAX),
            &[],
        ),
        (
            "holds each item that is updated in a transaction",
            held.only_to("UpdateItem", usize::MAX),
            &[],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_dynamodb_refuses_for_ever_makes_as_many_calls_as_documented() {
    let measured = join_all(lasting_faults().map(async |(what, fault, functions)| {
        let mut most = 0;
        scenario_with(&ENVIRONMENT, async |app: &TestApp| {
            let mut stage = Stage::new(app);
            let acts = successful();
            let is_meant = |act: &Act| functions.is_empty() || functions.contains(&act.function);
            for act in acts.filter(is_meant) {
                let (outcome, calls) = stage.act(act, Some(fault.clone())).await;
                assert!(stage.took < WITHIN, "{act:?}, {what}: {:?}", stage.took);
                let said = &outcome.said;
                let is_answer = is_success(said) || is_internal_error(said);
                assert!(is_answer, "{act:?}, {what}: {said:?}");
                // What operators do is no request, and unblocking forgets items one by one.
                if !act.function.starts_with("admin-") {
                    most = most.max(calls.len());
                }
            }
        })
        .await;
        format!("| {what} | {most} |\n")
    }));
    let table = measured.await.concat();
    let document = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    assert!(document.contains(&table), "{DOCUMENT} has to say\n{table}");
}
