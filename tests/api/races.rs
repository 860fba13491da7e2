//! A hundred at once. Run on the embedded DynamoDB and on AWS's DynamoDB Local.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    login::wrong,
    support::{Answer, ERIC, TestApp, scenario},
};

const CROWD: usize = 100;
const SLOT: &str = "login#+8613800138001";

/// All of these at once.
async fn at_once(requests: impl Iterator<Item = impl Future<Output = Answer>>) -> Vec<Answer> {
    futures_util::future::join_all(requests).await
}

fn successes(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

async fn wrong_tries(app: &TestApp) -> String {
    let item = app.code_item(SLOT).await;
    let Some(AttributeValue::M(challenge)) = item.get("challenge") else {
        panic!("no challenge");
    };
    challenge["wrong_tries"].as_n().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_logins_with_the_right_code_give_one_session() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let answers = at_once((0..CROWD).map(|_| app.log_in(&ticket, &code))).await;
        assert_eq!(successes(&answers), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_codes_at_once_evaluate_no_more_than_five() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let guesses: Vec<String> = (0..CROWD - 1)
            .map(|n| wrong(&code, n as u32))
            .chain([code.clone()])
            .collect();
        let answers = at_once(guesses.iter().map(|guess| app.log_in(&ticket, guess))).await;
        let accepted = successes(&answers);
        assert!(accepted <= 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        }
        // Every evaluation is a write that moves the version; the send was the first.
        let version = app.code_item(SLOT).await["version"].as_n().unwrap().clone();
        let evaluated: usize = version.parse::<usize>().unwrap() - 1;
        assert!((accepted..=5).contains(&evaluated), "{evaluated}");
        if accepted == 0 {
            assert_eq!(wrong_tries(app).await, "5");
        }
        // Whatever came of it, the challenge is over.
        let late = app.log_in(&ticket, &code).await;
        late.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sends_send_one_sms() {
    scenario(async |app| {
        let answers = at_once((0..CROWD).map(|_| app.send_login_code(ERIC))).await;
        assert_eq!(successes(&answers), 1);
        assert_eq!(app.texts(ERIC).len(), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_a(
                400,
                "SEND_MESSAGE_FREQUENTLY",
                "Send message too frequently",
            );
            // A request that came in just before the one that won has 120 s and a little to wait.
            assert!(
                matches!(refused.retry_after(), Some(100..=121)),
                "{refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_and_logins_at_once_leave_one_session_and_one_code() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.wait(120);
        let sends = at_once((0..CROWD / 2).map(|_| app.send_login_code(ERIC)));
        let logins = at_once((0..CROWD / 2).map(|_| app.log_in(&ticket, &code)));
        let (sends, logins) = futures_util::future::join(sends, logins).await;
        assert_eq!(successes(&sends), 1, "the cool-down admits one resend");
        assert!(successes(&logins) <= 1);
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}
