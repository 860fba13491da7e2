//! Importing accounts from another system.

use super::race::Race;
use crate::{
    app::App,
    domain::{
        error::Error,
        user::{Uid, User},
    },
    random,
    store::users::CreateOutcome,
};

/// An account to import.
#[derive(Debug)]
pub struct Candidate {
    /// The account.
    pub user: User,
    /// Whether its number was drawn here. A drawn number that is taken is drawn again.
    pub has_drawn_uid: bool,
}

/// What importing an account came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// The account was created, with this number.
    Created(Uid),
    /// Its number is taken.
    UidTaken,
    /// Its phone is taken.
    PhoneTaken,
    /// Its name is taken.
    NameTaken,
}

/// Creates an account, unless its number, phone or name is taken. Repeating it changes nothing.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails.
pub async fn create(app: &App, mut candidate: Candidate) -> Result<Imported, Error> {
    let mut race = Race::default();
    loop {
        match app.store.create_user(&candidate.user, None).await? {
            CreateOutcome::Done => return Ok(Imported::Created(candidate.user.uid)),
            CreateOutcome::NameTaken => return Ok(Imported::NameTaken),
            CreateOutcome::PhoneTaken => return Ok(Imported::PhoneTaken),
            CreateOutcome::UidTaken if candidate.has_drawn_uid => {
                candidate.user.uid =
                    Uid::from_random(random::bytes()?, app.config.draws.largest_uid);
            }
            CreateOutcome::UidTaken => return Ok(Imported::UidTaken),
            CreateOutcome::Raced => race.lost().await,
        }
    }
}
