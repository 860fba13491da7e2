//! Locking an owner out: strangers use up every limit that they can, all day long.

use std::sync::Mutex;

use futures_util::{StreamExt, future::join, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    outcome::Outcome,
    world::{Answer, DAY, HOUR, World, address, wrong},
};

const OWNER: u64 = 5;
const NAME: &str = "user-5";
const PHONE: &str = "13800138001";
const NEW_PHONE: &str = "13800138002";
const NEWER_PHONE: &str = "13800138003";
const PASSWORD: &str = "OwnersPass1";
const NEW_PASSWORD: &str = "OwnersPass2";
const HOME: &str = "203.0.113.9";

const REQUESTS: usize = 10_000;
const ADDRESSES: usize = 1_000;

/// Of this daily cap strangers may spend four fifths: 64 messages.
const MONEY: [(&str, &str); 2] = [
    ("DAILY_SPEND_USD", "3.20"),
    ("SMS_PRICES_USD", r#"{"86":0.04}"#),
];
/// The siege begins at this hour (UTC), so that a new day, with new money, begins 20 hours later.
const BEGINS_AT: u64 = 4 * HOUR;
/// From this hour of the siege on, strangers have spent the day's money.
const MONEY_IS_SPENT: usize = 17;

/// Ten thousand requests from a thousand addresses and with accounts of their own, on every endpoint, for a
/// day. Meanwhile the owner comes from home, and from new places with a token, in every way there is.
pub async fn for_a_day() -> Vec<Outcome> {
    let attack = "locking an owner out for a day, 10,000 requests from 1,000 addresses";
    let (open, hidden) = join(
        besiege("false", attack),
        besiege("true", "the same, where users are hidden"),
    )
    .await;
    vec![open, hidden]
}

/// Where users are hidden: five hundred made-up names with the owner's phone, and the owner's name with five
/// hundred other phones, in an hour. Then the owner comes, as a stranger.
pub async fn by_decoys() -> Vec<Outcome> {
    let world = World::start(&[("HIDE_UNKNOWN_USERS", "true")]).await;
    world.user(OWNER, PHONE).await;
    let send = "/Systems/sendVerificationCode";
    let recovery = json!({"username": NAME, "mobile_phone": PHONE});
    assert!(world.post("192.0.2.1", send, recovery).await.is_ok());
    world.settle().await;
    let recovery = world.code(&format!("+86{PHONE}"));
    for n in 0..500 {
        let made_up = json!({"username": format!("name-{n}"), "mobile_phone": PHONE});
        let other = json!({"username": NAME, "mobile_phone": format!("139{n:08}")});
        for body in [made_up, other] {
            world.post(&address(n), send, body).await;
        }
    }
    world.settle().await;
    let messages = world.messages() - 1;
    let sure = json!({"username": NAME, "verification_code": recovery});
    let sure = world.post("192.0.2.2", "/Systems/makeSureVerificationCode", sure);
    let is_live = sure.await.is_ok();
    let sent = world.ask("192.0.2.3", PHONE).await;
    world.settle().await;
    let code = world.code(&format!("+86{PHONE}"));
    let logs_in = world
        .log_in("192.0.2.4", sent.result(), &code)
        .await
        .is_ok();
    let held = messages == 0 && is_live && logs_in;
    let result = format!(
        "{messages} sent; the code is {}, the next login {}",
        if is_live { "accepted" } else { "dead" },
        if logs_in { "succeeds" } else { "fails" },
    );
    vec![Outcome::new(
        "1000 requests for unknown accounts with an owner's phone or name, where users are hidden",
        "they use up none of the phone's messages and touch no live code",
        held,
        result,
    )]
}

/// A neighbour behind the owner's address uses up what that address has: messages, codes, passwords. Then the owner
/// comes, without a token and with one.
pub async fn by_a_neighbour() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    world.user(OWNER, PHONE).await;
    let session = world.session(HOME, PHONE).await;
    for n in 0..20 {
        let sent = world.ask(HOME, PHONE).await;
        for _ in 0..6 {
            world.log_in(HOME, sent.result(), &guess(n)).await;
        }
        world.log_in_with_password(HOME, NAME, &guess(n)).await;
        world.wait(HOUR / 4);
    }
    world.settle().await;
    let mut got_in = [0; 2];
    for (got_in, token) in got_in.iter_mut().zip(["", session.as_str()]) {
        let (path, asked) = ("/v1/user/sendLoginMessage", json!({"phone": PHONE}));
        let sent = world.post_in_session(HOME, token, path, asked).await;
        world.settle().await;
        let code = world.code(&format!("+86{PHONE}"));
        let body = json!({"phoneInfo": sent.result(), "code": code});
        let path = "/v1/user/loginByMessage";
        let answer = world.post_in_session(HOME, token, path, body).await;
        *got_in += usize::from(answer.is_ok());
    }
    let [without, with] = got_in;
    vec![Outcome::new(
        "a hostile neighbour behind the owner's own address, for five hours",
        "it may use up what the address has, and takes nothing from the owner's token",
        without == 0 && with == 1,
        format!("without a token {without} of 1 logins, with one {with} of 1"),
    )]
}

