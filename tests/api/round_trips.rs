//! What a request costs: DynamoDB requests and how many of them wait for each other, counted at the
//! endpoint. What an endpoint that does its work asks for is README's table; here is how it is asked,
//! and what refusals cost.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
};

use local::template::Template;
use serde_json::json;

use crate::{
    login::wrong,
    support::{
        ANNA, Answer, ERIC, ERIC_PASSWORD, TestApp, relay::Call, root, scenario, sequential_depth,
    },
};

const READ: &str = "BatchGetItem";
const UPDATE: &str = "UpdateItem";

/// What a request asks for, as README has it.
struct Cost {
    /// DynamoDB's operations: those of one round at once, one round after the other.
    rounds: Vec<Vec<String>>,
    /// What goes on after the answer.
    after: Vec<String>,
    messages: usize,
}

/// README's table, and which of its rows have been held against a request.
pub struct Table {
    rows: BTreeMap<String, Cost>,
    held: RefCell<BTreeSet<String>>,
}

impl Table {
    /// The rows are ``| `a`, `b` | `Operation` ∥ `Operation` → `Operation` | requests | messages | after the answer |``.
    pub fn of_readme() -> Self {
        let readme = fs::read_to_string(root().join("tests/bench/README.md")).unwrap();
        let header = "| function | DynamoDB | requests | SNS | after the answer |";
        let (_, table) = readme.split_once(header).expect("README has the table");
        let lines = table.lines().skip(2).take_while(|line| !line.is_empty());
        let mut rows = BTreeMap::new();
        for line in lines {
            let line = line.replace('`', "");
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [functions, operations, requests, messages, after] = cells[..] else {
                panic!("{line}");
            };
            let rounds: Vec<Vec<String>> = operations.split('→').map(at_once).collect();
            let after: Vec<String> = after.split('→').flat_map(at_once).collect();
            let asked = rounds.iter().map(Vec::len).sum::<usize>() + after.len();
            assert_eq!(requests.parse(), Ok(asked), "{line}");
            let messages = messages.parse().unwrap();
            for function in functions.split(", ") {
                let cost = Cost {
                    rounds: rounds.clone(),
                    after: after.clone(),
                    messages,
                };
                rows.insert(function.to_owned(), cost);
            }
        }
        Self {
            rows,
            held: RefCell::default(),
        }
    }

    /// What a row asks of DynamoDB.
    pub fn operations(&self, name: &str) -> impl Iterator<Item = &str> {
        let Some(cost) = self.rows.get(name) else {
            panic!("README has no row for {name}");
        };
        let operations = cost.rounds.iter().flatten().chain(&cost.after);
        operations.map(String::as_str)
    }
}

/// `Operation` ∥ `Operation`; none is –.
fn at_once(round: &str) -> Vec<String> {
    let operations = round.split('∥').map(str::trim).filter(|one| *one != "–");
    operations.map(str::to_owned).collect()
}

#[tokio::test]
async fn every_endpoint_asks_for_what_the_table_of_the_readme_says() {
    let table = Table::of_readme();
    scenario(async |app| dialect_a(app, &table).await).await;
    scenario(async |app| dialects_b_and_c(app, &table).await).await;

    let held = table.held.into_inner();
    let rows: BTreeSet<String> = table.rows.into_keys().collect();
    assert_eq!(held, rows, "every row was held against a request");
    let template = Template::read(&root().join("template.yaml"), "").unwrap();
    for function in template.routed() {
        assert!(
            rows.contains(&function.name),
            "no row for {}",
            function.name
        );
    }
}

/// Counts what each request has asked for.
struct Counter<'a> {
    app: &'a TestApp,
    table: &'a Table,
    before: (usize, usize),
}

impl<'a> Counter<'a> {
    fn new(app: &'a TestApp, table: &'a Table) -> Self {
        let (dynamodb, sns) = app.calls();
        let before = (dynamodb.len(), sns.len());
        Self { app, table, before }
    }

