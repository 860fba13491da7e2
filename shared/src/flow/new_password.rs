//! What follows a new password of an account, whatever permitted it.

use std::sync::Arc;

use crate::{
    app::App,
    config::limits::WRONG_PASSWORDS,
    domain::{
        client::Client,
        client_address::Source,
        phone::Phone,
        user::{Name, Uid},
    },
    store::attempts::Attempts,
};

/// Defers what a password that was set at `source` ends: the counts of wrong ones, which say nothing of the new
/// one. They are strangers', those of the account's sessions, and those of this address.
///
/// Where users are hidden, strangers' count by phone and by name stays: if it ended, it would show that an
/// account has them.
pub(super) fn was_set(
    app: &Arc<App>,
    (uid, phone, name): (Uid, Option<&Phone>, &Name),
    source: &Source,
) {
    let keys = &app.config.keys;
    let clients = Client::candidates(source, true, keys);
    let mut ended: Vec<Attempts> = clients.iter().map(|it| Attempts::at(uid, *it)).collect();
    if app.config.hide_unknown_users {
        let handles = phone.map(Phone::e164).into_iter().chain([name.folded()]);
        for handle in handles.map(|handle| keys.pseudonym(&handle)) {
            let known = clients.iter().filter(|client| client.is_known());
            ended.extend(known.map(|client| Attempts::by_handle(handle, *client)));
        }
    }
    app.defer(async move |app| {
        // One after the other, and boxed: see `was_redeemed`.
        for attempts in &ended {
            let forgotten = app.store.forget_attempts(attempts, WRONG_PASSWORDS);
            if let Err(failure) = Box::pin(forgotten).await {
                tracing::warn!(?failure, "wrong passwords of an old password still count");
            }
        }
    });
}
