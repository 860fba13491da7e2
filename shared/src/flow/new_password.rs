//! What follows a new password of an account, whatever permitted it.

use std::sync::Arc;

use crate::{
    app::App,
    config::limits::WRONG_PASSWORDS,
    domain::{client::Client, user::Uid},
    store::attempts::Attempts,
};

/// Defers what a password that was set ends: strangers' count of wrong ones, which say nothing of the new
/// one.
pub(super) fn was_set(app: &Arc<App>, uid: Uid) {
    let attempts = Attempts::at(uid, Client::Stranger);
    app.defer(async move |app| {
        let forgotten = app.store.forget_attempts(&attempts, WRONG_PASSWORDS);
        if let Err(failure) = forgotten.await {
            tracing::warn!(?failure, "wrong passwords of an old password still count");
        }
    });
}
