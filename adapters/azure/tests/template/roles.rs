//! What each function's identity may do: no more than its `uses` and triggers need, and nowhere else.

use std::collections::BTreeSet;

use nephos_azure::deploy::template::Template;
use serde_json::{Value, json};

use crate::apps::{app, of_type, rendered, resource};

const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const BLOB_OWNER: &str = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
const BLOB_DELEGATOR: &str = "db58b8e5-c6ad-4a2a-8342-4190687cbf4a";
const QUEUE_SENDER: &str = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a";
const QUEUE_CONTRIBUTOR: &str = "974c5e8b-45b9-4653-ba55-5f855dd0fb88";
const BUS_SENDER: &str = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39";
const BUS_RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const HUBS_SENDER: &str = "2b629674-e913-4c01-ae53-ef4638d8f975";
const HUBS_RECEIVER: &str = "a638d3c7-ab3a-418d-83e6-5f17a39d4fde";
const TOPIC_SENDER: &str = "d5a91429-5739-47e2-a06b-3470a27159e7";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

/// The roles of an identity, each with the end of what it is on; those that every function has are left out.
fn roles(template: &Template, identity: &str) -> BTreeSet<(String, String)> {
    let principal = format!("[reference('{identity}').principalId]");
    of_type(template, "Microsoft.Authorization/roleAssignments")
        .into_iter()
        .filter(|(_, role)| role["properties"]["principalId"] == principal)
        .map(|(_, role)| {
            assert_eq!(role["properties"]["principalType"], "ServicePrincipal");
            let definition = role["properties"]["roleDefinitionId"].as_str().unwrap();
            let guid = definition.rsplit('\'').nth(1).unwrap().to_owned();
            let scope = role["scope"].as_str().unwrap();
            (guid, scope.rsplit('/').next().unwrap().to_owned())
        })
        .filter(|(_, on)| !on.starts_with("azure-webjobs") && !on.starts_with("nephos-code"))
        .collect()
}

/// The roles in tables, each with the container's end.
fn table_roles(template: &Template) -> BTreeSet<(String, String)> {
    of_type(
        template,
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    )
    .into_iter()
    .map(|(_, grant)| {
        let role = grant["properties"]["roleDefinitionId"].as_str().unwrap();
        let scope = grant["properties"]["scope"].as_str().unwrap();
        let end = |text: &str, part: &str| {
            text.rsplit(part)
                .next()
                .unwrap()
                .trim_end_matches("')]")
                .to_owned()
        };
        let role = role
            .trim_end_matches("))]")
            .rsplit('\'')
            .nth(1)
            .unwrap()
            .to_owned();
        (role, end(scope, "/colls/"))
    })
    .collect()
}

fn of_uses(uses: Value) -> Template {
    rendered(&app(json!({
        "resources": {
            "bucket": {"kind": "bucket"}, "queue": {"kind": "queue"}, "ordered": {"kind": "queue", "ordered": true}, "topic": {"kind": "topic"},
            "stream": {"kind": "stream"}, "table": {"kind": "table", "key": "id"}, "secret": {"kind": "secret"},
            "outside": {"kind": "bucket", "url": "s3://evidence", "credentials": "secret"},
        },
        "functions": {"work": {"uses": uses}},
    })))
}

fn set(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs
        .iter()
        .map(|(role, on)| ((*role).to_owned(), (*on).to_owned()))
        .collect()
}

#[test]
fn each_access_has_its_role_on_the_very_resource() {
    let account = resource(&of_uses(json!({})), "Storage")["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let delegator = (BLOB_DELEGATOR, account.as_str());
    for (uses, expected) in [
        (json!({}), set(&[])),
        (
            json!({"bucket": ["read"]}),
            set(&[(BLOB_READER, "bucket"), delegator]),
        ),
        (
            json!({"bucket": ["write"]}),
            set(&[(BLOB_CONTRIBUTOR, "bucket"), delegator]),
        ),
        (
            json!({"bucket": ["read", "delete"]}),
            set(&[(BLOB_CONTRIBUTOR, "bucket"), delegator]),
        ),
        (json!({"queue": ["send"]}), set(&[(QUEUE_SENDER, "queue")])),
        (
            json!({"queue": ["receive", "send"]}),
            set(&[(QUEUE_CONTRIBUTOR, "queue")]),
        ),
        (json!({"ordered": ["send"]}), set(&[(BUS_SENDER, "ordered")])),
        (json!({"ordered": ["receive"]}), set(&[(BUS_RECEIVER, "ordered")])),
        (
            json!({"topic": ["publish"]}),
            set(&[(TOPIC_SENDER, "shop-azure-topic-{subscription}")]),
        ),
        (json!({"stream": ["read"]}), set(&[(HUBS_RECEIVER, "stream")])),
        (json!({"stream": ["write"]}), set(&[(HUBS_SENDER, "stream")])),
        (json!({"secret": ["read"]}), set(&[(SECRETS_USER, "secret")])),
        (json!({"outside": ["write"]}), set(&[(SECRETS_USER, "secret")])),
    ] {
        assert_eq!(roles(&of_uses(uses.clone()), "IdentityWork"), expected, "{uses}");
    }
}

#[test]
fn tables_have_roles_of_their_own() {
    for (access, expected) in [
        (json!(["read"]), set(&[("read", "table")])),
        (json!(["write"]), set(&[("write", "table")])),
        (
            json!(["read", "delete"]),
            set(&[("read", "table"), ("delete", "table")]),
        ),
    ] {
        let template = of_uses(json!({ "table": access }));
        assert_eq!(table_roles(&template), expected, "{access}");
        let defined = of_type(
            &template,
            "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions",
        );
        assert_eq!(defined.len(), expected.len(), "only roles that somebody has");
    }
    let template = of_uses(json!({"table": ["read"]}));
    let actions = &resource(&template, "RoleInTablesRead")["properties"]["permissions"][0]["dataActions"];
    let actions: Vec<&str> = actions
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action.as_str().unwrap())
        .collect();
    assert!(
        actions
            .iter()
            .all(|action| !action.contains("create") && !action.contains("delete") && !action.ends_with('*')),
        "{actions:?}"
    );
}

