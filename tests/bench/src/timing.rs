//! Which of two things takes longer, on a machine under load.

use std::{cmp::Ordering, time::Duration};

/// The order of the two, repeated: `true` is the first. A request affects those after it, by a warm cache
/// or by deferred work, so each of the two comes equally often after any three (a de Bruijn sequence).
pub const IN_TURN: [bool; 16] = {
    const A: bool = true;
    const B: bool = false;
    [A, A, A, A, B, A, A, B, B, A, B, A, B, B, B, B]
};

/// How often each of the two comes before the sequence repeats.
pub const ROUND: usize = IN_TURN.len() / 2;

/// The share of pairs in which `a` takes longer than `b` (Mann and Whitney's U): 0.5 when they take
/// equally long, 0 or 1 when every pair differs. Its standard deviation is √((2n+1)/12n²) for n of each.
pub fn share_of_longer(a: &[Duration], b: &[Duration]) -> f64 {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| a.cmp(b)));
    let scores = pairs.map(|order| match order {
        Ordering::Greater => 1.0,
        Ordering::Equal => 0.5,
        Ordering::Less => 0.0,
    });
    scores.sum::<f64>() / (a.len() * b.len()) as f64
}

#[test]
fn both_come_equally_often_after_any_three() {
    let at = |n: usize| IN_TURN[n % IN_TURN.len()];
    let fours = (0..IN_TURN.len()).map(|n| [0, 1, 2, 3].map(|after| at(n + after)));
    let fours: std::collections::HashSet<_> = fours.collect();
    assert_eq!(fours.len(), IN_TURN.len());
}
