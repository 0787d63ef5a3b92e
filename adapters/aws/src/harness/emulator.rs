//! The emulator of AWS, a process of its own that ends with the value that started it, or with the program.

use std::process::Stdio;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_types::region::Region;
use nephos_conformance::process::{Launch, Running, Tool, free_port};
use nephos_conformance::replay::Tape;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Result};

const TOOL: Tool = Tool {
    what: "the emulator of AWS",
    path: "python/bin/ministack",
};

/// Where it says that it is ready, and which version it is.
const HEALTH: &str = "/_localstack/health";

/// The region that the emulator is in.
pub const REGION: &str = "us-east-1";

/// The account that its ARNs name.
pub const ACCOUNT: &str = "000000000000";

/// What it takes for an access key and for a secret key.
const KEY: &str = "test";

/// A running emulator, reachable from this machine only. Ends when dropped.
#[derive(Debug)]
pub struct Emulator {
    running: Running,
    service: Service,
}

/// Where AWS's services answer: the emulator, or a tape of what one answered.
#[derive(Debug)]
pub(super) struct Service {
    endpoint: String,
    config: SdkConfig,
    tape: Option<Arc<Tape>>,
}

impl Service {
    async fn at(endpoint: String) -> Self {
        Self {
            config: config(&endpoint).await,
            endpoint,
            tape: None,
        }
    }

    /// What the tape answers, asked by another's client: to make one reads the machine's certificates, and there are as many tapes as rules.
    ///
    /// # Errors
    /// Those of [`Tape::url`].
    pub(super) fn on(tape: &Arc<Tape>, client: &SdkConfig) -> Result<Self> {
        let endpoint = tape.url("")?;
        let config = client.clone().into_builder().endpoint_url(&endpoint).build();
        Ok(Self {
            config,
            endpoint,
            tape: Some(Arc::clone(tape)),
        })
    }

    /// The URL of all services.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The SDK's configuration.
    pub(super) fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    /// A name that nothing has yet.
    pub(super) fn name(&self, kind: ResourceKind) -> String {
        match &self.tape {
            Some(tape) => tape.name(),
            None => format!("{kind}-{}", uuid::Uuid::new_v4().simple()),
        }
    }
}

impl Emulator {
    /// What it is, with its version: for a report.
    #[must_use]
    pub fn told() -> String {
        TOOL.told()
    }

    /// Starts it, empty, on a free port, and waits until it answers.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the tools are not there, [`ErrorKind::Unavailable`] if it does not come up, with the end of what it said.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, and it refuses what the policies of IAM do not allow: a function may do what its role says, and whoever signs with no key nothing.
    /// [`config`](Self::config) and [`environment`](Self::environment) are those of the account's root, who may do everything.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_enforcing() -> Result<Self> {
        Self::start_with(&[("AUTH", "true")]).await
    }

    async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let program = TOOL.find()?;
        // Functions inherit all of it, so `Running` lets nothing of this machine's come along. The group of processes that it ends has the functions in it.
        let running = Running::start(|| {
            let port = free_port()?;
            let endpoint = format!("http://127.0.0.1:{port}");
            let own = [
                ("BIND_HOST", "127.0.0.1"),
                ("GATEWAY_PORT", &port.to_string()),
                ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "1"),
                ("LAMBDA_ASYNC_RETRY_MAX_SECONDS", "2"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let settings = settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let launch = Launch {
                what: TOOL.what,
                program: program.clone(),
                arguments: Vec::new(),
                environment: Vec::new(),
                port,
                path: HEALTH,
                statuses: &[200],
            };
            Ok(launch.environment(environment(&endpoint).into_iter().chain(own).chain(settings)))
        })
        .await?;
        let service = Service::at(running.endpoint()).await;
        Ok(Self { running, service })
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// What it says that it is, with its version: for a recording.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it does not tell.
    pub(super) async fn version(&self) -> Result<String> {
        let untold = |message: &'static str| Error::new(ErrorKind::Unavailable, "emulator.version", message);
        let health: serde_json::Value = async {
            let url = format!("{}{HEALTH}", self.endpoint());
            // Chooses who does the cryptography of TLS, which a client asks for also where it needs none; an error says that the program has chosen already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let answer = reqwest::Client::new().get(url).send().await?.bytes().await?;
            Ok::<_, reqwest::Error>(serde_json::from_slice(&answer).unwrap_or_default())
        }
        .await
        .map_err(|error| untold("the emulator does not answer").caused_by(error))?;
        let version = health["version"].as_str();
        let version = version.ok_or_else(|| untold("the emulator does not tell its version"))?;
        Ok(format!("ministack {version}"))
    }

    /// Where it answers for all services (`http://127.0.0.1:4566`).
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.service.endpoint()
    }

    /// The SDK's configuration for it.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        self.service.config()
    }

    /// The variables by which another process finds it: endpoint, region, credentials.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(self.endpoint()).to_vec()
    }

    /// Kills (`kill -9`) the processes of functions that have `variable` (`NAME=value`) in their environment.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the system does not tell its processes, or does not let them be killed.
    pub async fn kill_functions(&self, variable: &str) -> Result<()> {
        let broken = |error: std::io::Error| {
            Error::new(
                ErrorKind::Unavailable,
                "emulator.kill",
                "the functions' processes cannot be killed",
            )
            .caused_by(error)
        };
        let here = format!("AWS_ENDPOINT_URL={}", self.endpoint());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            // Who ends meanwhile, or is another user's, cannot be read, and is not one of ours.
            let Ok(environment) = std::fs::read(path.join("environ")) else {
                continue;
            };
            let has = |wanted: &str| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|set| set == wanted.as_bytes())
            };
            let is_ours = has(&here) && has(variable);
            found.extend(path.file_name().filter(|_| is_ours).map(ToOwned::to_owned));
        }
        if found.is_empty() {
            return Ok(());
        }
        // That one ended by itself meanwhile is as good.
        tokio::process::Command::new("kill")
            .arg("-KILL")
            .args(found)
            .stderr(Stdio::null())
            .status()
            .await
            .map(drop)
            .map_err(broken)
    }

    /// Whether it still answers.
    ///
    /// # Errors
    /// Those of [`Running::alive`].
    pub async fn alive(&self) -> Result<()> {
        self.running.alive().await
    }

    /// The end of what it said so far, for those who look for a reason.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.log()
    }
}

fn environment(endpoint: &str) -> [(String, String); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", KEY),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        // Whoever looks for credentials elsewhere would wait for a machine that is not one of Amazon's.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

pub(super) async fn config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(crate::config::https())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(KEY, KEY, None, None, "emulator"))
        .load()
        .await
}
