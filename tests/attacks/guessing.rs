//! Guessing codes.

use std::sync::Mutex;

use futures_util::future::{join_all, join4};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    domain::{
        client::Client,
        client_address::Source,
        phone::Phone,
        slot_key::SlotKey,
        user::{Name, Uid},
    },
    store::Key,
};

use crate::{
    outcome::Outcome,
    world::{Answer, DAY, World, address, wrong},
};

const VICTIM: &str = "13800138001";
const E164: &str = "+8613800138001";

/// How many guesses the store has taken for the victim's login in the last 24 hours.
async fn evaluated(world: &World) -> usize {
    let phone = Phone::from_parts("86", VICTIM).unwrap();
    let key = SlotKey::login(&phone);
    let keys = [Key::slot(&key)];
    let seen = world.system.store.read(&keys).await.unwrap();
    let failures = seen.slot(&key).unwrap().slot.failures;
    let day_ago = world.system.clock.now().0 - DAY * 1000;
    let moments = failures.values().flat_map(|window| &window.0);
    moments.filter(|at| at.0 > day_ago).count()
}

/// Five hundred guesses at one code at once, from five hundred addresses, the right one the last.
pub async fn at_once() -> Vec<Outcome> {
    const CROWD: u32 = 500;
    let world = World::start(&[]).await;
    world.user(5, VICTIM).await;
    let sent = world.ask("192.0.2.1", VICTIM).await;
    let code = world.code(E164);
    let guesses = (0..CROWD).map(async |n| {
        let is_last = n + 1 == CROWD;
        let guess = if is_last {
            code.clone()
        } else {
            wrong(&code, n)
        };
        // The store decides which of them come first; the right one may be among them.
        world
            .log_in(&address(n as usize), sent.result(), &guess)
            .await
    });
    let answers = join_all(guesses).await;
    let successes = answers.iter().filter(|answer| answer.is_ok()).count();
    let wrong_ones = evaluated(&world).await;
    // Whichever way it went, the code is used up.
    let late = world.log_in("192.0.2.2", sent.result(), &code).await;
    let held = match successes {
        0 => wrong_ones == 5,
        1 => wrong_ones < 5,
        _ => false,
    };
    let result = format!("{} of {CROWD} evaluated", wrong_ones + successes);
    vec![
        Outcome::new(
            "guessing one code, 500 at once",
            "5 guesses a code, however many arrive at once",
            held && !late.is_ok(),
            result,
        )
        .varying(),
    ]
}

/// A way to a code for a phone, and to guess at it.
#[derive(Clone, Copy)]
enum Way {
    Login,
    Reset,
    Recover,
    Register,
    /// By dialect D, whether there is an account or not.
    SignIn,
    /// Moving the account of this attacker to the phone.
    Claim(usize),
    /// The same by dialect D.
    Move,
}

/// Into an account: its phone and its name lead there.
const INTO_AN_ACCOUNT: [Way; 4] = [Way::Login, Way::Reset, Way::Recover, Way::SignIn];
/// To a number that no account has.
const TO_A_NUMBER: [Way; 5] = [
    Way::Register,
    Way::SignIn,
    Way::Claim(0),
    Way::Claim(1),
    Way::Move,
];

/// Who guesses, to the owner's account.
#[derive(Clone, Copy, PartialEq)]
enum Guessing {
    /// Strangers, from ever new addresses.
    Strangers,
    /// Somebody behind the owner's own address.
    AtHome,
    /// Somebody who stole a session.
    WithSession,
}

/// Where the owner is at home.
const HOME: &str = "203.0.113.9";

struct Guesser<'a> {
    world: &'a World,
    phone: &'static str,
    who: Guessing,
    /// How the store knows them.
    client: Client,
    /// The stolen session's token, if one was stolen.
    stolen: String,
    /// Of the attackers' own accounts.
    sessions: Vec<String>,
    /// The refresh token of another one.
    refresh_token: Mutex<String>,
    /// When a guess was evaluated.
    evaluated: Vec<u64>,
    /// How often the right code, presented after the guesses, was accepted.
    hits: usize,
}

