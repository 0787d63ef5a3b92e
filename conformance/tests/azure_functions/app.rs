//! A package with the tests' handler, the emulators, and what is asked of the host again and again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::storage::Account;
use nephos_conformance::azure_functions::{Host, Options, Services, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// One emulator for all tests; it ends with this program.
static AZURITE: OnceCell<Azurite> = OnceCell::const_new();

pub(crate) async fn account() -> Account {
    let azurite = AZURITE
        .get_or_init(|| async { Azurite::start().await.unwrap() })
        .await;
    azurite.account().clone()
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}

/// A package on the disk.
pub(crate) struct App {
    pub(crate) folder: TempDir,
    pub(crate) host: Value,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) services: Services,
}

impl App {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let handler = folder.path().join("handler");
        std::fs::write(&handler, include_str!("handler.py")).unwrap();
        std::fs::set_permissions(&handler, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            folder,
            host: json!({
                "version": "2.0",
                "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
                "customHandler": {"description": {"defaultExecutablePath": "handler"}},
            }),
            settings: vec![("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned())],
            services: Services::default(),
        }
    }

    /// With the emulator as the account that connection `Storage` names.
    pub(crate) async fn with_storage() -> (Self, Account) {
        let account = account().await;
        (Self::with_account(&account), account)
    }

    /// With this account there.
    pub(crate) fn with_account(account: &Account) -> Self {
        let mut app = Self::new();
        app.setting("AzureWebJobsStorage", &account.connection_string());
        app
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn setting(&mut self, name: &str, value: &str) -> &mut Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a value of host.json (`/extensions/queues`), with what is above it.
    pub(crate) fn host(&mut self, pointer: &str, value: Value) -> &mut Self {
        let mut place = &mut self.host;
        for name in pointer.split('/').skip(1) {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[name];
        }
        *place = value;
        self
    }

    pub(crate) fn function(&mut self, name: &str, document: &Value) -> &mut Self {
        let folder = self.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("function.json"), document.to_string()).unwrap();
        self
    }

    pub(crate) fn write(&self) {
        std::fs::write(self.path().join("host.json"), self.host.to_string()).unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(Settings::new(self.settings.clone()), self.services.clone())
    }

    pub(crate) async fn start(&self) -> Host {
        self.start_with(self.options()).await
    }

    pub(crate) async fn start_with(&self, options: Options) -> Host {
        self.write();
        Host::start(self.path(), options).await.unwrap()
    }
}

/// A function with this trigger.
pub(crate) fn triggered(trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["direction"] = "in".into();
    json!({"bindings": [trigger]})
}

/// The requests that the handler got so far.
pub(crate) fn requests(host: &Host) -> Vec<Value> {
    host.log()
        .iter()
        .filter_map(|line| line.strip_prefix("stdout: REQUEST "))
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// The invocations that the handler got so far, as their documents.
pub(crate) fn invocations(host: &Host) -> Vec<Value> {
    requests(host)
        .iter()
        .map(|request| serde_json::from_str(request["body"].as_str().unwrap()).unwrap())
        .collect()
}

/// Waits until `question` has an answer.
pub(crate) async fn until<T>(what: &str, host: &Host, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = question().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what} did not happen; the host said:\n{}", host.log().join("\n")),
    }
}

/// Waits until the handler got so many invocations, and gives them.
pub(crate) async fn invoked(host: &Host, count: usize) -> Vec<Value> {
    until(&format!("invocation {count}"), host, async || {
        Some(invocations(host)).filter(|all| all.len() >= count)
    })
    .await
}

/// Waits for a line of the log.
pub(crate) async fn logged(host: &Host, text: &str) -> String {
    until(&format!("a line with `{text}`"), host, async || {
        host.log().into_iter().find(|line| line.contains(text))
    })
    .await
}