    /// Asserts that what was asked for since the last time is what the table says.
    #[track_caller]
    fn row(&mut self, name: &str) {
        let Some(cost) = self.table.rows.get(name) else {
            panic!("README has no row for {name}");
        };
        let operations: Vec<&str> = cost.rounds.iter().flatten().map(String::as_str).collect();
        let after: Vec<&str> = cost.after.iter().map(String::as_str).collect();
        self.assert_with(name, &operations, cost.rounds.len(), cost.messages, &after);
        self.table.held.borrow_mut().insert(name.to_owned());
    }

    /// Asserts that DynamoDB was asked for these since the last time, how many of them waited for
    /// each other, and that so many messages were sent.
    #[track_caller]
    fn assert(&mut self, what: &str, operations: &[&str], depth: usize, messages: usize) {
        self.assert_with(what, operations, depth, messages, &[]);
    }

    /// The same, and what goes on after the answer.
    #[track_caller]
    fn assert_with(
        &mut self,
        what: &str,
        operations: &[&str],
        depth: usize,
        messages: usize,
        after: &[&str],
    ) {
        let (dynamodb, sns) = self.app.calls();
        let new: Vec<Call> = dynamodb[self.before.0..].to_vec();
        let (before_answer, after_answer) = new.split_at(operations.len().min(new.len()));
        for (asked, expected) in [(before_answer, operations), (after_answer, after)] {
            let mut asked: Vec<&str> = asked.iter().map(|call| call.operation.as_str()).collect();
            let mut expected = expected.to_vec();
            // What is asked for at once comes in as it likes.
            asked.sort_unstable();
            expected.sort_unstable();
            assert_eq!(asked, expected, "{what}");
        }
        assert_eq!(sequential_depth(before_answer), depth, "{what}");
        assert_eq!(sns.len() - self.before.1, messages, "{what}");
        self.before = (dynamodb.len(), sns.len());
    }
}

async fn dialect_a(app: &TestApp, table: &Table) {
    let mut counter = Counter::new(app, table);
    let ok = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };

    let (ticket, code) = app.login_code(ERIC).await;
    counter.row("send-login-message");
    assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
    counter.assert("loginByMessage, wrong code", &[READ, "PutItem"], 2, 0);
    ok(app.log_in(&ticket, &code).await);
    counter.row("login-by-message");
    // A spent code is read about; a throttled send reads the account too.
    assert_eq!(app.log_in(&ticket, &code).await.status, 400);
    counter.assert("loginByMessage, spent code", &[READ], 1, 0);
    assert_eq!(app.send_login_code(ERIC).await.status, 400);
    let throttled = [READ, UPDATE, "GetItem"];
    counter.assert("sendLoginMessage, throttled", &throttled, 2, 0);

    let (ticket, code) = app.register_code(ANNA).await;
    counter.row("send-register-message");
    let guess = wrong(&code, 0);
    let refused = app.register(&ticket, &guess, "anna", "anna-password").await;
    assert_eq!(refused.status, 400);
    counter.assert("register, wrong code", &[READ, "PutItem"], 2, 0);
    let refused = app.register(&ticket, &code, "eric", "anna-password").await;
    assert_eq!(refused.status, 400);
    counter.assert("register, name exists", &[READ], 1, 0);
    ok(app.register(&ticket, &code, "anna", "anna-password").await);
    counter.row("register");

    let logged_in = ok(app.log_in_with_password("eric", ERIC_PASSWORD).await);
    counter.row("login");
    let token = logged_in.token();
    for value in ["eric", "nobody"] {
        let refused = app.log_in_with_password(value, "wrong-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("login, refused", &[READ, UPDATE, "GetItem"], 2, 0);
    }
    ok(app.info(token).await);
    counter.row("info");
    app.info("x").await.assert_invalid_token();
    counter.assert("info, without a session", &[], 0, 0);

    let (ticket, code) = app.change_password_code(token).await;
    counter.row("send-change-password-message");
    let path = "/v1/user/changePasswordByMessage";
    let refused = app.post_in_session(path, token, json!({})).await;
    assert_eq!(refused.status, 400);
    // Not for the refusal: for the fresh token.
    counter.assert("changePasswordByMessage, no field", &[READ], 1, 0);
    let guess = wrong(&code, 0);
    let refused = app
        .change_password(token, &ticket, &guess, "second-password")
        .await;
    assert_eq!(refused.status, 400);
    counter.assert(
        "changePasswordByMessage, wrong code",
        &[READ, "PutItem"],
        2,
        0,
    );
    let changed = app
        .change_password(token, &ticket, &code, "second-password")
        .await;
    let changed = ok(changed);
    counter.row("change-password-by-message");

    app.wait(120);
    let token = changed.token();
    let change = app.change_password_code(token).await;
    counter.row("send-change-password-message");
    let old = "second-password";
    ok(app
        .change_password_from(old, token, &change, "third-password")
        .await);
    counter.row("change-password-by-message (old password)");

    let (ticket, code) = app.reset_code(ERIC).await;
    counter.row("send-change-password-message2");
    ok(app.reset_password(&ticket, &code, "anna-password").await);
    counter.row("change-password-by-message2");
}

