//! Stacks: their states, what becomes of what they no longer have, protection, failures, and others at the same time.

use http::{Method, StatusCode};
use nephos_conformance::azure_manager::{Failure, Nesting, Options};
use serde_json::{Value, json};

use crate::client::{Azure, GROUP, deepest, queue, stack, storage, template};

pub(crate) fn resources(names: &[&str]) -> Value {
    let mut all = json!({"Account": storage("stackaccount")});
    for name in names {
        all[name.to_uppercase()] = queue("stackaccount", name, &["Account"]);
    }
    template(all)
}

pub(crate) fn names(list: &Value) -> Vec<String> {
    let name = |one: &Value| one["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    list.as_array().unwrap().iter().map(name).collect()
}

fn left(azure: &Azure) -> Vec<String> {
    azure
        .manager
        .resources(GROUP)
        .into_keys()
        .map(|id| id.rsplit('/').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_goes_through_its_states_and_tells_what_it_manages() {
    let azure = Azure::start_with(Options {
        retry_after: 7,
        ..Options::default()
    })
    .await;
    let answer = azure
        .put(&azure.stack("app"), "2024-03-01", stack(resources(&["jobs"])))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["properties"]["provisioningState"], "creating");
    assert_eq!(answer.header("retry-after"), Some("7"));
    let said = azure.ended(answer.header("azure-asyncoperation").unwrap()).await;
    assert_eq!(said["status"], "succeeded");
    assert_eq!(
        azure.manager.states(&azure.stack("app")),
        [
            "creating",
            "validating",
            "deploying",
            "updatingDenyAssignments",
            "succeeded"
        ]
    );
    let told = azure.get(&azure.stack("app"), "2024-03-01").await.json();
    let properties = &told["properties"];
    assert_eq!(names(&properties["resources"]), ["stackaccount", "jobs"]);
    assert_eq!(properties["resources"][0]["status"], "managed");
    assert_eq!(properties["template"], Value::Null);
    assert_eq!(told["systemData"]["createdBy"], azure.manager.options().object_id);
    assert_eq!(told["tags"]["nephos:app"], "tests");
    let exported = azure
        .ask(
            Method::POST,
            &format!("{}/exportTemplate?api-version=2024-03-01", azure.stack("app")),
            None,
        )
        .await;
    assert_eq!(exported.json()["template"], resources(&["jobs"]));
    assert_eq!(
        azure.get(&azure.stack("other"), "2024-03-01").await.code(),
        "DeploymentStackNotFound"
    );
    assert_eq!(
        azure.get(&azure.stack("app"), "2021-01-01").await.code(),
        "InvalidApiVersionParameter"
    );
    let again = azure
        .put(&azure.stack("app"), "2024-03-01", stack(resources(&["jobs"])))
        .await;
    assert_eq!(again.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_a_stack_is_deleted_or_detached_as_it_says() {
    let azure = Azure::start().await;
    azure
        .deploy("app", stack(resources(&["aaa", "bbb", "ccc"])))
        .await;
    let told = azure.deploy("app", stack(resources(&["aaa", "bbb"]))).await;
    assert_eq!(names(&told["properties"]["deletedResources"]), ["ccc"]);
    assert!(
        azure
            .manager
            .states(&azure.stack("app"))
            .contains(&"deletingResources".to_owned())
    );
    let mut detaching = stack(resources(&["aaa"]));
    detaching["properties"]["actionOnUnmanage"]["resources"] = "detach".into();
    let told = azure.deploy("app", detaching).await;
    assert_eq!(names(&told["properties"]["detachedResources"]), ["bbb"]);
    assert_eq!(left(&azure), ["stackaccount", "aaa", "bbb"]);
    let url = format!(
        "{}?api-version=2024-03-01&unmanageAction.Resources=detach",
        azure.stack("app")
    );
    let answer = azure.ask(Method::DELETE, &url, None).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    azure.ended(answer.header("location").unwrap()).await;
    assert_eq!(left(&azure).len(), 3);
    assert_eq!(
        azure.ask(Method::DELETE, &url, None).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_what_was_made_and_names_its_cause() {
    let azure = Azure::start().await;
    azure.manager.fail(
        "/queues/broken",
        Failure::new(409, "QuotaExceeded", "There are too many queues.").once(),
    );
    let failed = azure.deploy("app", stack(resources(&["broken", "fine"]))).await;
    let properties = &failed["properties"];
    assert_eq!(properties["provisioningState"], "failed");
    let error = &properties["error"];
    assert_eq!(error["code"], "DeploymentStackDeploymentFailed");
    assert_eq!(error["details"][0]["code"], "DeploymentFailed");
    assert_eq!(error["details"][0]["target"], properties["deploymentId"]);
    assert_eq!(
        error["details"][0]["details"][0]["code"],
        "ResourceDeploymentFailure"
    );
    assert_eq!(deepest(error)["code"], "QuotaExceeded");
    assert_eq!(names(&properties["failedResources"]), ["broken"]);
    assert_eq!(names(&properties["resources"]), ["stackaccount", "fine"]);
    let operations = format!("{}/operations", properties["deploymentId"].as_str().unwrap());
    let list = azure.get(&operations, "2024-03-01").await.json();
    let failed: Vec<&Value> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["properties"]["provisioningState"] == "Failed")
        .collect();
    assert_eq!(failed[0]["properties"]["statusCode"], "Conflict");
    assert_eq!(
        deepest(&failed[0]["properties"]["statusMessage"]["error"])["message"],
        "There are too many queues."
    );
    assert_eq!(left(&azure).len(), 2);
    let told = azure.deploy("app", stack(resources(&["broken", "fine"]))).await;
    assert_eq!(told["properties"]["provisioningState"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terse_error_leaves_the_cause_to_the_operations_which_come_in_pages() {
    let azure = Azure::start_with(Options {
        terse: true,
        page: 2,
        ..Options::default()
    })
    .await;
    azure.manager.fail(
        "/queues/broken",
        Failure::new(409, "QuotaExceeded", "There are too many queues."),
    );
    let failed = azure
        .deploy("app", stack(resources(&["aaa", "bbb", "broken"])))
        .await;
    assert_eq!(
        deepest(&failed["properties"]["error"])["code"],
        "DeploymentFailed"
    );
    let mut path = format!(
        "{}/operations?api-version=2024-03-01",
        failed["properties"]["deploymentId"].as_str().unwrap()
    );
    let mut codes = Vec::new();
    let mut pages = 0;
    loop {
        let page = azure.ask(Method::GET, &path, None).await.json();
        pages += 1;
        let errors = page["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| deepest(&one["properties"]["statusMessage"]["error"])["code"].clone());
        codes.extend(errors.filter(|code| !code.is_null()));
        match page["nextLink"].as_str() {
            Some(next) => path = next.strip_prefix(&azure.manager.url()).unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, codes), (2, vec![json!("QuotaExceeded")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_changes_a_stack_that_is_not_at_its_end() {
    let azure = Azure::start().await;
    azure.manager.pause("/queues/jobs");
    let path = azure.stack("app");
    let answer = azure.put(&path, "2024-03-01", stack(resources(&["jobs"]))).await;
    assert!(answer.status.is_success());
    azure.manager.paused("/queues/jobs").await.unwrap();
    let again = azure.put(&path, "2024-03-01", stack(resources(&[]))).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "DeploymentStackInNonTerminalState")
    );
    let deletion = azure.delete(&path, "2024-03-01").await;
    assert_eq!(deletion.code(), "DeploymentStackInNonTerminalState");
    let told = azure.get(&path, "2024-03-01").await.json();
    assert_eq!(told["properties"]["provisioningState"], "deploying");
    let operations = format!(
        "{}/operations",
        told["properties"]["deploymentId"].as_str().unwrap()
    );
    let list = azure.get(&operations, "2024-03-01").await.json();
    let states: Vec<&Value> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["properties"]["provisioningState"])
        .collect();
    assert_eq!(states, ["Succeeded", "Running"]);
    azure.manager.resume("/queues/jobs");
    azure.manager.reached(&path, "succeeded").await.unwrap();
    let before = azure.get(&path, "2024-03-01").await.json();
    azure.manager.touch_stack(&path).unwrap();
    let after = azure.get(&path, "2024-03-01").await.json();
    assert_ne!(
        before["systemData"]["lastModifiedAt"],
        after["systemData"]["lastModifiedAt"]
    );
    assert_eq!(after["systemData"]["lastModifiedBy"], "somebody@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_can_be_cancelled() {
    let azure = Azure::start().await;
    azure.manager.cancel_at("/queues/jobs");
    let told = azure.deploy("app", stack(resources(&["jobs"]))).await;
    assert_eq!(told["properties"]["provisioningState"], "canceled");
    assert_eq!(left(&azure), ["stackaccount"]);
    azure.manager.let_succeed();
    let told = azure.deploy("app", stack(resources(&["jobs"]))).await;
    assert_eq!(told["properties"]["provisioningState"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_fails_keeps_the_stack_with_what_is_left() {
    let azure = Azure::start().await;
    azure.deploy("app", stack(resources(&["jobs", "more"]))).await;
    azure.manager.fail_deletion(
        "Microsoft.Storage/storageAccounts",
        Failure::new(409, "OperationPending", "The account is in use.").once(),
    );
    let url = format!(
        "{}?api-version=2024-03-01&unmanageAction.Resources=delete",
        azure.stack("app")
    );
    let answer = azure.ask(Method::DELETE, &url, None).await;
    let said = azure.ended(answer.header("azure-asyncoperation").unwrap()).await;
    assert_eq!(said["status"], "failed");
    assert_eq!(said["error"]["code"], "DeploymentStackDeleteFailed");
    let told = azure.get(&azure.stack("app"), "2024-03-01").await.json();
    assert_eq!(
        told["properties"]["failedResources"][0]["error"]["code"],
        "OperationPending"
    );
    assert_eq!(names(&told["properties"]["resources"]), ["stackaccount"]);
    assert_eq!(left(&azure), ["stackaccount"]);
    let answer = azure.ask(Method::DELETE, &url, None).await;
    assert_eq!(
        azure.ended(answer.header("azure-asyncoperation").unwrap()).await["status"],
        "succeeded"
    );
    assert!(left(&azure).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_out_of_sync_wants_to_be_told_so() {
    let azure = Azure::start().await;
    azure.deploy("app", stack(resources(&[]))).await;
    azure.manager.put_out_of_sync(&azure.stack("app"));
    let url = format!(
        "{}?api-version=2024-03-01&unmanageAction.Resources=delete",
        azure.stack("app")
    );
    assert_eq!(
        azure.ask(Method::DELETE, &url, None).await.code(),
        "DeploymentStackOutOfSync"
    );
    let answer = azure
        .ask(
            Method::DELETE,
            &format!("{url}&bypassStackOutOfSyncError=true"),
            None,
        )
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_well_formed_is_refused() {
    let azure = Azure::start().await;
    let set = |pointer: &str, value: Value| {
        let mut body = stack(resources(&[]));
        let (above, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(above).unwrap()[name] = value;
        body
    };
    let cases = [
        (
            set("/properties/actionOnUnmanage", Value::Null),
            "InvalidRequestContent",
        ),
        (
            set("/properties/actionOnUnmanage/resources", json!("remove")),
            "InvalidRequestContent",
        ),
        (
            set("/properties/denySettings/mode", json!("deny")),
            "InvalidRequestContent",
        ),
        (
            set(
                "/properties/denySettings/excludedPrincipals",
                json!(["a", "b", "c", "d", "e", "f"]),
            ),
            "InvalidRequestContent",
        ),
        (set("/properties/other", json!(1)), "InvalidRequestContent"),
        (
            set("/tags", json!({"nephos/app": "a"})),
            "InvalidTagNameCharacters",
        ),
        (json!({}), "InvalidRequestContent"),
    ];
    for (body, code) in cases {
        let answer = azure.put(&azure.stack("app"), "2024-03-01", body.clone()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{body:#}"
        );
    }
    let other = azure.stack("app").replace(GROUP, "nowhere");
    assert_eq!(
        azure
            .put(&other, "2024-03-01", stack(resources(&[])))
            .await
            .code(),
        "ResourceGroupNotFound"
    );
    assert_eq!(
        azure.get(&azure.stack("app"), "2024-03-01").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_is_told_wrapped_plainly_or_as_text() {
    for nesting in [Nesting::Wrapped, Nesting::Plain, Nesting::Embedded] {
        let azure = Azure::start().await;
        let failure = Failure::new(409, "QuotaExceeded", "There are too many queues.").nested(nesting);
        azure.manager.fail("/queues/jobs", failure);
        let told = azure.deploy("app", stack(resources(&["jobs"]))).await;
        let inner = &told["properties"]["error"]["details"][0]["details"][0];
        let code = inner["code"].as_str().unwrap();
        match nesting {
            Nesting::Wrapped => assert_eq!(code, "ResourceDeploymentFailure"),
            Nesting::Plain => assert_eq!(code, "QuotaExceeded"),
            Nesting::Embedded => {
                assert_eq!(code, "Conflict");
                let text: Value = serde_json::from_str(inner["message"].as_str().unwrap()).unwrap();
                assert_eq!(deepest(&text["error"])["code"], "QuotaExceeded");
            }
        }
    }
}
