//! The checkout.

use std::{fs, path::PathBuf};

use local::template::Template;
use serde_yaml_ng::Value;

/// Its root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// template.yaml, as the local system reads it.
pub fn template() -> Template {
    Template::read(&root().join("template.yaml"), "").unwrap()
}

/// Every path that a function has.
pub fn paths() -> Vec<String> {
    let mut paths = all_paths();
    paths.retain(|path| !path.starts_with("/auth/"));
    paths
}

/// The paths of all routes, dialect D's among them.
pub fn all_paths() -> Vec<String> {
    let functions = template().functions.into_iter();
    let routes = functions.flat_map(|function| function.routes);
    routes.map(|route| route.path).collect()
}

/// template.yaml as it stands, before SAM makes anything of it.
pub fn template_yaml() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}
