//! Guessing codes.

use futures_util::future::join_all;

use crate::{
    outcome::Outcome,
    world::{DAY, World, address, wrong},
};

const VICTIM: &str = "13800138001";
const E164: &str = "+8613800138001";

/// How many guesses the store has taken for the victim's login in the last 24 hours.
async fn evaluated(world: &World) -> usize {
    let phone = shared::domain::phone::Phone::from_parts("86", VICTIM).unwrap();
    let key = shared::domain::slot_key::SlotKey::login(&phone);
    let keys = [shared::store::Key::slot(&key)];
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

/// Asking for codes and guessing at them, as often as the limits let, for 30 days.
pub async fn for_a_month() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    world.user(5, VICTIM).await;
    let (mut first_day, mut most_a_day, mut month) = (0, 0, 0);
    for day in 0..30 {
        let (mut guesses, mut waited) = (0, 0);
        while waited < DAY {
            let from = address(day * 100 + (waited / 900) as usize);
            let sent = world.ask(&from, VICTIM).await;
            let wait = match sent.retry_after {
                Some(wait) => wait,
                None => {
                    let code = world.code(E164);
                    for n in 0.. {
                        let guess = wrong(&code, n);
                        let before = evaluated(&world).await;
                        world.log_in(&from, sent.result(), &guess).await;
                        // A guess that is not evaluated costs the attacker nothing and gains nothing.
                        if evaluated(&world).await <= before {
                            break;
                        }
                        guesses += 1;
                    }
                    120
                }
            };
            let wait = wait.min(DAY - waited);
            world.wait(wait);
            waited += wait;
        }
        most_a_day = most_a_day.max(guesses);
        month += guesses;
        if day == 0 {
            first_day = guesses;
        }
    }
    let held = most_a_day <= 10 && month <= 300;
    let odds = |guesses: u32| 1_000_000_u32.checked_div(guesses).unwrap_or_default();
    let result = format!(
        "{first_day} evaluated on the first day (1 in {}), at most {most_a_day} a day, {month} in 30 days (1 in {})",
        odds(first_day),
        odds(month)
    );
    vec![Outcome::new(
        "guessing across resends, for a day and a month",
        "10 guesses per phone and purpose in any 24 h: 1 in 100,000 a day, 1 in 3,333 a month",
        held,
        result,
    )]
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
