//! What an app is on Google Cloud, as data: resources in the form of their REST interfaces, what must be there before what, and who may do what with them.
//! Pure: what renders an app makes it, and the engine brings it about.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::plan::Part;
use serde::Serialize;
use serde_json::Value;

/// All that an app is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// The resources, by their [full names](https://cloud.google.com/iam/docs/full-resource-names) ([`Node::full_name`]).
    pub nodes: BTreeMap<String, Node>,
    /// Who may do what, in order and each once.
    pub grants: BTreeSet<Grant>,
    /// What will be otherwise than the manifest says, and what is left to do by hand: one sentence each.
    pub notes: Vec<String>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its kind.
    pub kind: Kind,
    /// Its name, relative to its service: `projects/p/locations/r/services/s`; of a bucket, `projects/_/buckets/b`.
    pub name: String,
    /// What of the manifest it is for.
    pub part: Part,
    /// The fields that are ours, as in the service's REST interface; of lists and maps, all entries. Without its name.
    pub body: Value,
    /// The full names of what must be there before, of the same graph.
    pub after: BTreeSet<String>,
}

/// The kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Artifact Registry's repository, for the image: <https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories>.
    Repository,
    /// A service account: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>. It is named by its e-mail address.
    Account,
    /// A secret, without its versions: <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets>.
    Secret,
    /// A topic of Pub/Sub: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics>.
    Topic,
    /// A subscription of Pub/Sub: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions>.
    Subscription,
    /// A bucket of Cloud Storage: <https://cloud.google.com/storage/docs/json_api/v1/buckets>.
    Bucket,
    /// A bucket's notifications to a topic: <https://cloud.google.com/storage/docs/json_api/v1/notifications>. Cloud Storage names it by a number, so the last part of its name here is the
    /// topic's id: `projects/_/buckets/b/notificationConfigs/t`. It cannot be changed, only made again.
    Notification,
    /// A database of Firestore: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases>.
    Database,
    /// A field of a collection group with its time to live: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.collectionGroups.fields>. It is always there, so it is only
    /// changed.
    Field,
    /// A service of Cloud Run: <https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services>.
    Service,
    /// A trigger of Eventarc: <https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers>.
    Trigger,
    /// A job of Cloud Scheduler: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs>.
    Job,
}

/// Somebody's role on a resource or on the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// The full name of the resource; of the project, `//cloudresourcemanager.googleapis.com/projects/p`.
    pub on: String,
    /// The role: `roles/pubsub.publisher`.
    pub role: String,
    /// Who: `serviceAccount:…`, `allUsers`.
    pub member: String,
    /// When, if not always.
    pub condition: Option<Condition>,
    /// What of the manifest it is for.
    #[serde(skip)]
    pub part: Part,
}

/// A condition of a role: <https://cloud.google.com/iam/docs/conditions-overview>.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// Its title.
    pub title: String,
    /// It, in the Common Expression Language.
    pub expression: String,
}

impl Kind {
    /// The service that it is of.
    #[must_use]
    pub const fn host(self) -> &'static str {
        match self {
            Self::Repository => "artifactregistry.googleapis.com",
            Self::Account => "iam.googleapis.com",
            Self::Secret => "secretmanager.googleapis.com",
            Self::Topic | Self::Subscription => "pubsub.googleapis.com",
            Self::Bucket | Self::Notification => "storage.googleapis.com",
            Self::Database | Self::Field => "firestore.googleapis.com",
            Self::Service => "run.googleapis.com",
            Self::Trigger => "eventarc.googleapis.com",
            Self::Job => "cloudscheduler.googleapis.com",
        }
    }

    /// What plans call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Repository => "Artifact Registry repository",
            Self::Account => "service account",
            Self::Secret => "Secret Manager secret",
            Self::Topic => "Pub/Sub topic",
            Self::Subscription => "Pub/Sub subscription",
            Self::Bucket => "Cloud Storage bucket",
            Self::Notification => "Cloud Storage notification",
            Self::Database => "Firestore database",
            Self::Field => "Firestore time to live",
            Self::Service => "Cloud Run service",
            Self::Trigger => "Eventarc trigger",
            Self::Job => "Cloud Scheduler job",
        }
    }

    /// Whether one holds data that is not to be lost. Of a queue it is the subscription, whose messages are lost with it: they are not kept.
    #[must_use]
    pub const fn holds_data(self) -> bool {
        matches!(self, Self::Bucket | Self::Database | Self::Secret)
    }
}

impl Node {
    /// The [full name](https://cloud.google.com/iam/docs/full-resource-names): `//run.googleapis.com/projects/p/locations/r/services/s`.
    #[must_use]
    pub fn full_name(&self) -> String {
        full_name(self.kind, &self.name)
    }
}

/// The full name of what is named so.
#[must_use]
pub fn full_name(kind: Kind, name: &str) -> String {
    format!("//{}/{name}", kind.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_tells_resources_of_different_services_apart() {
        let node = Node {
            kind: Kind::Topic,
            name: "projects/p/topics/t".to_owned(),
            part: Part::App,
            body: Value::Null,
            after: BTreeSet::new(),
        };
        assert_eq!(node.full_name(), "//pubsub.googleapis.com/projects/p/topics/t");
        assert_ne!(
            node.full_name(),
            full_name(Kind::Subscription, "projects/p/subscriptions/t")
        );
    }
}
