//! The emulator of AWS, a process of its own that ends with the value that started it, or with the program.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_types::region::Region;
use nephos_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const OPERATION: &str = "emulator.start";

/// Names the folder of the tools that tests need.
const TOOLS: &str = "NEPHOS_TOOLS";

/// The region that the emulator is in.
pub const REGION: &str = "us-east-1";

/// The account that its ARNs name.
pub const ACCOUNT: &str = "000000000000";

/// What it takes for an access key and for a secret key.
const KEY: &str = "test";

/// How long it may take to answer.
const READY: Duration = Duration::from_secs(30);

/// How long it may take to end.
const GONE: Duration = Duration::from_secs(5);

/// How often another port is tried: between the choice of a port and its use, another program may take it.
const ATTEMPTS: usize = 3;

/// Runs the emulator as the leader of a group of processes, and kills the group (the functions that it runs too) when the standard input
/// ends: when the value is dropped, or when this program ends in whatever way. The group also ends when the emulator does.
const WATCH: &str = r#"{ "$0" </dev/null; kill -KILL 0; } & read -r _; kill -KILL 0"#;

/// A running emulator, reachable from this machine only. Ends when dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    folder: PathBuf,
    port: u16,
    endpoint: String,
    config: SdkConfig,
}

impl Emulator {
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
        let program = program()?;
        let mut attempt = 1;
        loop {
            match Self::start_on(&program, free_port()?, settings).await {
                Err(error) if attempt < ATTEMPTS && error.is_retryable() => attempt += 1,
                started => return started,
            }
        }
    }

    async fn start_on(program: &Path, port: u16, settings: &[(&str, &str)]) -> Result<Self> {
        let endpoint = format!("http://127.0.0.1:{port}");
        let folder = std::env::temp_dir().join(format!("nephos-aws-{}", uuid::Uuid::new_v4().simple()));
        let log = std::fs::create_dir_all(&folder)
            .and_then(|()| File::create(folder.join("log")))
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| {
                failed("the temporary folder cannot be used")
                    .with("folder", folder.display())
                    .caused_by(error)
            })?;
        let mut command = Command::new("sh");
        command.args(["-c", WATCH]).arg(program);
        // Functions inherit all of it: nothing of this machine's may come along.
        command
            .env_clear()
            .envs(environment(&endpoint))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "1")
            .env("LAMBDA_ASYNC_RETRY_MAX_SECONDS", "2")
            .envs(settings.iter().copied())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(log.0)
            .stderr(log.1);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .spawn()
            .map_err(|error| failed("the emulator cannot be started").caused_by(error))?;
        let config = config(&endpoint).await;
        let mut emulator = Self {
            child,
            folder,
            port,
            endpoint,
            config,
        };
        emulator.wait().await?;
        Ok(emulator)
    }

    async fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        loop {
            if is_healthy(self.port).await {
                return Ok(());
            }
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended || Instant::now() >= deadline {
                let message = if ended {
                    "the emulator ended before it answered"
                } else {
                    "the emulator does not answer"
                };
                return Err(failed(message)
                    .with("endpoint", &self.endpoint)
                    .caused_by(self.log()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it answers for all services (`http://127.0.0.1:4566`).
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The SDK's configuration for it.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    /// The variables by which another process finds it: endpoint, region, credentials.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.endpoint).to_vec()
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
        let here = format!("AWS_ENDPOINT_URL={}", self.endpoint);
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

    /// The end of what it said so far, for those who look for a reason.
    #[must_use]
    pub fn log(&self) -> String {
        const LINES: usize = 40;
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It has been told by the end of its input; there is nobody to tell if waiting or removing fails.
        let _ = self.child.wait();
        // The shell may be gone before those that were killed with it.
        let deadline = Instant::now() + GONE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, message)
}

fn program() -> Result<PathBuf> {
    let missing = |message: &'static str| Error::new(ErrorKind::NotFound, OPERATION, message);
    let tools = std::env::var_os(TOOLS).ok_or_else(|| {
        missing(
            "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
        )
    })?;
    let program = Path::new(&tools).join("python/bin/ministack");
    if !program.exists() {
        return Err(
            missing("the emulator of AWS is not there; run `cargo xtask setup`")
                .with("program", program.display()),
        );
    }
    // It is started in a folder of its own.
    std::path::absolute(&program)
        .map_err(|error| missing("the tools' folder cannot be named").caused_by(error))
}

fn free_port() -> Result<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| failed("no port of the loopback interface is free").caused_by(error))
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

async fn config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(crate::config::https())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(KEY, KEY, None, None, "emulator"))
        .load()
        .await
}

/// Whether the emulator says that it is ready.
async fn is_healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(b"GET /_localstack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(&status == b"HTTP/1.1 200")
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(2), ask).await,
        Ok(Ok(true))
    )
}
