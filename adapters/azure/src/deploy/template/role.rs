//! What a function's identity may do: what its `uses` and triggers need, each on the very resource.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::Result;
use nephos_core::app::{FunctionSpec, Resource as AppResource, Trigger};
use nephos_core::deploy::name::short_hash;
use nephos_core::plan::Part;
use nephos_core::resource::{Access, ResourceKind};
use serde_json::json;

use super::body::{Body, Resource};
use super::layout::{CHECKPOINTS, HOST_KEYS, HOSTS, LEASES, Layout, POISON, queue_name, resource_id};
use super::trigger::Source;
use super::value::{call, expression, quoted};
use super::{api, name, storage, table, vault};

/// Azure's own roles: <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    BlobReader,
    /// Reads, writes and deletes: Azure has no role of its own that writes only.
    BlobContributor,
    BlobOwner,
    /// Signs URLs of what it may itself read or write.
    BlobDelegator,
    QueueSender,
    /// Receives, hides and deletes, and sends too: the role for receiving alone cannot hide a message again, which a trigger does with each message
    /// whose handling failed (<https://github.com/MicrosoftDocs/azure-docs/issues/120932>).
    QueueContributor,
    BusSender,
    BusReceiver,
    HubsSender,
    HubsReceiver,
    TopicSender,
    SecretsUser,
}

impl Role {
    const fn guid(self) -> &'static str {
        match self {
            Self::BlobReader => "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
            Self::BlobContributor => "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
            Self::BlobOwner => "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
            Self::BlobDelegator => "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
            Self::QueueSender => "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
            Self::QueueContributor => "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
            Self::BusSender => "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
            Self::BusReceiver => "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
            Self::HubsSender => "2b629674-e913-4c01-ae53-ef4638d8f975",
            Self::HubsReceiver => "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
            Self::TopicSender => "d5a91429-5739-47e2-a06b-3470a27159e7",
            Self::SecretsUser => "4633458b-17de-408a-b874-0445c86b69e6",
        }
    }

    /// What another role on the same resource allows already.
    const fn within(self) -> Option<Self> {
        match self {
            Self::BlobReader => Some(Self::BlobContributor),
            Self::QueueSender => Some(Self::QueueContributor),
            _ => None,
        }
    }
}

/// Roles by resource, and what they are on.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// By the resource's place: its symbolic name, and the roles.
    roles: BTreeMap<String, (String, BTreeSet<Role>)>,
    /// By container of Cosmos DB: its symbolic name, and the roles.
    tables: BTreeMap<String, (String, BTreeSet<table::Role>)>,
}

impl Grants {
    fn allow(&mut self, role: Role, ty: &api::Type, name: &str, id: impl Into<String>) {
        let (_, roles) = self
            .roles
            .entry(api::place(ty.name, name))
            .or_insert_with(|| (id.into(), BTreeSet::new()));
        roles.insert(role);
    }

    fn allow_table(&mut self, role: table::Role, container: &str, id: impl Into<String>) {
        let (_, roles) = self
            .tables
            .entry(container.to_owned())
            .or_insert_with(|| (id.into(), BTreeSet::new()));
        roles.insert(role);
    }
}

