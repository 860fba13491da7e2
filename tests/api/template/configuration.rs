//! The configuration is one list in code; README's table and the template's parameters are held to it.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;
use shared::config::variables::{self, DefaultValue};

use crate::support::root;

/// What one of the three says of a variable.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// The template's parameter that sets it.
    parameter: Option<String>,
    /// `required`, `none`, or the default's text.
    default: String,
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The rows of the table of variables: by variable, what the row says, and the row itself. A row can
/// name several variables, with a parameter and a default for each.
fn rows() -> BTreeMap<String, (Said, String)> {
    let text = read("shared/README.md");
    let table = text.split_once("| variable |").unwrap().1;
    let mut rows = BTreeMap::new();
    for row in table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = row
            .trim_matches('|')
            .splitn(4, '|')
            .map(str::trim)
            .collect();
        let list = |cell: &str| -> Vec<String> {
            let items = cell
                .split(", ")
                .map(|item| item.trim_matches('`').to_owned());
            items.collect()
        };
        let (names, parameters, defaults) = (list(cells[0]), list(cells[1]), list(cells[2]));
        for (n, name) in names.into_iter().enumerate() {
            let of = |cell: &[String]| cell[n.min(cell.len() - 1)].clone();
            let said = Said {
                parameter: Some(of(&parameters)).filter(|parameter| parameter != "–"),
                default: of(&defaults),
            };
            assert!(rows.insert(name, (said, row.to_owned())).is_none(), "{row}");
        }
    }
    rows
}

/// The parameter that the template sets each variable from.
fn parameters_of_the_template() -> BTreeMap<String, String> {
    let text = read("template.yaml");
    let set = text
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| {
            name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        });
    set.filter_map(|(name, value)| Some((name.to_owned(), parameter_in(value)?.to_owned())))
        .collect()
}

/// The parameter in `!Ref Parameter` or `!If [HasParameter, !Ref Parameter, !Ref AWS::NoValue]`.
fn parameter_in(value: &str) -> Option<&str> {
    let optional = value
        .strip_suffix(", !Ref AWS::NoValue]")
        .and_then(|value| value.strip_prefix("!If [Has")?.split_once(", "));
    let reference = match optional {
        Some((condition, reference)) => {
            assert_eq!(reference.strip_prefix("!Ref "), Some(condition), "{value}");
            reference
        }
        None => value,
    };
    let parameter = reference.strip_prefix("!Ref ")?;
    (!parameter.starts_with("AWS::") && !parameter.ends_with("Table")).then_some(parameter)
}

fn default_of(template: &Value, parameter: &str) -> String {
    match &template["Parameters"][parameter]["Default"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{parameter}: {other:?}"),
    }
}

#[test]
fn readme_template_and_code_name_the_same_variables_parameters_and_defaults() {
    let template: Value = serde_yaml_ng::from_str(&read("template.yaml")).unwrap();
    let (mut rows, mut set_by) = (rows(), parameters_of_the_template());
    for variable in variables::ALL {
        let name = variable.name;
        let (said, row) = rows
            .remove(name)
            .unwrap_or_else(|| panic!("{name} has no row"));
        let default = match variable.default {
            DefaultValue::Required => "required",
            DefaultValue::Unset | DefaultValue::Text("") => "none",
            DefaultValue::Text(text) => text,
        };
        let parameter = set_by.remove(name);
        if let Some(parameter) = &parameter {
            let of_template = default_of(&template, parameter);
            let of_code = match variable.default {
                DefaultValue::Text(text) => text,
                DefaultValue::Required | DefaultValue::Unset => "",
            };
            let exception = format!("The template's default is `{of_template}`");
            assert!(
                of_template == of_code || row.contains(&exception),
                "{name} is {of_code:?} in code and {of_template:?} in the template"
            );
        }
        let expected = Said {
            parameter,
            default: default.to_owned(),
        };
        assert_eq!(said, expected, "{name}");
    }
    assert!(
        rows.is_empty(),
        "rows without a variable: {:?}",
        rows.keys()
    );
    assert!(set_by.is_empty(), "set and never read: {set_by:?}");
}
