//! What a request costs: its DynamoDB requests, and how many of them wait for each other, counted at the
//! endpoint. The documented table has the requests that succeed; refusals are listed here.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, HOME, TestApp, ZOE,
    calls::{Call, sequential_depth},
    costs::Table,
    gotrue::{LOGOUT, REAUTHENTICATE, TOKEN, number},
    permissions::has_tables,
    scenario, template, wrong,
};

const READ: &str = "BatchGetItem";
const UPDATE: &str = "UpdateItem";
const WRITE: &str = "TransactWriteItems";
const LOGIN: &[&str] = &[READ, UPDATE, UPDATE, "GetItem", UPDATE, UPDATE, UPDATE];

#[tokio::test]
async fn every_endpoint_makes_the_requests_that_the_documented_table_says() {
    let table = Table::documented();
    scenario(async |app| dialect_a(app, &table).await).await;
    scenario(async |app| dialects_b_and_c(app, &table).await).await;
    scenario(async |app| dialect_d(app, &table).await).await;

    assert_eq!(
        table.compared(),
        table.names(),
        "every row was compared with a request"
    );
    for function in template().routed().filter(|it| has_tables(&it.name)) {
        assert!(
            table.names().contains(&function.name),
            "no row for {}",
            function.name
        );
    }
}

/// Counts the calls of each request.
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

    /// Asserts that the calls since the last time are those of a row.
    #[track_caller]
    fn row(&mut self, name: &str) {
        let cost = self.table.compare(name);
        let operations: Vec<&str> = cost.rounds.iter().flatten().map(String::as_str).collect();
        let after: Vec<&str> = cost.after.iter().map(String::as_str).collect();
        self.assert_with(name, &operations, cost.rounds.len(), cost.messages, &after);
    }

    /// Asserts these DynamoDB operations since the last time, how many of them waited for each
    /// other, and the number of messages.
    #[track_caller]
    fn assert(&mut self, what: &str, operations: &[&str], depth: usize, messages: usize) {
        self.assert_with(what, operations, depth, messages, &[]);
    }

    /// The same, with the operations after the answer.
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
            // Concurrent requests arrive in any order.
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
    app.stays_at(HOME);
    let mut counter = Counter::new(app, table);
    let ok = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    ok(app.log_in_with_password("eric", ERIC_PASSWORD).await);
    // From now on the account knows the address, which is noted in the items of its phone and its name.
    counter.assert_with("login, from a new address", LOGIN, 3, 0, &[UPDATE, UPDATE]);

    let (ticket, code) = app.login_code(ERIC).await;
    counter.row("send-login-message");
    assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
    counter.assert("loginByMessage, wrong code", &[READ, WRITE], 2, 0);
    ok(app.log_in(&ticket, &code).await);
    counter.row("login-by-message");
    // A spent code costs a read; a throttled send reads the account too.
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
    counter.assert("register, wrong code", &[READ, WRITE], 2, 0);
    let refused = app.register(&ticket, &code, "eric", "anna-password").await;
    assert_eq!(refused.status, 400);
    // The name counts against the code.
    counter.assert("register, name exists", &[READ, WRITE], 2, 0);
    ok(app.register(&ticket, &code, "anna", "anna-password").await);
    counter.row("register");

    let logged_in = ok(app.log_in_with_password("eric", ERIC_PASSWORD).await);
    counter.row("login");
    let token = logged_in.token();
    for value in ["eric", "nobody"] {
        let refused = app.log_in_with_password(value, "wrong-password").await;
        assert_eq!(refused.status, 400);
        counter.assert("login, refused", &[READ, UPDATE, UPDATE, "GetItem"], 2, 0);
    }
    ok(app.info(token).await);
    counter.row("info");
    let session = app.session_of_eric().await;
    counter.row("login");
    ok(app.exchange(&session).await);
    counter.row("auth-token");
    ok(app.log_out(&session).await);
    counter.row("logout");
    app.info("x").await.assert_invalid_token();
    counter.assert("info, without a session", &[], 0, 0);

    let rename = async |token: &str, path: &str, name: &str| {
        let path = format!("/v1/user/{path}");
        app.post_in_session(&path, token, json!({"name": name}))
            .await
    };
    let renamed = ok(rename(token, "changeName", "erik").await);
    counter.row("change-name");
    ok(rename(renamed.token(), "changeNameAndGet", "eric").await);
    counter.row("change-name-and-get");
    // A token that shows a name of before costs one more round.
    ok(rename(renamed.token(), "changeName", "Eric the second").await);
    let operations = [READ, READ, "TransactWriteItems"];
    counter.assert("changeName, of another name by now", &operations, 3, 0);
    ok(rename(renamed.token(), "changeName", "eric").await);
    counter.assert("changeName, of another name by now", &operations, 3, 0);
    // The name in another case is the same item.
    ok(rename(token, "changeName", "Eric").await);
    counter.row("change-name");
    assert_eq!(rename(token, "changeName", "mary").await.status, 400);
    counter.assert("changeName, name exists", &[READ], 1, 0);

    let (ticket, code) = app.change_password_code(token).await;
    counter.row("send-change-password-message");
    let path = "/v1/user/changePasswordByMessage";
    let refused = app.post_in_session(path, token, json!({})).await;
    assert_eq!(refused.status, 400);
    // The read is for the fresh token, not for the refusal.
    counter.assert("changePasswordByMessage, no field", &[READ], 1, 0);
    let guess = wrong(&code, 0);
    let refused = app
        .change_password(token, &ticket, &guess, "second-password")
        .await;
    assert_eq!(refused.status, 400);
    counter.assert("changePasswordByMessage, wrong code", &[READ, WRITE], 2, 0);
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

    let session = app.session_of("eric", "third-password").await;
    let mut counter = Counter::new(app, table);
    let wrong_old = app.change_known_password(&session, "wrong-password", "fourth-password");
    assert_eq!(wrong_old.await.status, 400);
    counter.assert("changePassword, wrong", &[READ, UPDATE], 2, 0);
    let old = "third-password";
    ok(app
        .change_known_password(&session, old, "fourth-password")
        .await);
    counter.row("change-password");

    let session = app.session_of_zoe().await;
    let mut counter = Counter::new(app, table);
    let (ticket, code) = app.delete_code(&session, ZOE).await;
    counter.row("send-delete-message");
    let refused = app.delete(&session, &ticket, &wrong(&code, 0)).await;
    assert_eq!(refused.status, 400);
    counter.assert("deleteByMessage, wrong code", &[READ, WRITE], 2, 0);
    ok(app.delete(&session, &ticket, &code).await);
    counter.row("delete-by-message");

    let (ticket, code) = app.reset_code(ERIC).await;
    counter.row("send-change-password-message2");
    ok(app.reset_password(&ticket, &code, "anna-password").await);
    counter.row("change-password-by-message2");
}

