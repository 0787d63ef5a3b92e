//! What has to be known of the whole app before a part of it can be rendered: names, addresses, what is watched and by whom.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{App, Resource};
use nephos_core::plan::Part;
use nephos_core::resource::Access;
use nephos_core::{ErrorKind, Result};

use super::trigger::{self, Called, Source};
use super::{Known, name};
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;
use crate::deploy::settings::{Settings, is_googles};

/// The app with all that follows from it.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) app: &'a App,
    pub(super) target: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) prefix: String,
    pub(super) project: String,
    pub(super) number: String,
    pub(super) image: String,
    /// What calls each function.
    pub(super) called: BTreeMap<&'a str, Called<'a>>,
    /// The one function that a queue's messages are pushed to.
    pub(super) receivers: BTreeMap<&'a str, &'a str>,
    /// Queues whose messages a function asks for itself.
    pub(super) pulled: BTreeSet<&'a str>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(app: &'a App, target: &'a str, settings: &'a Settings, known: &Known) -> Result<Self> {
        let mut called = BTreeMap::new();
        let mut receivers: BTreeMap<&str, &str> = BTreeMap::new();
        let mut pulled = BTreeSet::new();
        for (function, spec) in &app.functions {
            let calls = trigger::of(app, function, spec)?;
            for event in &calls.events {
                let Source::Queue { queue } = event.source else {
                    continue;
                };
                if let Some(other) = receivers.insert(queue, function) {
                    return Err(refused(
                        ErrorKind::Unsupported,
                        "two triggers receive from one queue, and Pub/Sub pushes its messages to one place; give each its own queue, or, for a copy each, use a topic",
                    )
                    .with("queue", queue)
                    .with("function", function)
                    .with("other", other));
                }
            }
            called.insert(function.as_str(), calls);
            for (name, access) in &spec.uses {
                if access.contains(&Access::Receive) {
                    pulled.insert(name.as_str());
                }
            }
        }
        let text = |known: &Option<String>, placeholder: &str| {
            known.clone().unwrap_or_else(|| placeholder.to_owned())
        };
        Ok(Self {
            app,
            target,
            settings,
            prefix: settings.prefix(app, target),
            project: text(&settings.project, name::PROJECT),
            number: text(&known.number, name::NUMBER),
            image: text(&known.image, name::IMAGE),
            called,
            receivers,
            pulled,
        })
    }

    pub(super) fn region(&self) -> &str {
        &self.settings.region
    }

    /// `projects/p/<collection>/<id>`
    fn in_project(&self, collection: &str, id: &str) -> String {
        format!("projects/{}/{collection}/{id}", self.project)
    }

    /// `projects/p/locations/r/<collection>/<id>`
    fn in_region(&self, collection: &str, id: &str) -> String {
        format!(
            "projects/{}/locations/{}/{collection}/{id}",
            self.project,
            self.region()
        )
    }

    /// The full name of the project.
    pub(super) fn project_name(&self) -> String {
        format!("//cloudresourcemanager.googleapis.com/projects/{}", self.project)
    }

    /// The id of a function's service.
    pub(super) fn service_id(&self, function: &str) -> String {
        name::physical(&self.prefix, function, name::MAX_SERVICE)
    }

    /// A function's service.
    pub(super) fn service(&self, function: &str) -> String {
        self.in_region("services", &self.service_id(function))
    }

    /// Where a function answers: <https://cloud.google.com/run/docs/triggering/https-request#deterministic>.
    pub(super) fn url(&self, function: &str) -> String {
        format!(
            "https://{}-{}.{}.run.app",
            self.service_id(function),
            self.number,
            self.region()
        )
    }

    /// Where the images are.
    pub(super) fn repository(&self) -> String {
        let id = match self.prefix.len() <= name::MAX_REPOSITORY {
            true => self.prefix.clone(),
            false => name::physical(&self.prefix, "images", name::MAX_REPOSITORY),
        };
        self.in_region("repositories", &id)
    }

    fn address(&self, account: &str) -> String {
        format!("{account}@{}", name::account_domain(&self.project))
    }

    /// The e-mail address of a function's account.
    pub(super) fn account(&self, function: &str) -> String {
        self.address(&name::account(&self.prefix, function))
    }

    /// The e-mail address of the account that calls services with events.
    pub(super) fn caller(&self) -> String {
        self.address(&name::account(&self.prefix, "nephos-caller"))
    }

    /// The account of this address, as a resource.
    pub(super) fn account_name(&self, address: &str) -> String {
        self.in_project("serviceAccounts", address)
    }

    /// Who a function is, in a policy.
    pub(super) fn member(&self, function: &str) -> String {
        format!("serviceAccount:{}", self.account(function))
    }

    /// One of Google's own accounts of the project, in a policy: <https://cloud.google.com/iam/docs/service-agents>.
    pub(super) fn agent(&self, domain: &str) -> String {
        format!(
            "serviceAccount:service-{}@{domain}.iam.gserviceaccount.com",
            self.number
        )
    }

    /// The id of the topic or subscription of a resource.
    fn messages_id(&self, resource: &str) -> String {
        name::physical(&self.prefix, resource, name::MAX_MESSAGES)
    }

    /// The topic of a queue, topic or stream.
    pub(super) fn topic(&self, resource: &str) -> String {
        self.in_project("topics", &self.messages_id(resource))
    }

    /// The subscription of a queue.
    pub(super) fn subscription(&self, queue: &str) -> String {
        self.in_project("subscriptions", &self.messages_id(queue))
    }

    /// What is for one trigger of a function alone, of this collection.
    fn of_trigger(&self, function: &str, trigger: &str, longest: usize) -> String {
        name::physical(&self.prefix, &format!("{function}-{trigger}"), longest)
    }

    /// The topic that a bucket's notifications for a trigger go to.
    pub(super) fn trigger_topic(&self, function: &str, trigger: &str) -> String {
        let id = self.of_trigger(function, trigger, name::MAX_MESSAGES);
        self.in_project("topics", &id)
    }

    /// The subscription of a trigger.
    pub(super) fn trigger_subscription(&self, function: &str, trigger: &str) -> String {
        let id = self.of_trigger(function, trigger, name::MAX_MESSAGES);
        self.in_project("subscriptions", &id)
    }

    /// Eventarc's trigger.
    pub(super) fn trigger(&self, function: &str, trigger: &str) -> String {
        self.in_region("triggers", &self.of_trigger(function, trigger, name::MAX_TRIGGER))
    }

    /// Cloud Scheduler's job.
    pub(super) fn job(&self, function: &str, trigger: &str) -> String {
        self.in_region("jobs", &self.of_trigger(function, trigger, name::MAX_JOB))
    }

    /// A bucket's own name.
    ///
    /// # Errors
    /// If it is one that Google keeps for itself.
    pub(super) fn bucket(&self, bucket: &str) -> Result<String> {
        let name = name::bucket(&self.prefix, bucket, &self.project);
        if is_googles(&name) {
            return Err(refused(
                ErrorKind::InvalidArgument,
                "Cloud Storage takes no bucket whose name holds `google`; give the bucket another name",
            )
            .with("bucket", bucket)
            .with("name", name));
        }
        Ok(name)
    }

    /// The bucket as a resource.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    pub(super) fn bucket_name(&self, bucket: &str) -> Result<String> {
        Ok(format!("projects/_/buckets/{}", self.bucket(bucket)?))
    }

    /// A table's database.
    pub(super) fn database(&self, table: &str) -> String {
        self.in_project("databases", &name::database(&self.prefix, table))
    }

    /// A secret: one of ours, or one that exists already.
    pub(super) fn secret(&self, secret: &str) -> String {
        match self.settings.secrets.get(secret) {
            Some(existing) => existing.clone(),
            None => {
                let id = name::physical(&self.prefix, secret, name::MAX_SECRET);
                self.in_project("secrets", &id)
            }
        }
    }

    /// The resource's own name on Google Cloud, as its driver opens it.
    pub(super) fn physical(&self, name: &str) -> Result<String> {
        Ok(match self.resource(name)? {
            Resource::Bucket(_) => self.bucket(name)?,
            Resource::Queue(_) | Resource::Topic(_) | Resource::Stream(_) => self.topic(name),
            Resource::Table(_) => format!("{}/documents/{name}", self.database(name)),
            Resource::Secret(_) => self.secret(name),
        })
    }

    /// The full names of what must be there before something can use the resource; none of one that is not ours.
    pub(super) fn made_of(&self, name: &str) -> Result<Vec<String>> {
        Ok(match self.resource(name)? {
            Resource::Bucket(bucket) if bucket.url.is_some() => Vec::new(),
            Resource::Bucket(_) => vec![full_name(Kind::Bucket, &self.bucket_name(name)?)],
            // What is sent to a topic without a subscription is lost.
            Resource::Queue(_) => vec![
                full_name(Kind::Topic, &self.topic(name)),
                full_name(Kind::Subscription, &self.subscription(name)),
            ],
            Resource::Topic(_) | Resource::Stream(_) => {
                vec![full_name(Kind::Topic, &self.topic(name))]
            }
            Resource::Table(_) => vec![full_name(Kind::Database, &self.database(name))],
            Resource::Secret(_) if self.settings.secrets.contains_key(name) => Vec::new(),
            Resource::Secret(_) => vec![full_name(Kind::Secret, &self.secret(name))],
        })
    }

    /// The resource of this name.
    pub(super) fn resource(&self, name: &str) -> Result<&'a Resource> {
        self.app.resources.get(name).ok_or_else(|| {
            refused(
                ErrorKind::NotFound,
                "the app has no such resource; declare it in nephos.toml",
            )
            .with("resource", name)
        })
    }

    /// What calls a function.
    pub(super) fn calls(&self, function: &str) -> Option<&Called<'a>> {
        self.called.get(function)
    }

    /// Whether anyone may call a function's service: something outside Google Cloud does.
    pub(super) fn is_public(&self, function: &str) -> bool {
        self.settings.public && self.calls(function).is_some_and(Called::is_from_outside)
    }

    /// Whether anything is called with events, and so by our own account.
    pub(super) fn has_events(&self) -> bool {
        self.called.values().any(|called| !called.events.is_empty())
    }
}

/// What of the manifest a resource of it is for.
pub(super) fn part_of(resource: &Resource, name: &str) -> Part {
    Part::Resource {
        kind: resource.kind(),
        name: name.to_owned(),
    }
}

/// What of the manifest a part of a function is for.
pub(super) fn function(name: &str) -> Part {
    Part::Function {
        name: name.to_owned(),
    }
}