async fn besiege(hides: &str, attack: &'static str) -> Outcome {
    let environment = [MONEY.as_slice(), &[("HIDE_UNKNOWN_USERS", hides)]].concat();
    let world = World::start(&environment).await;
    let mut siege = Siege::begin(&world).await;
    let hours = 24;
    for hour in 0..hours {
        siege.refresh().await;
        siege.attack(REQUESTS / hours).await;
        if hour == MONEY_IS_SPENT {
            siege.spend_the_money().await;
        }
        siege.stranger_comes(hour).await;
        siege.owner_comes(hour).await;
        world.wait(HOUR);
    }
    for refusal in siege.refused.iter().take(5) {
        println!("refused: {refusal}");
    }
    for admitted in siege.admitted.iter().take(5) {
        println!("a stranger was not refused: {admitted}");
    }
    let (refused, asked) = (siege.refused.len(), siege.asked);
    let (kept, admitted, strange) = (siege.kept, siege.admitted.len(), siege.strange);
    Outcome::new(
        attack,
        "no request of the owner is refused at an address that the account knows, or with a token of it, \
         although every stranger with the right password or code is; two codes from the money that is kept",
        refused == 0 && admitted == 0 && kept == 2,
        format!(
            "{refused} of {asked} refused, and {} of {strange} of strangers; {kept} codes from kept money",
            strange - admitted
        ),
    )
}

struct Siege<'a> {
    world: &'a World,
    /// Hostile requests so far.
    sent: usize,
    /// Sessions of the attackers' own accounts.
    sessions: Vec<String>,
    /// One of theirs in dialect D.
    own: Tokens,
    /// The latest tickets that strangers got for the owner's phone: to log in, to reset, to register.
    tickets: [Mutex<String>; 3],
    /// The owner's phone.
    phone: &'static str,
    /// The owner's session, begun at home and expired since.
    expired: String,
    /// Requests of the owner, and those of them that were refused.
    asked: usize,
    refused: Vec<String>,
    /// Requests of strangers with the right password or code, and those of them that were not refused.
    strange: usize,
    admitted: Vec<String>,
    /// Codes that the owner got when strangers could get none, because the money was spent.
    kept: usize,
}

/// The tokens of a session in dialect D.
#[derive(Default)]
struct Tokens {
    access: String,
    refresh: String,
}

/// Where the owner comes from: home without a token, or a new place with one.
struct Place<'a> {
    address: String,
    token: &'a str,
}

