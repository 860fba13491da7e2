//! Everything together.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use shared::{App, Config, store::Store};

use crate::{
    clock::Clock,
    dynamodb,
    environment::{self, Endpoints},
    error::StartError,
    functions::{self, Handler},
    gateway::{self, Gateway},
    server::Server,
    sns::{self, Inbox},
    template::{self, TABLE_PREFIX, Template},
};

/// What a system is made of. The default is the binary's, but for the template's place.
#[derive(Debug, Clone)]
pub struct Options {
    /// The template's file.
    pub template: PathBuf,
    /// The address everything listens on.
    pub bind: IpAddr,
    /// The gateway's port; 0 takes any free one, for the other two as well.
    pub gateway_port: u16,
    /// The embedded DynamoDB's port.
    pub dynamodb_port: u16,
    /// The port of SNS.
    pub sns_port: u16,
    /// Where the tables are kept; in memory without one.
    pub data_dir: Option<PathBuf>,
    /// What the tables' names begin with, so that several systems can share one DynamoDB.
    pub table_prefix: String,
    /// Variables of every function's environment that win over the template's.
    pub environment: BTreeMap<String, String>,
    /// A DynamoDB to use in place of the embedded one, as a URL: AWS's, or a relay in front of one
    /// started with [`dynamodb::start`].
    pub dynamodb_endpoint: Option<String>,
    /// An SNS to use in place of the one here, as a URL. To have an inbox, start one with
    /// [`sns::start`] and the `inbox` below.
    pub sns_endpoint: Option<String>,
    /// The origins whose pages may call the gateway.
    pub cors_origins: Vec<String>,
    /// Where SMS go.
    pub inbox: Inbox,
    /// What the functions take for the time.
    pub clock: Clock,
    /// Whether a request may say where it comes from, in [`gateway::SOURCE_IP_HEADER`].
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
            data_dir: None,
            table_prefix: TABLE_PREFIX.to_owned(),
            environment: BTreeMap::new(),
            dynamodb_endpoint: None,
            sns_endpoint: None,
            cors_origins: Vec::new(),
            inbox: Inbox::default(),
            clock: Clock::default(),
            trust_source_ip_header: false,
        }
    }
}

/// The running system. Dropping it ends it at once.
pub struct System {
    /// What is deployed.
    pub template: Template,
    /// The gateway's URL, `http://127.0.0.1:9000`.
    pub gateway_url: String,
    /// Where DynamoDB and SNS are.
    pub endpoints: Endpoints,
    /// The tables.
    pub store: Store,
    /// Every SMS sent.
    pub inbox: Inbox,
    /// What the functions take for the time.
    pub clock: Clock,
    /// What each function, by its name, made of its environment; those that no route leads to are
    /// invoked with it directly.
    pub apps: HashMap<String, Arc<App>>,
    gateway: Server,
    services: Vec<Server>,
}

impl System {
    /// Starts everything: when it returns, the tables are there and requests are answered.
    ///
    /// # Errors
    /// What of it could not start, and why.
    pub async fn start(options: Options) -> Result<Self, StartError> {
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
        let client = dynamodb::client(&dynamodb);
        dynamodb::create_tables(&client, &template.tables).await?;
        let store = Store::new(
            client,
            table_name(&template, "UsersTable")?,
            table_name(&template, "CodesTable")?,
        );

        let endpoints = Endpoints { dynamodb, sns };
        let mut routes = HashMap::new();
        let mut apps = HashMap::new();
        for function in &template.functions {
            let app = configured(function, &endpoints, &options.environment)?;
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
        let gateway = Gateway {
            routes,
            cors_origins: options.cors_origins,
            cors: template.cors.clone(),
            inbox: options.inbox.clone(),
            clock: options.clock.clone(),
            trust_source_ip_header: options.trust_source_ip_header,
        };
        let address = SocketAddr::new(options.bind, options.gateway_port);
        let gateway = gateway::start(address, gateway).await?;
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

    /// Ends everything, after the requests under way, for which it waits up to 5 seconds.
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

/// What the function makes of its environment.
fn configured(
    function: &template::Function,
    endpoints: &Endpoints,
    overrides: &BTreeMap<String, String>,
) -> Result<Arc<App>, StartError> {
    let environment = environment::of(function, endpoints, overrides);
    let config = Config::from_lookup(&|name| environment.get(name).cloned());
    let failed = |reason: String| StartError::Function {
        function: function.name.clone(),
        reason,
    };
    let config = config.map_err(|error| failed(error.to_string()))?;
    let app = App::new(config).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(app))
}
