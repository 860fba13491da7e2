//! Dialect B, "systems": methods named for what people do with it.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{answer::Answer, app::TestApp};

/// Dialect B's three steps.
pub const SEND_VERIFICATION_CODE: &str = "/Systems/sendVerificationCode";
/// The second.
pub const MAKE_SURE: &str = "/Systems/makeSureVerificationCode";
/// The third.
pub const CHANGE_PASSWD: &str = "/Systems/changepasswd";

/// The new password.
pub const NEW: &str = "Wachtwoord42";
/// Its MD5, which other clients send in its place.
pub const NEW_MD5: &str = "25f9eb7f694dca854947580b86ad1125"; // echo -n Wachtwoord42 | md5sum

// The rows of the error table: `msg` and `info`.
pub const NOT_A_BODY: (u16, &str) = (3003, "请求格式错误");
pub const SEND_EMPTY: (u16, &str) = (3003, "账号和手机号不可为空");
pub const EMPTY: (u16, &str) = (3003, "账号、密码和验证码不可为空");
pub const NOT_A_PHONE: (u16, &str) = (8011, "手机号格式错误");
pub const NO_SUCH_USER: (u16, &str) = (2002, "用户不存在");
pub const DISABLED: (u16, &str) = (2005, "账号已停用");
pub const NOT_THE_PHONE: (u16, &str) = (8005, "手机号与绑定手机号不一致");
pub const WRONG_CODE: (u16, &str) = (8013, "验证码错误");
pub const DEAD_CODE: (u16, &str) = (8014, "验证码已过期");
pub const WRONG_TOKEN: (u16, &str) = (8013, "令牌无效");
pub const DEAD_TOKEN: (u16, &str) = (8014, "令牌已过期");
pub const TOO_OFTEN: (u16, &str) = (8012, "发送过于频繁，请稍后再试:8");
pub const NOT_SENT: (u16, &str) = (8012, "短信发送失败，请稍后再试:1");
pub const NO_SMS: (u16, &str) = (8010, "短信未开通");

impl TestApp {
    /// `POST /Systems/sendVerificationCode`.
    pub async fn send_verification_code(&self, username: &str, mobile_phone: &str) -> Answer {
        let body = json!({"username": username, "mobile_phone": mobile_phone});
        self.post(SEND_VERIFICATION_CODE, body).await
    }

    /// Sends a code that must go out to a phone of country 86; its digits.
    pub async fn verification_code(&self, username: &str, mobile_phone: &str) -> String {
        let answer = self.send_verification_code(username, mobile_phone).await;
        answer.assert_b_ok("已发送短信");
        self.last_code(mobile_phone)
    }

    /// `POST /Systems/makeSureVerificationCode`.
    pub async fn make_sure(&self, username: &str, verification_code: &str) -> Answer {
        let body = json!({"username": username, "verification_code": verification_code});
        let answer = self.post(MAKE_SURE, body).await;
        self.learn_reset_token(&answer);
        answer
    }

    /// The reset token of an answer to the second step, if it has one; a secret from here on.
    pub fn learn_reset_token(&self, answer: &Answer) -> Option<String> {
        if answer.body["msg"] != 2006 {
            return None;
        }
        let token = answer.body["info"].as_str()?.to_owned();
        self.learn(&token);
        Some(token)
    }

    /// Takes the first two steps; the reset token.
    pub async fn reset_token(&self, username: &str, mobile_phone: &str) -> String {
        let code = self.verification_code(username, mobile_phone).await;
        let answer = self.make_sure(username, &code).await;
        let token = answer.body["info"].as_str().unwrap_or_default().to_owned();
        answer.assert_b_ok(&token);
        token
    }

    /// `POST /Systems/changepasswd`.
    pub async fn change_passwd(&self, username: &str, token: &str, new_password: &str) -> Answer {
        self.learn_password(new_password);
        let body = json!({
            "username": username,
            "Verification_char": token,
            "new_password": new_password,
        });
        self.post(CHANGE_PASSWD, body).await
    }
}

impl Answer {
    /// Asserts a dialect-B success whole.
    #[track_caller]
    pub fn assert_b_ok(&self, info: &str) {
        self.assert(200, json!({"code": 0, "msg": 2006, "info": info}));
        assert_eq!(self.retry_after(), None);
    }

    /// Asserts a dialect-B error whole, one that does not pass with time.
    #[track_caller]
    pub fn assert_b(&self, msg: u16, info: &str) {
        self.assert(200, json!({"code": 1, "msg": msg, "info": info}));
        assert_eq!(self.retry_after(), None);
    }

    /// Asserts a dialect-B error whole, one that passes after these seconds.
    #[track_caller]
    pub fn assert_b_for_now(&self, msg: u16, info: &str, seconds: RangeInclusive<u64>) {
        self.assert(200, json!({"code": 1, "msg": msg, "info": info}));
        self.assert_retry_after(seconds);
    }
}

/// Posts each of these bodies, which must all get this answer.
pub async fn all_get(app: &TestApp, path: &str, (msg, info): (u16, &str), bodies: Vec<Value>) {
    for body in bodies {
        let answer = app.post(path, body.clone()).await;
        assert_eq!(answer.body["info"], info, "{body}");
        answer.assert_b(msg, info);
    }
}

/// What a function has asked of DynamoDB.
pub fn calls_of(app: &TestApp, function: &str) -> usize {
    let (dynamodb, _) = app.calls();
    dynamodb
        .iter()
        .filter(|call| call.caller == function)
        .count()
}