impl Guesser<'_> {
    async fn ask(&self, way: Way, from: &str) -> Answer {
        let (path, body, session) = match way {
            Way::Login => (
                "/v1/user/sendLoginMessage",
                json!({"phone": self.phone}),
                "",
            ),
            Way::Reset => (
                "/v1/user/sendChangePasswordMessage2",
                json!({"phone": self.phone}),
                "",
            ),
            Way::Recover => (
                "/Systems/sendVerificationCode",
                json!({"username": "user-5", "mobile_phone": self.phone}),
                "",
            ),
            Way::Register => (
                "/v1/user/sendRegisterMessage",
                json!({"phone": self.phone}),
                "",
            ),
            Way::SignIn => (
                "/auth/v1/otp",
                json!({"phone": format!("86{}", self.phone)}),
                "",
            ),
            Way::Move => {
                let token = self.access_token(from).await;
                let body = json!({"phone": format!("86{}", self.phone)});
                let path = "/auth/v1/user";
                return self
                    .world
                    .request(Method::PUT, from, &token, path, body)
                    .await;
            }
            Way::Claim(n) => (
                "/v1/user/verify_code",
                json!({"mcode": "+86", "mobile": self.phone}),
                self.sessions[n].as_str(),
            ),
        };
        self.send(from, session, path, body).await
    }

    /// Shows the stolen session where no other is shown: in dialect D in the header `Token`.
    async fn send(&self, from: &str, session: &str, path: &str, body: Value) -> Answer {
        let world = self.world;
        if !session.is_empty() || self.stolen.is_empty() {
            return world.post_in_session(from, session, path, body).await;
        }
        let bearer = format!("Bearer {}", self.stolen);
        let shown = if path.starts_with("/auth/") {
            ("token", self.stolen.as_str())
        } else {
            ("authorization", bearer.as_str())
        };
        let (method, headers) = (Method::POST, &[shown]);
        world.request_with(method, from, headers, path, body).await
    }

    async fn present(&self, way: Way, from: &str, ticket: &str, code: &str) -> Answer {
        let (path, body, session) = match way {
            Way::Login => (
                "/v1/user/loginByMessage",
                json!({"phoneInfo": ticket, "code": code}),
                "",
            ),
            Way::Reset => (
                "/v1/user/changePasswordByMessage2",
                json!({"phoneInfo": ticket, "code": code, "newPassword": "Thief1"}),
                "",
            ),
            Way::Recover => (
                "/Systems/makeSureVerificationCode",
                json!({"username": "user-5", "verification_code": code}),
                "",
            ),
            Way::Register => (
                "/v1/user/register",
                json!({"phoneInfo": ticket, "code": code, "name": "thief", "password": "Thief1"}),
                "",
            ),
            Way::SignIn => (
                "/auth/v1/verify",
                json!({"type": "sms", "phone": format!("86{}", self.phone), "token": code}),
                "",
            ),
            Way::Move => (
                "/auth/v1/verify",
                json!({"type": "phone_change", "phone": format!("86{}", self.phone), "token": code}),
                "",
            ),
            Way::Claim(n) => (
                "/v1/user/mobile",
                json!({"mcode": "+86", "mobile": self.phone, "verify_code": code}),
                self.sessions[n].as_str(),
            ),
        };
        self.send(from, session, path, body).await
    }

    /// A fresh access token of the attackers' account in dialect D.
    async fn access_token(&self, from: &str) -> String {
        let token = self.refresh_token.lock().unwrap().clone();
        let path = "/auth/v1/token?grant_type=refresh_token";
        let body = json!({"refresh_token": token});
        let refreshed = self.world.post(from, path, body).await.body;
        let text = |name: &str| refreshed[name].as_str().unwrap().to_owned();
        *self.refresh_token.lock().unwrap() = text("refresh_token");
        text("access_token")
    }

    /// When the latest guess by this way was evaluated.
    async fn latest(&self, way: Way) -> Option<u64> {
        let phone = Phone::from_parts("86", self.phone).unwrap();
        let key = match way {
            Way::Login => SlotKey::login(&phone),
            Way::Reset => SlotKey::reset_password(&phone),
            Way::Recover => SlotKey::recover(&Name::parse("user-5").unwrap()),
            Way::Register => SlotKey::register(&phone),
            Way::SignIn => SlotKey::sign_in(&phone),
            Way::Move => SlotKey::move_to(&phone),
            Way::Claim(n) => SlotKey::change_phone(Uid(100 + n as u64), &phone),
        };
        let keys = [Key::slot(&key)];
        let seen = self.world.system.store.read(&keys).await.unwrap();
        let failures = seen.slot(&key).unwrap().slot.failures;
        Some(failures.of(self.client).0.first()?.0)
    }

    /// Asks for a code, guesses until a guess is not evaluated, and then presents the right code.
    async fn try_way(&mut self, way: Way, from: &str) {
        let sent = self.ask(way, from).await;
        if !sent.is_ok() {
            return;
        }
        let code = self.world.code(&format!("+86{}", self.phone));
        for n in 0.. {
            let before = self.latest(way).await;
            let guess = wrong(&code, n);
            let refused = self.present(way, from, sent.result(), &guess).await;
            let after = self.latest(way).await;
            // A guess over the limit uses up a try in dialect B, and is not evaluated.
            if after == before || refused.retry_after.is_some() {
                break;
            }
            self.evaluated.extend(after);
        }
        let right = self.present(way, from, sent.result(), &code).await;
        self.hits += usize::from(right.is_ok());
    }

    /// The most guesses that were evaluated in so many days, whenever they begin.
    fn most_in(&self, days: u64) -> usize {
        let within = self.evaluated.iter().map(|from| {
            let until = from + days * DAY * 1000;
            let within = self.evaluated.iter();
            within.filter(|at| (*from..until).contains(at)).count()
        });
        within.max().unwrap_or(0)
    }
}

