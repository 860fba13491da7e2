//! What a request costs: DynamoDB requests and how many of them wait for each other, counted at the
//! endpoint.

use serde_json::json;

use crate::{
    login::wrong,
    support::{
        ANNA, Answer, ERIC, ERIC_PASSWORD, TestApp, relay::Call, scenario, sequential_depth,
    },
};

const READ: &str = "BatchGetItem";
const WRITE: &str = "TransactWriteItems";
const UPDATE: &str = "UpdateItem";

/// What every send asks for: who asks is counted while all is read, and the money reserved while all is
/// written.
const SEND: &[&str] = &[READ, UPDATE, WRITE, UPDATE];

/// Counts what each request has asked for.
struct Counter<'a> {
    app: &'a TestApp,
    before: (usize, usize),
}

impl<'a> Counter<'a> {
    fn new(app: &'a TestApp) -> Self {
        let (dynamodb, sns) = app.calls();
        let before = (dynamodb.len(), sns.len());
        Self { app, before }
    }

    /// Asserts that DynamoDB was asked for these since the last time, how many of them waited for
    /// each other, and that so many messages were sent.
    #[track_caller]
    fn assert(&mut self, what: &str, operations: &[&str], depth: usize, messages: usize) {
        self.assert_with(what, operations, depth, messages, &[]);
    }

    /// The same of a code that is used, which is made known to its source and to the ledger after the
    /// answer.
    #[track_caller]
    fn assert_used(&mut self, what: &str, operations: &[&str], messages: usize) {
        self.assert_with(what, operations, 2, messages, &["GetItem", UPDATE, UPDATE]);
    }

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

#[tokio::test]
async fn two_waits_to_send_two_to_verify_and_what_else_an_endpoint_asks_for() {
    scenario(async |app| {
        let mut counter = Counter::new(app);
        let ok = |answer: Answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer
        };

        let (ticket, code) = app.login_code(ERIC).await;
        counter.assert("sendLoginMessage", SEND, 2, 1);
        assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
        counter.assert("loginByMessage, wrong code", &[READ, "PutItem"], 2, 0);
        ok(app.log_in(&ticket, &code).await);
        counter.assert_used("loginByMessage", &[READ, "PutItem"], 0);
        // A spent code is read about; a throttled send reads the account too.
        assert_eq!(app.log_in(&ticket, &code).await.status, 400);
        counter.assert("loginByMessage, spent code", &[READ], 1, 0);
        assert_eq!(app.send_login_code(ERIC).await.status, 400);
        let throttled = [READ, UPDATE, "GetItem"];
        counter.assert("sendLoginMessage, throttled", &throttled, 2, 0);

        let (ticket, code) = app.register_code(ANNA).await;
        counter.assert("sendRegisterMessage", SEND, 2, 1);
        let guess = wrong(&code, 0);
        let refused = app.register(&ticket, &guess, "anna", "anna-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("register, wrong code", &[READ, "PutItem"], 2, 0);
        let refused = app.register(&ticket, &code, "eric", "anna-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("register, name exists", &[READ], 1, 0);
        ok(app.register(&ticket, &code, "anna", "anna-password").await);
        counter.assert_used("register", &[READ, WRITE], 0);

        let logged_in = ok(app.log_in_with_password("eric", ERIC_PASSWORD).await);
        counter.assert("login", &[READ, UPDATE, "GetItem", UPDATE], 3, 0);
        let token = logged_in.token();
        for value in ["eric", "nobody"] {
            let refused = app.log_in_with_password(value, "wrong-password").await;
            assert_eq!(refused.status, 400);
            counter.assert("login, refused", &[READ, UPDATE, "GetItem"], 2, 0);
        }
        ok(app.info(token).await);
        counter.assert("info", &[READ], 1, 0);
        app.info("x").await.assert_invalid_token();
        counter.assert("info, without a session", &[], 0, 0);

        let (ticket, code) = app.change_password_code(token).await;
        counter.assert("sendChangePasswordMessage", SEND, 2, 1);
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
        counter.assert_used("changePasswordByMessage", &[READ, WRITE], 0);

        app.wait(120);
        let token = changed.token();
        let change = app.change_password_code(token).await;
        counter.assert("sendChangePasswordMessage", SEND, 2, 1);
        let old = "second-password";
        ok(app
            .change_password_from(old, token, &change, "third-password")
            .await);
        let operations = [READ, UPDATE, UPDATE, WRITE];
        let after = ["GetItem", UPDATE, UPDATE];
        let what = "changePasswordByMessage, old password";
        counter.assert_with(what, &operations, 4, 0, &after);

        let (ticket, code) = app.reset_code(ERIC).await;
        counter.assert("sendChangePasswordMessage2", SEND, 2, 1);
        ok(app.reset_password(&ticket, &code, "anna-password").await);
        counter.assert_used("changePasswordByMessage2", &[READ, WRITE], 0);
    })
    .await;
}

#[tokio::test]
async fn two_waits_at_each_endpoint_of_dialects_b_and_c() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let mut counter = Counter::new(app);

        let code = app.verification_code("eric", ERIC).await;
        counter.assert("sendVerificationCode", SEND, 2, 1);
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
        counter.assert_used("makeSureVerificationCode", &[READ, WRITE], 0);
        let token = app.learn_reset_token(&taken).unwrap();

        app.change_passwd("mary", &token, "Wachtwoord42").await;
        counter.assert("changepasswd, another's", &[READ], 1, 0);

        let answer = app.send_phone_change_code(&session, ANNA).await;
        answer.assert_c_success();
        counter.assert("verify_code", SEND, 2, 1);
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
        counter.assert("changepasswd", &[READ, WRITE], 2, 0);
        app.change_phone(&session, ANNA, &code).await;
        counter.assert("mobile, revoked by it", &[READ], 1, 0);
        let session = app.session_of("eric", "Wachtwoord42").await;
        let mut counter = Counter::new(app);
        app.change_phone(&session, ANNA, &wrong(&code, 0)).await;
        counter.assert("mobile, wrong", &[READ, "PutItem"], 2, 0);
        let moved = app.change_phone(&session, ANNA, &code).await;
        moved.assert_c_success();
        // The message tells the old number, at the ledger's expense.
        let after = ["GetItem", UPDATE, UPDATE, UPDATE];
        counter.assert_with("mobile", &[READ, WRITE], 2, 1, &after);
    })
    .await;
}
