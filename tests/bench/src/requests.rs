//! Prepares requests that succeed. Each has its own user or phone, so none reaches a limit.

use std::{fs, net::Ipv4Addr, path::Path};

use local::{System, gateway::SOURCE_IP_HEADER};
use serde_json::{Value, json};
use shared::domain::{
    phone::Phone,
    user::{AccountId, Name, Uid, User},
};

use crate::Error;

/// Whether a function's answer, in any dialect, or `import-users`' report is a success.
pub fn succeeded(answer: &Value) -> bool {
    let body = answer["body"].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    answer["statusCode"] == 204
        || answer["statusCode"] == 200
            && (body["success"] == true
                || body["code"] == 0
                || body["code"] == 200
                || of_tokens(&body))
        // What `auth-not-here` is there for.
        || body["code"] == "anonymous_provider_disabled"
        || answer["created"] == 1
        || answer["isAuthorized"] == true
}

/// Whether this is a success of dialect D: a token, the keys, the discovery document, a message, an account,
/// nothing.
fn of_tokens(body: &Value) -> bool {
    let fields = ["access_token", "keys", "issuer", "message_id", "identities"];
    *body == json!({}) || fields.iter().any(|field| !body[field].is_null())
}

/// Whether this function hashes a password. The hash takes longer than the rest of the request.
pub fn hashes_a_password(function: &str) -> bool {
    const HASH: [&str; 7] = [
        "change-password",
        "change-password-by-message",
        "change-password-by-message2",
        "changepasswd",
        "import-users",
        "login",
        "register",
    ];
    HASH.contains(&function)
}

/// Whether the bare functions can do the same: they hash no password and call no KMS.
pub fn is_compared(function: &str) -> bool {
    const OF_TOKENS: [&str; 12] = [
        "auth-delete-user",
        "auth-discovery",
        "auth-jwks",
        "auth-logout",
        "auth-not-here",
        "auth-reauthenticate",
        "auth-resend",
        "auth-token",
        "auth-update-user",
        "auth-user",
        "auth-verify",
        "authorizer",
    ];
    !hashes_a_password(function) && !OF_TOKENS.contains(&function)
}

/// Prepares requests for the functions of a system.
pub struct Requests<'a> {
    system: &'a System,
    client: reqwest::Client,
    made: u32,
}

/// The keys of items like those that requests read.
pub struct Sample {
    /// An account.
    pub user: String,
    /// The owner item of its phone.
    pub owner: String,
    /// A code that was sent to it.
    pub code: String,
}

/// A request's content.
struct Content {
    body: Value,
    token: Option<String>,
}

impl<'a> Requests<'a> {
    /// For this system. Its gateway creates the codes and sessions that the requests refer to.
    pub fn new(system: &'a System) -> Self {
        Self {
            system,
            client: reqwest::Client::new(),
            made: 0,
        }
    }

    /// An event for this function, based on its file in `events`.
    ///
    /// # Errors
    /// If the preparation fails.
    pub async fn event(&mut self, events: &Path, function: &str) -> Result<Value, Error> {
        self.made += 1;
        if function == "import-users" {
            return Ok(
                json!({"users": [{"name": format!("bench{}", self.made), "countryCode": "86",
                "phone": self.number("138"), "password": "first-password"}]}),
            );
        }
        if function == "authorizer" {
            let exchange = self.content("auth-token").await?.body;
            let exchanged = self.post("/auth/v1/token", &exchange, None).await?;
            let token = exchanged["access_token"].as_str().ok_or("no token")?;
            return Ok(json!({"identitySource": [format!("Bearer {token}")]}));
        }
        let content = self.content(function).await?;
        self.with_content(events, function, content)
    }

