//! How an engine is started, and where it is reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::app::{App, Trigger};
use nephos_core::resource::{ExternalBuckets, NoExternalBuckets};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::deploy::store::{Clock, SystemClock};

/// Who may reach the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// This machine only: any other address is refused.
    #[default]
    Loopback,
    /// Whoever reaches the addresses that it is given.
    Network,
}

/// What an engine does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Feeding {
    /// All triggers fire.
    #[default]
    Triggers,
    /// Functions run only when they are called; what waits for them goes on waiting.
    CallsOnly,
}

/// How an engine is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds all state; made if it is missing.
    pub state: PathBuf,
    /// The functions' binary.
    pub binary: PathBuf,
    /// Where the gateway listens; port 0 is any that is free.
    pub gateway: SocketAddr,
    /// Where the resource API listens.
    pub api: SocketAddr,
    /// Where e-mail is taken; any free port if `None` and a function has an e-mail trigger.
    pub smtp: Option<SocketAddr>,
    /// Where the embedded S3 store listens; any free port if `None` and a bucket has the endpoint `embedded`.
    pub s3: Option<SocketAddr>,
    /// On which address mail and the S3 store are served where they are needed and have none of their own.
    pub others: IpAddr,
    /// What it does by itself.
    pub feeding: Feeding,
    /// The secrets file.
    pub secrets: Option<PathBuf>,
    /// How long a process may be idle before it is stopped.
    pub idle_timeout: Duration,
    /// Who may reach it.
    pub exposure: Exposure,
    /// Opens buckets outside for [`Engine::resources`](super::Engine::resources).
    pub external: Arc<dyn ExternalBuckets>,
    /// What time it is, for leases, delays, schedules and time to live.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// Free ports on this machine only, processes that stop after five idle minutes, no secrets file.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>, binary: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            state: state.into(),
            binary: binary.into(),
            gateway: any,
            api: any,
            smtp: None,
            s3: None,
            others: any.ip(),
            feeding: Feeding::Triggers,
            secrets: None,
            idle_timeout: Duration::from_secs(300),
            exposure: Exposure::Loopback,
            external: Arc::new(NoExternalBuckets),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Where a running engine is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The HTTP gateway.
    pub gateway: SocketAddr,
    /// The resource API.
    pub api: SocketAddr,
    /// The SMTP listener.
    pub smtp: Option<SocketAddr>,
    /// The embedded S3 store.
    pub s3: Option<SocketAddr>,
    /// The token that may do everything on the resource API.
    pub token: String,
}

impl fmt::Debug for Addresses {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("gateway", &self.gateway)
            .field("api", &self.api)
            .field("smtp", &self.smtp)
            .field("s3", &self.s3)
            .finish_non_exhaustive()
    }
}

pub(super) fn wants_smtp(app: &App, options: &Options) -> Option<SocketAddr> {
    let has_trigger = options.feeding == Feeding::Triggers
        && app
            .functions
            .values()
            .flat_map(|spec| &spec.on)
            .any(|trigger| matches!(trigger, Trigger::Email { .. }));
    options
        .smtp
        .or_else(|| has_trigger.then(|| SocketAddr::from((options.others, 0))))
}

pub(super) fn check_exposure(options: &Options) -> Result<()> {
    if options.exposure == Exposure::Network {
        return Ok(());
    }
    let others = SocketAddr::from((options.others, 0));
    let addresses = [
        Some(options.gateway),
        Some(options.api),
        options.smtp,
        options.s3,
        Some(others),
    ];
    match addresses
        .into_iter()
        .flatten()
        .find(|address| !address.ip().is_loopback())
    {
        None => Ok(()),
        Some(address) => Err(Error::new(
            ErrorKind::InvalidArgument,
            "engine.start",
            "the address can be reached from other machines, and there is no sign-in; allow that with `--allow-remote` (`Exposure::Network`), or use 127.0.0.1",
        )
        .with("address", address)),
    }
}

pub(super) async fn listen(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let (kind, message) = match error.kind() {
            std::io::ErrorKind::AddrInUse => (
                ErrorKind::AlreadyExists,
                "the port is taken; end the program that uses it, or choose another port",
            ),
            std::io::ErrorKind::PermissionDenied => (
                ErrorKind::PermissionDenied,
                "the port may not be used; choose one above 1023",
            ),
            _ => (
                ErrorKind::Unavailable,
                "the address cannot be used; choose another",
            ),
        };
        Error::new(kind, "engine.start", message)
            .with("for", what)
            .with("port", address.port())
            .with("address", address)
            .with("option", option)
            .caused_by(error)
    })
}

pub(super) fn local_addr(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            "engine.start",
            "a listener has no address",
        )
        .caused_by(error)
    })
}
