//! Dialect A, "message": methods named for what people do with it.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    app::TestApp,
    people::{ERIC, ERIC_PASSWORD, HOME, ZOE, eric},
};

/// A row of dialect A's error tables: status, `code` and `message`.
pub type Refusal = (u16, &'static str, &'static str);

pub const CODE_REQUIRED: Refusal = (400, "{CODE}_REQUIRED", "Code required");
pub const PHONE_INFO_REQUIRED: Refusal = (400, "{PHONE_INFO}_REQUIRED", "Phone info required");
pub const NAME_REQUIRED: Refusal = (400, "{NAME}_REQUIRED", "Name required");
pub const PASSWORD_REQUIRED: Refusal = (400, "{PASSWORD}_REQUIRED", "Password required");
pub const NEW_PASSWORD_REQUIRED: Refusal =
    (400, "{NEW_PASSWORD}_REQUIRED", "New password required");
pub const PHONE_REQUIRED: Refusal = (400, "{PHONE}_REQUIRED", "Phone required");
pub const CODE_NOT_VALID: Refusal = (400, "{CODE}_NOT_VALID", "Code not valid");
pub const PHONE_INFO_NOT_VALID: Refusal = (400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
pub const PASSWORD_NOT_VALID: Refusal = (400, "{PASSWORD}_NOT_VALID", "Password not valid");
pub const NEW_PASSWORD_NOT_VALID: Refusal =
    (400, "{NEW_PASSWORD}_NOT_VALID", "New password not valid");
pub const OLD_PASSWORD_NOT_VALID: Refusal =
    (400, "{OLD_PASSWORD}_NOT_VALID", "Old password not valid");
pub const PHONE_NOT_VALID: Refusal = (400, "PHONE_NOT_VALIDATE", "Phone not validate");
pub const PHONE_EXISTS: Refusal = (400, "USER_PHONE_EXIST", "User phone exists");
pub const PHONE_UNKNOWN: Refusal = (400, "USER_PHONE_NOT_EXIST", "User phone not exists");
pub const PHONE_MISMATCH: Refusal = (400, "USER_PHONE_NOT_MATCH", "User phone not match.");
pub const NAME_NOT_VALID: Refusal = (400, "{NAME}_NOT_VALID", "Name not valid");
pub const OLD_PASSWORD_REQUIRED: Refusal =
    (400, "{OLD_PASSWORD}_REQUIRED", "Old password required");
pub const NAME_EXISTS: Refusal = (400, "{NAME}_EXISTS", "User name exists");
pub const USER_NOT_FOUND: Refusal = (400, "USER_NOT_FOUND", "User not found");
pub const LOGIN_FAILED: Refusal = (400, "USER_LOGIN_FAILED", "User login failed");
pub const TOO_FREQUENT: Refusal = (
    400,
    "SEND_MESSAGE_FREQUENTLY",
    "Send message too frequently",
);
pub const NOT_SENT: Refusal = (
    500,
    "SEND_MESSAGE_ERROR",
    "Cannot send message, try again later.",
);

/// The `n`-th number that no account has.
pub fn new_number(n: u32) -> String {
    format!("139{n:08}")
}

impl TestApp {
    /// Asserts that eric's password is this one, and not that.
    pub async fn assert_password_of_eric(&self, right: &str, wrong: &str) {
        let answer = self.log_in_with_password("eric", right).await;
        answer.assert_ok_with_token(&eric());
        let answer = self.log_in_with_password("eric", wrong).await;
        answer.assert_refused(LOGIN_FAILED);
    }

    /// `POST /v1/user/sendLoginMessage` for a phone.
    pub async fn send_login_code(&self, phone: &str) -> Answer {
        self.post("/v1/user/sendLoginMessage", json!({"phone": phone}))
            .await
    }

    /// Sends a login code that must go out; its ticket and its digits.
    pub async fn login_code(&self, phone: &str) -> (String, String) {
        let sent = self.send_login_code(phone).await;
        self.sent(&sent, phone)
    }

    /// `POST /v1/user/loginByMessage`.
    pub async fn log_in(&self, phone_info: &str, code: &str) -> Answer {
        let body = json!({"phoneInfo": phone_info, "code": code});
        self.post("/v1/user/loginByMessage", body).await
    }

    /// `POST /v1/user/sendRegisterMessage`.
    pub async fn send_register_code(&self, phone: &str) -> Answer {
        self.post("/v1/user/sendRegisterMessage", json!({"phone": phone}))
            .await
    }

    /// Sends a register code that must go out; its ticket and its digits.
    pub async fn register_code(&self, phone: &str) -> (String, String) {
        let sent = self.send_register_code(phone).await;
        self.sent(&sent, phone)
    }

    /// From an address, `POST /v1/user/sendRegisterMessage` for the `n`-th new number.
    pub async fn send_register_code_from(&self, address: &str, n: u32) -> Answer {
        let path = "/v1/user/sendRegisterMessage";
        self.post_from(address, path, json!({"phone": new_number(n)}))
            .await
    }

    /// `POST /v1/user/register`.
    pub async fn register(&self, ticket: &str, code: &str, name: &str, password: &str) -> Answer {
        self.learn_password(password);
        let body = json!({"phoneInfo": ticket, "code": code, "name": name, "password": password});
        self.post("/v1/user/register", body).await
    }

    /// `POST /v1/user/login`.
    pub async fn log_in_with_password(&self, value: &str, password: &str) -> Answer {
        self.learn_password(password);
        let body = json!({"value": value, "password": password});
        self.post("/v1/user/login", body).await
    }

    /// A session of eric's.
    pub async fn session_of_eric(&self) -> String {
        self.session_of("eric", ERIC_PASSWORD).await
    }

    /// A session of eric's, begun at home, which his account knows from then on.
    pub async fn session_of_eric_at_home(&self) -> String {
        let body = json!({"value": "eric", "password": ERIC_PASSWORD});
        let answer = self.post_from(HOME, "/v1/user/login", body).await;
        answer.assert_ok_with_token(&eric())
    }

    /// Makes the account of zoe, number 7; a session of hers.
    pub async fn session_of_zoe(&self) -> String {
        let password = "zoe-password";
        self.create_user_with(7, "zoe", ZOE, Some(password)).await;
        self.session_of("zoe", password).await
    }

    /// A session of anybody's.
    pub async fn session_of(&self, value: &str, password: &str) -> String {
        let answer = self.log_in_with_password(value, password).await;
        answer.assert_ok_with_token(&answer.body["result"])
    }

    /// `POST /v1/user/info`.
    pub async fn info(&self, token: &str) -> Answer {
        self.post_in_session("/v1/user/info", token, json!({}))
            .await
    }

    /// `POST /v1/user/sendChangePasswordMessage`.
    pub async fn send_change_password_code(&self, token: &str) -> Answer {
        let path = "/v1/user/sendChangePasswordMessage";
        self.post_in_session(path, token, json!({})).await
    }

    /// Sends eric a code to change his password with; its ticket and its digits.
    pub async fn change_password_code(&self, token: &str) -> (String, String) {
        let sent = self.send_change_password_code(token).await;
        sent.assert_ok_with_token(&json!(sent.result()));
        (sent.result().to_owned(), self.last_code(ERIC))
    }

    /// `POST /v1/user/sendDeleteMessage`.
    pub async fn send_delete_code(&self, token: &str) -> Answer {
        let path = "/v1/user/sendDeleteMessage";
        self.post_in_session(path, token, json!({})).await
    }

    /// Sends a code that deletes the account with this phone; its ticket and its digits.
    pub async fn delete_code(&self, token: &str, phone: &str) -> (String, String) {
        let sent = self.send_delete_code(token).await;
        sent.assert_ok_with_token(&json!(sent.result()));
        (sent.result().to_owned(), self.last_code(phone))
    }

    /// `POST /v1/user/deleteByMessage`.
    pub async fn delete(&self, token: &str, ticket: &str, code: &str) -> Answer {
        let body = json!({"phoneInfo": ticket, "code": code});
        self.post_in_session("/v1/user/deleteByMessage", token, body)
            .await
    }

    /// `POST /v1/user/changePasswordByMessage`.
    pub async fn change_password(
        &self,
        token: &str,
        ticket: &str,
        code: &str,
        new: &str,
    ) -> Answer {
        self.learn_password(new);
        let body = json!({"phoneInfo": ticket, "code": code, "newPassword": new});
        self.post_in_session("/v1/user/changePasswordByMessage", token, body)
            .await
    }

    /// The same, with the password so far.
    pub async fn change_password_from(
        &self,
        old: &str,
        token: &str,
        (ticket, code): &(String, String),
        new: &str,
    ) -> Answer {
        self.learn_password(new);
        self.learn_password(old);
        let body = json!({
            "phoneInfo": ticket, "code": code, "newPassword": new, "oldPassword": old
        });
        self.post_in_session("/v1/user/changePasswordByMessage", token, body)
            .await
    }

    /// `POST /v1/user/changePassword`.
    pub async fn change_known_password(&self, token: &str, old: &str, new: &str) -> Answer {
        self.learn_password(new);
        self.learn_password(old);
        let body = json!({"oldPassword": old, "newPassword": new});
        self.post_in_session("/v1/user/changePassword", token, body)
            .await
    }

    /// `POST /v1/user/logout`.
    pub async fn log_out(&self, token: &str) -> Answer {
        self.post_in_session("/v1/user/logout", token, json!({}))
            .await
    }

    /// `POST /v1/user/changeName`.
    pub async fn change_name(&self, token: &str, name: &str) -> Answer {
        self.post_in_session("/v1/user/changeName", token, json!({"name": name}))
            .await
    }

    /// `POST /v1/user/sendChangePasswordMessage2`.
    pub async fn send_reset_code(&self, phone: &str) -> Answer {
        let path = "/v1/user/sendChangePasswordMessage2";
        self.post(path, json!({"phone": phone})).await
    }

    /// Sends a code to change a forgotten password with; its ticket and its digits.
    pub async fn reset_code(&self, phone: &str) -> (String, String) {
        let sent = self.send_reset_code(phone).await;
        self.sent(&sent, phone)
    }

    /// `POST /v1/user/changePasswordByMessage2`.
    pub async fn reset_password(&self, ticket: &str, code: &str, new: &str) -> Answer {
        self.learn_password(new);
        let body = json!({"phoneInfo": ticket, "code": code, "newPassword": new});
        self.post("/v1/user/changePasswordByMessage2", body).await
    }

    /// The ticket of a send that must have gone out, and the code that has come.
    fn sent(&self, answer: &Answer, phone: &str) -> (String, String) {
        answer.assert_ok(&json!(answer.result()));
        (answer.result().to_owned(), self.last_code(phone))
    }
}

impl Answer {
    /// Asserts a row of an error table whole, without a token.
    #[track_caller]
    pub fn assert_refused(&self, (status, code, message): Refusal) {
        self.assert_a(status, code, message);
    }

    /// Asserts a row of an error table whole, with the fresh token of a session; that token.
    #[track_caller]
    pub fn assert_refused_in_session(&self, (status, code, message): Refusal) -> String {
        self.assert_a_with_token(status, code, message)
    }

    /// Asserts that this account has been made, with a session; the account and the token.
    #[track_caller]
    pub fn assert_registered(&self, name: &str, phone: &str) -> (Value, String) {
        let number = |key: &str| self.body["result"][key].as_u64().unwrap_or_default();
        let (uuid, created) = (number("uuid"), number("createTime"));
        let user = json!({
            "uuid": uuid,
            "name": name,
            "email": "",
            "countryCode": "86",
            "phone": phone,
            "createTime": created,
            "createIp": self.body["result"]["createIp"],
            "ssid": {},
            "icon": "default.jpg",
            "spaceUsed": 0,
            "spaceCapacity": 8192,
            "type": 0,
            "status": 0
        });
        let token = self.assert_ok_with_token(&user);
        // A published client reads an Int32.
        assert!((1..1 << 31).contains(&uuid), "{uuid}");
        (user, token)
    }

    /// Asserts a dialect-A error whole, without a token.
    #[track_caller]
    pub fn assert_a(&self, status: u16, code: &str, message: &str) {
        let body = json!({"success": false, "message": message, "code": code, "status": status});
        self.assert(status, body);
        assert!(!self.headers.contains_key("authorization"), "{self:?}");
    }

    /// Asserts that dialect A refuses to send so soon or so much; when to come back, in seconds.
    #[track_caller]
    pub fn assert_too_frequent(&self) -> u64 {
        self.assert_a(
            400,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        );
        self.retry_after().expect("when to come back")
    }

    /// The session token it carries; empty without one.
    pub fn token(&self) -> &str {
        self.body["token"].as_str().unwrap_or_default()
    }

    /// Asserts a dialect-A success whole, without a token.
    #[track_caller]
    pub fn assert_ok(&self, result: &Value) {
        self.assert(
            200,
            json!({"status": 200, "result": result, "code": "OK", "success": true}),
        );
        assert!(!self.headers.contains_key("authorization"), "{self:?}");
    }

    /// Asserts a dialect-A success whole, with a token in the body and the same in the header.
    #[track_caller]
    pub fn assert_ok_with_token(&self, result: &Value) -> String {
        let token = self.header_token();
        let body = json!({
            "status": 200, "result": result, "code": "OK", "success": true, "token": token
        });
        self.assert(200, body);
        token
    }

    /// Asserts a dialect-A error whole, with a token in the body and the same in the header.
    #[track_caller]
    pub fn assert_a_with_token(&self, status: u16, code: &str, message: &str) -> String {
        let token = self.header_token();
        let body = json!({
            "success": false, "message": message, "code": code, "status": status, "token": token
        });
        self.assert(status, body);
        token
    }

    /// Asserts 401 `INVALID_TOKEN` whole.
    #[track_caller]
    pub fn assert_invalid_token(&self) {
        self.assert_a(401, "INVALID_TOKEN", "Invalid token");
    }

    #[track_caller]
    fn header_token(&self) -> String {
        let header = self.headers.get("authorization");
        let header = header.and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.unwrap_or_else(|| panic!("no token: {self:?}"));
        assert!(!token.is_empty(), "{self:?}");
        token.to_owned()
    }
}
