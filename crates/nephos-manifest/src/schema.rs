//! The form of `nephos.toml` as types, of which the JSON Schema for editors is made. The loader reads the same keys, with better messages; tests hold one against the other.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;

/// The JSON Schema of `nephos.toml`.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schema_for!(Manifest).to_value();
    without_null(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "Nephos manifest".into());
    }
    schema
}

/// Takes out `null`, which TOML does not have and optional fields bring along.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| *choice != serde_json::json!({ "type": "null" }));
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// An app: its resources, its functions, and where it is deployed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "app": "hello", "function": { "greet": { "on": [{ "http": "GET /hello" }] } } }))]
pub struct Manifest {
    /// The app's name: lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"), example = "face-gate")]
    pub app: String,
    /// Buckets by name.
    #[serde(default)]
    pub bucket: BTreeMap<String, Bucket>,
    /// Queues by name.
    #[serde(default)]
    pub queue: BTreeMap<String, Queue>,
    /// Topics by name.
    #[serde(default)]
    pub topic: BTreeMap<String, Topic>,
    /// Streams by name.
    #[serde(default)]
    pub stream: BTreeMap<String, Stream>,
    /// Tables by name.
    #[serde(default)]
    pub table: BTreeMap<String, Table>,
    /// Secrets by name.
    #[serde(default)]
    pub secret: BTreeMap<String, Secret>,
    /// Functions by name.
    #[serde(default)]
    pub function: BTreeMap<String, Function>,
    /// Targets by name: settings of their adapters, and tables that change functions and resources on that target.
    #[serde(default)]
    pub target: BTreeMap<String, Target>,
}

/// A bucket: objects by key. Without a URL it is the target's own.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Where it is, if it is outside the target.
    #[schemars(regex(pattern = "^s3://[^/]"), example = "s3://evidence")]
    pub url: Option<String>,
    /// The endpoint of that store; `embedded` is the local target's own.
    #[schemars(
        regex(pattern = "^(https?://.+|embedded)$"),
        example = "https://storage.example.net"
    )]
    pub endpoint: Option<String>,
    /// Its region, where the store asks for one.
    #[schemars(example = "eu-west-1")]
    pub region: Option<String>,
    /// The secret that holds its credentials: JSON with `access_key_id` and `secret_access_key`.
    pub credentials: Option<Credentials>,
}

/// Which secret holds credentials.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The secret's name.
    #[schemars(example = "archive-keys")]
    pub secret: String,
}

/// A queue: messages, each for one receiver.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How long a received message stays hidden from others. Default: 30 s.
    pub visibility_timeout: Option<Duration>,
    /// How long a message is kept. Default: 4 days.
    pub retention: Option<Duration>,
    /// Whether ordering groups are kept. Default: false.
    pub ordered: Option<bool>,
}

/// A topic: notifications, each for every subscriber.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// A stream: records in order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How long a record is kept. Default: 1 day.
    pub retention: Option<Duration>,
    /// How many shards it has: how many batches are handled side by side. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub shards: Option<u32>,
}

/// A table: items by key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The attribute that is the partition key (text).
    #[schemars(length(min = 1), example = &"id")]
    pub key: String,
    /// The attribute that is the sort key (text).
    #[schemars(length(min = 1), example = &"at")]
    pub sort: Option<String>,
    /// The attribute that holds when an item expires, in seconds since 1970.
    #[schemars(length(min = 1), example = &"expires")]
    pub ttl: Option<String>,
}

/// A secret: a value that is never shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The environment variable that holds it on one's own machine, instead of the secrets file.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"), example = &"ARCHIVE_KEYS")]
    pub env: Option<String>,
}

/// A function.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Memory. Default: 256 MiB.
    pub memory: Option<Size>,
    /// Space for temporary files. Default: what the target gives.
    pub ephemeral_storage: Option<Size>,
    /// How long one invocation may take. Default: 30 s.
    pub timeout: Option<Duration>,
    /// What calls it.
    #[serde(default)]
    pub on: Vec<Trigger>,
    /// What it may use, and how: its permissions are derived from this.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "snapshots": ["read", "delete"], "faces": ["read", "write"] }))]
    pub uses: BTreeMap<String, Vec<Access>>,
    /// Environment variables of its own.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "LOG": "info" }))]
    pub env: BTreeMap<String, String>,
    /// What becomes of an event whose handling fails.
    pub retry: Option<Retry>,
    /// The queue for events that failed for good. Default: one of its own, `<function>-dead-letter`.
    pub dead_letter: Option<String>,
    /// How many invocations one process takes at once. Default: 80.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// How many processes run at once at most. Default: 10.
    #[schemars(range(min = 1, max = 10000))]
    pub max_instances: Option<u32>,
    /// How invocations are kept apart. Default: `process`.
    pub isolation: Option<Isolation>,
}

/// How often an event is tried.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all. Default: 3.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts: Option<u32>,
    /// The wait before the second try; doubles from then on. Default: 1 s.
    pub backoff: Option<Duration>,
    /// The longest wait. Default: 1 min.
    pub max_backoff: Option<Duration>,
}

/// How invocations are kept apart.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A process is used again while it is warm.
    Process,
    /// Each invocation has a fresh process and an empty temporary folder.
    Invocation,
}

/// What a function may do with a resource.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Buckets, tables, streams and secrets: read, list and query.
    Read,
    /// Buckets, tables and streams: create and replace, append.
    Write,
    /// Buckets and tables: delete.
    Delete,
    /// Queues: send messages.
    Send,
    /// Queues: receive and acknowledge messages.
    Receive,
    /// Topics: publish notifications.
    Publish,
}

