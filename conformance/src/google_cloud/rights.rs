//! What a service account may do, by the policies of resources and of the project: <https://cloud.google.com/iam/docs/overview>. Whoever has a token of a test's own may do everything.

use http::HeaderMap;
use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::state::{Shared, State};
use crate::server;

/// What Google's own roles let who has them do, of what is asked here: <https://cloud.google.com/iam/docs/roles-permissions>. A role that is not here lets nobody do anything.
const ROLES: &[(&str, &[&str])] = &[
    ("roles/owner", &["*"]),
    (
        "roles/storage.objectViewer",
        &["storage.objects.get", "storage.objects.list"],
    ),
    (
        "roles/storage.objectCreator",
        &[
            "storage.objects.create",
            "storage.multipartUploads.create",
            "storage.multipartUploads.abort",
            "storage.multipartUploads.listParts",
        ],
    ),
    (
        "roles/storage.legacyBucketWriter",
        &[
            "storage.buckets.get",
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.list",
            "storage.multipartUploads.*",
        ],
    ),
    (
        "roles/storage.legacyBucketReader",
        &["storage.buckets.get", "storage.objects.list"],
    ),
    ("roles/storage.legacyObjectReader", &["storage.objects.get"]),
    (
        "roles/storage.objectUser",
        &["storage.objects.*", "storage.multipartUploads.*"],
    ),
    (
        "roles/storage.objectAdmin",
        &["storage.objects.*", "storage.multipartUploads.*"],
    ),
    ("roles/storage.admin", &["storage.*"]),
    ("roles/pubsub.publisher", &["pubsub.topics.publish"]),
    (
        "roles/pubsub.subscriber",
        &[
            "pubsub.subscriptions.consume",
            "pubsub.topics.attachSubscription",
            "pubsub.snapshots.seek",
        ],
    ),
    (
        "roles/pubsub.viewer",
        &[
            "pubsub.topics.get",
            "pubsub.topics.list",
            "pubsub.subscriptions.get",
            "pubsub.subscriptions.list",
        ],
    ),
    ("roles/pubsub.editor", &["pubsub.*"]),
    ("roles/pubsub.admin", &["pubsub.*"]),
    (
        "roles/datastore.viewer",
        &[
            "datastore.databases.get",
            "datastore.databases.getMetadata",
            "datastore.databases.list",
            "datastore.entities.get",
            "datastore.entities.list",
            "datastore.indexes.get",
            "datastore.indexes.list",
        ],
    ),
    (
        "roles/datastore.user",
        &[
            "datastore.databases.get",
            "datastore.databases.getMetadata",
            "datastore.databases.list",
            "datastore.entities.*",
            "datastore.indexes.get",
            "datastore.indexes.list",
        ],
    ),
    ("roles/datastore.owner", &["datastore.*"]),
    (
        "roles/secretmanager.secretAccessor",
        &["secretmanager.versions.access"],
    ),
    (
        "roles/iam.serviceAccountTokenCreator",
        &[
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.implicitDelegation",
            "iam.serviceAccounts.signBlob",
            "iam.serviceAccounts.signJwt",
        ],
    ),
    (
        "roles/iam.serviceAccountOpenIdTokenCreator",
        &["iam.serviceAccounts.getOpenIdToken"],
    ),
    ("roles/run.invoker", &["run.routes.invoke", "run.jobs.run"]),
    (
        "roles/artifactregistry.reader",
        &["artifactregistry.repositories.downloadArtifacts"],
    ),
    (
        "roles/artifactregistry.writer",
        &[
            "artifactregistry.repositories.downloadArtifacts",
            "artifactregistry.repositories.uploadArtifacts",
        ],
    ),
    ("roles/logging.logWriter", &["logging.logEntries.create"]),
    ("roles/logging.viewer", &["logging.logEntries.list"]),
];

/// The permission that a method needs: <https://cloud.google.com/iam/docs/permissions-reference>.
pub(super) fn permission(id: &str) -> String {
    let interface = id.split('.').next().unwrap_or_default();
    let interface = match interface {
        "cloudresourcemanager" => "resourcemanager",
        "firestore" => "datastore",
        "iamcredentials" => "iam",
        other => other,
    };
    let mut parts = id.rsplit('.');
    let verb = parts.next().unwrap_or_default();
    let collection = parts.next().unwrap_or_default();
    let (collection, verb) = match (collection, verb) {
        ("secrets", "addVersion") => ("versions", "add"),
        ("services", "batchEnable") => ("services", "enable"),
        ("subscriptions", "modifyPushConfig") => ("subscriptions", "update"),
        ("operations", "wait") => ("operations", "get"),
        // Firestore's permissions are Datastore's, and those on fields are those on indexes.
        ("databases", "get") => ("databases", "getMetadata"),
        (accounts, "generateAccessToken") => (accounts, "getAccessToken"),
        (accounts, "generateIdToken") => (accounts, "getOpenIdToken"),
        ("entries", "list") => ("logEntries", "list"),
        ("entries", "write") => ("logEntries", "create"),
        ("subscriptions", "pull" | "acknowledge" | "modifyAckDeadline" | "seek") => {
            ("subscriptions", "consume")
        }
        ("documents", verb) => ("entities", of_documents(verb)),
        ("fields", "patch") => ("indexes", "update"),
        ("fields", verb) => ("indexes", verb),
        (collection, "patch") => (collection, "update"),
        other => other,
    };
    format!("{interface}.{collection}.{verb}")
}

