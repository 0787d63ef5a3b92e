//! What a service account may do: what policies say, and nothing else.

use serde_json::{Value, json};

use crate::client::{Answered, Google, PROJECT};

const BUCKETS: &str = "storage.googleapis.com/storage/v1/b";

/// An account with a token of its own.
struct Account {
    google: Google,
    email: String,
    token: String,
}

impl Account {
    async fn new() -> Self {
        let google = Google::start().await;
        let email = google.account("orders").await;
        let create = format!(
            "POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
        );
        let scope = json!({"scope": ["https://www.googleapis.com/auth/cloud-platform"]});
        let answer = google.ask(&create, scope).await.ok();
        let token = format!("Bearer {}", answer["accessToken"].as_str().unwrap());
        Self { google, email, token }
    }

    /// Asks as the account.
    async fn ask(&self, request: &str, body: Value) -> Answered {
        self.google.send(request, Some(&self.token), body).await.unwrap()
    }

    fn member(&self) -> String {
        format!("serviceAccount:{}", self.email)
    }
}

#[tokio::test]
async fn a_secret_is_for_who_may_access_it() {
    let orders = Account::new().await;
    let secrets = format!("secretmanager.googleapis.com/v1/{PROJECT}/secrets");
    for id in ["ours", "theirs"] {
        let create = format!("POST {secrets}?secretId={id}");
        let body = json!({"replication": {"automatic": {}}});
        orders.google.ask(&create, body).await.ok();
        let add = format!("POST {secrets}/{id}:addVersion");
        let body = json!({"payload": {"data": "c2VjcmV0"}});
        orders.google.ask(&add, body).await.ok();
    }
    let access = |id: &str| format!("GET {secrets}/{id}/versions/latest:access");
    orders.ask(&access("ours"), Value::Null).await.refused(
        403,
        "PERMISSION_DENIED",
        "secretmanager.versions.access",
    );
    let binding = json!({"role": "roles/secretmanager.secretAccessor", "members": [orders.member()]});
    let set = format!("POST {secrets}/ours:setIamPolicy");
    let policy = json!({"policy": {"bindings": [binding]}});
    orders.google.ask(&set, policy).await.ok();
    orders.ask(&access("ours"), Value::Null).await.ok();
    for (request, body) in [
        (access("theirs"), Value::Null),
        (format!("DELETE {secrets}/ours"), Value::Null),
        (set, json!({"policy": {}})),
    ] {
        orders
            .ask(&request, body)
            .await
            .refused(403, "PERMISSION_DENIED", "denied");
    }
}

#[tokio::test]
async fn a_bucket_is_read_by_readers_and_written_by_writers() {
    let orders = Account::new().await;
    let create = format!("POST {BUCKETS}?project=nephos-tests");
    orders
        .google
        .ask(&create, json!({"name": "orders-files"}))
        .await
        .ok();
    let write = "POST storage.googleapis.com/upload/storage/v1/b/orders-files/o?uploadType=media&name=a";
    let read = format!("GET {BUCKETS}/orders-files/o/a?alt=media");
    let (put, get, delete) = (
        "PUT storage.googleapis.com/orders-files/b",
        "GET storage.googleapis.com/orders-files/a",
        "DELETE storage.googleapis.com/orders-files/a",
    );
    orders.google.ask(write, json!(1)).await.ok();
    let status = async |request: &str, body: Value| orders.ask(request, body).await.status.as_u16();
    let allow = async |role: &str| {
        let iam = format!("{BUCKETS}/orders-files/iam");
        let policy = json!({"bindings": [{"role": role, "members": [orders.member()]}]});
        orders.google.ask(&format!("PUT {iam}"), policy).await.ok();
    };
    assert_eq!(status(&read, Value::Null).await, 403);
    allow("roles/storage.objectViewer").await;
    assert_eq!(status(&read, Value::Null).await, 200);
    assert_eq!(status(get, Value::Null).await, 200);
    assert_eq!(status(write, json!(2)).await, 403);
    assert_eq!(status(put, json!(2)).await, 403);
    assert_eq!(status(delete, Value::Null).await, 403);
    allow("roles/storage.legacyBucketWriter").await;
    assert_eq!(status(&read, Value::Null).await, 403);
    assert_eq!(status(write, json!(2)).await, 200);
    assert_eq!(status(put, json!(2)).await, 200);
    assert_eq!(status(delete, Value::Null).await, 204);
}

#[tokio::test]
async fn a_condition_of_the_project_reaches_one_database() {
    let orders = Account::new().await;
    for id in ["orders", "others"] {
        let create = format!("POST firestore.googleapis.com/v1/{PROJECT}/databases?databaseId={id}");
        let body = json!({"type": "FIRESTORE_NATIVE", "locationId": "europe-west1"});
        orders.google.ask(&create, body).await.ok();
    }
    let binding = json!({
        "role": "roles/datastore.viewer", "members": [orders.member()],
        "condition": {"title": "t", "expression": format!("resource.name == \"{PROJECT}/databases/orders\"")},
    });
    let set = format!("POST cloudresourcemanager.googleapis.com/v3/{PROJECT}:setIamPolicy");
    let policy = json!({"policy": {"version": 3, "bindings": [binding]}});
    orders.google.ask(&set, policy).await.ok();
    let database = |id: &str| format!("GET firestore.googleapis.com/v1/{PROJECT}/databases/{id}");
    orders.ask(&database("orders"), Value::Null).await.ok();
    orders.ask(&database("others"), Value::Null).await.refused(
        403,
        "PERMISSION_DENIED",
        "datastore.databases.getMetadata",
    );
}

#[tokio::test]
async fn an_account_signs_as_itself_only_if_it_is_said_so() {
    let orders = Account::new().await;
    let account = format!("{PROJECT}/serviceAccounts/{}", orders.email);
    let sign = format!(
        "POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:signBlob",
        orders.email
    );
    let body = || json!({"payload": "aGVsbG8="});
    orders
        .ask(&sign, body())
        .await
        .refused(403, "PERMISSION_DENIED", "iam.serviceAccounts.signBlob");
    let binding = json!({"role": "roles/iam.serviceAccountTokenCreator", "members": [orders.member()]});
    let set = format!("POST iam.googleapis.com/v1/{account}:setIamPolicy");
    let policy = json!({"policy": {"bindings": [binding]}});
    orders.google.ask(&set, policy).await.ok();
    orders.ask(&sign, body()).await.ok();
}