    /// An event by which this function sends a code to a phone with an account, or to one without.
    ///
    /// # Errors
    /// If the preparation fails.
    pub async fn send(
        &mut self,
        events: &Path,
        function: &str,
        known: bool,
        session: &str,
    ) -> Result<Value, Error> {
        self.made += 1;
        let (phone, name) = (self.number("138"), format!("bench{}", self.made));
        if known {
            self.create(&name, &phone).await?;
        }
        let (body, token) = match function {
            "send-verification-code" => (json!({"username": name, "mobile_phone": phone}), None),
            "verify-code" => (
                json!({"mcode": "+86", "mobile": phone}),
                Some(session.to_owned()),
            ),
            // An account that is to be made gets a code like one that is there.
            "auth-otp" => {
                let body = json!({"phone": format!("86{phone}"), "create_user": false});
                (body, None)
            }
            "auth-update-user" => (
                json!({"phone": format!("86{phone}")}),
                Some(session.to_owned()),
            ),
            _ => (json!({"phone": phone}), None),
        };
        self.with_content(events, function, Content { body, token })
    }

    /// A token of a session of a new account: an access token for a function of dialect D.
    ///
    /// # Errors
    /// If the preparation fails.
    pub async fn session(&mut self, function: &str) -> Result<String, Error> {
        self.made += 1;
        let phone = self.number("138");
        self.create(&format!("bench{}", self.made), &phone).await?;
        if function.starts_with("auth-") {
            let session = self.signed_in(&phone).await?;
            return Ok(session["access_token"]
                .as_str()
                .ok_or("no token")?
                .to_owned());
        }
        self.session_of(&phone).await
    }

    async fn session_of(&self, phone: &str) -> Result<String, Error> {
        let login = self.login(phone).await?;
        let session = self.post("/v1/user/loginByMessage", &login, None).await?;
        Ok(session["token"].as_str().ok_or("no token")?.to_owned())
    }

    fn with_content(
        &self,
        events: &Path,
        function: &str,
        content: Content,
    ) -> Result<Value, Error> {
        let file = events.join(format!("{function}.json"));
        let mut event: Value = serde_json::from_slice(&fs::read(file)?)?;
        event["requestContext"]["http"]["sourceIp"] = json!(self.address());
        event["headers"]["content-type"] = json!("application/json");
        event["body"] = json!(content.body.to_string());
        event["isBase64Encoded"] = json!(false);
        if let Some(token) = content.token {
            event["headers"]["authorization"] = json!(format!("Bearer {token}"));
        }
        Ok(event)
    }

    /// Creates an account and a code like those that requests read.
    ///
    /// # Errors
    /// If the creation fails.
    pub async fn sample(&mut self) -> Result<Sample, Error> {
        self.made += 1;
        let phone = self.number("138");
        self.create(&format!("bench{}", self.made), &phone).await?;
        self.login(&phone).await?;
        Ok(Sample {
            user: format!("user#{}", 1_000_000 + self.made),
            owner: format!("phone#+86{phone}"),
            code: format!("login#+86{phone}"),
        })
    }

