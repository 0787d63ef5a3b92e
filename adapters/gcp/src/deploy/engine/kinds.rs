//! How each kind of resource is listed, made, changed and deleted: what their interfaces have in different ways, in one table.

use nephos_core::{Error, ErrorKind};

use crate::deploy::graph::Kind;

/// A kind's interface.
#[derive(Debug)]
pub(super) struct Interface {
    /// What its paths begin with.
    pub(super) version: &'static str,
    /// The last part but one of its names.
    pub(super) collection: &'static str,
    /// The field of its lists.
    pub(super) items: &'static str,
    /// The query of its lists: the largest page that there is.
    pub(super) page: &'static str,
    /// Whether lists can be of what has certain labels.
    pub(super) filtered: bool,
    pub(super) scope: Scope,
    pub(super) making: Making,
    pub(super) change: Change,
    /// Whether a change and a deletion can say what they were made for.
    pub(super) etag: bool,
    /// The fields that stay as they were made.
    pub(super) fixed: &'static [&'static str],
    /// The fields, by their paths, that are to be none where a graph does not name them: it names them sometimes.
    pub(super) ours: &'static [&'static str],
}

/// Where one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// In the project.
    Project,
    /// In a region of it.
    Region,
    /// In another resource.
    Within,
}

/// How one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// `POST` to the collection, with its id in this parameter.
    Posted(&'static str),
    /// The same, and its name in the body besides.
    Both(&'static str),
    /// `POST` to the collection, with its name in the body.
    Named,
    /// `PUT` to its name.
    Put,
    /// `POST` of what it is, wrapped, with its id beside it.
    Account,
    /// `POST` to all buckets, with the project in the query.
    Bucket,
    /// `POST`, and its service chooses its name.
    Notification,
    /// It is there, and only changed.
    There,
}

/// How one is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// `PATCH` of it, with the fields in `updateMask`.
    Masked,
    /// `PATCH` of an object that has it in this field, and the fields in `updateMask`.
    Wrapped(&'static str),
    /// `PATCH` of what changes.
    Merged,
    /// Not at all: another is made.
    Never,
}

const REGIONAL: Interface = Interface {
    version: "v1",
    collection: "",
    items: "",
    page: "pageSize=500",
    filtered: false,
    scope: Scope::Region,
    making: Making::Named,
    change: Change::Masked,
    etag: false,
    fixed: &[],
    ours: &[],
};

const REPOSITORY: Interface = Interface {
    collection: "repositories",
    items: "repositories",
    making: Making::Posted("repositoryId"),
    fixed: &["format", "mode", "kmsKeyName"],
    ..REGIONAL
};

const ACCOUNT: Interface = Interface {
    collection: "serviceAccounts",
    items: "accounts",
    page: "pageSize=100",
    scope: Scope::Project,
    making: Making::Account,
    change: Change::Wrapped("serviceAccount"),
    ..REGIONAL
};

const SECRET: Interface = Interface {
    collection: "secrets",
    items: "secrets",
    page: "pageSize=25000",
    filtered: true,
    scope: Scope::Project,
    making: Making::Posted("secretId"),
    etag: true,
    fixed: &["replication"],
    ..REGIONAL
};

const TOPIC: Interface = Interface {
    collection: "topics",
    items: "topics",
    page: "pageSize=1000",
    scope: Scope::Project,
    making: Making::Put,
    change: Change::Wrapped("topic"),
    ours: &["messageRetentionDuration"],
    ..REGIONAL
};

const SUBSCRIPTION: Interface = Interface {
    collection: "subscriptions",
    items: "subscriptions",
    change: Change::Wrapped("subscription"),
    fixed: &["topic", "filter", "enableMessageOrdering"],
    ours: &[
        "filter",
        "enableMessageOrdering",
        "enableExactlyOnceDelivery",
        "pushConfig",
        "deadLetterPolicy",
        "retryPolicy",
    ],
    ..TOPIC
};

const BUCKET: Interface = Interface {
    version: "storage/v1",
    collection: "buckets",
    items: "items",
    page: "maxResults=1000",
    scope: Scope::Project,
    making: Making::Bucket,
    change: Change::Merged,
    fixed: &["location", "locationType", "hierarchicalNamespace"],
    ..REGIONAL
};

const NOTIFICATION: Interface = Interface {
    version: "storage/v1",
    collection: "notificationConfigs",
    items: "items",
    page: "",
    scope: Scope::Within,
    making: Making::Notification,
    change: Change::Never,
    ..REGIONAL
};

const DATABASE: Interface = Interface {
    collection: "databases",
    items: "databases",
    page: "",
    scope: Scope::Project,
    making: Making::Posted("databaseId"),
    etag: true,
    fixed: &["locationId", "type", "databaseEdition"],
    ..REGIONAL
};

const FIELD: Interface = Interface {
    collection: "fields",
    items: "fields",
    page: "",
    scope: Scope::Within,
    making: Making::There,
    ..REGIONAL
};

const SERVICE: Interface = Interface {
    version: "v2",
    collection: "services",
    items: "services",
    making: Making::Posted("serviceId"),
    etag: true,
    ours: &["template.scaling.minInstanceCount"],
    ..REGIONAL
};

const TRIGGER: Interface = Interface {
    collection: "triggers",
    items: "triggers",
    filtered: true,
    making: Making::Both("triggerId"),
    etag: true,
    fixed: &["eventFilters", "channel", "transport"],
    ..REGIONAL
};

const JOB: Interface = Interface {
    collection: "jobs",
    items: "jobs",
    ..REGIONAL
};

/// The interface of a kind.
pub(super) const fn of(kind: Kind) -> &'static Interface {
    match kind {
        Kind::Repository => &REPOSITORY,
        Kind::Account => &ACCOUNT,
        Kind::Secret => &SECRET,
        Kind::Topic => &TOPIC,
        Kind::Subscription => &SUBSCRIPTION,
        Kind::Bucket => &BUCKET,
        Kind::Notification => &NOTIFICATION,
        Kind::Database => &DATABASE,
        Kind::Field => &FIELD,
        Kind::Service => &SERVICE,
        Kind::Trigger => &TRIGGER,
        Kind::Job => &JOB,
    }
}