/// Asking for codes and guessing at them as often as the limits let, for 30 days, each day by other ways:
/// all combinations of them have their turn.
async fn guess_for_a_month(
    attack: &'static str,
    who: Guessing,
    phone: &'static str,
    ways: &[Way],
) -> Outcome {
    let month = [("DAILY_SPEND_USD", "1000"), ("SESSION_IDLE_DAYS", "60")];
    let world = World::start(&month).await;
    world.user(5, VICTIM).await;
    let session = world.session(HOME, VICTIM).await;
    world.settle().await;
    let keys = &world.system.apps["login"].config.keys;
    let home = Source::of_client(HOME.parse().ok());
    let (client, stolen) = match who {
        Guessing::Strangers => (Client::Stranger, String::new()),
        Guessing::AtHome => (Client::candidates(&home, false, keys)[1], String::new()),
        Guessing::WithSession => (Client::KnownSession, session),
    };
    let mut guesser = Guesser {
        world: &world,
        phone,
        who,
        client,
        stolen,
        sessions: Vec::new(),
        refresh_token: Mutex::default(),
        evaluated: Vec::new(),
        hits: 0,
    };
    let own = "13900139109";
    world
        .post(
            &address(9),
            "/auth/v1/otp",
            json!({"phone": format!("86{own}")}),
        )
        .await;
    let code = world.code(&format!("+86{own}"));
    let body = json!({"type": "sms", "phone": format!("86{own}"), "token": code});
    let signed_in = world.post(&address(9), "/auth/v1/verify", body).await.body;
    let token = signed_in["refresh_token"].as_str().unwrap();
    guesser.refresh_token = Mutex::new(token.to_owned());
    for n in 0..2 {
        let phone = format!("1390013910{n}");
        world.user(100 + n, &phone).await;
        let from = address(n as usize);
        let sent = world.ask(&from, &phone).await;
        let code = world.code(&format!("+86{phone}"));
        let session = world.log_in(&from, sent.result(), &code).await;
        let token = session.body["token"].as_str().unwrap().to_owned();
        guesser.sessions.push(token);
    }
    let combinations = (1 << ways.len()) - 1;
    let rounds = match who {
        Guessing::Strangers => 24,
        Guessing::AtHome | Guessing::WithSession => 8,
    };
    for day in 0..combinations.max(30) {
        let combination = combinations - day % combinations;
        for round in 0..rounds {
            for turn in 0..ways.len() {
                // Each day begins with another way.
                let which = (turn + day) % ways.len();
                if combination & (1 << which) != 0 {
                    let from = match guesser.who {
                        Guessing::AtHome => HOME.to_owned(),
                        _ => address(1000 + day * 100 + round),
                    };
                    guesser.try_way(ways[which], &from).await;
                }
            }
            world.wait(DAY / rounds as u64);
        }
    }
    let (most, month) = (guesser.most_in(1), guesser.most_in(30));
    let odds = |guesses: usize| 1_000_000_usize.checked_div(guesses).unwrap_or_default();
    let result = format!(
        "at most {most} evaluated in any 24 h (1 in {}), {month} in 30 days (1 in {}); the right code, tried after \
         them, got in {} times",
        odds(most),
        odds(month),
        guesser.hits
    );
    Outcome::new(
        attack,
        "10 guesses per phone in any 24 h over all purposes and dialects: 1 in 100,000 a day, 1 in 3,333 in 30 days",
        most == 10 && month <= 300 && guesser.hits == 0,
        result,
    )
}