    async fn content(&mut self, function: &str) -> Result<Content, Error> {
        let (phone, new_phone) = (self.number("138"), self.number("139"));
        let name = format!("bench{}", self.made);
        if function != "send-register-message" {
            self.create(&name, &phone).await?;
        }
        let without_token = |body| Content { body, token: None };
        Ok(match function {
            "send-login-message" | "send-register-message" | "send-change-password-message2" => {
                without_token(json!({"phone": phone}))
            }
            "login-by-message" => without_token(self.login(&phone).await?),
            "send-verification-code" => {
                without_token(json!({"username": name, "mobile_phone": phone}))
            }
            "make-sure-verification-code" => {
                let body = json!({"username": name, "mobile_phone": phone});
                self.post("/Systems/sendVerificationCode", &body, None)
                    .await?;
                let code = self.code(&phone)?;
                without_token(json!({"username": name, "verification_code": code}))
            }
            "register" => {
                let new = json!({"phone": new_phone});
                let sent = self.post("/v1/user/sendRegisterMessage", &new, None);
                let ticket = sent.await?["result"].clone();
                let code = self.code(&new_phone)?;
                without_token(
                    json!({"phoneInfo": ticket, "code": code, "name": format!("new{name}"),
                    "password": "first-password"}),
                )
            }
            "login" => {
                let path = "/v1/user/sendChangePasswordMessage2";
                let reset = self.coded(path, &phone, "newPassword").await?;
                self.post("/v1/user/changePasswordByMessage2", &reset, None)
                    .await?;
                without_token(json!({"value": name, "password": "first-password"}))
            }
            "change-password" => {
                let path = "/v1/user/sendChangePasswordMessage2";
                let reset = self.coded(path, &phone, "newPassword").await?;
                self.post("/v1/user/changePasswordByMessage2", &reset, None)
                    .await?;
                let login = json!({"value": name, "password": "first-password"});
                let session = self.post("/v1/user/login", &login, None).await?;
                Content {
                    body: json!({"oldPassword": "first-password", "newPassword": "second-password"}),
                    token: session["token"].as_str().map(str::to_owned),
                }
            }
            "change-password-by-message2" => {
                let path = "/v1/user/sendChangePasswordMessage2";
                without_token(self.coded(path, &phone, "newPassword").await?)
            }
            "changepasswd" => {
                let body = json!({"username": name, "mobile_phone": phone});
                self.post("/Systems/sendVerificationCode", &body, None)
                    .await?;
                let body = json!({"username": name, "verification_code": self.code(&phone)?});
                let taken = self.post("/Systems/makeSureVerificationCode", &body, None);
                let token = taken.await?["info"].clone();
                without_token(json!({"username": name, "Verification_char": token,
                    "new_password": "Wachtwoord42"}))
            }
            "auth-discovery" | "auth-jwks" | "auth-not-here" => without_token(json!({})),
            // No code is open: one could not be sent again so soon.
            "auth-resend" => without_token(json!({"type": "sms", "phone": format!("86{phone}")})),
            "auth-otp" => without_token(json!({"phone": format!("86{phone}")})),
            "auth-verify" => without_token(self.verifying(&phone).await?),
            "auth-user" | "auth-update-user" | "auth-reauthenticate" | "auth-logout" => {
                let session = self.signed_in(&phone).await?;
                let body = match function {
                    "auth-update-user" => json!({"data": {"theme": "dark"}}),
                    _ => json!({}),
                };
                Content {
                    body,
                    token: session["access_token"].as_str().map(str::to_owned),
                }
            }
            "auth-delete-user" => {
                let session = self.signed_in(&phone).await?;
                let token = session["access_token"].as_str().map(str::to_owned);
                let path = "/auth/v1/reauthenticate?for=delete";
                let asked = self
                    .client
                    .get(format!("{}{path}", self.system.gateway_url));
                let asked = asked.bearer_auth(token.as_deref().unwrap_or_default());
                asked.send().await?.error_for_status()?;
                let body = json!({"nonce": self.code(&phone)?});
                Content { body, token }
            }
            "auth-token" => {
                let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
                let kind = "urn:ietf:params:oauth:token-type:jwt";
                let session = self.session_of(&phone).await?;
                without_token(json!({
                    "grant_type": grant, "subject_token": session, "subject_token_type": kind,
                }))
            }
            _ => {
                let token = self.session_of(&phone).await?;
                let body = match function {
                    "change-password-by-message" => {
                        let path = "/v1/user/sendChangePasswordMessage";
                        let sent = self.post(path, &json!({}), Some(&token)).await?;
                        json!({"phoneInfo": sent["result"], "code": self.code(&phone)?,
                            "newPassword": "first-password"})
                    }
                    "delete-by-message" => {
                        let path = "/v1/user/sendDeleteMessage";
                        let sent = self.post(path, &json!({}), Some(&token)).await?;
                        json!({"phoneInfo": sent["result"], "code": self.code(&phone)?})
                    }
                    "change-name" | "change-name-and-get" => {
                        json!({"name": format!("new{name}")})
                    }
                    "verify-code" => json!({"mcode": "+86", "mobile": new_phone}),
                    "mobile" => {
                        let body = json!({"mcode": "+86", "mobile": new_phone});
                        self.post("/v1/user/verify_code", &body, Some(&token))
                            .await?;
                        let code = self.code(&new_phone)?;
                        json!({"mcode": "+86", "mobile": new_phone, "verify_code": code})
                    }
                    _ => json!({}),
                };
                let token = Some(token);
                Content { body, token }
            }
        })
    }

