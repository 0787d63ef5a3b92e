//! Google's clients for Python: those who upload, publish and post, and read back what came of it.

use std::process::Stdio;

use nephos_conformance::edge::Edge;
use nephos_conformance::process::Tool;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

const PYTHON: Tool = Tool {
    what: "Google's SDK for Python",
    path: "python/bin/python",
};

/// They, in one process. It ends when dropped.
pub(crate) struct Python {
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

impl Python {
    /// For a project, with a token of somebody who may do everything, and the addresses of the emulators of Pub/Sub and Firestore.
    pub(crate) fn start(edge: &Edge, project: &str, token: &str, pubsub: &str, firestore: &str) -> Self {
        let address = |url: &str| url.trim_start_matches("http://").to_owned();
        let mut command = Command::new(PYTHON.find().unwrap());
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gcp/sdk.py"))
            .args([project, token, &address(pubsub), &address(firestore)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // What this machine says of proxies and emulators is not meant.
        for name in [
            "http_proxy",
            "https_proxy",
            "grpc_proxy",
            "no_proxy",
            "NO_PROXY",
            "PUBSUB_EMULATOR_HOST",
            "STORAGE_EMULATOR_HOST",
        ] {
            command.env_remove(name);
        }
        for (name, value) in edge.environment() {
            // The SDK's HTTP client has a name of its own for who is trusted.
            if name == "SSL_CERT_FILE" {
                command.env("REQUESTS_CA_BUNDLE", &value);
            }
            command.env(name, value);
        }
        let mut child = command.spawn().unwrap();
        let pipes = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()).lines(),
        );
        Self {
            pipes: Mutex::new(pipes),
            _child: child,
        }
    }

    /// Calls a function of `sdk.py` with these arguments, and gives what it returned.
    pub(crate) async fn ask(&self, call: Value) -> Value {
        let mut pipes = self.pipes.lock().await;
        let (input, lines) = &mut *pipes;
        input.write_all(format!("{call}\n").as_bytes()).await.unwrap();
        let line = lines.next_line().await.unwrap();
        let mut told: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(
            told["failed"].is_null(),
            "{call}: {}",
            told["failed"].as_str().unwrap()
        );
        told["told"].take()
    }
}
