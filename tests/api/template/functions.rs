//! template.yaml is the list of functions; crates, handlers, events and what `sam local` is given agree
//! with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use local::{
    functions::FUNCTIONS,
    template::{Function, Template},
};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use crate::support::{permissions::GRANTED, root, template_yaml};

fn template() -> Template {
    Template::read(&root().join("template.yaml"), "").unwrap()
}

fn functions() -> Vec<Function> {
    template().functions
}

fn routes(function: &Function) -> BTreeSet<String> {
    let routes = function.routes.iter();
    routes
        .map(|route| format!("{} {}", route.method, route.path))
        .collect()
}

/// The names in a directory.
fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The functions' crates: the folders beside the folder's pages.
fn crates() -> BTreeSet<String> {
    let mut crates = names("functions");
    crates.retain(|name| !name.ends_with(".md"));
    crates
}

fn json(path: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn event(function: &str) -> Json {
    json(&root().join(format!("events/{function}.json")))
}

/// The functions that no route leads to.
const WITHOUT_ROUTE: [&str; 5] = [
    "admin-data",
    "admin-read",
    "admin-support",
    "authorizer",
    "import-users",
];

#[test]
fn template_crates_handlers_events_and_answers_are_one_list() {
    let deployed: BTreeSet<String> = functions().into_iter().map(|f| f.name).collect();
    let without_route = functions().into_iter().filter(|f| f.routes.is_empty());
    let mut handlers: BTreeSet<String> = without_route.map(|f| f.name).collect();
    assert_eq!(handlers, WITHOUT_ROUTE.map(str::to_owned).into());
    handlers.extend(FUNCTIONS.iter().map(|function| function.name()));
    let events: BTreeSet<String> = names("events")
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter(|name| *name != "local-env")
        .map(str::to_owned)
        .collect();
    let answers: Vec<Json> = serde_json::from_str(include_str!("answers.json")).unwrap();
    let answers = answers
        .iter()
        .map(|row| row["function"].as_str().unwrap().to_owned());
    assert_eq!(handlers, deployed, "handlers");
    assert_eq!(crates(), deployed, "crates");
    assert_eq!(events, deployed, "events");
    assert_eq!(answers.collect::<BTreeSet<_>>(), deployed, "answers.json");
}

#[test]
fn each_event_requests_a_route_of_its_function() {
    for function in functions() {
        let (name, event, routes) = (&function.name, event(&function.name), routes(&function));
        if routes.is_empty() {
            let of_ours = functions().iter().flat_map(self::routes).collect();
            let key = event["routeKey"].as_str().map(str::to_owned);
            assert!(
                BTreeSet::from_iter(key).is_disjoint(&of_ours),
                "{name} has no route"
            );
            continue;
        }
        assert_eq!(event["version"], "2.0", "{name}");
        let context = &event["requestContext"];
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let method = text(&context["http"]["method"]);
        let path = text(&event["rawPath"]);
        let literal = format!("{method} {path}");
        let is_greedy = |route: &&String| {
            let root = route.strip_prefix("ANY ");
            let root = root.and_then(|route| route.strip_suffix("{proxy+}"));
            root.is_some_and(|root| path.starts_with(root))
        };
        let greedy = routes.iter().find(is_greedy).cloned();
        for route in [
            text(&event["routeKey"]),
            text(&context["routeKey"]),
            greedy.unwrap_or(literal),
        ] {
            assert!(
                routes.contains(&route),
                "{name}: {route} is none of {routes:?}"
            );
        }
    }
}

#[test]
fn each_function_is_deployed_from_its_directory_with_the_key_and_the_logs_of_all() {
    let template = template_yaml();
    let globals = &template["Globals"]["Function"];
    assert!(
        !globals["KmsKeyArn"].is_null(),
        "environments under a key of ours"
    );
    assert!(
        !globals["LoggingConfig"]["LogGroup"].is_null(),
        "logs in a group of ours"
    );
    for function in functions() {
        let (name, id) = (&function.name, function.resource.as_str());
        let properties = &template["Resources"][id]["Properties"];
        assert_eq!(
            properties["CodeUri"],
            format!("target/lambda/{name}/").as_str()
        );
        for of_all in ["KmsKeyArn", "LoggingConfig"] {
            assert!(properties[of_all].is_null(), "{name} has its own {of_all}");
        }
    }
}

#[test]
fn functions_that_send_have_all_sms_variables_and_others_have_none() {
    let template = template_yaml();
    let common = &template["Globals"]["Function"]["Environment"]["Variables"];
    let own: BTreeMap<String, BTreeSet<String>> = functions()
        .into_iter()
        .map(|function| {
            let names = function.environment.into_keys();
            // Those that have secrets of their own know the front door's alone.
            let of_tokens = ["ISSUER", "KEY_RING", "ORIGIN_SECRET"];
            let own = names.filter(|name| {
                let name = name.as_str();
                !of_tokens.contains(&name) && common.get(Value::from(name)).is_none()
            });
            (function.name, own.collect())
        })
        .collect();
    let about_messages: BTreeSet<String> = own.values().flatten().cloned().collect();
    assert!(about_messages.contains("SMS_BRAND"));
    for (name, own) in own {
        let sends = GRANTED[&name].contains("sns:Publish");
        let expected = if sends {
            about_messages.clone()
        } else {
            BTreeSet::new()
        };
        assert_eq!(own, expected, "{name}, which sends messages: {sends}");
    }
}

#[test]
fn sam_local_sets_no_variable_that_a_function_does_not_name() {
    // It passes on only what the template names.
    let local = json(&root().join("events/local-env.json"));
    for function in functions() {
        for name in local["Parameters"].as_object().unwrap().keys() {
            let is_named = function.environment.contains_key(name);
            assert!(is_named, "{} does not name {name}", function.name);
        }
    }
}

#[test]
fn the_pages_and_the_template_say_how_many_functions_there_are() {
    let count = functions().len();
    for (file, sayings) in [
        (
            "README.md",
            vec![format!("API, {count} functions with exactly")],
        ),
        (
            "functions/DEPLOY.md",
            vec![
                format!("**each** of the {count} functions"),
                format!("so {count} times this"),
            ],
        ),
        (
            "template.yaml",
            vec![format!("so {count} times this in all")],
        ),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for saying in sayings {
            assert!(text.contains(&saying), "{file} doesn't say {saying:?}");
        }
    }
}

#[test]
fn every_main_is_the_same_but_for_its_name() {
    for name in crates() {
        let main = root().join("functions").join(&name).join("src/main.rs");
        let text = fs::read_to_string(main).unwrap();
        let library = name.replace('-', "_");
        let serve = match name.as_str() {
            name if WITHOUT_ROUTE.contains(&name) => "serve_events",
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

#[test]
fn every_function_with_a_route_stands_in_the_tables_of_lambdas_processor_share() {
    let page = fs::read_to_string(root().join("tests/bench/README.md")).unwrap();
    let measured = |head: &str| -> BTreeSet<String> {
        let table = page.split(head).nth(1).unwrap().split("\n\n").next();
        let rows = table
            .unwrap()
            .lines()
            .filter_map(|row| row.split('`').nth(1));
        rows.map(str::to_owned).collect()
    };
    let routed = functions().into_iter().filter(|it| !it.routes.is_empty());
    let routed: BTreeSet<String> = routed.map(|function| function.name).collect();
    for head in ["| p50 / p90 in ms (", "| dollars for 1,000 "] {
        assert_eq!(measured(head), routed, "{head}");
    }
}
