//! Names of accounts: how they are compared, and which can be chosen.
//!
//! Two names are the same if they look the same: their folded forms are compared, in Unicode's
//! compatibility form (NFKC) and without regard to case, much as RFC 8265 has it (`UsernameCaseMapped`,
//! <https://www.rfc-editor.org/rfc/rfc8265#section-3.3>). Unlike there, spaces and symbols are allowed.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

use crate::domain::{digits::is_separator, error::Error};

/// The most characters of a name.
const MOST_CHARACTERS: usize = 64;

/// The most bytes of a folded name. A character can fold to 18; a key in DynamoDB has at most 2048 bytes.
const MOST_FOLDED_BYTES: usize = 1024;

/// The name of an account: 1 to 64 characters, none of them a control character. `Debug` hides it.
///
/// It keeps the form in which it was written; uniqueness is that of [`Name::folded`].
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name that an account may have. White space around it is removed.
    pub fn parse(text: &str) -> Option<Self> {
        let written = text.trim();
        let valid = (1..=MOST_CHARACTERS).contains(&written.chars().count())
            && !written.contains(char::is_control)
            && (1..=MOST_FOLDED_BYTES).contains(&fold(written).len());
        valid.then(|| Self(written.to_owned()))
    }

    /// A name read from the store. It is not checked again, so that functions that only read accounts do
    /// without Unicode's tables: 0.2 MB.
    pub(crate) fn from_stored(written: String) -> Self {
        Self(written)
    }

    /// Reads a name for an account to have from now on. Names that could be read as a phone or an e-mail
    /// address count as taken: their owners log in with them.
    ///
    /// # Errors
    /// [`Error::NameInvalid`] for a name that can look like another one: with characters that are not
    /// seen, or letters of Latin, Cyrillic and Greek together. [`Error::NameTaken`].
    pub fn choose(text: &str) -> Result<Self, Error> {
        let name = Self::parse(text).ok_or(Error::NameInvalid)?;
        let compatible: String = name.0.nfkc().collect();
        let mut all = name.0.chars().chain(compatible.chars());
        if all.any(is_unseen) || mixes_alphabets(&compatible) {
            return Err(Error::NameInvalid);
        }
        if is_like_a_phone(&compatible) || is_like_an_email(&compatible) {
            return Err(Error::NameTaken);
        }
        Ok(name)
    }

    /// A name for an account whose owner chose none: `length` letters and digits, at most as many as there
    /// are bytes. The first is a letter: digits alone could be a phone.
    pub fn drawn(random: [u8; 16], length: usize) -> Self {
        // Without l, o, 0 and 1, which are easily misread: 32 characters, the letters first.
        const CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let drawn = random.iter().take(length).enumerate().map(|(n, byte)| {
            let choices = if n == 0 { 16 } else { 32 };
            char::from(CHARACTERS[usize::from(*byte) % choices])
        });
        Self(drawn.collect())
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that has to be unique.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

/// NFKC without regard to case. Upper case first: it joins what lower case alone leaves apart, σ and ς,
/// ß and ss.
fn fold(text: &str) -> String {
    let once = |text: &str| -> String {
        let upper = text.nfkc().flat_map(char::to_uppercase);
        upper.flat_map(char::to_lowercase).nfkc().collect()
    };
    // A few characters take two steps.
    once(&once(text)).trim().to_owned()
}

/// Whether a character is not seen, or stands for nothing that everybody sees alike.
fn is_unseen(c: char) -> bool {
    let category = c.general_category();
    is_default_ignorable(c)
        || matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

/// The characters with Unicode's property `Default_Ignorable_Code_Point` that their category does not give
/// away (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>).
fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{034F}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether there are letters of more than one of the alphabets that share the look of letters.
fn mixes_alphabets(text: &str) -> bool {
    let alphabets = [Script::Latin, Script::Cyrillic, Script::Greek];
    let has = |alphabet: &&Script| text.chars().any(|c| c.script() == **alphabet);
    alphabets.iter().filter(has).count() > 1
}

/// Whether there are digits alone, and what phones are written with.
fn is_like_a_phone(text: &str) -> bool {
    let is_digit = |c: char| c.general_category() == GeneralCategory::DecimalNumber;
    text.contains(is_digit)
        && text
            .chars()
            .all(|c| is_digit(c) || is_separator(c) || "+()".contains(c))
}

/// Whether a text is in the form `local@domain.tld`.
fn is_like_an_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let has_dot_within = domain.trim_matches('.').contains('.');
    !local.is_empty() && has_dot_within && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        Name::parse(text).unwrap().folded()
    }

    #[test]
    fn a_name_has_1_to_64_characters_and_no_control_character() {
        let longest = "名".repeat(64);
        for valid in ["x", "Eric the Red", longest.as_str()] {
            assert_eq!(Name::parse(valid).unwrap().as_str(), valid);
            assert_eq!(Name::choose(valid).unwrap().as_str(), valid);
        }
        // A ligature of eighteen characters: too long a key.
        let eighteen = "\u{FDFA}".repeat(64);
        for invalid in ["", "  ", "a\nb", &"x".repeat(65), &eighteen] {
            assert_eq!(Name::parse(invalid), None, "{invalid}");
            assert_eq!(Name::choose(invalid), Err(Error::NameInvalid), "{invalid}");
        }
        let name = Name::parse(" Éric ").unwrap();
        assert_eq!((name.as_str(), name.folded()), ("Éric", "éric".to_owned()));
    }

    #[test]
    fn names_that_differ_in_case_width_or_composition_are_one() {
        for (one, other) in [
            ("eric", "ERIC"),
            ("eric", "ｅｒｉｃ"),
            ("Éric", "e\u{301}ric"),
            ("ΣΑΣ", "σας"),
            ("ΣΑΣ", "σασ"),
            ("Straße", "STRASSE"),
            ("eric\u{a0}b", "eric b"),
            ("eric\u{3000}", "eric"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("éric"), folded("eric"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for c in
            ('\u{20}'..=char::MAX).filter(|c| c.general_category() != GeneralCategory::Unassigned)
        {
            let once = fold(&format!("x{c}x"));
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn names_that_look_like_another_cannot_be_chosen() {
        for text in [
            "\u{435}ric",
            "\u{395}ric",
            "\u{435}\u{3b1}",
            "eric\u{200b}",
            "eric\u{ad}",
            "eric\u{2060}",
            "eric\u{fe0f}",
            "eric\u{34f}",
            "\u{202e}cire",
            "\u{3164}",
            "\u{ffa0}",
            "\u{115f}",
            "eric\u{2028}x",
            "eric\u{e000}",
            "eric\u{378}",
            "eric\u{e0101}",
            "a\u{b5}",
        ] {
            assert_eq!(Name::choose(text), Err(Error::NameInvalid), "{text:?}");
        }
        for text in [
            "Эрик",
            "Ελένη",
            "Éric",
            "e\u{301}ric",
            "安娜 anna",
            "Эрик 安",
            "ｅｒｉｃ",
            "Eric 🙂",
            "أحمد",
        ] {
            assert_eq!(Name::choose(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_phone_or_an_email_address_is_no_name_to_choose() {
        for text in [
            "13800138001",
            "5",
            "１３８００１３８００１",
            "٠١٢",
            "+86 138-0013-8001",
            "138–0013–8001",
            "138\u{2212}0013\u{2212}8001",
            "eric@example.com",
            "eric＠example.com",
        ] {
            assert_eq!(Name::choose(text), Err(Error::NameTaken), "{text}");
            assert!(Name::parse(text).is_some(), "{text}: accounts may have it");
        }
        for text in [
            "eric5",
            "5 eric",
            "@eric",
            "eric@home",
            "a @ b.c",
            "-",
            "eric@.com",
            "²x",
        ] {
            assert!(Name::choose(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_drawn_name_is_16_letters_and_digits_that_can_be_chosen() {
        for random in [[0; 16], [0xff; 16], [31; 16], [16; 16]] {
            let name = Name::drawn(random, 16);
            assert_eq!(name.as_str().len(), 16);
            assert_eq!(Name::choose(name.as_str()), Ok(name.clone()));
        }
        let name = Name::drawn([0x10, 31, 30, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 16);
        assert_eq!(name.as_str(), "a98abcdefghijkmn");
    }
}
