//! The last line: whatever happens inside a request becomes one of our errors, in time.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::domain::error::Error;

/// When a request is given up: clients wait 10 s, the function's own time-out is 15 s.
const DEADLINE: Duration = Duration::from_secs(9);

/// Runs a request to an answer: a panic and a passed deadline are internal errors.
pub(super) async fn guard<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // Nothing a request leaves half-changed outlives it: all state is in the store.
    let caught = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(DEADLINE, caught).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panic)) => Err(Error::Internal("panic".into())),
        Err(_elapsed) => Err(Error::Internal("deadline passed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let answer = guard::<()>(async { panic!("of the test") }).await;
        assert_eq!(answer, Err(Error::Internal("panic".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn so_is_a_request_that_hangs() {
        let answer = guard::<()>(std::future::pending()).await;
        assert_eq!(answer, Err(Error::Internal("deadline passed".into())));
    }
}
