//! A certificate authority for one run.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};

use crate::Error;

/// The relays' host name.
pub const HOST: &str = "localhost";

/// A certificate authority, and a server with a certificate signed by it.
#[derive(Debug)]
pub struct Authority {
    /// The authority's certificate, for `AWS_CA_BUNDLE`.
    pub pem: String,
    /// The TLS configuration of a server for [`HOST`].
    pub server: Arc<ServerConfig>,
}

impl Authority {
    /// Creates an authority. Its keys are ECDSA on P-256; the server offers TLS 1.3, as AWS's endpoints do.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new() -> Result<Self, Error> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, &issuer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        let server = Arc::new(server);
        Ok(Self { pem, server })
    }
}