/// All that a function's identity may do.
pub(super) fn of(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<Grants> {
    let mut grants = Grants::default();
    let account = layout.storage();
    // https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
    for (container, id) in [(HOSTS, "HostState"), (HOST_KEYS, "HostKeys")] {
        let name = format!("{account}/default/{container}");
        grants.allow(Role::BlobOwner, &api::CONTAINER, &name, id);
    }
    for site in layout.sites_of(function) {
        let code = format!("{account}/default/{}", layout.code_container(site));
        let id = name::id("Code", &site.label);
        grants.allow(Role::BlobContributor, &api::CONTAINER, &code, id);
    }
    for (name, access) in &spec.uses {
        uses(layout, &mut grants, name, access)?;
    }
    watches(layout, &mut grants, function)?;
    if spec.has_dead_letters() {
        uses(
            layout,
            &mut grants,
            &spec.dead_letter,
            &BTreeSet::from([Access::Send]),
        )?;
    }
    let mail = |trigger: &Trigger| matches!(trigger, Trigger::Email { .. });
    if let Some(secret) = &layout.settings.mail_secret
        && spec.on.iter().any(mail)
        // One that exists already is not in the stack's reach.
        && layout.app.resources.contains_key(secret)
    {
        uses(layout, &mut grants, secret, &BTreeSet::from([Access::Read]))?;
    }
    Ok(grants)
}

fn uses(layout: &Layout<'_>, grants: &mut Grants, name: &str, access: &BTreeSet<Access>) -> Result<()> {
    let resource = layout.resource(name)?;
    if let AppResource::Bucket(bucket) = resource
        && bucket.url.is_some()
    {
        // A store outside the target has its own keys.
        return match &bucket.credentials {
            Some(secret) => uses(layout, grants, secret, &BTreeSet::from([Access::Read])),
            None => Ok(()),
        };
    }
    let id = resource_id(resource, name);
    for access in access {
        match (resource.kind(), access) {
            (ResourceKind::Bucket, access) => {
                let container = format!("{}/default/{}", layout.storage(), layout.container(name));
                let role = match access {
                    Access::Read => Role::BlobReader,
                    _ => Role::BlobContributor,
                };
                grants.allow(role, &api::CONTAINER, &container, &id);
                grants.allow(
                    Role::BlobDelegator,
                    &api::ACCOUNT,
                    &layout.storage(),
                    storage::ACCOUNT,
                );
            }
            (ResourceKind::Queue, access) => queue(layout, grants, name, &id, *access),
            (ResourceKind::Topic, _) => {
                grants.allow(Role::TopicSender, &api::TOPIC, &layout.topic(name), &id);
            }
            (ResourceKind::Stream, access) => {
                let hub = format!("{}/{name}", layout.event_hubs());
                let role = match access {
                    Access::Read => Role::HubsReceiver,
                    _ => Role::HubsSender,
                };
                grants.allow(role, &api::HUB, &hub, &id);
            }
            (ResourceKind::Table, access) => {
                let role = match access {
                    Access::Write => table::Role::Write,
                    Access::Delete => table::Role::Delete,
                    _ => table::Role::Read,
                };
                grants.allow_table(role, &layout.table(name), &id);
            }
            (ResourceKind::Secret, _) => secret(layout, grants, name),
        }
    }
    Ok(())
}

fn queue(layout: &Layout<'_>, grants: &mut Grants, name: &str, id: &str, access: Access) {
    let sends = access == Access::Send;
    if layout.is_ordered(name) {
        let role = if sends { Role::BusSender } else { Role::BusReceiver };
        let queue = format!("{}/{name}", layout.service_bus());
        grants.allow(role, &api::BUS_QUEUE, &queue, id);
    } else {
        let role = if sends {
            Role::QueueSender
        } else {
            Role::QueueContributor
        };
        let queue = format!("{}/default/{}", layout.storage(), queue_name(name));
        grants.allow(role, &api::QUEUE, &queue, id);
    }
}

/// One secret of the vault, which is no resource of the template.
fn secret(layout: &Layout<'_>, grants: &mut Grants, name: &str) {
    if !layout.settings.secrets.contains_key(name) {
        let place = format!("{}/{name}", layout.vault());
        let secrets = api::Type {
            name: "Microsoft.KeyVault/vaults/secrets",
            ..api::VAULT
        };
        grants.allow(Role::SecretsUser, &secrets, &place, vault::VAULT);
    }
}

/// What the Functions host does under the function's own identity.
fn watches(layout: &Layout<'_>, grants: &mut Grants, function: &str) -> Result<()> {
    let account = layout.storage();
    for trigger in layout.triggers_of(function) {
        match &trigger.source {
            Source::Queue { queue } => {
                let id = resource_id(layout.resource(queue)?, queue);
                let poison = name::id("Poison", queue);
                storage_queue(grants, &account, &queue_name(queue), &id, &poison);
            }
            Source::Inbox { queue } => {
                let id = name::trigger_id("Inbox", function, &trigger.name);
                let poison = name::trigger_id("PoisonOfInbox", function, &trigger.name);
                storage_queue(grants, &account, queue, &id, &poison);
            }
            Source::Sessions { queue } => {
                let id = resource_id(layout.resource(queue)?, queue);
                let name = format!("{}/{queue}", layout.service_bus());
                grants.allow(Role::BusReceiver, &api::BUS_QUEUE, &name, id);
            }
            Source::Hub { stream, .. } => {
                let id = resource_id(layout.resource(stream)?, stream);
                let hub = format!("{}/{stream}", layout.event_hubs());
                grants.allow(Role::HubsReceiver, &api::HUB, &hub, id);
                let name = format!("{account}/default/{CHECKPOINTS}");
                grants.allow(Role::BlobOwner, &api::CONTAINER, &name, "Checkpoints");
            }
            Source::Feed { table, .. } => {
                let id = resource_id(layout.resource(table)?, table);
                grants.allow_table(table::Role::Read, &layout.table(table), id);
                grants.allow_table(table::Role::Lease, LEASES, table::LEASE_TABLE);
            }
            Source::Http | Source::Timer { .. } => {}
        }
    }
    Ok(())
}

fn storage_queue(grants: &mut Grants, account: &str, queue: &str, id: &str, poison: &str) {
    let name = format!("{account}/default/{queue}");
    grants.allow(Role::QueueContributor, &api::QUEUE, &name, id);
    grants.allow(
        Role::QueueContributor,
        &api::QUEUE,
        &format!("{name}{POISON}"),
        poison,
    );
}

/// Adds what the grants say, and returns the symbolic names: a site must not start before it may do all.
pub(super) fn add(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    identity: &str,
    grants: &Grants,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let part = Part::Function {
        name: function.to_owned(),
    };
    let called = layout.identity_name(function);
    for (place, (on, roles)) in &grants.roles {
        for role in roles {
            if role.within().is_some_and(|wider| roles.contains(&wider)) {
                continue;
            }
            grant(body, identity, &called, part.clone(), place, on, *role)?;
            ids.push(id(identity, place, *role));
        }
    }
    for (container, (on, roles)) in &grants.tables {
        for role in roles {
            table::grant(layout, body, function, identity, (on, container), *role)?;
        }
    }
    Ok(ids)
}

/// The roles in tables that somebody has.
pub(super) fn table_roles<'g>(grants: impl Iterator<Item = &'g Grants>) -> BTreeSet<table::Role> {
    grants
        .flat_map(|grants| grants.tables.values())
        .flat_map(|(_, roles)| roles.iter().copied())
        .collect()
}

/// The symbolic name of an assignment.
pub(super) fn id(identity: &str, place: &str, role: Role) -> String {
    format!("{identity}May{}", short_hash(&[place, role.guid()]))
}

/// Assigns a role to an identity on one resource.
pub(super) fn grant(
    body: &mut Body,
    identity: &str,
    identity_name: &str,
    part: Part,
    place: &str,
    on: &str,
    role: Role,
) -> Result<()> {
    let guid = format!(
        "[guid(resourceGroup().id, {}, {}, {})]",
        quoted(place),
        quoted(identity_name),
        quoted(role.guid())
    );
    let definition = call(
        "subscriptionResourceId",
        &["Microsoft.Authorization/roleDefinitions", role.guid()],
    );
    body.add(
        &id(identity, place, role),
        Resource::new(&api::ROLE, guid, "grant", part)
            .with("scope", place.into())
            .after([on, identity])
            .properties(json!({
                "roleDefinitionId": expression(definition),
                "principalId": expression(format!("{}.principalId", call("reference", &[identity]))),
                "principalType": "ServicePrincipal",
            })),
    )
}
