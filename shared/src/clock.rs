//! The system's clock. The domain reads none: it takes `now` as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::UnixMs;

/// The current time, in milliseconds since 1970. Read once per request.
pub fn now() -> UnixMs {
    // A clock that is set to a time before 1970 counts as 1970.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixMs(since_1970.map_or(0, |elapsed| elapsed.as_millis() as u64))
}
