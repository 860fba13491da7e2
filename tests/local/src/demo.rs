//! The demo accounts.

use shared::{
    domain::{
        password::{Hasher, Password},
        phone::Phone,
        time::UnixMs,
        user::{AccountId, Name, Uid, User},
    },
    store::Store,
};

use crate::error::StartError;

/// An account that exists from the start.
#[derive(Debug, Clone, Copy)]
pub struct DemoUser {
    uid: u64,
    /// Its name.
    pub name: &'static str,
    /// Its country calling code.
    pub country_code: &'static str,
    /// Its phone, within its country.
    pub phone: &'static str,
    /// Its password.
    pub password: &'static str,
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
        password: "eric-password",
        created_at: 1_532_526_039_883,
        created_ip: "::ffff:123.59.101.208",
    },
    DemoUser {
        uid: 6,
        name: "mary",
        country_code: "86",
        phone: "13627140483",
        password: "mary-password",
        created_at: 1_532_612_439_883,
        created_ip: "::ffff:127.0.0.1",
    },
];

impl DemoUser {
    /// The account as the store keeps it.
    ///
    /// # Errors
    /// [`StartError::Demo`] without memory or randomness to hash its password with.
    pub fn account(&self, hasher: &Hasher) -> Result<User, StartError> {
        let failed = |reason: &str| StartError::Demo {
            user: self.name,
            reason: reason.to_owned(),
        };
        let name = Name::parse(self.name).ok_or_else(|| failed("not a name"))?;
        let password = Password::parse(self.password).ok_or_else(|| failed("not a password"))?;
        let salt = shared::random::bytes().map_err(|error| failed(&format!("{error:?}")))?;
        let hash = hasher.hash(&password, salt);
        let phone = Phone::from_parts(self.country_code, self.phone);
        let id = AccountId::from_random(u128::from(self.uid).to_be_bytes());
        let created_at = UnixMs(self.created_at);
        let mut user = User::new(Uid(self.uid), id, name, phone, created_at);
        user.created_ip = self.created_ip.to_owned();
        user.password = Some(hash.map_err(|error| failed(&format!("{error:?}")))?);
        Ok(user)
    }
}

/// Creates the demo accounts, their passwords hashed by `hasher`. An account kept from an earlier run stays as it is.
///
/// # Errors
/// [`StartError::Demo`] when the store fails.
pub async fn create_users(store: &Store, hasher: &Hasher) -> Result<(), StartError> {
    for user in &USERS {
        // A taken name, phone or uid means that an earlier run has created the account.
        let _ = store
            .create_user(&user.account(hasher)?, None)
            .await
            .map_err(|error| StartError::Demo {
                user: user.name,
                reason: format!("{error:?}"),
            })?;
    }
    Ok(())
}