/// What is done with entities: <https://cloud.google.com/firestore/docs/security/iam#required_permissions>. A commit is taken for a change, whatever its writes are.
fn of_documents(verb: &str) -> &str {
    match verb {
        "get" | "batchGet" | "beginTransaction" | "rollback" => "get",
        "list"
        | "listDocuments"
        | "listCollectionIds"
        | "runQuery"
        | "runAggregationQuery"
        | "partitionQuery"
        | "executePipeline"
        | "listen" => "list",
        "createDocument" => "create",
        "delete" => "delete",
        _ => "update",
    }
}

/// Whether who asks has a permission on a resource.
pub(super) fn check(
    state: &State,
    shared: &Shared,
    headers: &HeaderMap,
    permission: &str,
    name: &str,
) -> Outcome<()> {
    let token = server::header(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let account = token.and_then(|token| state.tokens.get(token)?.account.as_deref());
    match account {
        Some(account) if !holds(state, shared, account, permission, name, None) => {
            Err(Refusal::denied(permission, name))
        }
        _ => Ok(()),
    }
}

/// Whether a service account has a permission on a resource: by the resource's policy, by that of what it is in, or by the project's. `own` is a policy that is kept elsewhere.
pub(super) fn holds(
    state: &State,
    shared: &Shared,
    account: &str,
    permission: &str,
    name: &str,
    own: Option<&Value>,
) -> bool {
    let member = format!("serviceAccount:{account}");
    let project = format!("projects/{}", shared.options.project);
    // Documents are in a database, and conditions are on that.
    let name = name.split("/documents").next().unwrap_or_default();
    let above = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
    let kept = above
        .chain([name, project.as_str()])
        .filter_map(|name| state.policies.get(name));
    kept.chain(own).any(|policy| {
        let bindings = policy["bindings"].as_array().into_iter().flatten();
        bindings
            .filter(|binding| gives(binding["role"].as_str().unwrap_or_default(), permission))
            .filter(|binding| is_met(&binding["condition"], name))
            .flat_map(|binding| binding["members"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .any(|one| {
                one.eq_ignore_ascii_case(&member) || matches!(one, "allUsers" | "allAuthenticatedUsers")
            })
    })
}

fn gives(role: &str, permission: &str) -> bool {
    let known = ROLES.iter().find(|(name, _)| *name == role);
    known.is_some_and(|(_, permissions)| {
        permissions.iter().any(|one| match one.strip_suffix('*') {
            Some(start) => permission.starts_with(start),
            None => *one == permission,
        })
    })
}

/// Whether a condition on the resource's name is met; of the language there is what such conditions need, and what is not understood is not met.
/// <https://cloud.google.com/iam/docs/conditions-attribute-reference#resource-name>
fn is_met(condition: &Value, name: &str) -> bool {
    let Some(expression) = condition["expression"].as_str() else {
        return condition.is_null();
    };
    let quoted = |text: &str| {
        let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
    };
    let one = |text: &str| {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("resource.name.startsWith(") {
            let start = rest.strip_suffix(')').and_then(quoted);
            return start.is_some_and(|start| name.starts_with(&start));
        }
        let equal = text
            .split_once("==")
            .filter(|(left, _)| left.trim() == "resource.name");
        let wanted = equal.and_then(|(_, right)| quoted(right));
        wanted.is_some_and(|wanted| wanted == name)
    };
    expression.split("||").any(|all| all.split("&&").all(one))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_gives_its_permissions_and_no_others() {
        for (role, permission, is_given) in [
            ("roles/storage.objectViewer", "storage.objects.get", true),
            ("roles/storage.objectViewer", "storage.objects.create", false),
            ("roles/storage.legacyBucketWriter", "storage.objects.get", false),
            ("roles/datastore.user", "datastore.entities.delete", true),
            ("roles/datastore.viewer", "datastore.entities.update", false),
            ("roles/invented", "storage.objects.get", false),
            ("roles/owner", "anything", true),
        ] {
            assert_eq!(gives(role, permission), is_given, "{role}: {permission}");
        }
    }

    #[test]
    fn a_condition_is_on_the_name_and_met_only_if_it_is_understood() {
        let name = "projects/p/databases/orders";
        for (expression, met) in [
            ("resource.name == \"projects/p/databases/orders\"", true),
            ("resource.name==\"projects/p/databases/others\"", false),
            ("resource.name.startsWith(\"projects/p/databases/ord\")", true),
            (
                "resource.name == \"x\" || resource.name.startsWith(\"projects/\")",
                true,
            ),
            (
                "resource.name == \"x\" && resource.name.startsWith(\"projects/\")",
                false,
            ),
            ("request.time < timestamp(\"2030-01-01T00:00:00Z\")", false),
            ("true", false),
        ] {
            assert_eq!(
                is_met(&json!({"expression": expression}), name),
                met,
                "{expression}"
            );
        }
        assert!(is_met(&Value::Null, name));
    }
}
