//! Sessions: the map `sessions` of the item `user#<uid>`, by their ids. A session that is not in it is over.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;

use super::{
    Store,
    failure::unbuildable,
    item::{Item, attribute, number},
    repeat::{self, Updated},
    start::Start,
    transaction::{Outcome, Transaction, update_part},
    users::AccountCondition,
    wrong_codes::Spend,
};
use crate::domain::{
    error::Error,
    session::{Held, Renewal, SessionId, Sessions},
    user::Uid,
};

impl Store {
    /// Starts a session of an account that is active and at the epoch that it was read with.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn start_session(&self, start: &Start) -> Result<Outcome, Error> {
        let update = self.starting(start)?.build().map_err(unbuildable)?;
        let update = self
            .client
            .update_item()
            .table_name(update.table_name)
            .set_key(Some(update.key))
            .update_expression(update.update_expression)
            .set_condition_expression(update.condition_expression)
            .set_expression_attribute_names(update.expression_attribute_names)
            .set_expression_attribute_values(update.expression_attribute_values);
        Ok(match repeat::update(update).await? {
            Updated::Done(_) => Outcome::Done,
            Updated::Refused(_) => Outcome::Raced,
        })
    }

    /// Spends a code and starts a session, in one transaction.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn log_in(&self, start: &Start, spend: &Spend<'_>) -> Result<Outcome, Error> {
        let mut writes = Vec::from(self.spending(spend)?);
        writes.push(update_part(self.starting(start)?)?);
        self.transact(writes).await.map(Transaction::outcome)
    }

    /// The update that starts a session. Repeated, it changes nothing.
    fn starting(&self, start: &Start) -> Result<UpdateBuilder, Error> {
        let part = start.part()?;
        let mut change = format!("SET {}", part.set);
        if let Some(remove) = part.remove {
            change.push_str(" REMOVE ");
            change.push_str(remove);
        }
        let condition = AccountCondition::ActiveAtEpoch { epoch: start.epoch };
        let room = Some(part.there_is_room);
        let update = self.update_user(start.uid, &change, condition, room, part.values);
        let names = part.names.into_iter();
        Ok(names.fold(update, |update, (name, id)| {
            update.expression_attribute_names(name, id)
        }))
    }

    /// Ends a session. One that is over already stays so.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn end_session(&self, uid: Uid, id: SessionId) -> Result<(), Error> {
        self.update_session(uid, id, "REMOVE sessions.#id", None)
            .await
    }

    /// Ends all sessions of an account.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn end_all_sessions(&self, uid: Uid) -> Result<(), Error> {
        let values = HashMap::from([(":none".to_owned(), attribute(&Sessions::default())?)]);
        let update = self
            .update_of(uid)
            .update_expression("SET sessions = :none")
            .condition_expression("attribute_exists(sessions)")
            .set_expression_attribute_values(Some(values));
        repeat::update(update).await.map(drop)
    }

    /// Ends all sessions of an account but one, if that is still as it was read.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn end_other_sessions(
        &self,
        uid: Uid,
        id: SessionId,
        held: Held,
    ) -> Result<Outcome, Error> {
        let values = HashMap::from([
            (":held".to_owned(), attribute(&held)?),
            (":only".to_owned(), attribute(&Sessions::only(id, held))?),
        ]);
        let update = self
            .update_of(uid)
            .update_expression("SET sessions = :only")
            .condition_expression("sessions.#id = :held")
            .expression_attribute_names("#id", id.to_string())
            .set_expression_attribute_values(Some(values));
        Ok(match repeat::update(update).await? {
            Updated::Done(_) => Outcome::Done,
            Updated::Refused(_) => Outcome::Raced,
        })
    }

    /// Notes the day of a session's use, unless the session is over.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn note_use(&self, uid: Uid, id: SessionId, day: u64) -> Result<(), Error> {
        let values = HashMap::from([(":day".to_owned(), number(day))]);
        self.update_session(uid, id, "SET sessions.#id.used_day = :day", Some(values))
            .await
    }

    /// Writes the renewal of a refresh token, if the session's last one is still the one that was read. It is a
    /// use of the session. Repeated, it changes nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn renew_session(
        &self,
        uid: Uid,
        id: SessionId,
        read: &Held,
        renewal: Renewal,
    ) -> Result<Outcome, Error> {
        let mut values = HashMap::from([
            (":renewal".to_owned(), attribute(&renewal)?),
            (":day".to_owned(), number(renewal.at.day())),
        ]);
        let is_unchanged = match read.renewal {
            Some(last) => {
                values.insert(":last".to_owned(), attribute(&last)?);
                "sessions.#id.renewal IN (:last, :renewal)"
            }
            None => {
                "attribute_exists(sessions.#id) AND (attribute_not_exists(sessions.#id.renewal) \
                 OR sessions.#id.renewal = :renewal)"
            }
        };
        let update = self
            .update_of(uid)
            .update_expression("SET sessions.#id.renewal = :renewal, sessions.#id.used_day = :day")
            .condition_expression(is_unchanged)
            .expression_attribute_names("#id", id.to_string())
            .set_expression_attribute_values(Some(values));
        Ok(match repeat::update(update).await? {
            Updated::Done(_) => Outcome::Done,
            Updated::Refused(_) => Outcome::Raced,
        })
    }

    async fn update_session(
        &self,
        uid: Uid,
        id: SessionId,
        change: &str,
        values: Option<Item>,
    ) -> Result<(), Error> {
        let update = self
            .update_of(uid)
            .update_expression(change)
            .condition_expression("attribute_exists(sessions.#id)")
            .expression_attribute_names("#id", id.to_string())
            .set_expression_attribute_values(values);
        repeat::update(update).await.map(drop)
    }
}
