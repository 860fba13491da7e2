//! Single writes that meet a fault, each write of every endpoint in turn: a transaction holds the item,
//! DynamoDB throttles, or the answer is lost. The client gets the answer that it gets without the
//! fault, and the tables become what they become without it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use local::template::Template;

use crate::support::{
    TestApp,
    acts::{self, Act, Manner, Person, Said, is_success},
    calls::Call,
    fault::{Fault, WriteFault},
    left::Left,
    root, scenario_with,
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
    let template = Template::read(&root().join("template.yaml"), "").unwrap();
    let functions = template.functions.iter();
    let functions: BTreeSet<&str> = functions.map(|function| function.name.as_str()).collect();
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
}

impl Stage<'_> {
    /// Performs an act; how often it made each write.
    async fn act(&mut self, act: Act, fault: Option<Fault>) -> (Outcome, BTreeMap<String, usize>) {
        let app = self.app;
        self.people += 1;
        app.wait(24 * 60 * 60);
        let (first, messages) = (app.calls().0.len(), app.inbox().messages().len());
        let person = Person::new(app, self.people).await;
        let prepared = act.prepare(app, person).await;
        let acted = app.calls().0.len();
        if let Some(fault) = fault {
            app.dynamodb.break_it(fault);
        }
        let said = prepared.perform().await;
        app.dynamodb.mend().await;
        let calls = app.calls().0;
        let outcome = Outcome {
            said,
            left: Left::by(&calls[first..], app).await,
            messages: app.inbox().messages().len() - messages,
        };
        let mut writes = BTreeMap::new();
        for write in calls[acted..].iter().filter_map(Call::write) {
            *writes.entry(write).or_default() += 1;
        }
        (outcome, writes)
    }

    /// Performs an act without a fault, and then with each of these series of faults at each of its
    /// writes.
    async fn compare(&mut self, act: Act, series: &[&[WriteFault]]) {
        let (expected, writes) = self.act(act, None).await;
        assert_eq!(
            is_success(&expected.said),
            act.succeeds(),
            "{act:?}: {expected:?}"
        );
        for (write, times) in &writes {
            for (passes, faults) in (0..*times).flat_map(|n| series.iter().map(move |f| (n, f))) {
                let fault = Fault::OfWrite {
                    write: write.clone(),
                    passes,
                    faults: faults.to_vec(),
                };
                let told = format!("{act:?}, {fault:?}");
                let (outcome, writes) = self.act(act, Some(fault)).await;
                let has_met_all = writes[write] >= times + faults.len();
                if outcome != expected || !has_met_all {
                    self.different.push(format!("{told}: {outcome:?}"));
                }
            }
        }
    }
}

/// How many systems perform the acts at the same time: acts that meet a fault mostly wait.
const STAGES: usize = 6;

async fn assert_same(series: &[&[WriteFault]]) {
    let acts = acts::all();
    let stages = (0..STAGES).map(|stage| {
        let acts = acts.iter().skip(stage).step_by(STAGES).copied();
        scenario_with(&ENVIRONMENT, async move |app: &TestApp| {
            let (people, different) = (0, Vec::new());
            let mut stage = Stage {
                app,
                people,
                different,
            };
            for act in acts.clone() {
                stage.compare(act, series).await;
            }
            assert!(stage.different.is_empty(), "{:#?}", stage.different);
        })
    });
    join_all(stages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_meets_a_transaction_is_made_once_whichever_it_is() {
    use WriteFault::Conflicts;
    assert_same(&[&[Conflicts], &[Conflicts; 3]]).await;
}
