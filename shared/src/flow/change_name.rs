//! Giving the account that is logged in another name.

use super::{
    race::{Round, until_won},
    session::Presented,
};
use crate::{
    app::App,
    domain::{
        error::Error,
        user::{Name, User},
    },
    store::{Key, users::RenameOutcome},
};

/// Changes the name. Its old name is free from then on, and its sessions go on. Returns the account.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::NameTaken`], [`Error::Internal`].
pub async fn change(app: &App, session: &Presented, to: &Name) -> Result<User, Error> {
    let uid = session.uid()?;
    let mut keys = vec![Key::user(uid), Key::name_owner(to)];
    // Its present name, most likely: what is known by it goes to the new one.
    let shown = Key::name_owner(session.shown_name()?);
    if !keys.contains(&shown) {
        keys.push(shown);
    }
    let keys = &keys[..];
    until_won(&app.store, keys, |seen| async move {
        let user = session.user(&seen)?;
        // Its own name in another case is free for it.
        let owner = seen.owner_by_name(to)?;
        if owner.is_some_and(|owner| owner.uid != uid) {
            return Err(Error::NameTaken);
        }
        let present = Key::name_owner(&user.name);
        let seen = if keys.contains(&present) {
            seen
        } else {
            app.store.read(&[present]).await?
        };
        let known = seen.owner_by_name(&user.name)?;
        let known = known.map(|owner| owner.known).unwrap_or_default();
        match app
            .store
            .rename_user(&user, session.id()?, to, &known)
            .await?
        {
            RenameOutcome::Done => {
                session.rename(to);
                let name = to.clone();
                Ok(Round::Won(User { name, ..user }))
            }
            RenameOutcome::Raced => Ok(Round::Lost),
            RenameOutcome::NameTaken => Err(Error::NameTaken),
        }
    })
    .await
}
