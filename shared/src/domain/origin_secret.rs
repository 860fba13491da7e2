//! The origin secret: what a front door of the operator's, such as a CloudFront distribution, adds to
//! each request, so that the functions can refuse requests that have not passed it.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;

/// The secret, and while it is rotated the one before it. `Debug` hides both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginSecret {
    current: String,
    previous: Option<String>,
}

/// The shortest secret: nobody guesses 32 random letters and digits.
const MIN_CHARS: usize = 32;

impl OriginSecret {
    /// Reads `ORIGIN_SECRET`: `{"current":"…","previous":"…"}`, of which `previous` may be left out.
    ///
    /// # Errors
    /// A sentence that says what is wrong and contains no secret.
    pub fn parse(json: &str) -> Result<Self, &'static str> {
        let secret: Self = serde_json::from_str(json)
            .map_err(|_| r#"not of the form {"current":"…","previous":"…"}"#)?;
        let is_fit =
            |text: &String| text.len() >= MIN_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        let are_fit = [Some(&secret.current), secret.previous.as_ref()]
            .into_iter()
            .flatten()
            .all(is_fit);
        let unfit = "a secret is not of 32 or more visible ASCII characters";
        are_fit.then_some(secret).ok_or(unfit)
    }

    /// Whether a request with this header has passed the front door.
    pub fn admits(&self, header: Option<&[u8]>) -> bool {
        let Some(header) = header else { return false };
        let is = |secret: &String| verify_slices_are_equal(header, secret.as_bytes()).is_ok();
        is(&self.current) || self.previous.as_ref().is_some_and(is)
    }
}

impl fmt::Debug for OriginSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "oldoldoldoldoldoldoldoldoldoldold";
    const NEW: &str = "newnewnewnewnewnewnewnewnewnewnew";

    #[test]
    fn the_current_and_the_previous_secret_are_taken_and_nothing_else() {
        let json = format!(r#"{{"current":"{NEW}","previous":"{OLD}"}}"#);
        let secret = OriginSecret::parse(&json).unwrap();
        assert!(secret.admits(Some(NEW.as_bytes())) && secret.admits(Some(OLD.as_bytes())));
        for other in [
            "",
            "new",
            &NEW[1..],
            &NEW.to_uppercase(),
            &format!("{NEW} "),
        ] {
            assert!(!secret.admits(Some(other.as_bytes())), "{other}");
        }
        assert!(!secret.admits(None));
        let alone = OriginSecret::parse(&format!(r#"{{"current":"{NEW}"}}"#)).unwrap();
        assert!(alone.admits(Some(NEW.as_bytes())) && !alone.admits(Some(OLD.as_bytes())));
        assert_eq!(format!("{alone:?}"), "OriginSecret(…)");
    }

    #[test]
    fn a_short_or_unprintable_secret_is_refused() {
        let spaced = format!("{NEW} ");
        for secret in ["", "short", &spaced] {
            let json = serde_json::json!({ "current": secret }).to_string();
            assert!(OriginSecret::parse(&json).is_err(), "{json}");
            let json = serde_json::json!({ "current": NEW, "previous": secret }).to_string();
            assert!(OriginSecret::parse(&json).is_err(), "{json}");
        }
        assert!(OriginSecret::parse(NEW).is_err());
    }
}