async fn dialects_b_and_c(app: &TestApp, table: &Table) {
    app.stays_at(HOME);
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
    // One more round for the reason why the account is refused.
    let why = [READ, UPDATE, READ, "GetItem"];
    counter.assert("sendVerificationCode, not his", &why, 3, 0);

    app.make_sure("eric", &wrong(&code, 0)).await;
    counter.assert("makeSureVerificationCode, wrong", &[READ, WRITE], 2, 0);
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
    // Only a valid session may learn the reason.
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
    counter.assert("mobile, wrong", &[READ, WRITE], 2, 0);
    let moved = app.change_phone(&session, ANNA, &code).await;
    moved.assert_c_success();
    // The notice to the old number is charged to the ledger.
    counter.row("mobile");
}

#[track_caller]
fn ok_d(answer: Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn dialect_d(app: &TestApp, table: &Table) {
    app.stays_at(HOME);
    app.session_of_eric().await;
    let mut counter = Counter::new(app, table);
    let phone = format!("86{ERIC}");
    let text = |of: &Answer, name: &str| of.body[name].as_str().unwrap().to_owned();

    let code = app.otp_code(&phone).await;
    counter.row("auth-otp");
    app.verify(&phone, &wrong(&code, 0)).await;
    counter.assert("verify, wrong", &[READ, WRITE], 2, 0);
    let session = app.verify(&phone, &code).await;
    counter.row("auth-verify");
    let new = number(1);
    let code = app.otp_code(&new).await;
    counter.row("auth-otp");
    app.verify(&new, &code).await;
    counter.row("auth-verify (new number)");

    let first = text(&session, "refresh_token");
    app.refresh(&first).await;
    counter.row("auth-token (refresh token)");
    app.refresh(&first).await;
    counter.assert("token, the newest once more", &["GetItem"], 1, 0);
    let body = json!({"phone": phone, "password": ERIC_PASSWORD});
    let path = format!("{TOKEN}?grant_type=password");
    let by_password = app.sdk_post(&path, body).await;
    assert_eq!(by_password.status, 200, "{by_password:?}");
    counter.row("auth-token (password)");

    let token = text(&session, "access_token");
    app.user(&token).await;
    counter.row("auth-user");
    let changed = app.update_user(&token, json!({"data": {"a": 1}})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    counter.row("auth-update-user");
    app.update_user(&token, json!({"email": "a@example.com"}))
        .await;
    counter.assert("user, not changed", &[], 0, 0);
    let to = number(2);
    ok_d(app.update_user(&token, json!({"phone": to})).await);
    counter.row("auth-update-user (phone)");
    let code = app.last_code(&to[2..]);
    ok_d(app.verify_move("anon", &to, &code).await);
    counter.row("auth-verify (phone change)");
    ok_d(app.resend("sms", &to).await);
    counter.assert("resend, none open", &[READ, UPDATE], 1, 0);
    app.otp_code(&to).await;
    counter.row("auth-otp");
    ok_d(app.update_user(&token, json!({"phone": number(3)})).await);
    counter.row("auth-update-user (phone)");
    app.wait(60);
    ok_d(app.resend("sms", &to).await);
    counter.row("auth-resend");
    ok_d(app.resend("phone_change", &number(3)).await);
    counter.row("auth-resend (phone change)");
    ok_d(app.sdk(Method::GET, REAUTHENTICATE, &token, "").await);
    counter.row("auth-reauthenticate");
    ok_d(
        app.update_user(&token, json!({"password": "second-password"}))
            .await,
    );
    counter.row("auth-update-user (password)");
    app.user("x").await;
    counter.assert("user, without a token", &[], 0, 0);
    let path = format!("{LOGOUT}?scope=others");
    app.sdk(Method::POST, &path, &token, "").await;
    counter.assert("logout, others", &[READ, "GetItem", UPDATE], 3, 0);
    app.sdk(Method::POST, LOGOUT, &token, "").await;
    counter.row("auth-logout");

    app.wait(3600);
    let session = app.signed_in(&to).await;
    let mut counter = Counter::new(app, table);
    let token = session["access_token"].as_str().unwrap().to_owned();
    let nonce = app.deletion_nonce(&token, &to).await;
    counter.row("auth-reauthenticate");
    let deleted = app.delete_user(&token, json!({"nonce": nonce})).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    counter.row("auth-delete-user");
}
