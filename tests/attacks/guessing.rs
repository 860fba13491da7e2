//! Guessing codes.

use futures_util::future::join_all;

use crate::{
    Outcome,
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
    failures.0.iter().filter(|at| at.0 > day_ago).count()
}

/// Five hundred guesses at one code at once, from five hundred addresses, the right one among the last.
pub async fn at_once() -> Vec<Outcome> {
    const CROWD: u32 = 500;
    let world = World::start(&[]).await;
    world.user(5, VICTIM).await;
    let sent = world.ask("192.0.2.1", VICTIM).await;
    let code = world.code(E164);
    let guesses = (0..CROWD).map(async |n| {
        // The store decides who of them is first; the right one is as likely as any.
        let guess = wrong(&code, n);
        world
            .log_in(&address(n as usize), sent.result(), &guess)
            .await
    });
    let answers = join_all(guesses).await;
    let in_time = evaluated(&world).await;
    let told_apart = answers.iter().filter(|answer| answer.is_ok()).count();
    let held = in_time <= 5 && told_apart == 0;
    let result = format!("{in_time} of {CROWD} looked at");
    vec![Outcome::new(
        "guessing one code, 500 at once",
        "5 guesses a code, however many arrive at once",
        held,
        result,
    )]
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
                        // A guess that is not looked at costs the attacker nothing and brings nothing.
                        match evaluated(&world).await > before {
                            true => guesses += 1,
                            false => break,
                        }
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
        "{first_day} looked at on the first day (1 in {}), at most {most_a_day} a day, {month} in 30 days (1 in {})",
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

/// One code tried on many phones from one address: to hit anybody will do.
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
