//! The kinds of resources, and what distinguishes them.

/// One kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// As permissions begin: `run.services`.
    pub(super) key: &'static str,
    pub(super) host: &'static str,
    /// The last but one part of its names, and the field of its lists: `services`.
    pub(super) collection: &'static str,
    pub(super) list: &'static str,
    /// What the body of an answer is called in operations.
    pub(super) type_url: &'static str,
    /// The parameter of the query that names a new one.
    pub(super) id: Option<&'static str>,
    /// What names may be, for people.
    pub(super) rule: &'static str,
    pub(super) etag: bool,
    pub(super) uid: bool,
    pub(super) generation: bool,
    pub(super) created: Option<&'static str>,
    pub(super) updated: Option<&'static str>,
}

const PLAIN: Kind = Kind {
    key: "",
    host: "",
    collection: "",
    list: "",
    type_url: "",
    id: None,
    rule: "",
    etag: false,
    uid: false,
    generation: false,
    created: None,
    updated: None,
};

pub(super) const SERVICE: Kind = Kind {
    key: "run.services",
    host: "run.googleapis.com",
    collection: "services",
    list: "services",
    type_url: "type.googleapis.com/google.cloud.run.v2.Service",
    id: Some("serviceId"),
    rule: "it has at most 49 of a-z, 0-9 and -, begins with a letter and does not end with -",
    etag: true,
    uid: true,
    generation: true,
    created: Some("createTime"),
    updated: Some("updateTime"),
};

pub(super) const REVISION: Kind = Kind {
    key: "run.revisions",
    host: "run.googleapis.com",
    collection: "revisions",
    list: "revisions",
    type_url: "type.googleapis.com/google.cloud.run.v2.Revision",
    rule: "it has at most 63 of a-z, 0-9 and -, and begins with its service's name and -",
    etag: true,
    uid: true,
    generation: true,
    created: Some("createTime"),
    updated: Some("updateTime"),
    ..PLAIN
};

pub(super) const TRIGGER: Kind = Kind {
    key: "eventarc.triggers",
    host: "eventarc.googleapis.com",
    collection: "triggers",
    list: "triggers",
    type_url: "type.googleapis.com/google.cloud.eventarc.v1.Trigger",
    id: Some("triggerId"),
    rule: "it has at most 63 of a-z, 0-9 and -, begins with a letter and does not end with -",
    etag: true,
    uid: true,
    created: Some("createTime"),
    updated: Some("updateTime"),
    ..PLAIN
};

pub(super) const TOPIC: Kind = Kind {
    key: "pubsub.topics",
    host: "pubsub.googleapis.com",
    collection: "topics",
    list: "topics",
    rule: "it has 3 to 255 letters, digits and -_.~+%, begins with a letter, and not with goog",
    ..PLAIN
};

pub(super) const SUBSCRIPTION: Kind = Kind {
    key: "pubsub.subscriptions",
    collection: "subscriptions",
    list: "subscriptions",
    ..TOPIC
};

pub(super) const SECRET: Kind = Kind {
    key: "secretmanager.secrets",
    host: "secretmanager.googleapis.com",
    collection: "secrets",
    list: "secrets",
    id: Some("secretId"),
    rule: "it has 1 to 255 letters, digits, - and _",
    etag: true,
    created: Some("createTime"),
    ..PLAIN
};

pub(super) const VERSION: Kind = Kind {
    key: "secretmanager.versions",
    collection: "versions",
    list: "versions",
    id: None,
    ..SECRET
};

pub(super) const ACCOUNT: Kind = Kind {
    key: "iam.serviceAccounts",
    host: "iam.googleapis.com",
    collection: "serviceAccounts",
    list: "accounts",
    rule: "it has 6 to 30 of a-z, 0-9 and -, begins with a letter and does not end with -",
    ..PLAIN
};

