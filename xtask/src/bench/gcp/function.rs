//! The functions under test, on Nephos, on bare hyper and on Google's framework: how Cloud Run starts them, and what it is that calls them.
//! <https://cloud.google.com/run/docs/container-contract>

use std::path::{Path, PathBuf};

use xtask::shell::{Error, Result};

use crate::bench::service::{Call, Service};

/// What is compared: one handler, what calls it, and what its answer must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// How the table calls it.
    pub(crate) name: &'static str,
    /// The package on Nephos.
    pub(crate) ours: &'static str,
    /// The package on bare hyper.
    pub(crate) theirs: &'static str,
    /// The function's name.
    function: &'static str,
    /// What the framework calls functions of its kind.
    signature: &'static str,
    /// The path that is called.
    path: &'static str,
    /// The caller's own headers.
    headers: &'static [(&'static str, &'static str)],
    /// Further headers where it is Eventarc that calls, as it is for all functions of Google's framework.
    by_eventarc: &'static [(&'static str, &'static str)],
    /// The body.
    body: fn() -> Vec<u8>,
    /// The answer's body.
    answer: &'static str,
    /// `NEPHOS_WIRING`, as deployment sets it.
    wiring: &'static str,
}

/// Google's framework for Node.js.
#[derive(Debug)]
pub(crate) struct Framework {
    /// Its package.
    pub(crate) installed: PathBuf,
    /// The folder of the functions.
    pub(crate) functions: PathBuf,
}

/// What Cloud Run adds to every request.
const PLATFORM: [(&str, &str); 5] = [
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("forwarded", "for=\"203.0.113.7\";proto=https"),
    (
        "traceparent",
        "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00",
    ),
    (
        "x-cloud-trace-context",
        "5759e988bd862e3fe1be46a994272793/6023947403358210776;o=0",
    ),
];

/// How Google's services call themselves.
const GOOGLE: (&str, &str) = (
    "user-agent",
    "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
);

/// A new object: <https://googleapis.github.io/google-cloudevents/examples/structured/storage/>.
const OBJECT: &[u8] = br#"{"kind":"storage#object","id":"bench-gcp-snapshots-bench/gate/2026-02-03.jpg/1770120000123456","selfLink":"https://www.googleapis.com/storage/v1/b/bench-gcp-snapshots-bench/o/gate%2F2026-02-03.jpg","name":"gate/2026-02-03.jpg","bucket":"bench-gcp-snapshots-bench","generation":"1770120000123456","metageneration":"1","contentType":"image/jpeg","timeCreated":"2026-02-03T12:00:00.123Z","updated":"2026-02-03T12:00:00.123Z","storageClass":"STANDARD","timeStorageClassUpdated":"2026-02-03T12:00:00.123Z","size":"248312","md5Hash":"kF8MuJ5+CTJxvyhHS1xzRg==","mediaLink":"https://www.googleapis.com/download/storage/v1/b/bench-gcp-snapshots-bench/o/gate%2F2026-02-03.jpg?generation=1770120000123456&alt=media","crc32c":"rTVTeQ==","etag":"CNHZkbuF/ugCEAE="}"#;

/// The token of who calls, as Cloud Run leaves it once it is checked.
const TOKEN: (&str, &str) = (
    "authorization",
    "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjAifQ.eyJhdWQiOiJodHRwczovL2JlbmNoLTEyMzQ1Njc4OTAxMi5ldXJvcGUtd2VzdDEucnVuLmFwcCJ9.SIGNATURE_REMOVED_BY_GOOGLE",
);