    /// Sends a code and returns the body for `verify`.
    async fn verifying(&self, phone: &str) -> Result<Value, Error> {
        let with_country = format!("86{phone}");
        let body = json!({"phone": with_country});
        self.post("/auth/v1/otp", &body, None).await?;
        Ok(json!({"type": "sms", "phone": with_country, "token": self.code(phone)?}))
    }

    /// A session of dialect D.
    async fn signed_in(&self, phone: &str) -> Result<Value, Error> {
        let verifying = self.verifying(phone).await?;
        self.post("/auth/v1/verify", &verifying, None).await
    }

    /// Sends a code and returns the body for `loginByMessage`.
    async fn login(&self, phone: &str) -> Result<Value, Error> {
        let body = json!({"phone": phone});
        let sent = self.post("/v1/user/sendLoginMessage", &body, None).await?;
        Ok(json!({"phoneInfo": sent["result"], "code": self.code(phone)?}))
    }

    /// Has this path send a code, and returns the body that redeems it and sets a password.
    async fn coded(&self, path: &str, phone: &str, password: &str) -> Result<Value, Error> {
        let sent = self.post(path, &json!({"phone": phone}), None).await?;
        let code = self.code(phone)?;
        Ok(json!({"phoneInfo": sent["result"], "code": code, password: "first-password"}))
    }

    /// A request for this function through the gateway: its body and its session token.
    ///
    /// # Errors
    /// If the preparation fails.
    pub async fn prepare(&mut self, function: &str) -> Result<(Value, Option<String>), Error> {
        self.made += 1;
        let content = self.content(function).await?;
        Ok((content.body, content.token))
    }

    async fn create(&self, name: &str, phone: &str) -> Result<(), Error> {
        let name = Name::parse(name).ok_or("not a name")?;
        let phone = Phone::from_parts("86", phone);
        let uid = Uid(1_000_000 + u64::from(self.made));
        let id = AccountId::from_random(u128::from(uid.0).to_be_bytes());
        let user = User::new(uid, id, name, phone, shared::clock::now());
        let created = self.system.store.create_user(&user, None).await;
        created
            .map(drop)
            .map_err(|error| format!("{error:?}").into())
    }

    /// Posts to the gateway, from the source IP of the last prepared request. An answer without content is
    /// `null`.
    ///
    /// # Errors
    /// If the answer is not JSON.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Value, Error> {
        let url = format!("{}{path}", self.system.gateway_url);
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header(SOURCE_IP_HEADER, self.address())
            .body(body.to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = request.send().await?.bytes().await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The code in the last message to a phone.
    fn code(&self, phone: &str) -> Result<String, Error> {
        let inbox = self.system.inbox.subscribe();
        let messages = inbox.borrow();
        let sms = messages.iter().rev().find(|sms| sms.phone.ends_with(phone));
        let sms = sms.ok_or("no message")?;
        let mut numbers = sms.message.split(|c: char| !c.is_ascii_digit());
        let code = numbers.find(|number| number.len() == 6);
        Ok(code.ok_or("no code")?.to_owned())
    }

    fn number(&self, prefix: &str) -> String {
        format!("{prefix}{:08}", self.made)
    }

    fn address(&self) -> String {
        Ipv4Addr::from_bits(0x0A00_0000 + self.made).to_string()
    }
}
