//! Reads functions, routes, tables and environment variables from the SAM template.
//!
//! It understands only what the local system needs. A value that only AWS knows (a secret, an ARN) is
//! left out; a function that needs it reports it missing when it starts.

mod values;

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_yaml_ng::{Mapping, Value};

use crate::throttle::Throttle;

use values::Values;

/// The default prefix of the tables' names.
pub const TABLE_PREFIX: &str = "latchkey-";

/// The parts of the template that the local system needs.
#[derive(Debug, Clone)]
pub struct Template {
    /// The functions, in the template's order.
    pub functions: Vec<Function>,
    /// The tables, in the template's order.
    pub tables: Vec<Table>,
    /// What the API allows other origins.
    pub cors: Cors,
    /// How many requests the API admits; `None` if the template does not say.
    pub throttle: Option<Throttle>,
    /// How many it admits on routes that have settings of their own.
    pub route_throttles: HashMap<Route, Throttle>,
}

/// An `AWS::Serverless::Function`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its logical id: `SendLoginMessage`.
    pub resource: String,
    /// The directory of its crate: `send-login-message`.
    pub name: String,
    /// Its `HttpApi` events.
    pub routes: Vec<Route>,
    /// Its environment variables, the template's globals included. `None`: only AWS knows the value.
    pub environment: BTreeMap<String, Option<String>>,
}

/// A method, or `ANY`, and a path. Both match literally, but for a path that ends in `{proxy+}`: that is for all
/// that lies below.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// The HTTP method, in upper case.
    pub method: String,
    /// The path, from the first `/`.
    pub path: String,
}

/// What a greedy path ends in.
const GREEDY: &str = "{proxy+}";

impl Route {
    /// Whether it leads a request on, which no literal route does.
    pub fn leads(&self, request: &Self) -> bool {
        let below = self.path.strip_suffix(GREEDY);
        let below = below.and_then(|root| request.path.strip_prefix(root));
        below.is_some_and(|rest| !rest.is_empty())
            && (self.method == "ANY" || self.method == request.method)
    }
}

/// An `AWS::DynamoDB::Table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its logical id: `CodesTable`.
    pub resource: String,
    /// Its name here: `latchkey-codes`.
    pub name: String,
    /// The key's attributes: name and `HASH` or `RANGE`.
    pub key: Vec<(String, String)>,
    /// The key attributes' types: name and `S`, `N` or `B`.
    pub attributes: Vec<(String, String)>,
    /// The attribute, in seconds since 1970, after which an item may be deleted.
    pub ttl: Option<String>,
}

/// The `CorsConfiguration` of the `HttpApi`, without the origins, which every deployment sets itself.
/// Empty if the template has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// The allowed methods.
    pub methods: Vec<String>,
    /// The allowed request headers.
    pub headers: Vec<String>,
    /// The response headers that a page may read.
    pub exposed: Vec<String>,
    /// How long a browser may cache this, in seconds.
    pub max_age: u64,
}

impl Template {
    /// Reads the template at `path`. Tables' names begin with `table_prefix`.
    ///
    /// # Errors
    /// If the file does not exist, is not YAML, or has a function or table that is not understood.
    pub fn read(path: &Path, table_prefix: &str) -> Result<Self, TemplateError> {
        let failed = |why| TemplateError {
            path: path.to_owned(),
            why,
        };
        let text = fs::read_to_string(path).map_err(|error| failed(Why::Unreadable(error)))?;
        Self::parse(&text, table_prefix).map_err(failed)
    }

    /// The functions with a route.
    pub fn routed(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|f| !f.routes.is_empty())
    }

    fn parse(text: &str, table_prefix: &str) -> Result<Self, Why> {
        let template: Value = serde_yaml_ng::from_str(text).map_err(Why::NotYaml)?;
        let resources = template
            .get("Resources")
            .and_then(Value::as_mapping)
            .ok_or_else(|| Why::NotUnderstood("it has no Resources".to_owned()))?;
        let tables = of_type(resources, "AWS::DynamoDB::Table")
            .map(|(id, properties)| table(id, properties, table_prefix))
            .collect::<Result<Vec<_>, _>>()?;
        let table_names = tables
            .iter()
            .map(|table| (table.resource.as_str(), table.name.as_str()));
        let values = Values::new(&template, table_names.collect());
        let functions = of_type(resources, "AWS::Serverless::Function")
            .map(|(id, properties)| function(id, properties, &template, &values))
            .collect::<Result<Vec<_>, _>>()?;
        let api = of_type(resources, "AWS::Serverless::HttpApi").next();
        let api = api.map(|(_, properties)| properties);
        let cors = api.map(|properties| cors(&properties["CorsConfiguration"]));
        let route_throttles = api.and_then(|it| it["RouteSettings"].as_mapping());
        let route_throttles = route_throttles.into_iter().flatten();
        let route_throttles = route_throttles.filter_map(|(route, settings)| {
            let (method, path) = route.as_str()?.split_once(' ')?;
            let route = Route {
                method: method.to_owned(),
                path: path.to_owned(),
            };
            Some((route, throttle(settings, &values)?))
        });
        let route_throttles = route_throttles.collect();
        let throttle = api.and_then(|it| throttle(&it["DefaultRouteSettings"], &values));
        Ok(Self {
            functions,
            tables,
            cors: cors.unwrap_or_default(),
            throttle,
            route_throttles,
        })
    }
}

