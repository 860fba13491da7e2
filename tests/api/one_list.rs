//! template.yaml is the list of functions; crates, handlers and events are held to it.

use std::{collections::BTreeSet, path::Path};

use local::{functions::FUNCTIONS, template::Template};
use serde_json::Value;

use crate::support::root;

#[test]
fn template_crates_handlers_and_events_are_one_list() {
    let template = Template::read(&root().join("template.yaml"), "").unwrap();
    let deployed: BTreeSet<String> = template.functions.iter().map(|f| f.name.clone()).collect();
    let without_route = template
        .functions
        .iter()
        .filter(|function| function.routes.is_empty());
    let mut handlers: BTreeSet<String> = without_route.map(|f| f.name.clone()).collect();
    assert_eq!(handlers, BTreeSet::from(["import-users".to_owned()]));
    handlers.extend(FUNCTIONS.iter().map(|function| function.name()));
    let crates = names(&root().join("functions"));
    let events: BTreeSet<String> = names(&root().join("events"))
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter(|name| *name != "local-env")
        .map(str::to_owned)
        .collect();
    assert_eq!(handlers, deployed);
    assert_eq!(crates, deployed);
    assert_eq!(events, deployed);
}

#[test]
fn each_event_asks_for_its_functions_route() {
    let template = Template::read(&root().join("template.yaml"), "").unwrap();
    for function in template.routed() {
        let file = root()
            .join("events")
            .join(format!("{}.json", function.name));
        let event: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let routes: Vec<String> = function
            .routes
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        let asked = event["routeKey"].as_str().unwrap().to_owned();
        assert!(
            routes.contains(&asked),
            "{}: {asked} is not of {routes:?}",
            function.name
        );
    }
}

#[test]
fn every_main_is_the_same_but_for_its_name() {
    for name in names(&root().join("functions")) {
        let main = root().join("functions").join(&name).join("src/main.rs");
        let text = std::fs::read_to_string(main).unwrap();
        let library = name.replace('-', "_");
        let serve = match name.as_str() {
            "import-users" => "serve_events",
            _ => "serve",
        };
        let expected = format!(
            "//! The Lambda function: see the library.\n\n\
             #[tokio::main(flavor = \"current_thread\")]\n\
             async fn main() -> Result<(), lambda_http::Error> {{\n    \
             shared::runtime::{serve}({library}::handle).await\n}}\n"
        );
        assert_eq!(text, expected, "{name}");
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