/// A client's request; a new object, of which Eventarc tells in a CloudEvent with JSON; a message of a queue, which Pub/Sub pushes; and a change of a table, which Eventarc tells
/// in protobuf.
pub(crate) const CASES: [Case; 4] = [
    Case {
        name: "HTTP",
        ours: "http-nephos",
        theirs: "http-bare",
        function: "hello",
        signature: "http",
        path: "/hello",
        headers: &[
            ("content-type", "application/json"),
            ("user-agent", "curl/8.5.0"),
            ("accept", "*/*"),
        ],
        by_eventarc: &[],
        body: || br#"{"name":"nephos"}"#.to_vec(),
        answer: r#"{"greeting":"Hello, nephos!"}"#,
        wiring: r#"{"routes":[{"method":"POST","path":"/hello"}],"timeout":{"secs":30,"nanos":0}}"#,
    },
    Case {
        name: "CloudEvent",
        ours: "object-nephos",
        theirs: "object-bare",
        function: "look",
        signature: "cloudevent",
        path: "/.nephos/bucket/bucket-snapshots-0a1b2c3d",
        headers: &[
            ("content-type", "application/json"),
            GOOGLE,
            ("accept", "application/json"),
            TOKEN,
            ("ce-specversion", "1.0"),
            ("ce-id", "8312345678901234"),
            ("ce-type", "google.cloud.storage.object.v1.finalized"),
            (
                "ce-source",
                "//storage.googleapis.com/projects/_/buckets/bench-gcp-snapshots-bench",
            ),
            ("ce-subject", "objects/gate/2026-02-03.jpg"),
            ("ce-time", "2026-02-03T12:00:00.123456Z"),
            ("ce-bucket", "bench-gcp-snapshots-bench"),
        ],
        by_eventarc: &[],
        body: || OBJECT.to_vec(),
        answer: "",
        wiring: r#"{"sources":{"bench-gcp-snapshots-bench":"snapshots"},"dead_letter":"projects/bench/topics/bench-gcp-look-dead-letter","timeout":{"secs":30,"nanos":0},"retry":{"attempts":3,"backoff":{"secs":1,"nanos":0},"max_backoff":{"secs":60,"nanos":0}},"triggers":{"bucket-snapshots-0a1b2c3d":{"trigger":{"kind":"bucket","bucket":"snapshots","event":"created","prefix":"","suffix":""},"by":"cloud_event","caller":"platform"}}}"#,
    },
    Case {
        name: "push",
        ours: "push-nephos",
        theirs: "push-bare",
        function: "fulfil",
        signature: "cloudevent",
        path: "/.nephos/queue/queue-orders-0a1b2c3d",
        headers: &[
            ("content-type", "application/json"),
            GOOGLE,
            ("accept", "application/json"),
            TOKEN,
        ],
        by_eventarc: &[
            ("ce-specversion", "1.0"),
            ("ce-id", "8312345678901234"),
            ("ce-type", "google.cloud.pubsub.topic.v1.messagePublished"),
            (
                "ce-source",
                "//pubsub.googleapis.com/projects/bench/topics/bench-gcp-orders",
            ),
            ("ce-time", "2026-02-03T12:00:00.123Z"),
        ],
        // The message is {"item":"umbrella","quantity":1}.
        body: || {
            br#"{"message":{"attributes":{"nephos-content-type":"application/json"},"data":"eyJpdGVtIjoidW1icmVsbGEiLCJxdWFudGl0eSI6MX0=","messageId":"8312345678901234","message_id":"8312345678901234","publishTime":"2026-02-03T12:00:00.123Z","publish_time":"2026-02-03T12:00:00.123Z"},"subscription":"projects/bench/subscriptions/bench-gcp-orders","deliveryAttempt":1}"#.to_vec()
        },
        answer: "",
        wiring: r#"{"dead_letter":"projects/bench/topics/bench-gcp-fulfil-dead-letter","timeout":{"secs":30,"nanos":0},"retry":{"attempts":3,"backoff":{"secs":1,"nanos":0},"max_backoff":{"secs":60,"nanos":0}},"triggers":{"queue-orders-0a1b2c3d":{"trigger":{"kind":"queue","queue":"orders","batch":10},"by":"push","caller":"platform"}}}"#,
    },
    Case {
        name: "CloudEvent in protobuf",
        ours: "change-nephos",
        theirs: "change-bare",
        function: "watch",
        signature: "cloudevent",
        path: "/.nephos/table/table-orders-0a1b2c3d",
        headers: &[
            ("content-type", "application/protobuf"),
            GOOGLE,
            ("accept", "application/json"),
            TOKEN,
            ("ce-specversion", "1.0"),
            ("ce-id", "0a1b2c3d-0000-4000-8000-0123456789ab"),
            ("ce-type", "google.cloud.firestore.document.v1.written"),
            (
                "ce-source",
                "//firestore.googleapis.com/projects/bench/databases/bench-gcp-orders",
            ),
            ("ce-subject", "documents/orders/o-1"),
            ("ce-time", "2026-02-03T12:00:00.123456Z"),
            (
                "ce-dataschema",
                "https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto",
            ),
            ("ce-datacontenttype", "application/protobuf"),
            ("ce-project", "bench"),
            ("ce-location", "europe-west1"),
            ("ce-database", "bench-gcp-orders"),
            ("ce-namespace", "(default)"),
            ("ce-document", "orders/o-1"),
        ],
        by_eventarc: &[],
        body: change,
        answer: "",
        wiring: r#"{"table_keys":{"orders":{"key":"id"}},"dead_letter":"projects/bench/topics/bench-gcp-watch-dead-letter","timeout":{"secs":30,"nanos":0},"retry":{"attempts":3,"backoff":{"secs":1,"nanos":0},"max_backoff":{"secs":60,"nanos":0}},"triggers":{"table-orders-0a1b2c3d":{"trigger":{"kind":"table","table":"orders","events":["inserted","modified","removed"],"batch":100},"by":"cloud_event","caller":"platform"}}}"#,
    },
];

