//! The app: what a validated manifest says, ready for any target.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{AuthStage, ChangeKind, TriggerKind};
use crate::resource::table::TableSchema;
use crate::resource::{Access, Binding, ResourceKind};

/// A whole app. Made by the manifest's loader, which has validated it: every name that is referred to exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// The name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Resources by name; a name is used once over all kinds.
    pub resources: BTreeMap<String, Resource>,
    /// Functions by name.
    pub functions: BTreeMap<String, FunctionSpec>,
    /// The settings of each target, as the manifest has them, for the target's adapter to read.
    #[serde(default)]
    pub targets: BTreeMap<String, serde_json::Value>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// A bucket.
    Bucket(BucketSpec),
    /// A queue.
    Queue(QueueSpec),
    /// A topic.
    Topic(TopicSpec),
    /// A stream.
    Stream(StreamSpec),
    /// A table.
    Table(TableSpec),
    /// A secret.
    Secret(SecretSpec),
}

impl Resource {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ResourceKind {
        match self {
            Self::Bucket(_) => ResourceKind::Bucket,
            Self::Queue(_) => ResourceKind::Queue,
            Self::Topic(_) => ResourceKind::Topic,
            Self::Stream(_) => ResourceKind::Stream,
            Self::Table(_) => ResourceKind::Table,
            Self::Secret(_) => ResourceKind::Secret,
        }
    }
}

/// A bucket: the target's own, or one elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BucketSpec {
    /// Where it is, if it is outside the target (`s3://evidence`).
    #[serde(default)]
    pub url: Option<String>,
    /// The endpoint of that store.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Its region, where the store asks for one.
    #[serde(default)]
    pub region: Option<String>,
    /// The secret that holds its credentials: JSON with `access_key_id` and `secret_access_key`.
    #[serde(default)]
    pub credentials: Option<String>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSpec {
    /// How long a received message stays hidden from others.
    pub visibility_timeout: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// Whether ordering groups are kept.
    pub ordered: bool,
    /// Whether it was not declared but made for a function's dead letters.
    #[serde(default)]
    pub implicit: bool,
}

impl Default for QueueSpec {
    /// 30 s hidden, kept for 4 days, ordered groups off.
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(30),
            retention: Duration::from_secs(4 * 24 * 3600),
            ordered: false,
            implicit: false,
        }
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TopicSpec {}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// How long a record is kept.
    pub retention: Duration,
    /// How many shards it has: how many batches of it are handled side by side.
    pub shards: u32,
}

impl Default for StreamSpec {
    /// Kept for a day, one shard.
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(24 * 3600),
            shards: 1,
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    /// Key, sort key and time to live.
    #[serde(flatten)]
    pub schema: TableSchema,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecretSpec {
    /// The environment variable that holds it on one's own machine, instead of the secrets file.
    #[serde(default)]
    pub env: Option<String>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Memory in bytes.
    pub memory: u64,
    /// Space for temporary files in bytes; what the target gives where nothing is said. One's own machine has what it has.
    #[serde(default)]
    pub ephemeral_storage: Option<u64>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// What calls it.
    pub on: Vec<Trigger>,
    /// What it may use.
    pub uses: BTreeMap<String, BTreeSet<Access>>,
    /// Environment variables of its own.
    pub env: BTreeMap<String, String>,
    /// What becomes of an event whose handling fails.
    pub retry: Retry,
    /// The queue for events that failed for good. The loader makes one (`<function>-dead-letter`) where none is named.
    pub dead_letter: String,
    /// How many invocations one process takes at once. Targets that allow only one ignore it.
    pub concurrency: u32,
    /// How many processes run at once at most.
    pub max_instances: u32,
    /// How invocations are kept apart.
    pub isolation: Isolation,
}

/// How often an event is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
    /// The wait before the second try; doubles from then on.
    pub backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
}

impl Default for Retry {
    /// Three tries, a second apart, then two.
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
        }
    }
}

/// How invocations are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A process is used again while it is warm.
    #[default]
    Process,
    /// Each invocation has a fresh process and an empty temporary folder.
    Invocation,
}

/// What calls a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// HTTP requests.
    Http {
        /// The method; any if `None`.
        method: Option<String>,
        /// The path, with parameters in braces (`/orders/{id}`); `{*rest}` at the end takes the rest.
        path: String,
    },
    /// Objects of a bucket.
    Bucket {
        /// The bucket.
        bucket: String,
        /// Created, deleted, or both.
        event: ObjectEventKind,
        /// Only keys that begin with this.
        prefix: String,
        /// Only keys that end with this.
        suffix: String,
    },
    /// Messages of a queue.
    Queue {
        /// The queue.
        queue: String,
        /// The most messages of one invocation.
        batch: u32,
    },
    /// Notifications of a topic.
    Topic {
        /// The topic.
        topic: String,
        /// Only notifications with all these attributes.
        filter: BTreeMap<String, String>,
    },
    /// Records of a stream.
    Stream {
        /// The stream.
        stream: String,
        /// The most records of one invocation.
        batch: u32,
    },
    /// Changes of a table.
    Table {
        /// The table.
        table: String,
        /// Which kinds of change.
        events: BTreeSet<ChangeKind>,
        /// The most changes of one invocation.
        batch: u32,
    },
    /// Ticks of a schedule.
    Schedule {
        /// As written: `every 5 minutes`, or five cron fields.
        schedule: String,
        /// The interval of an `every …`; `None` for cron fields.
        #[serde(default)]
        every: Option<Duration>,
        /// The IANA time zone of the cron fields.
        timezone: String,
    },
    /// Inbound e-mail.
    Email {
        /// The address, or `*@domain`, or `*`.
        address: String,
    },
    /// A step of sign-up or sign-in.
    Auth {
        /// Which step.
        stage: AuthStage,
    },
    /// Voice requests.
    Voice {
        /// The skill's name.
        skill: String,
    },
}

