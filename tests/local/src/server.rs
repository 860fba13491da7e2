//! What the HTTP servers here share: an address, and an end.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

use crate::error::StartError;

/// How long requests under way may take to finish once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// A running HTTP server. Dropping it ends it without waiting for requests under way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on `address` (port 0: any free one) and runs what `serve` makes of the listener. The
    /// second argument of `serve` completes when the server shall stop.
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
        let failed = |source| StartError::Listen {
            service,
            address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            address,
            stop: Some(stop),
            task: tokio::spawn(serve(listener, stopped)),
        })
    }

    /// The address clients on this machine reach it at, `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Takes no more requests, lets those under way finish for up to 5 seconds, and ends.
    pub async fn stop(mut self) {
        self.stop.take();
        // Past the grace, or when the server has failed, dropping it is all there is left to do.
        let _ = timeout(GRACE, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
