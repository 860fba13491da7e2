//! Two kinds of requests, timed by turns.

use std::time::Duration;

use bench::timing::{IN_TURN, ROUND};

use super::{answer::Answer, fault::Fault};

/// DynamoDB takes equally long for each answer. The local one takes longer to read an item that is there than
/// one that is not. AWS's takes longer than both, and varies by more than that.
pub const STEADY: Fault = Fault::Takes(Duration::from_millis(10));

/// Makes two requests so many times each, by turns, and returns how long each answer took. Other load on
/// the machine affects both alike.
///
/// # Panics
/// When they don't come in whole rounds of [`ROUND`].
pub async fn by_turns(
    times: usize,
    a: impl AsyncFn(usize) -> Answer,
    b: impl AsyncFn(usize) -> Answer,
) -> [Vec<Duration>; 2] {
    assert_eq!(times % ROUND, 0);
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for is_a in IN_TURN.iter().cycle().take(2 * times) {
        if *is_a {
            of_a.push(a(of_a.len()).await.took);
        } else {
            of_b.push(b(of_b.len()).await.took);
        }
    }
    [of_a, of_b]
}
