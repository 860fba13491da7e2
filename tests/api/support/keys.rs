//! Key rings to rotate through.

/// One key.
pub const K1: &str =
    r#"{"active":"k1","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}}"#;
/// The next key is active, and the old one still read.
pub const K1_AND_K2: &str = r#"{"active":"k2","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=","k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
/// The old key has gone.
pub const K2: &str =
    r#"{"active":"k2","keys":{"k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
