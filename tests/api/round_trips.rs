//! What a request costs: DynamoDB requests and how many of them wait for each other, counted at the
//! endpoint.

use serde_json::json;

use crate::{
    login::wrong,
    support::{
        ANNA, Answer, ERIC, ERIC_PASSWORD, TestApp, relay::Call, scenario, sequential_depth,
    },
};

#[tokio::test]
async fn a_send_and_a_login_wait_for_dynamodb_twice() {
    scenario(async |app| {
        let mut before = app.calls();
        let mut since = || {
            let now = app.calls();
            let new = (
                now.0[before.0.len()..].to_vec(),
                now.1[before.1.len()..].to_vec(),
            );
            before = now;
            new
        };
        let operations = |calls: &[crate::support::relay::Call]| -> Vec<String> {
            calls.iter().map(|call| call.operation.clone()).collect()
        };

        let (ticket, code) = app.login_code(ERIC).await;
        let (dynamodb, sns) = since();
        assert_eq!(
            operations(&dynamodb),
            ["BatchGetItem", "TransactWriteItems"]
        );
        assert_eq!(operations(&sns), ["Publish"]);
        assert_eq!(sequential_depth(&dynamodb), 2);
        assert!(
            sns[0].during.0 >= dynamodb[1].during.1,
            "stored before it is sent"
        );

        assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem", "PutItem"]);

        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let (dynamodb, sns) = since();
        assert_eq!(operations(&dynamodb), ["BatchGetItem", "PutItem"]);
        assert_eq!(sequential_depth(&dynamodb), 2);
        assert!(sns.is_empty());

        // Refusals: a spent code is read about, a throttled send reads the account too.
        assert_eq!(app.log_in(&ticket, &code).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem"]);
        assert_eq!(app.send_login_code(ERIC).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem", "GetItem"]);
    })
    .await;
}

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
        let (dynamodb, sns) = self.app.calls();
        let new: Vec<Call> = dynamodb[self.before.0..].to_vec();
        let mut asked: Vec<&str> = new.iter().map(|call| call.operation.as_str()).collect();
        let mut expected = operations.to_vec();
        // What is asked for at once comes in as it likes.
        asked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(asked, expected, "{what}");
        assert_eq!(sequential_depth(&new), depth, "{what}");
        assert_eq!(sns.len() - self.before.1, messages, "{what}");
        self.before = (dynamodb.len(), sns.len());
    }
}

#[tokio::test]
async fn two_waits_to_send_two_to_verify_and_what_else_an_endpoint_asks_for() {
    const READ: &str = "BatchGetItem";
    const WRITE: &str = "TransactWriteItems";
    const UPDATE: &str = "UpdateItem";
    scenario(async |app| {
        let mut counter = Counter::new(app);
        let ok = |answer: Answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer
        };

        let (ticket, code) = app.register_code(ANNA).await;
        counter.assert("sendRegisterMessage", &[READ, WRITE], 2, 1);
        let guess = wrong(&code, 0);
        let refused = app.register(&ticket, &guess, "anna", "anna-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("register, wrong code", &[READ, "PutItem"], 2, 0);
        let refused = app.register(&ticket, &code, "eric", "anna-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("register, name exists", &[READ], 1, 0);
        ok(app.register(&ticket, &code, "anna", "anna-password").await);
        counter.assert("register", &[READ, WRITE], 2, 0);

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
        counter.assert("sendChangePasswordMessage", &[READ, WRITE], 2, 1);
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
        counter.assert("changePasswordByMessage", &[READ, WRITE], 2, 0);

        app.wait(120);
        let token = changed.token();
        let change = app.change_password_code(token).await;
        counter.assert("sendChangePasswordMessage", &[READ, WRITE], 2, 1);
        let old = "second-password";
        ok(app
            .change_password_from(old, token, &change, "third-password")
            .await);
        let operations = [READ, UPDATE, UPDATE, WRITE];
        counter.assert("changePasswordByMessage, old password", &operations, 4, 0);

        let (ticket, code) = app.reset_code(ERIC).await;
        counter.assert("sendChangePasswordMessage2", &[READ, WRITE], 2, 1);
        ok(app.reset_password(&ticket, &code, "anna-password").await);
        counter.assert("changePasswordByMessage2", &[READ, WRITE], 2, 0);
    })
    .await;
}

#[tokio::test]
async fn two_waits_at_each_endpoint_of_dialects_b_and_c() {
    const READ: &str = "BatchGetItem";
    const WRITE: &str = "TransactWriteItems";
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let mut counter = Counter::new(app);

        let code = app.verification_code("eric", ERIC).await;
        counter.assert("sendVerificationCode", &[READ, WRITE], 2, 1);
        app.send_verification_code("eric", ERIC).await;
        counter.assert("sendVerificationCode, throttled", &[READ, "GetItem"], 2, 0);
        app.send_verification_code("eric", ANNA).await;
        // One more round to say what is the matter with the account.
        let why = [READ, READ, "GetItem"];
        counter.assert("sendVerificationCode, not his", &why, 3, 0);

        app.make_sure("eric", &wrong(&code, 0)).await;
        counter.assert("makeSureVerificationCode, wrong", &[READ, "PutItem"], 2, 0);
        app.make_sure("nobody", &code).await;
        counter.assert("makeSureVerificationCode, nobody", &[READ], 1, 0);
        let taken = app.make_sure("eric", &code).await;
        counter.assert("makeSureVerificationCode", &[READ, WRITE], 2, 0);
        let token = app.learn_reset_token(&taken).unwrap();

        app.change_passwd("mary", &token, "Wachtwoord42").await;
        counter.assert("changepasswd, another's", &[READ], 1, 0);

        let answer = app.send_phone_change_code(&session, ANNA).await;
        answer.assert_c_success();
        counter.assert("verify_code", &[READ, WRITE], 2, 1);
        let code = app.last_code(ANNA);
        app.send_phone_change_code(&session, ANNA).await;
        counter.assert("verify_code, throttled", &[READ, "GetItem"], 2, 0);
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
        // The message tells the old number.
        counter.assert("mobile", &[READ, WRITE], 2, 1);
    })
    .await;
}