async fn dialects_b_and_c(app: &TestApp, table: &Table) {
    let session = app.session_of_eric().await;
    let mut counter = Counter::new(app, table);

    let code = app.verification_code("eric", ERIC).await;
    counter.row("send-verification-code");
    app.send_verification_code("eric", ERIC).await;
    counter.assert(
        "sendVerificationCode, throttled",
        &[READ, UPDATE, "GetItem"],
        2,
        0,
    );
    app.send_verification_code("eric", ANNA).await;
    // One more round to say what is the matter with the account.
    let why = [READ, UPDATE, READ, "GetItem"];
    counter.assert("sendVerificationCode, not his", &why, 3, 0);

    app.make_sure("eric", &wrong(&code, 0)).await;
    counter.assert("makeSureVerificationCode, wrong", &[READ, "PutItem"], 2, 0);
    app.make_sure("nobody", &code).await;
    counter.assert("makeSureVerificationCode, nobody", &[READ], 1, 0);
    let taken = app.make_sure("eric", &code).await;
    counter.row("make-sure-verification-code");
    let token = app.learn_reset_token(&taken).unwrap();

    app.change_passwd("mary", &token, "Wachtwoord42").await;
    counter.assert("changepasswd, another's", &[READ], 1, 0);

    let answer = app.send_phone_change_code(&session, ANNA).await;
    answer.assert_c_success();
    counter.row("verify-code");
    let code = app.last_code(ANNA);
    app.send_phone_change_code(&session, ANNA).await;
    counter.assert("verify_code, throttled", &[READ, UPDATE, "GetItem"], 2, 0);
    app.send_phone_change_code(&session, "1").await;
    // To know that it is a session's to be told.
    counter.assert("verify_code, no number", &[READ], 1, 0);
    app.send_phone_change_code("x", ANNA).await;
    counter.assert("verify_code, no session", &[], 0, 0);

    let changed = app.change_passwd("eric", &token, "Wachtwoord42").await;
    changed.assert_b_ok("密码修改成功");
    counter.row("changepasswd");
    app.change_phone(&session, ANNA, &code).await;
    counter.assert("mobile, revoked by it", &[READ], 1, 0);
    let session = app.session_of("eric", "Wachtwoord42").await;
    let mut counter = Counter::new(app, table);
    app.change_phone(&session, ANNA, &wrong(&code, 0)).await;
    counter.assert("mobile, wrong", &[READ, "PutItem"], 2, 0);
    let moved = app.change_phone(&session, ANNA, &code).await;
    moved.assert_c_success();
    // The message tells the old number, at the ledger's expense.
    counter.row("mobile");
}
