//! Codes, tickets, tokens and sessions used again, and used many times at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    outcome::Outcome,
    world::{World, address},
};

const VICTIM: &str = "13800138001";
const E164: &str = "+8613800138001";
const ME: &str = "192.0.2.1";

/// Requests a recovery code and exchanges it for a reset token.
async fn reset_token(world: &World) -> String {
    let body = json!({"username": "user-5", "mobile_phone": VICTIM});
    let path = "/Systems/sendVerificationCode";
    assert!(world.post(ME, path, body).await.is_ok());
    let body = json!({"username": "user-5", "verification_code": world.code(E164)});
    let path = "/Systems/makeSureVerificationCode";
    let taken = world.post(ME, path, body).await;
    taken.body["info"].as_str().unwrap().to_owned()
}

/// Asks for a code to move an account to this number; the request that does it.
async fn phone_change(world: &World, session: &str, mobile: &str) -> Value {
    let path = "/v1/user/verify_code";
    let body = json!({"mcode": "+86", "mobile": mobile});
    let sent = world.post_in_session(ME, session, path, body).await;
    assert!(sent.is_ok(), "{}", sent.body);
    let code = world.code(&format!("+86{mobile}"));
    json!({"mcode": "+86", "mobile": mobile, "verify_code": code})
}

/// The session token of a login.
async fn session_of(world: &World) -> String {
    let sent = world.ask(ME, VICTIM).await;
    let logged_in = world.log_in(ME, sent.result(), &world.code(E164)).await;
    assert!(logged_in.is_ok(), "{}", logged_in.body);
    logged_in.body["token"].as_str().unwrap().to_owned()
}

/// Codes, tickets, reset tokens and sessions, each used again after it was used or has ended.
pub async fn everything() -> Vec<Outcome> {
    let world = World::start(&[("DAILY_SPEND_USD", "1000")]).await;
    world.user(5, VICTIM).await;
    world.user(6, "13627140483").await;
    let mut tried = 0;
    let mut worked: Vec<&str> = Vec::new();
    let mut again = |what: &'static str, answer: &crate::world::Answer| {
        tried += 1;
        if answer.is_ok() {
            worked.push(what);
        }
    };

    let sent = world.ask(ME, VICTIM).await;
    let code = world.code(E164);
    // The ticket at another endpoint than it was made for, before the code is spent.
    for path in ["/v1/user/register", "/v1/user/changePasswordByMessage2"] {
        let body = json!({
            "phoneInfo": sent.result(), "code": code, "name": "x", "password": "a-password",
            "newPassword": "a-password",
        });
        again(
            "a login ticket elsewhere",
            &world.post(ME, path, body).await,
        );
    }
    let others = world.ask(ME, "13627140483").await;
    let crossed = world.log_in(ME, others.result(), &code).await;
    again("a code with another's ticket", &crossed);
    let hers = world.code("+8613627140483");
    let mary = world.log_in(ME, others.result(), &hers).await;
    assert!(mary.is_ok());
    let logged_in = world.log_in(ME, sent.result(), &code).await;
    assert!(logged_in.is_ok());
    let spent = world.log_in(ME, sent.result(), &code).await;
    again("a spent code", &spent);
    world.wait(120);
    let newer = world.ask(ME, VICTIM).await;
    assert!(newer.is_ok());
    let old = world.log_in(ME, sent.result(), &world.code(E164)).await;
    again("an old ticket with a new code", &old);
    // The new ticket is good with it, until the last second but one.
    world.wait(299);
    let in_time = world.log_in(ME, newer.result(), &world.code(E164)).await;
    assert!(in_time.is_ok());
    let fresh = world.ask(ME, VICTIM).await;
    assert!(fresh.is_ok());
    world.wait(301);
    let late = world.log_in(ME, fresh.result(), &world.code(E164)).await;
    again("a code after five minutes", &late);
    world.wait(3600);

    // Dialect C has no ticket: with a session, a code moves the account to the number it was sent to.
    let session = mary.body["token"].as_str().unwrap();
    let move_to = async |body: &Value| {
        let path = "/v1/user/mobile";
        world.post_in_session(ME, session, path, body.clone()).await
    };
    let first = phone_change(&world, session, "13900139001").await;
    assert!(move_to(&first).await.is_ok());
    let second = phone_change(&world, session, "13900139002").await;
    assert!(move_to(&second).await.is_ok());
    let back = move_to(&first).await;
    again("a spent code of a phone change", &back);
    world.wait(3600);

    let token = reset_token(&world).await;
    let change = async |token: &str| {
        let body = json!({
            "username": "user-5", "Verification_char": token, "new_password": "Wachtwoord42",
        });
        world.post(ME, "/Systems/changepasswd", body).await
    };
    world.wait(599);
    assert!(change(&token).await.is_ok());
    again("a spent reset token", &change(&token).await);
    world.wait(3600);
    let token = reset_token(&world).await;
    world.wait(601);
    again("a reset token after ten minutes", &change(&token).await);
    let session = logged_in.body["token"].as_str().unwrap();
    let body = json!({ "token": session });
    let info = world.post(ME, "/v1/user/info", body).await;
    again("a session from before the password changed", &info);

    let body = json!({ "token": session_of(&world).await });
    assert!(
        world
            .post(ME, "/v1/user/logout", body.clone())
            .await
            .is_ok()
    );
    let info = world.post(ME, "/v1/user/info", body).await;
    again("a session after its logout", &info);

    let result = if worked.is_empty() {
        format!("0 of {tried} ways worked")
    } else {
        format!("{worked:?} worked")
    };
    vec![Outcome::new(
        "replaying codes, tickets, reset tokens, sessions",
        "each is good once, for one thing, and for its time",
        worked.is_empty(),
        result,
    )]
}