impl Trigger {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> TriggerKind {
        match self {
            Self::Http { .. } => TriggerKind::Http,
            Self::Bucket { .. } => TriggerKind::Bucket,
            Self::Queue { .. } => TriggerKind::Queue,
            Self::Topic { .. } => TriggerKind::Topic,
            Self::Stream { .. } => TriggerKind::Stream,
            Self::Table { .. } => TriggerKind::Table,
            Self::Schedule { .. } => TriggerKind::Schedule,
            Self::Email { .. } => TriggerKind::Email,
            Self::Auth { .. } => TriggerKind::Auth,
            Self::Voice { .. } => TriggerKind::Voice,
        }
    }

    /// The resource that it watches, if it watches one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::Bucket { bucket: name, .. }
            | Self::Queue { queue: name, .. }
            | Self::Topic { topic: name, .. }
            | Self::Stream { stream: name, .. }
            | Self::Table { table: name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Which events of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectEventKind {
    /// An object was created or replaced.
    #[default]
    Created,
    /// An object was deleted.
    Deleted,
    /// Either.
    Any,
}

impl App {
    /// The bindings of a function's `uses`, with what every target knows: a table's schema, an outside bucket's URL, endpoint, region and the name
    /// of its credentials' secret. The target's adapter adds physical names. Empty for a function that the app does not have.
    #[must_use]
    pub fn bindings(&self, function: &str) -> Vec<Binding> {
        let Some(function) = self.functions.get(function) else {
            return Vec::new();
        };
        function
            .uses
            .iter()
            .filter_map(|(name, access)| self.binding(name, access.clone()))
            .collect()
    }

    /// The binding of one resource with this access; `None` for a resource that the app does not have.
    #[must_use]
    pub fn binding(&self, name: &str, access: BTreeSet<Access>) -> Option<Binding> {
        let resource = self.resources.get(name)?;
        let mut properties = BTreeMap::new();
        let mut url = None;
        let mut set = |key: &str, value: Option<&String>| {
            if let Some(value) = value {
                properties.insert(key.to_owned(), value.clone());
            }
        };
        match resource {
            Resource::Bucket(bucket) => {
                url.clone_from(&bucket.url);
                set("endpoint", bucket.endpoint.as_ref());
                set("region", bucket.region.as_ref());
                set("credentials", bucket.credentials.as_ref());
            }
            Resource::Table(table) => {
                set("key", Some(&table.schema.key));
                set("sort", table.schema.sort.as_ref());
                set("ttl", table.schema.ttl.as_ref());
            }
            _ => {}
        }
        Some(Binding {
            name: name.to_owned(),
            kind: resource.kind(),
            access,
            url,
            properties,
        })
    }

    /// The bindings of all resources with every access: for hosts and tools.
    #[must_use]
    pub fn all_bindings(&self) -> Vec<Binding> {
        let every = |(name, resource): (&String, &Resource)| {
            self.binding(name, resource.kind().access().iter().copied().collect())
        };
        self.resources.iter().filter_map(every).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_hold_what_uses_names_and_what_every_target_knows_of_it() {
        let app: App = serde_json::from_value(serde_json::json!({
            "name": "face-gate",
            "resources": {
                "archive": {"kind": "bucket", "url": "store://evidence", "endpoint": "https://storage.example.net", "credentials": "keys"},
                "faces": {"kind": "table", "key": "face_id", "sort": "at"},
                "keys": {"kind": "secret"},
                "unused": {"kind": "topic"},
            },
            "functions": {
                "recognise": {
                    "memory": 1, "timeout": {"secs": 30, "nanos": 0}, "on": [], "env": {},
                    "uses": {"archive": ["write"], "faces": ["read", "write"]},
                    "retry": Retry::default(), "dead_letter": "d", "concurrency": 1, "max_instances": 1,
                    "isolation": "process",
                },
            },
        }))
        .unwrap();
        let bindings = app.bindings("recognise");
        let [archive, faces] = bindings.as_slice() else {
            panic!("{bindings:?}");
        };
        assert_eq!(
            (archive.kind, archive.url.as_deref()),
            (ResourceKind::Bucket, Some("store://evidence"))
        );
        let properties =
            |binding: &Binding| -> Vec<(String, String)> { binding.properties.clone().into_iter().collect() };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            properties(archive),
            [
                pair("credentials", "keys"),
                pair("endpoint", "https://storage.example.net")
            ]
        );
        assert_eq!(properties(faces), [pair("key", "face_id"), pair("sort", "at")]);
        assert_eq!(faces.access, [Access::Read, Access::Write].into());
        // The environment carries them to the function's process.
        let text = serde_json::to_string(&app.wiring("recognise")).unwrap();
        let environment: crate::env::Environment = [(crate::env::WIRING, text)].into_iter().collect();
        let told = environment.wiring().unwrap().bindings;
        assert!(told.starts_with(&bindings), "{told:?}");
        assert!(app.bindings("stranger").is_empty());
    }
}
