//! The key of a slot, and its tag in the list of a source.

use std::fmt;

use crate::domain::{
    keys::KeyRing,
    phone::Phone,
    purpose::Purpose,
    user::{Name, Uid},
};

/// The key of a slot in the table, for example `login#+8613800138001`. Codes are derived from it, too.
///
/// It consists of what a request contains, so that no read is needed to know it. It can contain a phone
/// number, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotKey(String);

impl SlotKey {
    /// For logging in by this phone.
    pub fn login(phone: &Phone) -> Self {
        Self::of(Purpose::Login, &phone.e164())
    }

    /// For creating an account with this phone.
    pub fn register(phone: &Phone) -> Self {
        Self::of(Purpose::Register, &phone.e164())
    }

    /// For a purpose of this account alone, which the session names.
    pub fn of_account(purpose: Purpose, uid: Uid) -> Self {
        Self::of(purpose, &uid.0.to_string())
    }

    /// For changing the password of this account.
    pub fn change_password(uid: Uid) -> Self {
        Self::of_account(Purpose::ChangePassword, uid)
    }

    /// For deleting this account.
    pub fn delete(uid: Uid) -> Self {
        Self::of_account(Purpose::Delete, uid)
    }

    /// For replacing the forgotten password of the account with this phone.
    pub fn reset_password(phone: &Phone) -> Self {
        Self::of(Purpose::ResetPassword, &phone.e164())
    }

    /// For replacing the forgotten password of the account with this name, whatever its case.
    pub fn recover(name: &Name) -> Self {
        Self::of(Purpose::Recover, &name.folded())
    }

    /// For changing the phone of this account to this phone.
    pub fn change_phone(uid: Uid, phone: &Phone) -> Self {
        Self::of(Purpose::ChangePhone, &format!("{}#{}", uid.0, phone.e164()))
    }

    /// For moving an account to this phone, where the code says which one.
    pub fn move_to(phone: &Phone) -> Self {
        Self::of(Purpose::ChangePhone, &phone.e164())
    }

    /// For logging in by this phone, or creating an account with it.
    pub fn sign_in(phone: &Phone) -> Self {
        Self::of(Purpose::SignIn, &phone.e164())
    }

    fn of(purpose: Purpose, subject: &str) -> Self {
        Self(format!("{}#{subject}", purpose.name()))
    }

    /// The text for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotKey(…)")
    }
}

/// A 12-bit pseudonym of a slot, stored with each send in its source's list.
///
/// When a code of the slot is used, the sends with the slot's tag are removed from the list. Many
/// slots share one of the 4096 tags, so a tag identifies no phone. A wrong removal because of a shared
/// tag is possible and harmless: the source is then counted one code too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// The number of tags. Tags are numbered from 0.
    pub const COUNT: u64 = 4096;

    /// The tag of a slot.
    pub fn of(slot: &SlotKey, keys: &KeyRing) -> Self {
        Self(keys.pseudonym(slot.as_str()).number() % Self::COUNT)
    }

    /// The number for the store.
    pub fn number(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str) -> KeyRing {
        KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{root}"}}"#)).unwrap()
    }

    const K1: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

    #[test]
    fn a_key_names_purpose_and_subject() {
        let phone = Phone::from_parts("86", "13800138001").unwrap();
        let name = Name::parse("Eric").unwrap();
        let keys = [
            SlotKey::login(&phone),
            SlotKey::register(&phone),
            SlotKey::change_password(Uid(5)),
            SlotKey::reset_password(&phone),
            SlotKey::recover(&name),
            SlotKey::change_phone(Uid(5), &phone),
            SlotKey::move_to(&phone),
            SlotKey::sign_in(&phone),
            SlotKey::delete(Uid(5)),
        ];
        // Changed keys would lose every code and every limit that is stored under the old ones.
        let stored = [
            "login#+8613800138001",
            "register#+8613800138001",
            "change-password#5",
            "reset-password#+8613800138001",
            "recover#eric",
            "change-phone#5#+8613800138001",
            "change-phone#+8613800138001",
            "sign-in#+8613800138001",
            "delete#5",
        ];
        assert_eq!(keys.each_ref().map(SlotKey::as_str), stored);
        assert_eq!(format!("{:?}", keys[0]), "SlotKey(…)");
    }

    #[test]
    fn tags_are_twelve_bits_of_the_pseudonym_and_spread_over_all_values() {
        let ring = keys(K1);
        let slots = (0..1000).map(|uid| SlotKey::change_password(Uid(uid)));
        let tags: Vec<u64> = slots.map(|slot| Tag::of(&slot, &ring).number()).collect();
        assert!(tags.iter().all(|tag| *tag < Tag::COUNT));
        // 1000 of 4096 values, drawn at random, give 887 different ones on average.
        let different: std::collections::BTreeSet<_> = tags.iter().collect();
        assert!((840..930).contains(&different.len()), "{}", different.len());
        let pseudonym = ring.pseudonym("change-password#7").number();
        assert_eq!(tags[7], pseudonym & 0xfff);
    }
}