/// All kinds, in the order in which what is no more wanted goes: first what calls, then what is called, and last what others need.
pub(super) const GOING: [Kind; 12] = [
    Kind::Job,
    Kind::Trigger,
    Kind::Notification,
    Kind::Subscription,
    Kind::Service,
    Kind::Field,
    Kind::Topic,
    Kind::Bucket,
    Kind::Database,
    Kind::Secret,
    Kind::Repository,
    Kind::Account,
];

/// The last part of a name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// A name without its last part but one, and the last: the parent of its collection.
pub(super) fn parent(name: &str) -> &str {
    name.rsplitn(3, '/').nth(2).unwrap_or_default()
}

/// The path by which one is asked for.
pub(super) fn path(kind: Kind, name: &str) -> String {
    let name = match kind {
        Kind::Bucket | Kind::Notification => name.replacen("projects/_/buckets/", "b/", 1),
        _ => name.to_owned(),
    };
    format!("/{}/{}", of(kind).version, super::api::escaped(&name))
}

/// The refusal of a change that a kind does not take.
pub(super) fn is_as_made(kind: Kind, name: &str, field: &str, operation: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        operation,
        "this cannot be changed once it is made, and it holds data; take the change back, or move the data to another resource",
    )
    .with("resource", format!("{} {}", kind.title(), last(name)))
    .with("field", field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_parts() {
        let name = "projects/p/locations/r/services/s";
        assert_eq!((last(name), parent(name)), ("s", "projects/p/locations/r"));
        assert_eq!(path(Kind::Service, name), "/v2/projects/p/locations/r/services/s");
        assert_eq!(
            path(Kind::Notification, "projects/_/buckets/b/notificationConfigs/7"),
            "/storage/v1/b/b/notificationConfigs/7"
        );
        assert_eq!(
            path(
                Kind::Account,
                "projects/p/serviceAccounts/a@p.iam.gserviceaccount.com"
            ),
            "/v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com"
        );
    }

    #[test]
    fn all_kinds_go_sometime() {
        let mut kinds = GOING.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), GOING.len());
    }
}