impl<'a> Siege<'a> {
    async fn begin(world: &'a World) -> Self {
        world.user(OWNER, PHONE).await;
        let mut siege = Siege {
            world,
            sent: 0,
            sessions: Vec::new(),
            own: Tokens::default(),
            tickets: Default::default(),
            phone: PHONE,
            expired: String::new(),
            asked: 0,
            refused: Vec::new(),
            strange: 0,
            admitted: Vec::new(),
            kept: 0,
        };
        for n in 0..3 {
            let phone = format!("1390013900{n}");
            world.user(100 + n, &phone).await;
            let sent = world.ask(&address(n as usize), &phone).await;
            world.settle().await;
            let code = world.code(&format!("+86{phone}"));
            let session = world
                .log_in(&address(n as usize), sent.result(), &code)
                .await;
            siege.sessions.push(token(&session));
        }
        world.user(103, "13900139003").await;
        siege.own = siege.sign_in_as_attacker("8613900139003").await;
        let sent = world.ask(HOME, PHONE).await;
        world.settle().await;
        let code = world.code(&format!("+86{PHONE}"));
        let session = world.log_in(HOME, sent.result(), &code).await;
        siege.expired = token(&session);
        // The owner has been away for weeks, and sets a password at home, which the account still knows.
        world.wait(29 * DAY);
        siege.reset(&Place::home()).await;
        // The reset has ended that session: another one, to expire.
        let again = siege.log_in_with_password(&Place::home()).await;
        siege.expired = token(&again);
        world.wait(30 * DAY - HOUR);
        siege.log_in_with_password(&Place::home()).await;
        let of_day = world.system.clock.now().as_secs() % DAY;
        world.wait(2 * HOUR + (DAY + BEGINS_AT - (of_day + 2 * HOUR) % DAY) % DAY);
        world.settle().await;
        assert!(siege.refused.is_empty(), "{:?}", siege.refused);
        siege.asked = 0;
        siege
    }

    async fn sign_in_as_attacker(&self, phone: &str) -> Tokens {
        let from = address(3);
        let asked = json!({ "phone": phone });
        self.world.post(&from, "/auth/v1/otp", asked).await;
        self.world.settle().await;
        let code = self.world.code(&format!("+{phone}"));
        let body = json!({"type": "sms", "phone": phone, "token": code});
        tokens(&self.world.post(&from, "/auth/v1/verify", body).await)
    }

    /// Refreshes the attackers' session in dialect D: its access token lives an hour.
    async fn refresh(&mut self) {
        let body = json!({"refresh_token": self.own.refresh});
        let path = "/auth/v1/token?grant_type=refresh_token";
        self.own = tokens(&self.world.post(&address(3), path, body).await);
    }

    /// So many hostile requests, eight at a time.
    async fn attack(&mut self, requests: usize) {
        let first = self.sent;
        self.sent += requests;
        let all = (first..self.sent).map(|n| self.hostile(n));
        stream::iter(all).buffered(8).collect::<Vec<()>>().await;
        self.world.settle().await;
    }

    /// Has a message sent to one number after the other, each from another address, until there is no money
    /// left for strangers.
    async fn spend_the_money(&self) {
        for n in 0..200 {
            if !self.ask_for_another(n).await.is_ok() {
                return;
            }
        }
        panic!("the money is not spent");
    }

    /// A stranger's request for a message to a new number.
    async fn ask_for_another(&self, n: usize) -> Answer {
        let body = json!({"phone": format!("137{n:08}")});
        let (from, path) = (address(2 * ADDRESSES + n), "/v1/user/sendRegisterMessage");
        self.world.post(&from, path, body).await
    }

    /// Somebody whom the account does not know has its password, asks for a code, and presents the right
    /// code with a ticket of the siege.
    async fn stranger_comes(&mut self, hour: usize) {
        let from = format!("192.0.2.{hour}");
        let password = json!({"value": NAME, "password": PASSWORD});
        let ticket = self.tickets[0].lock().unwrap().clone();
        let code = self.world.code(&format!("+86{PHONE}"));
        for (path, body) in [
            ("/v1/user/login", password),
            ("/v1/user/sendLoginMessage", json!({"phone": PHONE})),
            (
                "/v1/user/loginByMessage",
                json!({"phoneInfo": ticket, "code": code}),
            ),
        ] {
            let answer = self.world.post(&from, path, body).await;
            self.strange += 1;
            if answer.is_ok() {
                self.admitted.push(format!("{path} in hour {hour}"));
            }
        }
    }

