//! Toll fraud: messages to numbers that pay the attacker.

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::{
    outcome::Outcome,
    world::{Answer, HOUR, World, address},
};

/// People who register from home, the office or the street.
struct People {
    country: &'static str,
    count: usize,
    /// Where the first of them is at home.
    home: usize,
}

impl People {
    fn phone(&self, n: usize) -> String {
        match self.country {
            "86" => format!("138{n:08}"),
            _ => format!("79112{n:05}"),
        }
    }

    /// The `n`-th registers a new number: asks for a code, and seven in ten use it. Whether it was
    /// sent.
    async fn register(&self, world: &World, n: usize, number: usize) -> bool {
        let (from, phone) = (address(self.home + n), self.phone(number));
        let path = "/v1/user/sendRegisterMessage";
        let body = json!({"countryCode": self.country, "phone": phone});
        let sent = world.post(&from, path, body).await;
        if !sent.is_ok() {
            return false;
        }
        if n % 10 < 7 {
            let code = world.code(&format!("+{}{phone}", self.country));
            let name = format!("from-{}-{number}", self.country);
            let body = json!({
                "phoneInfo": sent.result(), "code": code, "name": name, "password": "a-password",
            });
            let joined = world.post(&from, "/v1/user/register", body).await;
            assert!(joined.is_ok(), "{}", joined.body);
        }
        true
    }
}

/// A thousand addresses, ten thousand numbers of one country, beside people of that country and of
/// another.
pub async fn a_country() -> Vec<Outcome> {
    const ADDRESSES: usize = 1_000;
    const NUMBERS: usize = 10_000;
    let world = World::start(&[
        ("ALLOWED_COUNTRY_CODES", "86,44"),
        ("DAILY_SPEND_USD", "5000"),
    ])
    .await;
    // Past midnight UTC, so that a day is a day.
    let into_day = world.system.clock.now().0 / 1000 % 86_400;
    world.wait(86_400 - into_day);
    let yesterday = [
        People {
            country: "86",
            count: 300,
            home: 100_000,
        },
        People {
            country: "44",
            count: 300,
            home: 110_000,
        },
    ];
    for people in &yesterday {
        let all = (0..people.count).map(|n| people.register(&world, n, n));
        let sent: Vec<bool> = stream::iter(all).buffered(8).collect().await;
        assert!(sent.iter().all(|sent| *sent), "a usual day");
    }
    world.settle().await;
    world.wait(24 * HOUR);

    // Today, at the same rate, from where they were yesterday and, a tenth of them, from elsewhere.
    let today = [
        People {
            country: "86",
            count: 300,
            home: 100_030,
        },
        People {
            country: "44",
            count: 300,
            home: 110_030,
        },
    ];
    let attack = async |n: usize| -> Answer {
        // Each address sends all it can before the next is used: the worst order.
        let from = address(n * ADDRESSES / NUMBERS);
        let body = json!({"phone": format!("1990{n:07}")});
        world
            .post(&from, "/v1/user/sendRegisterMessage", body)
            .await
    };
    let (mut pumped, mut refused_people, mut asked_people) = (0, [0, 0], [0, 0]);
    // In thirty rounds of ten minutes.
    const ROUNDS: usize = 30;
    for round in 0..ROUNDS {
        let numbers = round * NUMBERS / ROUNDS..(round + 1) * NUMBERS / ROUNDS;
        let attacks = stream::iter(numbers.map(&attack)).buffer_unordered(8);
        let people = async {
            for (which, people) in today.iter().enumerate() {
                for n in (round..people.count).step_by(ROUNDS) {
                    asked_people[which] += 1;
                    // Yesterday's numbers have accounts now.
                    let sent = people.register(&world, n, 1_000 + n).await;
                    refused_people[which] += usize::from(!sent);
                }
            }
        };
        let (answers, ()) = futures_util::future::join(attacks.collect::<Vec<_>>(), people).await;
        pumped += answers.iter().filter(|answer| answer.is_ok()).count();
        world.wait(600);
    }
    let usual = 210;
    let bound = 3 * usual + ADDRESSES;
    let lost = |which: usize| 100.0 * refused_people[which] as f64 / asked_people[which] as f64;
    vec![
        Outcome::new(
            "pumping 10,000 numbers of one country, from 1,000 addresses",
            format!(
                "three times what is usual ({usual} unused codes a day here) and one message per address: {bound} at most"
            ),
            pumped <= bound,
            format!("{pumped} of {NUMBERS} sent"),
        )
        .varying(),
        Outcome::new(
            "the same, as people of that country and of another see it",
            "under 1 % of their messages are refused",
            lost(0) < 1.0 && lost(1) < 1.0,
            format!(
                "{:.1} % there, {:.1} % elsewhere, of {} each",
                lost(0),
                lost(1),
                asked_people[0]
            ),
        )
        .varying(),
    ]
}

/// Numbers of twenty Caribbean countries, which share the calling code of the United States and Canada.
pub async fn the_caribbean() -> Vec<Outcome> {
    const AREAS: [&str; 20] = [
        "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758",
        "767", "784", "809", "868", "869", "876", "829",
    ];
    let world = World::start(&[("ALLOWED_COUNTRY_CODES", "1")]).await;
    let send = |n: usize, phone: String| {
        let body = json!({"countryCode": "1", "phone": phone});
        let world = &world;
        async move {
            world
                .post(&address(n), "/v1/user/sendRegisterMessage", body)
                .await
        }
    };
    let mut sent = 0;
    for n in 0..1_000 {
        let phone = format!("{}301{:04}", AREAS[n % AREAS.len()], n);
        sent += usize::from(send(n, phone).await.is_ok());
    }
    let mut served = 0;
    // New York and Toronto.
    for (n, area) in ["212", "416"].iter().enumerate() {
        served += usize::from(send(2_000 + n, format!("{area}5550{n:03}")).await.is_ok());
    }
    vec![Outcome::new(
        "pumping 1,000 numbers of 20 Caribbean countries, where `1` is served",
        "serving `1` serves the United States and Canada and nothing else",
        sent == 0 && served == 2,
        format!("{sent} sent"),
    )]
}
