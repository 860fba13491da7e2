//! The guard around a request: a panic becomes an error, and so does a request that takes too long.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::domain::error::Error;

/// When a request is abandoned. Clients wait 10 s; Lambda's time-out is 15 s.
const DEADLINE: Duration = Duration::from_secs(9);

/// Runs a request's work. A panic and a passed deadline are internal errors.
pub(super) async fn guard<T, E: From<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    // A panic can leave nothing half-changed behind: all state is in the store.
    let caught = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(DEADLINE, caught).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panic)) => Err(Error::internal("panic").into()),
        Err(_elapsed) => Err(Error::passing("deadline passed").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let answer = guard::<(), Error>(async { panic!("of the test") }).await;
        assert_eq!(answer, Err(Error::internal("panic")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_is_an_internal_error_after_nine_seconds() {
        let answer = guard::<(), Error>(std::future::pending()).await;
        assert_eq!(answer, Err(Error::passing("deadline passed")));
    }
}
