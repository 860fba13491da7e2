//! The texts of messages. Each names the code's effect, its validity, and the advice not to share it,
//! in one segment.

use std::{fmt, time::Duration};

use serde::Deserialize;

use crate::domain::{code::Code, phone::CountryCode, purpose::Purpose};

/// A text with the placeholders `{brand}`, `{code}` and `{minutes}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text(std::borrow::Cow<'static, str>);

/// Why a text cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextProblem {
    /// It has no `{code}`.
    NoCode,
    /// It takes more than one segment.
    TooLong,
}

/// A message ready to be sent. `Debug` hides it, because it holds the code.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub String);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(…)")
    }
}

const fn text(literal: &'static str) -> Text {
    Text(std::borrow::Cow::Borrowed(literal))
}

/// The longest built-in texts. Where they fit one segment, the texts of all purposes do.
pub fn longest_built_in() -> &'static [Text; 2] {
    built_in(Purpose::ChangePhone)
}

/// The built-in texts of a purpose: Chinese, English.
pub fn built_in(purpose: Purpose) -> &'static [Text; 2] {
    const LOGIN: &[Text; 2] = &[
        text("【{brand}】登录验证码{code}，{minutes}分钟内有效，请勿告诉他人"),
        text("{code} is your {brand} login code, valid for {minutes} min. Don't share it."),
    ];
    const REGISTER: &[Text; 2] = &[
        text("【{brand}】注册验证码{code}，{minutes}分钟内有效，请勿告诉他人"),
        text("{code} is your {brand} sign-up code, valid for {minutes} min. Don't share it."),
    ];
    const PASSWORD: &[Text; 2] = &[
        text("【{brand}】修改密码验证码{code}，{minutes}分钟内有效，请勿告诉他人"),
        text("{code} changes your {brand} password, valid for {minutes} min. Don't share it."),
    ];
    const PHONE: &[Text; 2] = &[
        text("【{brand}】更换手机号验证码{code}，{minutes}分钟内有效，请勿告诉他人"),
        text(
            "{code} moves your {brand} account to this number, valid for {minutes} min. Don't share it.",
        ),
    ];
    const DELETE: &[Text; 2] = &[
        text("【{brand}】注销账号验证码{code}，{minutes}分钟内有效，请勿告诉他人"),
        text("{code} deletes your {brand} account, valid for {minutes} min. Don't share it."),
    ];
    match purpose {
        Purpose::Login | Purpose::SignIn => LOGIN,
        Purpose::Register => REGISTER,
        Purpose::ChangePassword | Purpose::ResetPassword | Purpose::Recover => PASSWORD,
        Purpose::ChangePhone => PHONE,
        Purpose::Delete => DELETE,
    }
}

/// The notice to the old number of an account that moved: Chinese, English.
pub static MOVED: [Text; 2] = [
    text("【{brand}】您的账号已更换手机号，如非本人操作，请尽快联系我们"),
    text(
        "Your {brand} account now has another phone number. If this wasn't you, contact us at once.",
    ),
];

/// The notice in the language of a country.
pub fn moved(country: CountryCode) -> &'static Text {
    let [chinese, english] = &MOVED;
    match country {
        CountryCode::CHINA => chinese,
        _ => english,
    }
}

/// The built-in text for a country: Chinese for +86, English elsewhere.
pub fn built_in_for(purpose: Purpose, country: CountryCode) -> &'static Text {
    let [chinese, english] = built_in(purpose);
    match country {
        CountryCode::CHINA => chinese,
        _ => english,
    }
}

