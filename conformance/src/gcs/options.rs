//! What a stand-in begins with.

use nephos_core::{Error, ErrorKind, Result};
use pki_types::pem::PemObject as _;
use pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use ring::signature::{KeyPair as _, RsaKeyPair};

/// The private key of a service account that there is in tests alone, in PEM: to sign URLs with.
pub const PRIVATE_KEY: &str = include_str!("service_account.pem");

/// A service account whose signatures count.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// `app@project.iam.gserviceaccount.com`
    pub email: String,
    /// The `RSAPublicKey` of PKCS #1, in DER.
    pub public_key: Vec<u8>,
}

impl ServiceAccount {
    /// From the private key of a service account's file (`private_key`, PEM): only its public part is kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no RSA key of PKCS #8 or PKCS #1.
    pub fn of_private_key(email: &str, pem: &str) -> Result<Self> {
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "gcs.service-account",
                "the private key is no RSA key in PEM",
            )
            .with("email", email)
        };
        let key = if let Ok(key) = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()) {
            RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| refused())?
        } else {
            let key = PrivatePkcs1KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused())?;
            RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(|_| refused())?
        };
        Ok(Self {
            email: email.to_owned(),
            public_key: key.public_key().as_ref().to_vec(),
        })
    }
}

/// How the stand-in is at its beginning.
#[derive(Debug, Clone)]
pub struct Options {
    /// The project that buckets are made in.
    pub project: String,
    /// The tokens that count; more can come later ([`Storage::accept_token`](super::Storage::accept_token)).
    pub tokens: Vec<String>,
    /// Whether requests without a token are answered too, as for clients that are told to send none.
    pub anonymous: bool,
    /// Whose signed URLs count.
    pub service_accounts: Vec<ServiceAccount>,
    /// The most that one page of a list has, whatever is asked for.
    pub page: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            project: "nephos-tests".to_owned(),
            tokens: vec!["ya29.a-token-of-tests".to_owned()],
            anonymous: false,
            service_accounts: Vec::new(),
            page: 1000,
        }
    }
}