/// The resources of one type, with their properties.
fn of_type<'a>(
    resources: &'a Mapping,
    kind: &'static str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    resources
        .iter()
        .filter(move |(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(kind))
        .filter_map(|(id, resource)| Some((id.as_str()?, &resource["Properties"])))
}

fn function(
    id: &str,
    properties: &Value,
    template: &Value,
    values: &Values<'_>,
) -> Result<Function, Why> {
    let globals = &template["Globals"]["Function"];
    let environment = [globals, properties]
        .into_iter()
        .filter_map(|of| of["Environment"]["Variables"].as_mapping())
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), values.resolve(value))))
        .collect();
    let routes = properties["Events"]
        .as_mapping()
        .into_iter()
        .flat_map(Mapping::values)
        .filter(|event| event["Type"] == "HttpApi")
        .map(|event| route(id, &event["Properties"]))
        .collect::<Result<_, _>>()?;
    Ok(Function {
        resource: id.to_owned(),
        name: kebab_case(id),
        routes,
        environment,
    })
}

fn route(id: &str, event: &Value) -> Result<Route, Why> {
    match (event["Method"].as_str(), event["Path"].as_str()) {
        // Path parameters are not supported: Latchkey has none.
        (Some(method), Some(path)) if is_plain(path) => Ok(Route {
            method: method.to_uppercase(),
            path: path.to_owned(),
        }),
        _ => Err(Why::NotUnderstood(format!(
            "an HttpApi event of {id} lacks a Method or a plain Path"
        ))),
    }
}

fn is_plain(path: &str) -> bool {
    let literal = path.strip_suffix(GREEDY).unwrap_or(path);
    literal.starts_with('/') && !literal.contains('{')
}

fn table(id: &str, properties: &Value, prefix: &str) -> Result<Table, Why> {
    if !properties["GlobalSecondaryIndexes"].is_null()
        || !properties["LocalSecondaryIndexes"].is_null()
    {
        let why = format!("{id} has indexes, which aren't made here");
        return Err(Why::NotUnderstood(why));
    }
    let pairs = |list: &str, value: &str| -> Option<Vec<(String, String)>> {
        properties[list]
            .as_sequence()?
            .iter()
            .map(|entry| {
                let name = entry["AttributeName"].as_str()?;
                Some((name.to_owned(), entry[value].as_str()?.to_owned()))
            })
            .collect()
    };
    let missing = |list| Why::NotUnderstood(format!("{id} lacks {list}"));
    let ttl = &properties["TimeToLiveSpecification"]["AttributeName"];
    Ok(Table {
        resource: id.to_owned(),
        name: format!(
            "{prefix}{}",
            kebab_case(id.strip_suffix("Table").unwrap_or(id))
        ),
        key: pairs("KeySchema", "KeyType").ok_or_else(|| missing("KeySchema"))?,
        attributes: pairs("AttributeDefinitions", "AttributeType")
            .ok_or_else(|| missing("AttributeDefinitions"))?,
        ttl: ttl.as_str().map(str::to_owned),
    })
}

fn throttle(settings: &Value, values: &Values<'_>) -> Option<Throttle> {
    let limit = |name: &str| values.resolve(&settings[name])?.parse().ok();
    Some(Throttle {
        rate: limit("ThrottlingRateLimit")?,
        burst: limit("ThrottlingBurstLimit")?,
    })
}

/// Reads `!If [HasCors, {AllowMethods: …}, …]`, or the object itself.
fn cors(value: &Value) -> Cors {
    let configuration = match value {
        Value::Tagged(choice) => &choice.value[1],
        value => value,
    };
    let list = |name: &str| {
        let texts = configuration[name].as_sequence().into_iter().flatten();
        texts
            .filter_map(|text| Some(text.as_str()?.to_owned()))
            .collect()
    };
    Cors {
        methods: list("AllowMethods"),
        headers: list("AllowHeaders"),
        exposed: list("ExposeHeaders"),
        max_age: configuration["MaxAge"].as_u64().unwrap_or_default(),
    }
}

/// Converts `SendLoginMessage` to `send-login-message`. Digits belong to the word before them.
pub fn kebab_case(pascal_case: &str) -> String {
    let mut name = String::new();
    for letter in pascal_case.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Why a template can't be used. Displayed as one line.
#[derive(Debug)]
pub struct TemplateError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    NotYaml(serde_yaml_ng::Error),
    NotUnderstood(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Unreadable(error) => write!(f, "can't read the template {path}: {error}"),
            Why::NotYaml(error) => write!(f, "the template {path} is not YAML: {error}"),
            Why::NotUnderstood(what) => write!(f, "the template {path} is broken: {what}"),
        }
    }
}

impl Error for TemplateError {}

#[cfg(test)]
mod tests;
