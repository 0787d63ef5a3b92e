//! From manifests to apps: defaults, every trigger, implied resources, and the examples of this repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::common::{load, render};
use nephos_core::app::{Isolation, ObjectEventKind, QueueSpec, Resource, Retry, Trigger};
use nephos_core::event::{AuthStage, ChangeKind};
use nephos_core::resource::Access;
use nephos_manifest::{Problem, ProblemKind};

/// The example of the design.
const FACE_GATE: &str = r#"
# nephos.toml
app = "face-gate"

[bucket.snapshots]
[bucket.archive]                      # a third party's S3-compatible store, outside every target
url = "s3://evidence"
endpoint = "https://storage.example.net"
credentials = { secret = "archive-keys" }

[table.faces]
key = "face_id"

[function.recognise]
memory = "512 MiB"
timeout = "30 s"
on = [{ bucket = "snapshots", event = "created", suffix = ".jpg" }]
uses = { snapshots = ["read", "delete"], faces = ["read", "write"], archive = ["write"] }

[target.aws]
region = "eu-west-1"
[target.azure]
location = "westeurope"
[target.gcp]
project = "example"
region = "europe-west1"
[target.knative]
namespace = "face-gate"
"#;

#[test]
fn the_example_of_the_design_loads_as_it_is() {
    let loaded = load(FACE_GATE).unwrap();
    let app = loaded.app;
    assert_eq!(app.name, "face-gate");
    let function = &app.functions["recognise"];
    assert_eq!(function.memory, 512 << 20);
    assert_eq!(function.timeout, Duration::from_secs(30));
    assert_eq!(
        function.on,
        [Trigger::Bucket {
            bucket: "snapshots".to_owned(),
            event: ObjectEventKind::Created,
            prefix: String::new(),
            suffix: ".jpg".to_owned(),
        }]
    );
    assert_eq!(function.uses["snapshots"], [Access::Read, Access::Delete].into());
    let Resource::Bucket(archive) = &app.resources["archive"] else {
        panic!("{:?}", app.resources)
    };
    assert_eq!(archive.url.as_deref(), Some("s3://evidence"));
    assert_eq!(archive.credentials.as_deref(), Some("archive-keys"));
    assert!(matches!(app.resources["archive-keys"], Resource::Secret(_)));
    assert_eq!(
        app.targets["gcp"],
        serde_json::json!({ "project": "example", "region": "europe-west1" })
    );
    let kinds: Vec<ProblemKind> = loaded.warnings.problems().iter().map(Problem::kind).collect();
    assert_eq!(
        kinds,
        [
            ProblemKind::ImpliedSecret,
            ProblemKind::UnknownTarget,
            ProblemKind::UnknownTarget,
            ProblemKind::UnknownTarget,
            ProblemKind::UnknownTarget
        ]
    );
}

#[test]
fn the_examples_of_the_repository_load_without_warnings() {
    const TARGETS: [&str; 4] = ["local", "aws", "azure", "gcp"];
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("nephos.toml").exists() {
            continue;
        }
        // It shows a function that is called by hand only, which is worth a warning all the same.
        let expected = if folder.ends_with("every-trigger") {
            vec!["nothing calls function `raw`"]
        } else {
            Vec::new()
        };
        for target in [None].into_iter().chain(TARGETS.map(Some)) {
            match nephos_manifest::load(&folder, target, &BTreeMap::new(), &TARGETS) {
                Ok(loaded) => {
                    let warnings: Vec<String> = loaded
                        .warnings
                        .problems()
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    assert_eq!(warnings, expected, "{}", render(&loaded.warnings));
                }
                Err(report) => panic!("{}", render(&report)),
            }
        }
        count += 1;
    }
    assert!(count >= 2, "{count} examples");
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let app = load("app = \"shop\"\n[queue.incoming]\n[function.work]\non = [{ queue = \"incoming\" }]")
        .unwrap()
        .app;
    let function = &app.functions["work"];
    assert_eq!(function.memory, 256 << 20);
    assert_eq!(function.timeout, Duration::from_secs(30));
    assert_eq!(function.concurrency, 80);
    assert_eq!(function.max_instances, 10);
    assert_eq!(function.isolation, Isolation::Process);
    assert_eq!(function.retry, Retry::default());
    assert_eq!(function.dead_letter, "work-dead-letter");
    assert_eq!(
        function.on,
        [Trigger::Queue {
            queue: "incoming".to_owned(),
            batch: 10
        }]
    );
    let implicit = QueueSpec {
        implicit: true,
        ..QueueSpec::default()
    };
    assert_eq!(app.resources["work-dead-letter"], Resource::Queue(implicit));
    assert_eq!(app.resources["incoming"], Resource::Queue(QueueSpec::default()));
}

#[test]
fn a_function_of_requests_alone_needs_no_queue_for_dead_letters() {
    let app = load("app = \"shop\"\n[function.show]\non = [{ http = \"/\" }]")
        .unwrap()
        .app;
    assert!(app.resources.is_empty());
}

