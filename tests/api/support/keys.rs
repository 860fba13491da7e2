//! Key rings to rotate through.

/// One key.
pub const K1: &str =
    r#"{"active":"k1","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}}"#;
/// The next key is added, and the old one active.
pub const K1_BESIDE_K2: &str = r#"{"active":"k1","pseudonyms":"k1","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=","k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
/// The next key is active, and pseudonyms are still made with the old one.
pub const K2_BESIDE_K1: &str = r#"{"active":"k2","pseudonyms":"k1","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=","k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
/// The next key is active, and the old one still read.
pub const K1_AND_K2: &str = r#"{"active":"k2","keys":{"k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=","k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
/// The old key has gone.
pub const K2: &str =
    r#"{"active":"k2","keys":{"k2":"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}}"#;