impl Case {
    /// A side with its program in `programs`, which runs in `folder`.
    pub(crate) fn side(&self, package: &str, programs: &Path, folder: &Path) -> Service {
        let mut environment = platform();
        for (name, value) in [
            ("NEPHOS_APP", "bench"),
            ("NEPHOS_TARGET", "gcp"),
            ("NEPHOS_FUNCTION", self.function),
            ("NEPHOS_WIRING", self.wiring),
        ] {
            environment.push((name, value.to_owned()));
        }
        Service {
            program: programs.join(package),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            environment,
            port: "PORT",
            call: self.call(&[]),
        }
    }

    /// The same function on Google's framework, as its buildpack starts it.
    ///
    /// # Errors
    /// A machine on which Node.js cannot be found.
    pub(crate) fn of_framework(&self, framework: &Framework, folder: &Path) -> Result<Service> {
        let path = std::env::var("PATH").map_err(|e| {
            Error::Other(format!(
                "PATH, which names the folder of `node`, cannot be read: {e}"
            ))
        })?;
        let mut environment = platform();
        environment.extend([
            ("PATH", path),
            ("NODE_ENV", "production".to_owned()),
            ("FUNCTION_TARGET", self.function.to_owned()),
            ("FUNCTION_SIGNATURE_TYPE", self.signature.to_owned()),
            ("FUNCTION_SOURCE", framework.functions.display().to_string()),
        ]);
        Ok(Service {
            program: "node".into(),
            arguments: vec![framework.installed.join("build/src/main.js")],
            folder: folder.to_owned(),
            environment,
            port: "PORT",
            call: self.call(self.by_eventarc),
        })
    }

    fn call(&self, more: &[(&str, &str)]) -> Call {
        let headers = PLATFORM.iter().chain(self.headers).chain(more);
        Call {
            path: self.path,
            headers: headers
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect(),
            body: (self.body)(),
            answer: self.answer,
        }
    }
}

/// What Cloud Run and deployment set.
fn platform() -> Vec<(&'static str, String)> {
    let set = [
        ("K_SERVICE", "bench-gcp-function"),
        ("K_REVISION", "bench-gcp-function-00001-abc"),
        ("K_CONFIGURATION", "bench-gcp-function"),
        ("GOOGLE_CLOUD_PROJECT", "bench"),
    ];
    set.map(|(name, value)| (name, value.to_owned())).into()
}

/// A new order in protobuf:
/// <https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto>.
fn change() -> Vec<u8> {
    const NAME: &[u8] = b"projects/bench/databases/bench-gcp-orders/documents/orders/o-1";
    // 1770120000 s
    const AT: &[u8] = &[0x08, 0xc0, 0xc6, 0x87, 0xcc, 0x06];
    let text = |text: &str| field(17, text.as_bytes());
    let mut document = field(1, NAME);
    for (name, value) in [
        ("id", text("o-1")),
        ("item", text("umbrella")),
        ("quantity", vec![0x10, 1]),
        ("_nephos_key", text("o-1")),
        ("_nephos_version", text("5fae0c11-8d0a-4d0e-9f0e-3a1f0a3c2b1d")),
    ] {
        document.extend(field(2, &[field(1, name.as_bytes()), field(2, &value)].concat()));
    }
    document.extend(field(3, AT));
    document.extend(field(4, AT));
    field(1, &document)
}

/// A field whose value has a length: <https://protobuf.dev/programming-guides/encoding/>.
fn field(number: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = varint(number << 3 | 2);
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_number_its_length_and_its_value() {
        assert_eq!(field(1, b"d"), [0x0a, 1, b'd']);
        assert_eq!(field(17, b"x"), [0x8a, 1, 1, b'x']);
        let long = field(2, &[7; 300]);
        assert_eq!((&long[..3], long.len()), (&[0x12, 0xac, 2][..], 303));
    }
}
