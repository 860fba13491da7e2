//! Why the system did not start.

use std::{error::Error, fmt, io, net::SocketAddr, path::PathBuf};

use crate::template::TemplateError;

/// Why the system, or a part of it, did not start. Shown as one line, fit for a terminal.
#[derive(Debug)]
pub enum StartError {
    /// The template can't be read or understood.
    Template(TemplateError),
    /// An address can't be listened on.
    Listen {
        /// Whose address: `gateway`, `DynamoDB` or `SNS`.
        service: &'static str,
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The data directory can't be created or written.
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The error.
        reason: String,
    },
    /// A CORS origin that no page has.
    Origin {
        /// As it was given.
        origin: String,
    },
    /// A table can't be created.
    Table {
        /// Its local name.
        table: String,
        /// DynamoDB's error, or why it can't be reached.
        reason: String,
    },
    /// The template lacks a required table.
    NoTable {
        /// Its logical id.
        resource: &'static str,
    },
    /// The template has a function that this build has no handler for.
    NoHandler {
        /// The function's directory name.
        function: String,
    },
    /// A function rejects its environment.
    Function {
        /// The function's directory name.
        function: String,
        /// The function's error message.
        reason: String,
    },
    /// A demo account can't be created.
    Demo {
        /// Its name.
        user: &'static str,
        /// The store's error.
        reason: String,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(error) => error.fmt(f),
            Self::Listen {
                service,
                address,
                source,
            } => write!(f, "{service} can't listen on {address}: {source}"),
            Self::DataDir { path, reason } => {
                write!(f, "can't keep data in {}: {reason}", path.display())
            }
            Self::Origin { origin } => write!(
                f,
                "no page has the origin \"{origin}\": it is scheme and host, as in \
                 https://app.example.com or http://localhost:5173, without a path, a slash at the end, \
                 a blank or a wildcard"
            ),
            Self::Table { table, reason } => write!(f, "can't make the table {table}: {reason}"),
            Self::NoTable { resource } => write!(f, "the template has no table {resource}"),
            Self::NoHandler { function } => write!(
                f,
                "the template has the function {function}, which this build has no handler for"
            ),
            Self::Function { function, reason } => write!(f, "{function} can't start: {reason}"),
            Self::Demo { user, reason } => {
                write!(f, "can't make the demo account {user}: {reason}")
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Template(error) => Some(error),
            Self::Listen { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<TemplateError> for StartError {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}
