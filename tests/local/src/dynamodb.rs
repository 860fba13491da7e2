//! The embedded DynamoDB, and the creation of the tables in any DynamoDB.

use std::{fs, net::SocketAddr, path::Path};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    error::DisplayErrorContext,
    operation::create_table::CreateTableError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement},
};
use dynoxide::Database;

use crate::{
    environment::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY},
    error::StartError,
    server::Server,
    template::Table,
};

/// Starts the embedded DynamoDB on `address`: in memory, or in a file in `data_dir`, which is created
/// if it doesn't exist. Expired items stay.
///
/// # Errors
/// [`StartError::DataDir`] when the directory can't be made or written; [`StartError::Listen`].
pub async fn start(address: SocketAddr, data_dir: Option<&Path>) -> Result<Server, StartError> {
    let database = match data_dir {
        None => Database::memory().map_err(|error| error.to_string()),
        Some(dir) => fs::create_dir_all(dir)
            .map_err(|error| error.to_string())
            .and_then(|()| open(&dir.join("dynamodb.sqlite"))),
    };
    let database = database.map_err(|reason| StartError::DataDir {
        path: data_dir.unwrap_or(Path::new("memory")).to_owned(),
        reason,
    })?;
    serve(address, database).await
}

/// Starts the embedded DynamoDB on an existing database.
///
/// # Errors
/// [`StartError::Listen`].
pub async fn serve(address: SocketAddr, database: Database) -> Result<Server, StartError> {
    Server::start("DynamoDB", address, |listener, stopped| async move {
        let stopped = async { drop(stopped.await) };
        // An error here means that it can't accept connections: its clients will report that.
        let _ = dynoxide::server::serve_with_shutdown(listener, database, stopped).await;
    })
    .await
}

fn open(file: &Path) -> Result<Database, String> {
    let file = file.to_str().ok_or("its name is not UTF-8")?;
    Database::new(file).map_err(|error| error.to_string())
}

/// A client for the DynamoDB at `endpoint`, `http://127.0.0.1:8000`.
pub fn client(endpoint: &str) -> Client {
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "local");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// Creates the missing ones of `tables`. TTL stays off: in AWS an expired item can stay for days, so
/// nothing may depend on its deletion.
///
/// # Errors
/// [`StartError::Table`] when DynamoDB can't be reached or refuses.
pub async fn create_tables(client: &Client, tables: &[Table]) -> Result<(), StartError> {
    for table in tables {
        create_table(client, table)
            .await
            .map_err(|reason| StartError::Table {
                table: table.name.clone(),
                reason,
            })?;
    }
    Ok(())
}

async fn create_table(client: &Client, table: &Table) -> Result<(), String> {
    let mut request = client
        .create_table()
        .table_name(&table.name)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in &table.key {
        let key = KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind.as_str().into())
            .build();
        request = request.key_schema(key.map_err(|error| error.to_string())?);
    }
    for (name, kind) in &table.attributes {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind.as_str().into())
            .build();
        request = request.attribute_definitions(attribute.map_err(|error| error.to_string())?);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(CreateTableError::ResourceInUseException(_)) => Ok(()),
            _ => Err(DisplayErrorContext(error).to_string()),
        },
    }
}
