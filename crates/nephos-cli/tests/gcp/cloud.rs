//! An example, deployed by the command to the suite's own Google Cloud, where its image runs beside Google's emulators.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use nephos_conformance::google_cloud::CloudRun;
use nephos_conformance::google_cloud::cloud_run::{Options, Pace};
use nephos_conformance::google_cloud::emulators::{Emulator, Service};
use serde_json::{Value, json};

use crate::account::{Account, Project, done};
use crate::examples::example;
use crate::python::Python;

pub(crate) const PROJECT: &str = "nephos-tests";

/// How soon an event of Eventarc that failed comes again: no test waits for Google's ten seconds.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// An app, and the cloud that it is in. Everything ends when it is dropped.
pub(crate) struct Cloud {
    pub(crate) google: Account,
    pub(crate) project: Project,
    pub(crate) run: CloudRun,
    python: Python,
    /// What the names of the app's resources begin with.
    prefix: String,
    _emulators: [Service; 2],
}

/// The manifest of an example for the project of tests, with what a test adds.
pub(crate) fn manifest(name: &str, more: &str) -> String {
    let own = std::fs::read_to_string(example(name).join("nephos.toml")).unwrap();
    let region = "region = \"europe-west1\"\n";
    assert_eq!(own.matches(region).count(), 1, "{own}");
    let own = own
        .replace(region, &format!("{region}project = \"{PROJECT}\"\n"))
        .replace(
            "projects/example/secrets/",
            &format!("projects/{PROJECT}/secrets/"),
        );
    format!("{own}\n{more}")
}

impl Cloud {
    /// A cloud, with an example that is not deployed yet.
    pub(crate) async fn start(name: &str, more: &str, binary: &Path) -> Self {
        let (pubsub, firestore) = tokio::join!(Emulator::PubSub.start(), Emulator::Firestore.start());
        let emulators = [pubsub.unwrap(), firestore.unwrap()];
        let [pubsub, firestore] = [emulators[0].endpoint(), emulators[1].endpoint()];
        let google = Account::start().await;
        let options = Options {
            pubsub: Some(pubsub.clone()),
            firestore: Some(firestore.clone()),
            pace: Pace {
                backoff: BACKOFF,
                ..Pace::default()
            },
            ..Options::default()
        };
        let run = CloudRun::start(&google.control, &google.edge, options)
            .await
            .unwrap();
        let token = google.control.token();
        Self {
            python: Python::start(&google.edge, PROJECT, &token, &pubsub, &firestore),
            project: Project::built(&manifest(name, more), binary),
            google,
            run,
            prefix: format!("{name}-gcp"),
            _emulators: emulators,
        }
    }

    /// Deploys it.
    pub(crate) async fn deploy(&self) {
        let deployed = self.google.deploy(&self.project, &["--yes"]).await;
        assert!(
            deployed.status.success(),
            "{}{}\n{}",
            String::from_utf8_lossy(&deployed.stdout),
            String::from_utf8_lossy(&deployed.stderr),
            self.logs()
        );
    }

    /// Calls a function of `sdk.py`.
    pub(crate) async fn ask(&self, call: Value) -> Value {
        self.python.ask(call).await
    }

    /// The name at Google of a resource of the manifest.
    pub(crate) fn name(&self, resource: &str) -> String {
        format!("{}-{resource}", self.prefix)
    }

    /// The name of a bucket, which all of Google's customers share.
    pub(crate) fn bucket(&self, resource: &str) -> String {
        format!("{}-{PROJECT}", self.name(resource))
    }

    /// Where a function is called, as the command tells it.
    pub(crate) async fn url(&self, function: &str) -> String {
        let status = self.google.status(&self.project).await;
        let url = &status["functions"][function]["url"];
        url.as_str().unwrap_or_else(|| panic!("{status:#}")).to_owned()
    }

    /// What an object comes to have; the test fails if it does not in time.
    pub(crate) async fn text(&self, bucket: &str, name: &str) -> String {
        let text = self.ask(json!(["text", self.bucket(bucket), name])).await;
        let missing = || panic!("there is no {name}\n{}", self.logs());
        text.as_str().map_or_else(missing, str::to_owned)
    }

    /// Messages of a queue that nothing is triggered by, once there are so many.
    pub(crate) async fn messages(&self, queue: &str, count: usize) -> Vec<Value> {
        let found = self.ask(json!(["messages", self.name(queue), count])).await;
        let found = found.as_array().unwrap().clone();
        assert_eq!(found.len(), count, "{found:?}\n{}", self.logs());
        found
    }

    /// All items of a table.
    pub(crate) async fn items(&self, table: &str) -> Vec<Value> {
        let items = self.ask(json!(["items", self.name(table), table])).await;
        items.as_array().unwrap().clone()
    }

    /// Runs the one job of the app at this moment, until it is done.
    pub(crate) async fn fire(&self) {
        let jobs = self.google.names("cloudscheduler.jobs");
        let [job] = jobs.as_slice() else {
            panic!("{jobs:?}")
        };
        let name = format!("projects/{PROJECT}/locations/europe-west1/jobs/{job}");
        let statuses = self.run.fire(&name, chrono::Utc::now()).await.unwrap();
        assert_eq!(statuses, [204], "{}", self.logs());
    }

    /// Calls a function by the command, as its trigger's source would; what it answered.
    pub(crate) async fn invoke(&self, function: &str, document: &Value) -> Value {
        let document = document.to_string();
        let arguments = ["--json", "invoke", function, document.as_str()];
        let invoked = done(&self.google.run(&self.project, &arguments).await);
        let invoked: Value = serde_json::from_str(&invoked).unwrap();
        assert_eq!(invoked["result"], "ok", "{invoked:#}\n{}", self.logs());
        invoked
    }

    /// The program in the image that a function runs.
    pub(crate) fn program(&self, function: &str) -> Vec<u8> {
        let body = self.google.body(&format!("/services/{}", self.name(function)));
        let image = body["template"]["containers"][0]["image"].as_str().unwrap();
        let image = self.google.control.image(image).unwrap();
        let entrypoint = image.config["config"]["Entrypoint"][0]
            .as_str()
            .unwrap()
            .to_owned();
        let top = image.layers.last().unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(top.content.as_ref()));
        let mut bytes = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            if entry.path().unwrap() == Path::new(entrypoint.trim_start_matches('/')) {
                entry.read_to_end(&mut bytes).unwrap();
            }
        }
        bytes
    }

    /// What all functions logged, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let entries = self.google.control.logs().entries();
        let told = |entry: &Value| {
            let service = &entry["resource"]["labels"]["service_name"];
            let request = &entry["httpRequest"];
            match request.is_object() {
                true => format!("{service} {} {}", request["requestUrl"], request["status"]),
                false => format!("{service} {}{}", entry["textPayload"], entry["jsonPayload"]),
            }
        };
        let lines: Vec<String> = entries.iter().map(told).collect();
        lines.join("\n")
    }

    /// Holds that all that was asked, by whoever it was, is as Google's documents say.
    pub(crate) fn was_understood(&self) {
        self.google.was_understood();
    }
}