/// A hundred at once of everything that may happen once.
pub async fn racing_everything() -> Vec<Outcome> {
    const CROWD: usize = 100;
    let world = World::start(&[("DAILY_SPEND_USD", "1000")]).await;
    world.user(5, VICTIM).await;
    let count = |answers: &[crate::world::Answer]| answers.iter().filter(|a| a.is_ok()).count();

    let sends = (0..CROWD).map(async |n| world.ask(&address(n), VICTIM).await);
    let answers = join_all(sends).await;
    let (sent, messages) = (count(&answers), world.messages());
    let ticket = answers
        .iter()
        .find(|answer| answer.is_ok())
        .unwrap()
        .result();
    let code = world.code(E164);
    let logins = (0..CROWD).map(async |n| world.log_in(&address(n), ticket, &code).await);
    let logins = count(&join_all(logins).await);

    world.wait(3600);
    let body = json!({"phone": "13900139000"});
    let sent_new = world.post(ME, "/v1/user/sendRegisterMessage", body).await;
    let code = world.code("+8613900139000");
    let joins = (0..CROWD).map(async |n| {
        let body = json!({
            "phoneInfo": sent_new.result(), "code": code, "name": format!("racer-{n}"),
            "password": "a-password",
        });
        world.post(&address(n), "/v1/user/register", body).await
    });
    let accounts = count(&join_all(joins).await);

    let token = reset_token(&world).await;
    let changes = (0..CROWD).map(async |n| {
        let body = json!({
            "username": "user-5", "Verification_char": token,
            "new_password": format!("Wachtwoord{n}"),
        });
        world.post(&address(n), "/Systems/changepasswd", body).await
    });
    let changes = count(&join_all(changes).await);

    let held = [sent, messages, logins, accounts, changes] == [1; 5];
    vec![Outcome::new(
        "racing: 100 at once of each send, login, registration, reset",
        "one message, one session, one account, one change",
        held,
        format!("{messages} message, {logins} session, {accounts} account, {changes} change"),
    )]
}
