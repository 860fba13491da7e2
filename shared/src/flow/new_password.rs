//! What follows when a code has set an account's password.

use std::sync::Arc;

use crate::{app::App, config::limits::WRONG_PASSWORDS, domain::user::Uid};

/// Defers what a password that was set ends: the count of wrong ones, so that its owner gets in with it
/// whoever has guessed at the old one.
pub(super) fn was_set(app: &Arc<App>, uid: Uid) {
    app.defer(async move |app| {
        if let Err(failure) = app.store.forget_attempts(uid, WRONG_PASSWORDS).await {
            tracing::warn!(?failure, "wrong passwords of an old password still count");
        }
    });
}