    /// The `n`-th hostile request.
    async fn hostile(&self, n: usize) {
        let from = address(n % ADDRESSES);
        if n.is_multiple_of(3) {
            self.hostile_in_d(&from, n / 3).await;
            return;
        }
        let guess = guess(n);
        let [login, reset, register] = &self.tickets;
        let ticket = |of: &Mutex<String>| of.lock().unwrap().clone();
        let (path, body): (&str, Value) = match n % 20 {
            0 => ("/v1/user/sendLoginMessage", json!({"phone": PHONE})),
            1 => (
                "/v1/user/sendChangePasswordMessage2",
                json!({"phone": PHONE}),
            ),
            2 => ("/v1/user/sendRegisterMessage", json!({"phone": PHONE})),
            3 | 4 => (
                "/Systems/sendVerificationCode",
                json!({"username": if n % 20 == 3 { NAME } else { "nobody" }, "mobile_phone": PHONE}),
            ),
            5 | 6 => (
                "/v1/user/loginByMessage",
                json!({"phoneInfo": ticket(login), "code": guess}),
            ),
            7 => (
                "/v1/user/changePasswordByMessage2",
                json!({"phoneInfo": ticket(reset), "code": guess, "newPassword": "Thief1"}),
            ),
            8 | 9 => (
                "/Systems/makeSureVerificationCode",
                json!({"username": NAME, "verification_code": guess}),
            ),
            10 => (
                "/Systems/changepasswd",
                json!({"username": NAME, "Verification_char": guess, "new_password": "Thief1"}),
            ),
            11 => ("/v1/user/login", json!({"value": PHONE, "password": guess})),
            12 => ("/v1/user/login", json!({"value": NAME, "password": guess})),
            13 => (
                "/v1/user/register",
                json!({"phoneInfo": ticket(register), "code": guess, "name": "thief", "password": "Thief1"}),
            ),
            14 => (
                "/v1/user/verify_code",
                json!({"mcode": "+86", "mobile": PHONE}),
            ),
            15 => (
                "/v1/user/mobile",
                json!({"mcode": "+86", "mobile": PHONE, "verify_code": guess}),
            ),
            16 => ("/v1/user/sendChangePasswordMessage", json!({})),
            17 => (
                "/v1/user/changePasswordByMessage",
                json!({"phoneInfo": ticket(reset), "code": guess, "newPassword": "Thief1"}),
            ),
            18 => (
                "/v1/user/changePassword",
                json!({"oldPassword": guess, "newPassword": "Thief1"}),
            ),
            _ => ("/v1/user/changeName", json!({"name": NAME})),
        };
        let session = &self.sessions[n % self.sessions.len()];
        let answer = self.world.post_in_session(&from, session, path, body).await;
        let got = match path {
            "/v1/user/sendLoginMessage" => login,
            "/v1/user/sendChangePasswordMessage2" => reset,
            "/v1/user/sendRegisterMessage" => register,
            _ => return,
        };
        if answer.is_ok() {
            answer.result().clone_into(&mut got.lock().unwrap());
        }
    }

    /// The `n`-th hostile request in dialect D.
    async fn hostile_in_d(&self, from: &str, n: usize) {
        let (guess, phone) = (guess(n), format!("86{PHONE}"));
        let (method, path, body) = match n % 10 {
            0 => (Method::POST, "otp", json!({ "phone": phone })),
            1 => (
                Method::POST,
                "otp",
                json!({"phone": phone, "create_user": false, "data": {"is": "theirs"}}),
            ),
            2 | 3 => (
                Method::POST,
                "verify",
                json!({"type": "sms", "phone": phone, "token": guess}),
            ),
            4 => (
                Method::POST,
                "verify",
                json!({"type": "phone_change", "phone": phone, "token": guess}),
            ),
            5 => (
                Method::POST,
                "token?grant_type=password",
                json!({"phone": phone, "password": guess}),
            ),
            6 => (
                Method::POST,
                "resend",
                json!({"type": "sms", "phone": phone}),
            ),
            7 => (
                Method::POST,
                "resend",
                json!({"type": "phone_change", "phone": phone}),
            ),
            8 => (Method::PUT, "user", json!({ "phone": phone })),
            _ => (Method::GET, "reauthenticate", json!({})),
        };
        let (path, token) = (format!("/auth/v1/{path}"), &self.own.access);
        self.world.request(method, from, token, &path, body).await;
    }