#[test]
fn the_host_may_do_what_its_triggers_need_and_event_grid_may_send() {
    let template = rendered(&app(json!({
        "resources": {
            "bucket": {"kind": "bucket"}, "jobs": {"kind": "queue"}, "stream": {"kind": "stream"}, "table": {"kind": "table", "key": "id"},
        },
        "functions": {
            "upload": {"on": [{"kind": "bucket", "bucket": "bucket", "event": "created", "prefix": "", "suffix": ""}]},
            "queue": {"on": [{"kind": "queue", "queue": "jobs", "batch": 1}]},
            "stream": {"on": [{"kind": "stream", "stream": "stream", "batch": 1}]},
            "table": {"on": [{"kind": "table", "table": "table", "events": ["inserted"], "batch": 1}]},
        },
    })));
    let inboxes: Vec<String> = of_type(
        &template,
        "Microsoft.Storage/storageAccounts/queueServices/queues",
    )
    .into_iter()
    .map(|(_, queue)| {
        queue["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    })
    .filter(|name| name.starts_with("nephos-in-"))
    .collect();
    let [inbox, poison] = inboxes.as_slice() else {
        panic!("{inboxes:?}");
    };
    assert_eq!(*poison, format!("{inbox}-poison"));
    assert_eq!(
        roles(&template, "IdentityUpload"),
        set(&[
            (QUEUE_CONTRIBUTOR, inbox),
            (QUEUE_CONTRIBUTOR, poison),
            (QUEUE_SENDER, "upload-dead-letter")
        ]),
        "nothing on the bucket itself"
    );
    assert_eq!(
        roles(&template, "Courier"),
        set(&[(QUEUE_SENDER, inbox), (BLOB_CONTRIBUTOR, "nephos-undelivered")])
    );
    assert_eq!(
        roles(&template, "IdentityQueue"),
        set(&[
            (QUEUE_CONTRIBUTOR, "jobs"),
            (QUEUE_CONTRIBUTOR, "jobs-poison"),
            (QUEUE_SENDER, "queue-dead-letter")
        ])
    );
    assert_eq!(
        roles(&template, "IdentityStream"),
        set(&[(HUBS_RECEIVER, "stream"), (QUEUE_SENDER, "stream-dead-letter")])
    );
    assert_eq!(
        table_roles(&template),
        set(&[("read", "table"), ("lease", "nephos-leases")])
    );
}

#[test]
fn a_function_may_change_its_own_code_container_and_no_others() {
    let template = rendered(&app(json!({"functions": {"one": {}, "two": {}}})));
    for (id, own, other) in [
        ("IdentityOne", "nephos-code-one", "nephos-code-two"),
        ("IdentityTwo", "nephos-code-two", "nephos-code-one"),
    ] {
        let principal = format!("[reference('{id}').principalId]");
        let scopes: Vec<&str> = of_type(&template, "Microsoft.Authorization/roleAssignments")
            .into_iter()
            .filter(|(_, role)| role["properties"]["principalId"] == principal)
            .map(|(_, role)| role["scope"].as_str().unwrap())
            .collect();
        assert!(scopes.iter().any(|scope| scope.ends_with(own)), "{scopes:?}");
        assert!(
            scopes
                .iter()
                .all(|scope| !scope.ends_with(other) && scope.contains("/containers/")),
            "{scopes:?}"
        );
    }
    let owners = of_type(&template, "Microsoft.Authorization/roleAssignments")
        .into_iter()
        .filter(|(_, role)| {
            role["properties"]["roleDefinitionId"]
                .as_str()
                .unwrap()
                .contains(BLOB_OWNER)
        })
        .count();
    assert_eq!(owners, 4, "two containers of the host's for each function");
}