/// What calls a function.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Trigger {
    /// HTTP requests.
    #[schemars(example = serde_json::json!({ "http": "GET /orders/{id}" }))]
    Http {
        /// A method and a path; any method if it is left out. `{id}` is a parameter, `{*rest}` takes the rest.
        #[schemars(
            regex(pattern = "^((GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) +)?/[^ ]*$"),
            example = "GET /orders/{id}"
        )]
        http: String,
    },
    /// Objects of a bucket.
    #[schemars(example = serde_json::json!({ "bucket": "snapshots", "suffix": ".jpg" }))]
    Bucket {
        /// The bucket.
        bucket: String,
        /// Created (also replaced), deleted, or both. Default: `created`.
        event: Option<ObjectEvents>,
        /// Only keys that begin with this.
        prefix: Option<String>,
        /// Only keys that end with this.
        suffix: Option<String>,
    },
    /// Messages of a queue.
    #[schemars(example = serde_json::json!({ "queue": "incoming", "batch": 10 }))]
    Queue {
        /// The queue.
        queue: String,
        /// The most messages of one invocation. Default: 10.
        #[schemars(range(min = 1, max = 10000))]
        batch: Option<u32>,
    },
    /// Notifications of a topic.
    #[schemars(example = serde_json::json!({ "topic": "order-events", "filter": { "status": "accepted" } }))]
    Topic {
        /// The topic.
        topic: String,
        /// Only notifications with all these attributes.
        filter: Option<BTreeMap<String, String>>,
    },
    /// Records of a stream.
    #[schemars(example = serde_json::json!({ "stream": "readings", "batch": 100 }))]
    Stream {
        /// The stream.
        stream: String,
        /// The most records of one invocation. Default: 100.
        #[schemars(range(min = 1, max = 10000))]
        batch: Option<u32>,
    },
    /// Changes of a table.
    #[schemars(example = serde_json::json!({ "table": "orders", "events": ["inserted"] }))]
    Table {
        /// The table.
        table: String,
        /// Which kinds of change. Default: all.
        #[schemars(length(min = 1))]
        events: Option<Vec<Change>>,
        /// The most changes of one invocation. Default: 100.
        #[schemars(range(min = 1, max = 10000))]
        batch: Option<u32>,
    },
    /// Ticks of a schedule.
    #[schemars(example = serde_json::json!({ "schedule": "0 6 * * *", "timezone": "Europe/London" }))]
    Schedule {
        /// `every 5 minutes`, or five cron fields: minute, hour, day of the month, month, day of the week.
        #[schemars(example = "every 5 minutes")]
        schedule: String,
        /// The IANA time zone of the cron fields. Default: UTC.
        #[schemars(example = "Europe/London")]
        timezone: Option<String>,
    },
    /// Inbound e-mail.
    #[schemars(example = serde_json::json!({ "email": "orders@example.net" }))]
    Email {
        /// An address, `*@domain`, or `*`.
        email: String,
    },
    /// A step of sign-up or sign-in.
    #[schemars(example = serde_json::json!({ "auth": "before_sign_up" }))]
    Auth {
        /// Which step.
        #[schemars(with = "AuthStep")]
        auth: String,
    },
    /// Requests to a voice skill.
    #[schemars(example = serde_json::json!({ "voice": "kitchen" }))]
    Voice {
        /// The skill's name.
        voice: String,
    },
}

/// Which events of a bucket.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectEvents {
    /// An object was created or replaced.
    Created,
    /// An object was deleted.
    Deleted,
    /// Either.
    Any,
}

/// A kind of change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The item is new.
    Inserted,
    /// The item is another now.
    Modified,
    /// The item is gone.
    Removed,
}

/// A step of sign-up or sign-in that every target has, or one provider's own.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthStep {
    /// A user signs up; the account does not exist yet.
    BeforeSignUp,
    /// The account was created and confirmed.
    AfterSignUp,
    /// A user signs in; the credentials were right.
    BeforeSignIn,
    /// The user has signed in.
    AfterSignIn,
    /// A token is about to be issued.
    BeforeToken,
    /// A provider's own step.
    #[serde(untagged)]
    Other(String),
}

/// The settings of a target's adapter, and what is different there.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Target {
    /// What is different for functions on this target.
    #[serde(default)]
    pub function: BTreeMap<String, Function>,
    /// What is different for buckets on this target.
    #[serde(default)]
    pub bucket: BTreeMap<String, Bucket>,
    /// What is different for queues on this target.
    #[serde(default)]
    pub queue: BTreeMap<String, Queue>,
    /// What is different for streams on this target.
    #[serde(default)]
    pub stream: BTreeMap<String, Stream>,
    /// What is different for tables on this target.
    #[serde(default)]
    pub table: BTreeMap<String, TableOverlay>,
    /// What is different for secrets on this target.
    #[serde(default)]
    pub secret: BTreeMap<String, Secret>,
    /// Settings that the target's adapter reads.
    #[serde(flatten)]
    pub settings: BTreeMap<String, serde_json::Value>,
}

/// What is different for a table on a target.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOverlay {
    /// The attribute that is the partition key (text).
    pub key: Option<String>,
    /// The attribute that is the sort key (text).
    pub sort: Option<String>,
    /// The attribute that holds when an item expires.
    pub ttl: Option<String>,
}

/// A duration: a number and its unit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transparent, example = "30 s", example = "5 minutes", example = "250 ms")]
pub struct Duration(
    #[schemars(regex(
        pattern = r"^[0-9]+(\.[0-9]+)? *(ms|milliseconds?|s|secs?|seconds?|min|mins|minutes?|h|hours?|d|days?|weeks?)$"
    ))]
    pub String,
);

/// A size: a number and its unit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transparent, example = "512 MiB", example = "1 GiB")]
pub struct Size(#[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)? *(B|KB|MB|GB|KiB|MiB|GiB)$"))] pub String);
