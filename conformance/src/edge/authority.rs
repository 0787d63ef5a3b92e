//! An authority for certificates that lives as long as the process, and a certificate of it for each host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nephos_core::{Error, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::failed;

/// The authority.
#[derive(Debug)]
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    servers: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    pub(super) fn new() -> Result<Self> {
        let made = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params
                .distinguished_name
                .push(DnType::CommonName, "Nephos, of tests only");
            let pem = params.self_signed(&key)?.pem();
            Ok((pem, Issuer::new(params, key)))
        };
        let (pem, issuer) = made().map_err(uncertified)?;
        Ok(Self {
            pem,
            issuer,
            servers: Mutex::default(),
        })
    }

    /// Its own certificate.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// What it signs with.
    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// TLS as this host.
    pub(super) fn server(&self, host: &str) -> Result<Arc<ServerConfig>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(host) {
            return Ok(Arc::clone(server));
        }
        let signed = || {
            let key = KeyPair::generate()?;
            let certificate = CertificateParams::new([host.to_owned()])?.signed_by(&key, &self.issuer)?;
            Ok((certificate.der().clone(), key.serialize_der()))
        };
        let (certificate, key) = signed().map_err(uncertified)?;
        let unusable = |error: rustls::Error| failed("a host's certificate cannot be used").caused_by(error);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
            )
            .map_err(unusable)?;
        let server = Arc::new(config);
        servers.insert(host.to_owned(), Arc::clone(&server));
        Ok(server)
    }
}

fn uncertified(error: rcgen::Error) -> Error {
    failed("a certificate cannot be made").caused_by(error)
}