#[test]
fn a_declared_queue_takes_the_place_of_the_implicit_one() {
    let text = "app = \"shop\"\n[bucket.photos]\n[queue.broken]\n[queue.two-dead-letter]\nretention = \"7 days\"\n\
                [function.one]\non = [{ bucket = \"photos\" }]\ndead_letter = \"broken\"\n\
                [function.two]\non = [{ bucket = \"photos\" }]\n";
    let app = load(text).unwrap().app;
    assert_eq!(app.functions["one"].dead_letter, "broken");
    assert!(!app.resources.contains_key("one-dead-letter"));
    let Resource::Queue(queue) = &app.resources["two-dead-letter"] else {
        panic!("not a queue")
    };
    assert!(!queue.implicit);
    assert_eq!(queue.retention, Duration::from_secs(7 * 24 * 3600));
}

#[test]
fn every_trigger_reads_with_all_its_keys() {
    let text = r#"
app = "all"
[bucket.b]
[queue.q]
[topic.t]
[stream.s]
[table.items]
key = "id"
[function.f]
on = [
  { http = "GET /orders/{id}" },
  { http = "/files/{*rest}" },
  { bucket = "b", event = "any", prefix = "in/", suffix = ".txt" },
  { queue = "q", batch = 3 },
  { topic = "t", filter = { status = "accepted" } },
  { stream = "s" },
  { table = "items", events = ["removed", "inserted"], batch = 7 },
  { table = "items" },
  { schedule = "every 5 minutes" },
  { schedule = "0 6 * * *", timezone = "Europe/London" },
  { email = "*@example.net" },
  { auth = "before_sign_up" },
  { voice = "kitchen" },
]
"#;
    let app = load(text)
        .unwrap_or_else(|report| panic!("{}", render(&report)))
        .app;
    let name = str::to_owned;
    let expected = [
        Trigger::Http {
            method: Some(name("GET")),
            path: name("/orders/{id}"),
        },
        Trigger::Http {
            method: None,
            path: name("/files/{*rest}"),
        },
        Trigger::Bucket {
            bucket: name("b"),
            event: ObjectEventKind::Any,
            prefix: name("in/"),
            suffix: name(".txt"),
        },
        Trigger::Queue {
            queue: name("q"),
            batch: 3,
        },
        Trigger::Topic {
            topic: name("t"),
            filter: [(name("status"), name("accepted"))].into(),
        },
        Trigger::Stream {
            stream: name("s"),
            batch: 100,
        },
        Trigger::Table {
            table: name("items"),
            events: [ChangeKind::Inserted, ChangeKind::Removed].into(),
            batch: 7,
        },
        Trigger::Table {
            table: name("items"),
            events: [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed].into(),
            batch: 100,
        },
        Trigger::Schedule {
            schedule: name("every 5 minutes"),
            every: Some(Duration::from_secs(300)),
            timezone: name("UTC"),
        },
        Trigger::Schedule {
            schedule: name("0 6 * * *"),
            every: None,
            timezone: name("Europe/London"),
        },
        Trigger::Email {
            address: name("*@example.net"),
        },
        Trigger::Auth {
            stage: AuthStage::BeforeSignUp,
        },
        Trigger::Voice {
            skill: name("kitchen"),
        },
    ];
    assert_eq!(app.functions["f"].on, expected);
}

#[test]
fn a_long_first_wait_lifts_the_default_of_the_longest() {
    let text = "app = \"shop\"\n[function.f]\non = [{ http = \"/\" }]\nretry = { backoff = \"5 min\" }";
    let app = load(text).unwrap().app;
    assert_eq!(app.functions["f"].retry.max_backoff, Duration::from_secs(300));
}

#[test]
fn what_works_but_is_likely_a_mistake_is_a_warning() {
    let text = r#"
app = "shop"
[queue.incoming]
[topic.forgotten]
[function.idle]
[function.one]
on = [{ queue = "incoming" }]
[function.two]
on = [{ queue = "incoming" }, { schedule = "every hour", timezone = "Europe/London" }, { auth = "custom_mfa" }]
"#;
    let warnings = load(text).unwrap().warnings;
    let found: Vec<String> = warnings
        .problems()
        .iter()
        .map(|problem| format!("{} {}", problem.position().unwrap().line, problem.message()))
        .collect();
    assert_eq!(
        found,
        [
            "4 nothing uses topic `forgotten`",
            "5 nothing calls function `idle`",
            "9 functions `one` and `two` share queue `incoming`: each message goes to one of them only",
            "9 `timezone` of trigger 2 of function `two` has no effect on `every …`",
            "9 `custom_mfa` is not a step that every target has",
        ]
    );
    assert!(warnings.problems().iter().all(Problem::is_warning));
}

#[test]
fn an_app_survives_json() {
    let app = load(FACE_GATE).unwrap().app;
    let text = serde_json::to_string(&app).unwrap();
    assert_eq!(serde_json::from_str::<nephos_core::app::App>(&text).unwrap(), app);
}

#[test]
fn a_trigger_on_a_bucket_outside_every_target_is_a_warning() {
    let text = "app = \"a\"\n[bucket.far]\nurl = \"s3://far\"\n[function.f]\non = [{ bucket = \"far\" }]\n";
    let warnings = load(text).unwrap().warnings;
    let [warning] = warnings.problems() else {
        panic!("{warnings:?}")
    };
    let position = warning.position().unwrap();
    assert_eq!((position.line, position.column), (5, 7));
    assert!(
        warning.to_string().contains("`far` lies outside every target"),
        "{warning}"
    );
}
