//! One account, three dialects: a change in one is visible in the others.

use serde_json::json;

use crate::support::{
    md5,
    message::{LOGIN_FAILED, PHONE_UNKNOWN},
    scenario,
};

const OLD: &str = "13900139001";
const NEW: &str = "18518768888";

#[tokio::test]
async fn registers_through_a_recovers_through_b_moves_through_c_and_logs_in_at_the_new_number() {
    scenario(async |app| {
        // A: an account.
        let (ticket, code) = app.register_code(OLD).await;
        let registered = app.register(&ticket, &code, "小明", "forgettable-1").await;
        let (mut account, first) = registered.assert_registered("小明", OLD);
        app.wait(60);

        // B: a new password, proved by the phone.
        let code = app.verification_code("小明", OLD).await;
        let taken = app.make_sure("小明", &code).await;
        let token = app.learn_reset_token(&taken).unwrap();
        taken.assert_b_ok(&token);
        let changed = app.change_passwd("小明", &token, "Zugang2024x").await;
        changed.assert_b_ok("密码修改成功");
        let revoked = app.info(&first).await;
        revoked.assert_invalid_token();

        // A: the new password logs in, itself and as its MD5, by name and by phone; the old does not.
        let md5 = &md5("Zugang2024x");
        for (value, password) in [
            ("小明", "Zugang2024x"),
            ("小明", md5),
            (OLD, "Zugang2024x"),
            (OLD, md5),
        ] {
            let answer = app.log_in_with_password(value, password).await;
            answer.assert_ok_with_token(&account);
        }
        let old = app.log_in_with_password("小明", "forgettable-1").await;
        old.assert_refused(LOGIN_FAILED);

        // C: another number.
        let session = app.session_of("小明", "Zugang2024x").await;
        let code = app.phone_change_code(&session, NEW).await;
        let moved = app.change_phone(&session, NEW, &code).await;
        moved.assert_c_success();
        assert_eq!(
            app.texts(OLD).last().unwrap(),
            "【Latchkey】您的账号已更换手机号，如非本人操作，请尽快联系我们"
        );

        // A: logs in by SMS at the new number, while the old one is unknown; the session goes on.
        let old = app.send_login_code(OLD).await;
        old.assert_refused(PHONE_UNKNOWN);
        let (ticket, code) = app.login_code(NEW).await;
        let answer = app.log_in(&ticket, &code).await;
        account["phone"] = json!(NEW);
        answer.assert_ok_with_token(&account);
        app.info(&session).await.assert_ok_with_token(&account);

        // B: knows the new number, and no longer the old one.
        let answer = app.send_verification_code("小明", OLD).await;
        answer.assert_b(8005, "手机号与绑定手机号不一致");
        app.wait(60);
        app.reset_token("小明", NEW).await;
        // A: by password, the old number is unknown too.
        let old = app.log_in_with_password(OLD, "Zugang2024x").await;
        old.assert_refused(LOGIN_FAILED);
        let answer = app.log_in_with_password(NEW, md5).await;
        answer.assert_ok_with_token(&account);
    })
    .await;
}
