//! What the HTTP servers here share: listening on an address, and stopping.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

use crate::error::StartError;

/// How long running requests may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// A running HTTP server. Dropping it ends it without waiting for running requests.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on `address` (port 0: any free one) and runs the future that `serve` returns. The second
    /// argument of `serve` completes when the server has to stop.
    ///
    /// # Errors
    /// [`StartError::Listen`] when the address is taken or not this machine's.
    pub(crate) async fn start<F>(
        service: &'static str,
        address: SocketAddr,
        serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F,
    ) -> Result<Self, StartError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Ok(Bound::to(service, address).await?.serve(serve))
    }

    /// The URL for clients on this machine: `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Accepts no more requests, waits up to 5 seconds for running ones, and ends.
    pub async fn stop(mut self) {
        self.stop.take();
        // After a timeout or a failure, dropping it ends it.
        let _ = timeout(GRACE, &mut self.task).await;
    }
}

/// An address that a server will listen on. Requests wait until it does.
#[derive(Debug)]
pub(crate) struct Bound {
    address: SocketAddr,
    listener: TcpListener,
}

impl Bound {
    /// Takes `address` (port 0: any free one).
    ///
    /// # Errors
    /// [`StartError::Listen`] when the address is taken or not this machine's.
    pub(crate) async fn to(service: &'static str, address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen {
            service,
            address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { address, listener })
    }

    /// The address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that the server will have.
    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// As [`Server::start`] does.
    pub(crate) fn serve<F>(
        self,
        serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F,
    ) -> Server
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        Server {
            address: self.address,
            stop: Some(stop),
            task: tokio::spawn(serve(self.listener, stopped)),
        }
    }
}

fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
