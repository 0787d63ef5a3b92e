//! Tables: one container each in a serverless database of Cosmos DB, and who may do what in it.

use std::collections::BTreeSet;

use nephos_core::Result;
use nephos_core::app::{Resource as AppResource, TableSpec};
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::layout::{LEASES, Layout, Service, resource_id};
use super::storage::part;
use super::value::{call, expression, quoted, resource_id as arm_id};
use super::{api, name};
use crate::document;

/// The symbolic names of the account, the database and the container of leases.
pub(super) const ACCOUNT: &str = "Cosmos";
const DATABASE: &str = "Database";
pub(super) const LEASE_TABLE: &str = "Leases";

/// What a function may do in a table. Azure's own roles know only reading, and everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Read,
    Write,
    Delete,
    /// All that the leases of a trigger need.
    Lease,
}

impl Role {
    const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::Lease];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Lease => "lease",
        }
    }

    /// <https://learn.microsoft.com/azure/cosmos-db/reference-data-plane-security>
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["executeQuery", "items/read", "readChangeFeed"],
            Self::Write => &["items/create", "items/replace", "items/upsert"],
            Self::Delete => &["items/delete"],
            Self::Lease => &["executeQuery", "items/*", "readChangeFeed"],
        }
    }

    /// The role's symbolic name.
    fn id(self) -> String {
        name::id("RoleInTables", self.name())
    }
}

/// Adds the account, the database and the tables.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    if !layout.services.contains(&Service::Tables) {
        return Ok(());
    }
    let account = layout.cosmos();
    body.add(
        ACCOUNT,
        Resource::new(&api::COSMOS_ACCOUNT, &account, "tables", Part::App)
            .with("kind", "GlobalDocumentDB".into())
            .properties(json!({
                "databaseAccountOfferType": "Standard",
                "capabilities": [{"name": "EnableServerless"}],
                // What was written is read: one region, so it costs no more than waiting for none.
                "consistencyPolicy": {"defaultConsistencyLevel": "Strong"},
                "disableLocalAuth": true,
                "locations": [{"locationName": layout.settings.location, "failoverPriority": 0, "isZoneRedundant": false}],
                "minimalTlsVersion": "Tls12",
            })),
    )?;
    let database = layout.database();
    body.add(
        DATABASE,
        Resource::new(
            &api::DATABASE,
            format!("{account}/{database}"),
            "database",
            Part::App,
        )
        .after([ACCOUNT])
        .properties(json!({"resource": {"id": database}})),
    )?;
    for (name, resource) in &layout.app.resources {
        if let AppResource::Table(spec) = resource {
            let container = layout.table(name);
            let properties = table(&container, spec);
            let part = part(ResourceKind::Table, name);
            container_of(
                layout,
                body,
                &resource_id(resource, name),
                &container,
                "table",
                part,
                properties,
            )?;
        }
    }
    if !layout.watched.is_empty() {
        let properties = json!({
            "resource": {"id": LEASES, "partitionKey": {"paths": ["/id"], "kind": "Hash", "version": 2}},
        });
        container_of(layout, body, LEASE_TABLE, LEASES, "leases", Part::App, properties)?;
    }
    Ok(())
}

/// The table's container. Only where items can expire does the service look for what has: -1 means that an item lasts unless it says otherwise.
fn table(container: &str, spec: &TableSpec) -> Value {
    let mut resource = json!({
        "id": container,
        "partitionKey": {"paths": [document::partition_path(&spec.schema.key)], "kind": "Hash", "version": 2},
    });
    if let (Some(_), Value::Object(resource)) = (&spec.schema.ttl, &mut resource) {
        resource.insert("defaultTtl".to_owned(), (-1).into());
    }
    json!({ "resource": resource })
}

fn container_of(
    layout: &Layout<'_>,
    body: &mut Body,
    id: &str,
    container: &str,
    kind: &'static str,
    part: Part,
    properties: Value,
) -> Result<()> {
    let name = format!("{}/{}/{container}", layout.cosmos(), layout.database());
    body.add(
        id,
        Resource::new(&api::TABLE, name, kind, part)
            .after([DATABASE])
            .properties(properties),
    )
}

/// Adds the roles that somebody has: the assignments of all functions together need four at most.
pub(super) fn add_roles(layout: &Layout<'_>, body: &mut Body, used: &BTreeSet<Role>) -> Result<()> {
    let account = layout.cosmos();
    for role in Role::ALL.into_iter().filter(|role| used.contains(role)) {
        let mut actions = vec!["Microsoft.DocumentDB/databaseAccounts/readMetadata".to_owned()];
        actions.extend(
            role.actions().iter().map(|action| {
                format!("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/{action}")
            }),
        );
        let name = format!(
            "[concat({}, {})]",
            quoted(&format!("{account}/")),
            role_guid(layout, role)
        );
        body.add_in_turn(
            &role.id(),
            Resource::new(&api::TABLE_ROLE, name, "table_role", Part::App)
                .after([ACCOUNT])
                .properties(json!({
                    "roleName": format!("{} {}", layout.stack, role.name()),
                    "type": "CustomRole",
                    "assignableScopes": [expression(arm_id(api::COSMOS_ACCOUNT.name, &[&account]))],
                    "permissions": [{"dataActions": actions}],
                })),
        )?;
    }
    Ok(())
}

/// The role's name, within an expression.
fn role_guid(layout: &Layout<'_>, role: Role) -> String {
    let account = layout.cosmos();
    format!(
        "guid({}, {})",
        arm_id(api::COSMOS_ACCOUNT.name, &[&account]),
        quoted(role.name())
    )
}

/// Lets a function's identity do what the role says in one container.
pub(super) fn grant(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    identity: &str,
    container: (&str, &str),
    role: Role,
) -> Result<()> {
    let (container_id, container) = container;
    let account = layout.cosmos();
    let scope = format!("/dbs/{}/colls/{container}", layout.database());
    let account_id = arm_id(api::COSMOS_ACCOUNT.name, &[&account]);
    let guid = format!(
        "guid({account_id}, {}, {}, {})",
        quoted(&scope),
        quoted(&layout.identity_name(function)),
        quoted(role.name())
    );
    let role_id = format!(
        "resourceId({}, {}, {})",
        quoted(api::TABLE_ROLE.name),
        quoted(&account),
        role_guid(layout, role)
    );
    let id = name::trigger_id("GrantInTables", function, &format!("{container}/{}", role.name()));
    let part = Part::Function {
        name: function.to_owned(),
    };
    body.add_in_turn(
        &id,
        Resource::new(
            &api::TABLE_GRANT,
            format!("[concat({}, {guid})]", quoted(&format!("{account}/"))),
            "grant",
            part,
        )
        .after([container_id, &role.id()])
        .properties(json!({
            "roleDefinitionId": expression(role_id),
            "principalId": expression(format!("{}.principalId", call("reference", &[identity]))),
            "scope": expression(format!("concat({account_id}, {})", quoted(&scope))),
        })),
    )
}
