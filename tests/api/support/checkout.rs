//! The checkout.

use std::{fs, path::PathBuf};

use local::template::Template;
use reqwest::Method;
use serde_yaml_ng::Value;

/// Its root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// template.yaml, as the local system reads it.
pub fn template() -> Template {
    Template::read(&root().join("template.yaml"), "").unwrap()
}

/// A request to every route. Where any method is taken it is a `POST`, and where any path below is, one of them.
pub fn routes() -> Vec<(Method, String)> {
    let functions = template().functions.into_iter();
    let routes = functions.flat_map(|function| function.routes);
    let routes = routes.map(|route| {
        let method = match route.method.as_str() {
            "ANY" => Method::POST,
            method => method.parse().unwrap(),
        };
        (method, route.path.replace("{proxy+}", "signup"))
    });
    routes.collect()
}

/// The paths of dialects A, B and C. All take `POST` alone.
pub fn paths() -> Vec<String> {
    let paths = routes().into_iter().map(|(_, path)| path);
    paths.filter(|path| !path.starts_with("/auth/")).collect()
}

/// template.yaml as it stands, before SAM makes anything of it.
pub fn template_yaml() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}