    /// The owner does one thing after the other, from home and from new places.
    async fn owner_comes(&mut self, hour: usize) {
        let expired = self.expired.clone();
        let away = Place {
            address: format!("198.51.100.{hour}"),
            token: &expired,
        };
        match hour {
            0 => drop(self.log_in_by_sms(&Place::home()).await),
            1 | 2 => drop(self.log_in_with_password(&Place::home()).await),
            3 => drop(self.log_in_with_password(&away).await),
            4 => drop(self.sign_in(&Place::home()).await),
            5 => drop(self.log_in_by_sms(&Place::home()).await),
            6 => drop(self.log_in_by_sms(&away).await),
            7 => drop(self.sign_in_with_password(&Place::home()).await),
            8 => self.recover(&away).await,
            9 | 11 => {
                let session = self.sign_in_with_password(&Place::home()).await;
                let away = Place {
                    address: format!("198.51.100.{hour}"),
                    token: &session.refresh,
                };
                if hour == 9 {
                    self.sign_in(&away).await;
                } else {
                    self.sign_in_with_password(&away).await;
                }
            }
            10 => self.recover(&Place::home()).await,
            12 => self.reset(&Place::home()).await,
            14 | 16 => {
                // A new password has ended the sessions before it: a new one, taken along.
                let session = self.log_in_with_password(&Place::home()).await;
                let session = token(&session);
                let away = Place {
                    address: format!("198.51.100.{hour}"),
                    token: &session,
                };
                if hour == 14 {
                    self.change_password(&away).await;
                } else {
                    self.reset(&away).await;
                }
            }
            17 => self.update_password().await,
            18 => drop(self.log_in_by_sms(&Place::home()).await),
            19 => self.recover(&Place::home()).await,
            20 => self.reauthenticate().await,
            // Last: the old numbers get a notice.
            22 => self.move_phone_in_d().await,
            23 => {
                let session = self.log_in_by_sms(&Place::home()).await;
                self.move_phone(&token(&session)).await;
            }
            _ => {}
        }
    }

    async fn ask(&mut self, place: &Place<'_>, path: &str, body: Value) -> Answer {
        let answer = self
            .world
            .post_in_session(&place.address, place.token, path, body)
            .await;
        self.note(place, path, answer).await
    }

    /// The same in dialect D, where a known session is shown by its refresh token.
    async fn ask_in_d(&mut self, place: &Place<'_>, path: &str, body: Value) -> Answer {
        let token = [("token", place.token)];
        let headers = if place.token.is_empty() {
            &[]
        } else {
            &token[..]
        };
        let answer = self
            .world
            .request_with(Method::POST, &place.address, headers, path, body)
            .await;
        self.note(place, path, answer).await
    }

    /// The same with an access token, at home.
    async fn ask_with(&mut self, method: Method, token: &str, path: &str, body: Value) -> Answer {
        let answer = self.world.request(method, HOME, token, path, body).await;
        self.note(&Place::home(), path, answer).await
    }

    async fn note(&mut self, place: &Place<'_>, path: &str, answer: Answer) -> Answer {
        self.world.settle().await;
        self.asked += 1;
        if !answer.is_ok() {
            let by = if place.token.is_empty() {
                "home"
            } else {
                "token"
            };
            self.refused
                .push(format!("{path} by {by}: {}", answer.body));
        }
        answer
    }

    async fn log_in_with_password(&mut self, place: &Place<'_>) -> Answer {
        let body = json!({"value": NAME, "password": PASSWORD});
        self.ask(place, "/v1/user/login", body).await
    }

    /// A send, then fifty hostile requests, then its code.
    async fn code(&mut self, place: &Place<'_>, path: &str, body: Value) -> (String, String) {
        let is_spent = !self.ask_for_another(self.asked + 1000).await.is_ok();
        let sent = if path.starts_with("/auth/") {
            self.ask_in_d(place, path, body).await
        } else {
            self.ask(place, path, body).await
        };
        self.kept += usize::from(is_spent && sent.is_ok());
        let code = self.world.code(&format!("+86{}", self.phone));
        self.attack(50).await;
        (sent.result().to_owned(), code)
    }

    async fn log_in_by_sms(&mut self, place: &Place<'_>) -> Answer {
        let path = "/v1/user/sendLoginMessage";
        let (ticket, code) = self.code(place, path, json!({"phone": self.phone})).await;
        let body = json!({"phoneInfo": ticket, "code": code});
        self.ask(place, "/v1/user/loginByMessage", body).await
    }

    async fn sign_in(&mut self, place: &Place<'_>) -> Tokens {
        let phone = format!("86{}", self.phone);
        let asked = json!({ "phone": phone });
        let (_, code) = self.code(place, "/auth/v1/otp", asked).await;
        let body = json!({"type": "sms", "phone": phone, "token": code});
        tokens(&self.ask_in_d(place, "/auth/v1/verify", body).await)
    }