impl Text {
    /// Checks that the text has the code and, with this brand and domain, fits one segment.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn check(&self, brand: &str, origin_domain: Option<&str>) -> Result<(), TextProblem> {
        if !self.0.contains("{code}") {
            return Err(TextProblem::NoCode);
        }
        one_segment(&self.fill_in(brand, "000000", "10", origin_domain))
    }

    /// Checks that a notice fits one segment with this brand.
    ///
    /// # Errors
    /// [`TextProblem::TooLong`].
    pub fn check_notice(&self, brand: &str) -> Result<(), TextProblem> {
        one_segment(&self.notice(brand).0)
    }

    /// The message of a notice. It has no code.
    pub fn notice(&self, brand: &str) -> Body {
        Body(self.fill_in(brand, "", "", None))
    }

    /// The message for one code. It says `valid_for` in whole minutes, rounded down, at least one.
    pub fn render(
        &self,
        brand: &str,
        code: &Code,
        valid_for: Duration,
        origin_domain: Option<&str>,
    ) -> Body {
        let minutes = (valid_for.as_secs() / 60).max(1).to_string();
        Body(self.fill_in(brand, code.digits(), &minutes, origin_domain))
    }

    fn fill_in(&self, brand: &str, code: &str, minutes: &str, domain: Option<&str>) -> String {
        let mut message = String::with_capacity(self.0.len() + brand.len());
        // In one pass: every start fills in all texts, to check their length.
        let mut pieces = self.0.split('{');
        message.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (value, rest) = match piece.split_once('}') {
                Some(("code", rest)) => (code, rest),
                Some(("minutes", rest)) => (minutes, rest),
                Some(("brand", rest)) => (brand, rest),
                _ => ("{", piece),
            };
            message.push_str(value);
            message.push_str(rest);
        }
        if let Some(domain) = domain {
            message.push_str(&format!("\n@{domain} #{code}"));
        }
        message
    }
}

fn one_segment(message: &str) -> Result<(), TextProblem> {
    let fits = fits_one_segment(message);
    fits.then_some(()).ok_or(TextProblem::TooLong)
}

/// 160 septets of GSM-7 (3GPP TS 23.038), or 70 UTF-16 units if one character is not in GSM-7.
fn fits_one_segment(message: &str) -> bool {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                         ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENDED: &str = "^{}\\[~]|€";
    let septets = message.chars().map(|c| match c {
        // The most frequent characters.
        ' ' | 'a'..='z' | 'A'..='Z' | '0'..='9' => Some(1),
        c if BASIC.contains(c) => Some(1),
        c if EXTENDED.contains(c) => Some(2),
        _ => None,
    });
    // 70 UTF-16 units fit in either encoding.
    message.encode_utf16().count() <= 70
        || septets
            .sum::<Option<u32>>()
            .is_some_and(|septets| septets <= 160)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_text_fits_one_segment_with_a_long_brand_and_a_domain() {
        for purpose in Purpose::ALL {
            for text in built_in(*purpose) {
                assert_eq!(
                    text.check("Latchkey Demo", Some("id.example.com")),
                    Ok(()),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn no_built_in_text_is_longer_than_the_longest() {
        let lengths = |texts: &[Text; 2]| {
            let [chinese, english] = texts.each_ref().map(|text| text.0.chars().count());
            (chinese, english)
        };
        let (chinese, english) = lengths(longest_built_in());
        for purpose in Purpose::ALL {
            let own = lengths(built_in(*purpose));
            assert!(own.0 <= chinese && own.1 <= english, "{purpose:?}");
        }
    }

    #[test]
    fn a_segment_is_160_septets_or_70_utf16_units() {
        for (fits, message) in [
            (true, "a".repeat(160)),
            (false, "a".repeat(161)),
            (true, "€".repeat(80)),
            (false, "€".repeat(81)),
            (true, "码".repeat(70)),
            (false, "码".repeat(71)),
            (false, "😀".repeat(36)),
        ] {
            assert_eq!(fits_one_segment(&message), fits, "{message}");
        }
    }

    #[test]
    fn values_are_not_expanded_again_and_unknown_placeholders_stay() {
        let odd = text("{brand}: {code}{code} {minutes}{ {x} {{code}} }");
        assert_eq!(
            odd.fill_in("{code}", "123456", "5", Some("a.b")),
            "{code}: 123456123456 5{ {x} {123456} }\n@a.b #123456"
        );
    }

    #[test]
    fn a_text_without_a_code_or_longer_than_a_segment_is_refused() {
        assert_eq!(text("no code").check("", None), Err(TextProblem::NoCode));
        let brand = "码".repeat(64);
        let signed = text("{brand}{code}");
        assert_eq!(signed.check(&brand, None), Ok(()));
        assert_eq!(signed.check(&brand, Some("a.b")), Err(TextProblem::TooLong));
        for notice in &MOVED {
            assert_eq!(notice.check_notice("Latchkey Demo"), Ok(()), "{notice:?}");
        }
    }
}
