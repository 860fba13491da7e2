//! The system's randomness. The domain draws none: it takes random bytes as arguments.

use aws_lc_rs::rand;

use crate::domain::error::Error;

/// `N` random bytes, cryptographically secure.
///
/// # Errors
/// [`Error::Internal`] when the random number generator fails.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(bytes)
}