pub(super) const JOB: Kind = Kind {
    key: "cloudscheduler.jobs",
    host: "cloudscheduler.googleapis.com",
    collection: "jobs",
    list: "jobs",
    rule: "it has 1 to 500 letters, digits, - and _",
    updated: Some("userUpdateTime"),
    ..PLAIN
};

pub(super) const REPOSITORY: Kind = Kind {
    key: "artifactregistry.repositories",
    host: "artifactregistry.googleapis.com",
    collection: "repositories",
    list: "repositories",
    type_url: "type.googleapis.com/google.devtools.artifactregistry.v1.Repository",
    id: Some("repositoryId"),
    rule: "it has at most 63 of a-z, 0-9 and -, begins with a letter and does not end with -",
    created: Some("createTime"),
    updated: Some("updateTime"),
    ..PLAIN
};

pub(super) const DATABASE: Kind = Kind {
    key: "firestore.databases",
    host: "firestore.googleapis.com",
    collection: "databases",
    list: "databases",
    type_url: "type.googleapis.com/google.firestore.admin.v1.Database",
    id: Some("databaseId"),
    rule: "it is (default), or has 4 to 63 of a-z, 0-9 and -, begins with a letter, does not end with - and is no UUID",
    etag: true,
    uid: true,
    created: Some("createTime"),
    updated: Some("updateTime"),
    ..PLAIN
};

pub(super) const FIELD: Kind = Kind {
    key: "firestore.fields",
    host: "firestore.googleapis.com",
    collection: "fields",
    list: "fields",
    type_url: "type.googleapis.com/google.firestore.admin.v1.Field",
    ..PLAIN
};

/// Buckets and their notifications are kept elsewhere: these are for what a test says of them.
pub(super) const BUCKET: Kind = Kind {
    key: "storage.buckets",
    host: "storage.googleapis.com",
    collection: "buckets",
    list: "items",
    ..PLAIN
};

pub(super) const BUCKET_NOTIFICATION: Kind = Kind {
    key: "storage.notifications",
    host: "storage.googleapis.com",
    collection: "notificationConfigs",
    list: "items",
    ..PLAIN
};

/// All of them.
pub(super) const KINDS: &[&Kind] = &[
    &SERVICE,
    &REVISION,
    &TRIGGER,
    &TOPIC,
    &SUBSCRIPTION,
    &SECRET,
    &VERSION,
    &ACCOUNT,
    &JOB,
    &REPOSITORY,
    &DATABASE,
    &FIELD,
];

/// The kind whose methods these are (`run.projects.locations.services.create`).
pub(super) fn of_method(id: &str) -> Option<&'static Kind> {
    let interface = id.split('.').next()?;
    let collection = id.rsplit('.').nth(1)?;
    KINDS
        .iter()
        .find(|kind| kind.collection == collection && kind.key.split('.').next() == Some(interface))
        .copied()
}

impl Kind {
    /// Whether the last part of a name is allowed.
    pub(super) fn allows(&self, id: &str) -> bool {
        let lower = |longest: usize| {
            id.len() <= longest
                && id.starts_with(|c: char| c.is_ascii_lowercase())
                && !id.ends_with('-')
                && id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let words = |shortest: usize, longest: usize, others: &str| {
            (shortest..=longest).contains(&id.len())
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        match self.key {
            "run.services" => lower(49),
            "run.revisions" | "eventarc.triggers" | "artifactregistry.repositories" => lower(63),
            "pubsub.topics" | "pubsub.subscriptions" => {
                words(3, 255, "-_.~+%")
                    && id.starts_with(|c: char| c.is_ascii_alphabetic())
                    && !id.starts_with("goog")
            }
            "firestore.databases" => super::firestore::is_database(id),
            "iam.serviceAccounts" => id.len() >= 6 && lower(30),
            "cloudscheduler.jobs" => words(1, 500, "-_"),
            _ => words(1, 255, "-_"),
        }
    }
}