    async fn sign_in_with_password(&mut self, place: &Place<'_>) -> Tokens {
        let body = json!({"phone": format!("86{}", self.phone), "password": PASSWORD});
        let path = "/auth/v1/token?grant_type=password";
        tokens(&self.ask_in_d(place, path, body).await)
    }

    /// Another password, and the old one again.
    async fn update_password(&mut self) {
        let session = self.sign_in_with_password(&Place::home()).await;
        for password in [NEW_PASSWORD, PASSWORD] {
            let body = json!({ "password": password });
            self.ask_with(Method::PUT, &session.access, "/auth/v1/user", body)
                .await;
            self.attack(50).await;
        }
    }

    async fn reauthenticate(&mut self) {
        let session = self.sign_in_with_password(&Place::home()).await;
        let path = "/auth/v1/reauthenticate";
        self.ask_with(Method::GET, &session.access, path, json!({}))
            .await;
    }

    async fn move_phone_in_d(&mut self) {
        let session = self.sign_in_with_password(&Place::home()).await;
        let phone = format!("86{NEW_PHONE}");
        let body = json!({ "phone": phone });
        let asked = self.ask_with(Method::PUT, &session.access, "/auth/v1/user", body);
        if !asked.await.is_ok() {
            return;
        }
        self.attack(50).await;
        let code = self.world.code(&format!("+{phone}"));
        let body = json!({"type": "phone_change", "phone": phone, "token": code});
        self.ask_with(Method::POST, &session.access, "/auth/v1/verify", body)
            .await;
        self.phone = NEW_PHONE;
    }

    async fn reset(&mut self, place: &Place<'_>) {
        let path = "/v1/user/sendChangePasswordMessage2";
        let (ticket, code) = self.code(place, path, json!({"phone": PHONE})).await;
        let body = json!({"phoneInfo": ticket, "code": code, "newPassword": PASSWORD});
        self.ask(place, "/v1/user/changePasswordByMessage2", body)
            .await;
    }

    async fn recover(&mut self, place: &Place<'_>) {
        let path = "/Systems/sendVerificationCode";
        let body = json!({"username": NAME, "mobile_phone": PHONE});
        let (_, code) = self.code(place, path, body).await;
        let body = json!({"username": NAME, "verification_code": code});
        let made = self
            .ask(place, "/Systems/makeSureVerificationCode", body)
            .await;
        self.attack(50).await;
        let body = json!({
            "username": NAME, "Verification_char": made.body["info"], "new_password": PASSWORD,
        });
        self.ask(place, "/Systems/changepasswd", body).await;
    }

    async fn change_password(&mut self, place: &Place<'_>) {
        let path = "/v1/user/sendChangePasswordMessage";
        let (ticket, code) = self.code(place, path, json!({})).await;
        let body = json!({"phoneInfo": ticket, "code": code, "newPassword": PASSWORD});
        self.ask(place, "/v1/user/changePasswordByMessage", body)
            .await;
    }

    async fn move_phone(&mut self, session: &str) {
        let place = Place {
            address: HOME.to_owned(),
            token: session,
        };
        let body = json!({"mcode": "+86", "mobile": NEWER_PHONE});
        let sent = self.ask(&place, "/v1/user/verify_code", body).await;
        if !sent.is_ok() {
            return;
        }
        self.attack(50).await;
        let code = self.world.code(&format!("+86{NEWER_PHONE}"));
        let body = json!({"mcode": "+86", "mobile": NEWER_PHONE, "verify_code": code});
        self.ask(&place, "/v1/user/mobile", body).await;
    }
}

impl Place<'static> {
    fn home() -> Self {
        Self {
            address: HOME.to_owned(),
            token: "",
        }
    }
}

fn token(answer: &Answer) -> String {
    answer.body["token"].as_str().unwrap_or_default().to_owned()
}

fn tokens(answer: &Answer) -> Tokens {
    let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
    Tokens {
        access: text("access_token"),
        refresh: text("refresh_token"),
    }
}

/// The `n`-th guess at a code or password.
fn guess(n: usize) -> String {
    wrong("000000", n as u32 * 7919 % 999_983)
}
