//! What the attacks report.

/// A row of the table: an attack, the promise, and the result.
pub struct Outcome {
    pub attack: &'static str,
    pub promise: String,
    pub result: String,
    pub held: bool,
}

impl Outcome {
    pub fn new(
        attack: &'static str,
        promise: impl Into<String>,
        held: bool,
        result: String,
    ) -> Self {
        let promise = promise.into();
        Self {
            attack,
            promise,
            result,
            held,
        }
    }
}
