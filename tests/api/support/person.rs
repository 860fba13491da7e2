//! People by the number, where a test needs many.

use super::app::TestApp;

/// Somebody with an account and nothing done yet.
pub struct Person {
    pub uid: u64,
    pub name: String,
    pub phone: String,
    /// A phone that nobody has.
    pub free: String,
    pub password: String,
}

impl Person {
    /// The person number `n`.
    pub async fn new(app: &TestApp, n: u64) -> Self {
        let person = Self {
            uid: 1_000 + n,
            name: format!("person{n}"),
            phone: format!("150{n:08}"),
            free: format!("151{n:08}"),
            password: format!("password-of-{n}"),
        };
        let (name, phone) = (&person.name, &person.phone);
        app.create_user_with(person.uid, name, phone, Some(&person.password))
            .await;
        person
    }

    /// A session of theirs.
    pub async fn session(&self, app: &TestApp) -> String {
        app.session_of(&self.name, &self.password).await
    }
}
