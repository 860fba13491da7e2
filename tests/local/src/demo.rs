//! The accounts to try the system with.

use shared::{
    phone::Phone,
    store::Store,
    time::UnixMs,
    user::{Uid, User},
};

use crate::error::StartError;

/// An account that is there from the start.
#[derive(Debug, Clone, Copy)]
pub struct DemoUser {
    uid: u64,
    /// Its name.
    pub name: &'static str,
    /// Its country calling code.
    pub country_code: &'static str,
    /// Its phone, within its country.
    pub phone: &'static str,
    created_at: u64,
    created_ip: &'static str,
}

/// All of them.
pub const USERS: [DemoUser; 2] = [
    // The account of seed 003's sample answer, to the letter.
    DemoUser {
        uid: 5,
        name: "eric",
        country_code: "86",
        phone: "13800138001",
        created_at: 1_532_526_039_883,
        created_ip: "::ffff:123.59.101.208",
    },
    DemoUser {
        uid: 6,
        name: "mary",
        country_code: "86",
        phone: "13627140483",
        created_at: 1_532_612_439_883,
        created_ip: "::ffff:127.0.0.1",
    },
];

impl DemoUser {
    /// The account as the store keeps it.
    pub fn account(&self) -> User {
        User {
            uid: Uid(self.uid),
            name: self.name.to_owned(),
            email: String::new(),
            phone: Phone::from_parts(self.country_code, self.phone),
            created_at: UnixMs(self.created_at),
            created_ip: self.created_ip.to_owned(),
            icon: "default.jpg".to_owned(),
            space_used: 0,
            space_capacity: 8192,
            kind: 0,
            status: 0,
            epoch: 0,
        }
    }
}

/// Makes the demo accounts. What is there already, kept from an earlier run, stays as it is.
///
/// # Errors
/// [`StartError::Demo`] when the store fails.
pub async fn create_users(store: &Store) -> Result<(), StartError> {
    for user in &USERS {
        // Whatever of it is taken, it is taken by what an earlier run has left.
        let _ = store
            .create_user(&user.account())
            .await
            .map_err(|error| StartError::Demo {
                user: user.name,
                reason: format!("{error:?}"),
            })?;
    }
    Ok(())
}
