//! Dialects B, "systems", and C, "mobile": methods named for what people do with them.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{Answer, TestApp};

/// Dialect B's three steps.
pub const SEND_VERIFICATION_CODE: &str = "/Systems/sendVerificationCode";
/// The second.
pub const MAKE_SURE: &str = "/Systems/makeSureVerificationCode";
/// The third.
pub const CHANGE_PASSWD: &str = "/Systems/changepasswd";
/// Dialect C's document.
pub const VERIFY_CODE: &str = "/v1/user/verify_code";
/// What the code of it is good for.
pub const MOBILE: &str = "/v1/user/mobile";

/// The content type of a form.
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

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
        let token = match answer.body["msg"] == 2006 {
            true => answer.body["info"].as_str()?.to_owned(),
            false => return None,
        };
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

    /// Posts a JSON body in a session.
    pub async fn post_in_session(&self, path: &str, session: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {session}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        self.post_raw(path, &headers, body.to_string()).await
    }

    /// `POST /v1/user/verify_code`, for a phone of country 86.
    pub async fn send_phone_change_code(&self, session: &str, mobile: &str) -> Answer {
        let body = json!({"mcode": "+86", "mobile": mobile});
        self.post_in_session(VERIFY_CODE, session, body).await
    }

    /// Sends a code that must go out to a phone of country 86; its digits.
    pub async fn phone_change_code(&self, session: &str, mobile: &str) -> String {
        let answer = self.send_phone_change_code(session, mobile).await;
        answer.assert_c_success();
        self.last_code(mobile)
    }

    /// `POST /v1/user/mobile`, for a phone of country 86.
    pub async fn change_phone(&self, session: &str, mobile: &str, verify_code: &str) -> Answer {
        let body = json!({"mcode": "+86", "mobile": mobile, "verify_code": verify_code});
        self.post_in_session(MOBILE, session, body).await
    }

    /// Takes both steps to a phone of country 86.
    pub async fn move_to(&self, session: &str, mobile: &str) {
        let code = self.phone_change_code(session, mobile).await;
        self.change_phone(session, mobile, &code)
            .await
            .assert_c_success();
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

    /// Asserts a dialect-C success whole.
    #[track_caller]
    pub fn assert_c_success(&self) {
        self.assert_c(200, "success");
    }

    /// Asserts a dialect-C answer whole, one that does not pass with time: `code` is a string for a
    /// parameter's error and a number for everything else.
    #[track_caller]
    pub fn assert_c(&self, code: impl Into<Value>, msg: &str) {
        self.assert(200, json!({"code": code.into(), "msg": msg}));
        assert_eq!(self.retry_after(), None);
    }

    /// Asserts a dialect-C error whole, one that passes after these seconds.
    #[track_caller]
    pub fn assert_c_for_now(&self, code: u32, msg: &str, seconds: RangeInclusive<u64>) {
        self.assert(200, json!({"code": code, "msg": msg}));
        self.assert_retry_after(seconds);
    }

    #[track_caller]
    fn assert_retry_after(&self, seconds: RangeInclusive<u64>) {
        let told = self.retry_after();
        assert!(
            told.is_some_and(|told| seconds.contains(&told)),
            "{told:?} is not within {seconds:?}"
        );
    }
}
