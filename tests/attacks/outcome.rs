//! What the attacks report.

/// A row of the table: an attack, the promise, and the result.
pub struct Outcome {
    pub attack: &'static str,
    pub promise: String,
    pub result: String,
    pub held: bool,
    /// Whether chance has a part in the result, so that each run has another.
    pub varies: bool,
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
            varies: false,
        }
    }

    /// The same, with a result that each run has another of.
    pub fn varying(mut self) -> Self {
        self.varies = true;
        self
    }
}
