//! The checkout.

use std::{fs, path::PathBuf};

use serde_yaml_ng::Value;

/// Its root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// template.yaml as it stands, before SAM makes anything of it.
pub fn template_yaml() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}
