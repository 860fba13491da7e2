//! KMS: it signs access tokens, and gives the public keys that check them.

use std::sync::{Arc, OnceLock};

use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use futures_util::future::try_join_all;

use crate::{
    aws::{KmsClient, failure::failed},
    domain::{
        error::Error,
        signing_key::{PublicKey, SigningKeys},
    },
};

/// The keys that sign access tokens.
///
/// The client is made when it is first used: so functions that neither sign nor check contain none.
#[derive(Debug)]
pub struct Signing {
    /// `SIGNING_KEYS`. Without keys nothing is signed, and no token is good.
    keys: Option<SigningKeys>,
    make: KmsClient,
    client: OnceLock<Client>,
    public: OnceLock<Arc<[PublicKey]>>,
}

impl Signing {
    /// Signing by these keys, through the client that is made so.
    pub fn new(keys: Option<SigningKeys>, make: KmsClient) -> Self {
        Self {
            keys,
            make,
            client: OnceLock::new(),
            public: OnceLock::new(),
        }
    }

    /// The key that signs.
    ///
    /// # Errors
    /// [`Error::Internal`] if none is configured.
    pub fn active(&self) -> Result<&str, Error> {
        Ok(self.keys()?.active())
    }

    fn keys(&self) -> Result<&SigningKeys, Error> {
        let keys = self.keys.as_ref();
        keys.ok_or_else(|| Error::internal("SIGNING_KEYS is not set"))
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.make.client())
    }

    /// Signs a SHA-256 by the active key.
    ///
    /// # Errors
    /// [`Error::Internal`] when KMS fails.
    pub async fn sign(&self, digest: Vec<u8>) -> Result<Vec<u8>, Error> {
        let sign = self
            .client()
            .sign()
            .key_id(self.active()?)
            .message(Blob::new(digest))
            // The message itself may have 4,096 bytes at most.
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256);
        let signed = Box::pin(sign.send()).await;
        let signed = signed.map_err(|error| failed("KMS Sign", &error))?;
        let signature = signed.signature.map(Blob::into_inner);
        signature.ok_or_else(|| Error::internal("KMS Sign: no signature"))
    }

    /// The public halves of all keys. They are read once a process.
    ///
    /// # Errors
    /// [`Error::Internal`] when KMS fails, or has a key of another kind.
    pub async fn public_keys(&self) -> Result<Arc<[PublicKey]>, Error> {
        if let Some(known) = self.public.get() {
            return Ok(known.clone());
        }
        let keys = self.keys()?.all().map(|key| self.public_key(key));
        let keys: Arc<[PublicKey]> = try_join_all(keys).await?.into();
        Ok(self.public.get_or_init(|| keys).clone())
    }

    async fn public_key(&self, key: &str) -> Result<PublicKey, Error> {
        let get = self.client().get_public_key().key_id(key);
        let got = Box::pin(get.send()).await;
        let got = got.map_err(|error| failed("KMS GetPublicKey", &error))?;
        let der = got.public_key.map(Blob::into_inner).unwrap_or_default();
        PublicKey::from_der(key, &der)
            .ok_or_else(|| Error::internal("KMS GetPublicKey: not an RSA key"))
    }
}