/// By every way there is: into an account, by strangers and by clients that it knows, and to a number that has none.
pub async fn for_a_month() -> Vec<Outcome> {
    use Guessing::{AtHome, Strangers, WithSession};
    let into = "guessing for a month, by login, reset, recovery and sign-in, in every combination";
    let (into_an_account, to_a_number, at_home, with_session) = join4(
        guess_for_a_month(into, Strangers, VICTIM, &INTO_AN_ACCOUNT),
        guess_for_a_month(
            "the same at a number without an account, by registering, by sign-in and by three accounts that would move there",
            Strangers,
            "13900139000",
            &TO_A_NUMBER,
        ),
        guess_for_a_month(
            "guessing for a month from the owner's own address, likewise",
            AtHome,
            VICTIM,
            &INTO_AN_ACCOUNT,
        ),
        guess_for_a_month(
            "guessing for a month with a session of the owner's, likewise",
            WithSession,
            VICTIM,
            &INTO_AN_ACCOUNT,
        ),
    )
    .await;
    vec![into_an_account, to_a_number, at_home, with_session]
}

/// One code tried on many phones from one address: any account is a success.
pub async fn one_code_over_many_phones() -> Vec<Outcome> {
    const PHONES: u64 = 300;
    let world = World::start(&[]).await;
    let phone = |n: u64| format!("138{n:08}");
    for n in 0..PHONES {
        world.user(100 + n, &phone(n)).await;
    }
    let (mut challenges, mut hits) = (0, 0);
    for n in 0..PHONES {
        let sent = world.ask("192.0.2.1", &phone(n)).await;
        if !sent.is_ok() {
            continue;
        }
        challenges += 1;
        let code = world.code(&format!("+86{}", phone(n)));
        let guess = if code == "123456" { "654321" } else { "123456" };
        let answer = world.log_in("192.0.2.1", sent.result(), guess).await;
        hits += usize::from(answer.is_ok());
    }
    let held = challenges <= 30 && hits == 0;
    let result = format!("{challenges} of {PHONES} phones had a code to guess at");
    vec![Outcome::new(
        "one code tried on 300 phones, from one address",
        "30 codes an hour to guess at per address, 5 guesses each: 1 in 6,667 an hour to get into any account",
        held,
        result,
    )]
}
