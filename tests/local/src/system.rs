//! The whole local system: starts and stops its parts.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use shared::{
    App, Config,
    domain::{user::Draws, web_origin::is_origin},
    store::Store,
};

use crate::{
    clock::Clock,
    demo, dynamodb,
    environment::{self, Endpoints},
    error::StartError,
    functions::{self, Handler},
    gateway::{self, Gateway},
    kms,
    server::{Bound, Server},
    sns::{self, Inbox},
    template::{self, TABLE_PREFIX, Template},
};

/// The options of a system. The defaults are those of the binary, except for `template`.
#[derive(Debug, Clone)]
pub struct Options {
    /// The template's file.
    pub template: PathBuf,
    /// The address everything listens on.
    pub bind: IpAddr,
    /// The gateway's port. 0 takes any free one, here and for the other ports.
    pub gateway_port: u16,
    /// The embedded DynamoDB's port.
    pub dynamodb_port: u16,
    /// The port of the SNS endpoint.
    pub sns_port: u16,
    /// The port of the KMS endpoint.
    pub kms_port: u16,
    /// The directory that keeps the tables. Without one they are in memory.
    pub data_dir: Option<PathBuf>,
    /// The prefix of the tables' names. With different prefixes several systems can share one DynamoDB.
    pub table_prefix: String,
    /// Environment variables for every function. They override the template's.
    pub environment: BTreeMap<String, String>,
    /// The URL of a DynamoDB to use instead of the embedded one, for example of a relay before a
    /// DynamoDB started with [`dynamodb::start`].
    pub dynamodb_endpoint: Option<String>,
    /// The URL of an SNS endpoint to use instead of the system's own. To have an inbox, start it with
    /// [`sns::start`] and the `inbox` below.
    pub sns_endpoint: Option<String>,
    /// The URL of a KMS to use instead of the system's own.
    pub kms_endpoint: Option<String>,
    /// The origins that CORS allows to call the gateway.
    pub cors_origins: Vec<String>,
    /// The inbox for all SMS.
    pub inbox: Inbox,
    /// The clock of the functions.
    pub clock: Clock,
    /// Whether the [`demo`] accounts are there when the gateway begins to listen.
    pub demo_accounts: bool,
    /// From what the functions draw account numbers and names.
    pub draws: Draws,
    /// Whether the gateway refuses requests above the limits that the template sets, as AWS's does.
    pub throttle: bool,
    /// Whether a request may name its source IP, in [`gateway::SOURCE_IP_HEADER`].
    pub trust_source_ip_header: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            template: "template.yaml".into(),
            bind: Ipv4Addr::LOCALHOST.into(),
            gateway_port: 9000,
            dynamodb_port: 8000,
            sns_port: 9911,
            kms_port: 9912,
            data_dir: None,
            table_prefix: TABLE_PREFIX.to_owned(),
            environment: BTreeMap::new(),
            dynamodb_endpoint: None,
            sns_endpoint: None,
            kms_endpoint: None,
            cors_origins: Vec::new(),
            inbox: Inbox::default(),
            clock: Clock::default(),
            demo_accounts: false,
            draws: Draws::USUAL,
            throttle: false,
            trust_source_ip_header: false,
        }
    }
}

/// A running system. Dropping it ends it at once.
pub struct System {
    /// The template it was started from.
    pub template: Template,
    /// The gateway's URL, `http://127.0.0.1:9000`.
    pub gateway_url: String,
    /// The URLs of DynamoDB, SNS and KMS.
    pub endpoints: Endpoints,
    /// Access to the tables.
    pub store: Store,
    /// Every SMS sent.
    pub inbox: Inbox,
    /// The clock of the functions.
    pub clock: Clock,
    /// The configured app of each function, by name. A function without a route is invoked directly
    /// with its app.
    pub apps: HashMap<String, Arc<App>>,
    gateway: Server,
    services: Vec<Server>,
}

