//! A third party's S3-compatible store, SeaweedFS: neither the emulator nor ours.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::sdk::{self, Sdk};

const KEY: &str = "gate-key";
const SECRET: &str = "gate-secret";

/// The store, in a process and a folder of its own. Ends when dropped.
pub(crate) struct Store {
    child: Child,
    folder: TempDir,
    endpoint: String,
    ports: Vec<u16>,
}

impl Store {
    /// Starts it, with one bucket, for whoever has [`keys`](Self::keys).
    pub(crate) fn start(bucket: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let who = json!({"identities": [{
            "name": "gate", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List"],
        }]});
        let identities = folder.path().join("identities.json");
        std::fs::write(&identities, who.to_string()).unwrap();
        // All at once, so that no two are the same.
        let free: Vec<TcpListener> = (0..8)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<u16> = free
            .iter()
            .map(|port| port.local_addr().unwrap().port())
            .collect();
        drop(free);
        let mut command = Command::new(sdk::program("weed"));
        command.args(["server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        for (name, port) in [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port.grpc",
            "s3.port",
        ]
        .into_iter()
        .zip(&ports)
        {
            command.arg(format!("-{name}={port}"));
        }
        command
            .args([
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-volume.max=16",
                "-master.volumeSizeLimitMB=64",
            ])
            .arg(format!("-s3.config={}", identities.display()))
            .arg(format!("-dir={}", folder.path().display()))
            .env_clear()
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap());
        let store = Self {
            child: command.spawn().unwrap(),
            endpoint: format!("http://127.0.0.1:{}", ports[7]),
            folder,
            ports,
        };
        store.wait(bucket);
        store
    }

    /// Makes the bucket, which can be written to only once a volume is there.
    fn wait(&self, bucket: &str) {
        let port = self.endpoint.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        sdk::wait("the store's port", listens);
        let sdk = self.sdk();
        let made = || sdk.ask("s3", "create_bucket", json!({"Bucket": bucket})).ok();
        sdk::wait("the store's bucket", made);
        // As large as a picture: what is small needs no volume.
        let probe = json!({"Bucket": bucket, "Key": "probe", "Body": "x".repeat(100_000)});
        let written = || sdk.ask("s3", "put_object", probe.clone()).ok();
        sdk::wait("a write to the store", written);
        sdk.call("s3", "delete_object", json!({"Bucket": bucket, "Key": "probe"}));
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The keys, as a bucket's credentials are written in a secret.
    pub(crate) fn keys() -> String {
        json!({"access_key_id": KEY, "secret_access_key": SECRET}).to_string()
    }

    /// AWS's SDK, for this store.
    pub(crate) fn sdk(&self) -> Sdk {
        let environment = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ];
        Sdk::start(environment.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself; if the test failed, what it said may tell why.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its sockets have fixed places, which it cleans up only if it may end in peace.
        for entry in std::fs::read_dir("/tmp").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let socket = name
                .to_str()
                .and_then(|name| name.strip_prefix("seaweedfs-")?.strip_suffix(".sock"));
            let port = socket.and_then(|socket| socket.rsplit('-').next()?.parse::<u16>().ok());
            if port.is_some_and(|port| self.ports.contains(&port)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
    }
}
