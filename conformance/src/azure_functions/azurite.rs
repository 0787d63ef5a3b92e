//! Azurite: the emulator of a storage account, with an account of its own for each that is started.

mod watched;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::Result;

pub use self::watched::Watched;
pub(in crate::azure_functions) use self::watched::Watcher;
use super::storage::Account;
use crate::process::{Launch, Running, Tool, free_port};

const TOOL: Tool = Tool {
    what: "Azurite, the emulator of Azure Storage",
    path: "npm/node_modules/.bin/azurite",
};

const ACCOUNT: &str = "nephostest";

/// A running Azurite. Ends when dropped.
#[derive(Debug)]
pub struct Azurite {
    running: Running,
    accounts: Vec<Account>,
}

impl Azurite {
    /// What it is, with its version: for a report.
    #[must_use]
    pub fn told() -> String {
        TOOL.told()
    }

    /// Starts it, empty, and waits until it answers.
    ///
    /// # Errors
    /// Those of [`Tool::find`] and [`Running::start`].
    pub async fn start() -> Result<Self> {
        Self::with_accounts(1).await
    }

    /// The same, with several accounts that know nothing of each other; one at least.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn with_accounts(count: usize) -> Result<Self> {
        let program = TOOL.find()?;
        let key = STANDARD.encode(
            [
                uuid::Uuid::new_v4().into_bytes(),
                uuid::Uuid::new_v4().into_bytes(),
            ]
            .concat(),
        );
        let names: Vec<String> = (0..count.max(1))
            .map(|number| match number {
                0 => ACCOUNT.to_owned(),
                number => format!("{ACCOUNT}{number}"),
            })
            .collect();
        let known: Vec<String> = names.iter().map(|name| format!("{name}:{key}")).collect();
        let known = known.join(";");
        let ports = std::sync::Mutex::new((0, 0));
        let running = Running::start(|| {
            let (blobs, queues, tables) = (free_port()?, free_port()?, free_port()?);
            *ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (blobs, queues);
            let launch = Launch {
                what: TOOL.what,
                program: program.clone(),
                arguments: Vec::new(),
                environment: Vec::new(),
                // The last that it opens, so that the others answer too.
                port: tables,
                path: "/",
                statuses: &[400, 403, 404],
            };
            let port = |port: u16| port.to_string();
            Ok(launch
                .arguments([
                    "--silent".to_owned(),
                    "--disableTelemetry".to_owned(),
                    "--skipApiVersionCheck".to_owned(),
                    "--inMemoryPersistence".to_owned(),
                    "--blobHost".to_owned(),
                    "127.0.0.1".to_owned(),
                    "--queueHost".to_owned(),
                    "127.0.0.1".to_owned(),
                    "--tableHost".to_owned(),
                    "127.0.0.1".to_owned(),
                    "--blobPort".to_owned(),
                    port(blobs),
                    "--queuePort".to_owned(),
                    port(queues),
                    "--tablePort".to_owned(),
                    port(tables),
                ])
                .environment([("AZURITE_ACCOUNTS", &known)]))
        })
        .await?;
        let (blobs, queues) = *ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let account = |name: String| Account {
            key: key.clone(),
            blobs: format!("http://127.0.0.1:{blobs}/{name}"),
            queues: format!("http://127.0.0.1:{queues}/{name}"),
            name,
        };
        let accounts = names.into_iter().map(account).collect();
        Ok(Self { running, accounts })
    }

    /// The account that it has; of several, the first.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.accounts[0]
    }

    /// All of its accounts.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Whether it still answers.
    ///
    /// # Errors
    /// Those of [`Running::alive`].
    pub async fn alive(&self) -> Result<()> {
        self.running.alive().await
    }

    /// The end of what it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.log()
    }
}