impl System {
    /// Starts all parts. When it returns, the tables exist and requests are answered.
    ///
    /// # Errors
    /// [`StartError`] names the part that could not start, and why.
    pub async fn start(mut options: Options) -> Result<Self, StartError> {
        if let Some(origin) = options.cors_origins.iter().find(|o| !is_origin(o)) {
            let origin = origin.clone();
            return Err(StartError::Origin { origin });
        }
        if !options.cors_origins.is_empty() {
            // In AWS one parameter sets both: what the gateway allows, and what the functions admit.
            let origins = options.cors_origins.join(",");
            options
                .environment
                .insert("CORS_ORIGINS".to_owned(), origins);
        }
        let template = Template::read(&options.template, &options.table_prefix)?;
        let mut services = Vec::new();
        let dynamodb = match &options.dynamodb_endpoint {
            Some(url) => url.clone(),
            None => {
                let address = SocketAddr::new(options.bind, options.dynamodb_port);
                let server = dynamodb::start(address, options.data_dir.as_deref()).await?;
                let url = server.url();
                services.push(server);
                url
            }
        };
        let sns = match &options.sns_endpoint {
            Some(url) => url.clone(),
            None => {
                let address = SocketAddr::new(options.bind, options.sns_port);
                let (inbox, clock) = (options.inbox.clone(), options.clock.clone());
                let server = sns::start(address, inbox, clock).await?;
                let url = server.url();
                services.push(server);
                url
            }
        };
        let kms = match &options.kms_endpoint {
            Some(url) => url.clone(),
            None => {
                let server = kms::start(SocketAddr::new(options.bind, options.kms_port)).await?;
                let url = server.url();
                services.push(server);
                url
            }
        };
        let client = dynamodb::client(&dynamodb);
        dynamodb::create_tables(&client, &template.tables).await?;
        let store = Store::new(
            client,
            table_name(&template, "UsersTable")?,
            table_name(&template, "CodesTable")?,
        );

        let gateway = SocketAddr::new(options.bind, options.gateway_port);
        let gateway_address = Bound::to("gateway", gateway).await?;
        let endpoints = Endpoints {
            dynamodb,
            sns,
            kms,
            gateway: gateway_address.url(),
        };
        let mut routes = HashMap::new();
        let mut apps = HashMap::new();
        for function in &template.functions {
            let app = configured(function, &endpoints, &options)?;
            for route in &function.routes {
                let ready = gateway::Function {
                    name: function.name.clone(),
                    handler: handler(function)?,
                    app: app.clone(),
                };
                routes.insert(route.clone(), ready);
            }
            apps.insert(function.name.clone(), app);
        }
        if options.demo_accounts {
            let login = apps.get("login").ok_or_else(|| StartError::NoHandler {
                function: "login".to_owned(),
            })?;
            demo::create_users(&store, &login.config.password_hasher).await?;
        }
        let gateway = Gateway {
            routes,
            cors_origins: options.cors_origins,
            cors: template.cors.clone(),
            inbox: options.inbox.clone(),
            clock: options.clock.clone(),
            throttle: template.throttle.filter(|_| options.throttle),
            route_throttles: match options.throttle {
                true => template.route_throttles.clone(),
                false => HashMap::new(),
            },
            trust_source_ip_header: options.trust_source_ip_header,
        };
        let gateway = gateway::start(gateway_address, gateway);
        Ok(Self {
            template,
            gateway_url: gateway.url(),
            endpoints,
            store,
            inbox: options.inbox,
            clock: options.clock,
            apps,
            gateway,
            services,
        })
    }

    /// Stops all parts. Running requests have up to 5 seconds to finish.
    pub async fn stop(self) {
        self.gateway.stop().await;
        for service in self.services {
            service.stop().await;
        }
    }
}

fn table_name(template: &Template, resource: &'static str) -> Result<String, StartError> {
    let table = template
        .tables
        .iter()
        .find(|table| table.resource == resource);
    let name = table.map(|table| table.name.clone());
    name.ok_or(StartError::NoTable { resource })
}

fn handler(function: &template::Function) -> Result<Handler, StartError> {
    let handler = functions::handler(&function.name);
    handler.ok_or_else(|| StartError::NoHandler {
        function: function.name.clone(),
    })
}

/// Configures the function from its environment.
fn configured(
    function: &template::Function,
    endpoints: &Endpoints,
    options: &Options,
) -> Result<Arc<App>, StartError> {
    let environment = environment::of(function, endpoints, &options.environment);
    let config = Config::from_lookup(&|name| environment.get(name).cloned());
    let failed = |reason: String| StartError::Function {
        function: function.name.clone(),
        reason,
    };
    let mut config = config.map_err(|error| failed(error.to_string()))?;
    config.draws = options.draws;
    let app = App::new(config).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(app))
}
