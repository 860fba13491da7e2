//! Wrong passwords, and hashes that somebody else made.

use serde_json::json;

use crate::{
    outcome::Outcome,
    world::{HOUR, World, address},
};

const PHONE: &str = "13800138001";
const NAME: &str = "user-5";
const SPRAYED: &str = "123456";

/// One password tried at 60 names an hour for a day, from one address: accounts that have it are among them. Meanwhile
/// somebody whom that address is known for logs in.
pub async fn spraying() -> Vec<Outcome> {
    const AN_HOUR: usize = 60;
    let world = World::start(&[]).await;
    let evil = "192.0.2.1";
    world.user(5, PHONE).await;
    world.set_password(evil, PHONE, "OwnersPass1").await;
    // Two in three of the names exist, and the first hour's last has the password.
    for n in (0..AN_HOUR).filter(|n| n % 3 > 0) {
        world.user(100 + n as u64, &format!("139{n:08}")).await;
    }
    let last = AN_HOUR - 1;
    let elsewhere = "192.0.2.2";
    let phone = format!("139{last:08}");
    world.set_password(elsewhere, &phone, SPRAYED).await;
    let (mut evaluated, mut hits, mut of_owner) = ([0; 24], 0, 0);
    for of_hour in &mut evaluated {
        for n in 0..AN_HOUR {
            let name = format!("user-{}", 100 + n);
            let answer = world.log_in_with_password(evil, &name, SPRAYED).await;
            *of_hour += usize::from(answer.retry_after.is_none());
            hits += usize::from(answer.is_ok());
        }
        let owner = world.log_in_with_password(evil, NAME, "OwnersPass1").await;
        of_owner += usize::from(owner.is_ok());
        world.wait(HOUR);
    }
    let (most, day) = (
        evaluated.iter().max().unwrap_or(&0),
        evaluated.iter().sum::<usize>(),
    );
    vec![Outcome::new(
        "one password tried at 60 names an hour for a day, from one address",
        "30 are evaluated in any hour, 100 in any 24 h; then only accounts that know the address are looked at, \
         and their owners get in",
        *most == 30 && day == 100 && hits == 0 && of_owner == 24,
        format!(
            "at most {most} in an hour, {day} in the day, {hits} got in; the owner {of_owner} times of 24"
        ),
    )]
}

/// Two hundred wrong passwords from a hundred addresses. Then the owner sets another one by SMS, at a new address.
pub async fn before_one_is_set_by_sms() -> Vec<Outcome> {
    let mut opened = 0;
    for hides in ["false", "true"] {
        let world = World::start(&[("HIDE_UNKNOWN_USERS", hides)]).await;
        world.user(5, PHONE).await;
        for n in 0..200 {
            let handle = if n % 2 == 0 { NAME } else { PHONE };
            world
                .log_in_with_password(&address(n % 100), handle, &format!("guess-{n}"))
                .await;
        }
        let from = "192.0.2.3";
        world.set_password(from, PHONE, "OwnersPass1").await;
        let answer = world.log_in_with_password(from, NAME, "OwnersPass1").await;
        opened += usize::from(answer.is_ok());
    }
    vec![Outcome::new(
        "200 wrong passwords at an account whose owner then sets one by SMS",
        "the new one opens at once where it was set, users hidden or not",
        opened == 2,
        format!("{opened} of 2 opened"),
    )]
}

/// Hashes that would cost each login more than a password may.
pub async fn dear_hashes() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    let users = [
        (1 << 20, 1, 1),
        (65_537, 1, 1),
        (65_536, 11, 1),
        (19_456, 1_000_000, 1),
        (65_536, 1, 5),
        (65_536, 10, 4),
    ];
    let (salt, hash) = ("c2FsdHNhbHQ", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI");
    let users = users.iter().enumerate().map(|(n, (memory, passes, lanes))| {
        json!({
            "name": format!("imported-{n}"),
            "passwordHash": format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"),
        })
    });
    let report = world.import(users.collect()).await;
    let (created, refused) = (&report["created"], &report["invalid"]);
    vec![Outcome::new(
        "importing hashes that cost more than a login may",
        "64 MiB, 10 passes and 4 lanes at most; what is dearer is refused",
        *created == 1 && *refused == 5,
        format!("{refused} of 5 refused, the dearest that is allowed imported"),
    )]
}
