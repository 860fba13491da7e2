//! The list of the functions' handlers.

use std::{pin::Pin, sync::Arc};

use lambda_http::{Body, Request, Response};
use shared::{App, domain::time::UnixMs};

/// Answers one request at a given time.
pub type Handler =
    fn(Arc<App>, Request, UnixMs) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A function's crate.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    crate_name: &'static str,
    /// Its `handle`.
    pub handler: Handler,
}

impl Function {
    /// The name of its package, directory and binary: `send-login-message`.
    pub fn name(&self) -> String {
        self.crate_name.replace('_', "-")
    }
}

macro_rules! functions {
    ($($krate:ident,)*) => {
        /// All functions with a route. A test compares the template with this list.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            crate_name: stringify!($krate),
            handler: |app, request, now| Box::pin($krate::handle(app, request, now)),
        },)*];
    };
}

functions! {
    auth_delete_user,
    auth_discovery,
    auth_jwks,
    auth_logout,
    auth_not_here,
    auth_otp,
    auth_reauthenticate,
    auth_resend,
    auth_token,
    auth_update_user,
    auth_user,
    auth_verify,
    change_name,
    change_name_and_get,
    change_password,
    change_password_by_message,
    change_password_by_message2,
    changepasswd,
    delete_by_message,
    info,
    login,
    login_by_message,
    logout,
    make_sure_verification_code,
    mobile,
    register,
    send_change_password_message,
    send_change_password_message2,
    send_delete_message,
    send_login_message,
    send_register_message,
    send_verification_code,
    verify_code,
}

/// The handler of the function with this directory name.
pub fn handler(name: &str) -> Option<Handler> {
    let function = FUNCTIONS.iter().find(|function| function.name() == name)?;
    Some(function.handler)
}
