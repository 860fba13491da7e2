//! The start of a session, as a part of an update of its account.

use std::collections::HashMap;

use super::item::{Item, attribute, number};
use crate::domain::{
    error::Error,
    session::{Held, MOST_SESSIONS, SessionId},
    user::Uid,
};

/// A session to start.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// The account.
    pub uid: Uid,
    /// The account's epoch, as it was read.
    pub epoch: u64,
    /// The session's id.
    pub id: SessionId,
    /// What the account keeps of it.
    pub held: Held,
    /// The session that ends for it.
    pub ending: Option<SessionId>,
}

/// What starts a session, as parts of an update of its account.
pub(super) struct StartPart {
    pub set: &'static str,
    pub remove: Option<&'static str>,
    /// The condition.
    pub there_is_room: &'static str,
    pub names: Vec<(&'static str, String)>,
    pub values: Item,
}

impl Start {
    pub(super) fn part(&self) -> Result<StartPart, Error> {
        let mut part = StartPart {
            set: "sessions.#id = :started",
            remove: None,
            there_is_room: "(attribute_exists(sessions.#id) OR size(sessions) < :most)",
            names: vec![("#id", self.id.to_string())],
            values: HashMap::from([(":started".to_owned(), attribute(&self.held)?)]),
        };
        match self.ending {
            Some(ending) => {
                part.remove = Some("sessions.#ending");
                part.there_is_room =
                    "(attribute_exists(sessions.#id) OR attribute_exists(sessions.#ending))";
                part.names.push(("#ending", ending.to_string()));
            }
            None => {
                let most = number(MOST_SESSIONS as u64);
                part.values.insert(":most".to_owned(), most);
            }
        }
        Ok(part)
    }
}
