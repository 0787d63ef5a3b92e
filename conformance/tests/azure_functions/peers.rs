//! The official SDKs of another language, against the emulators and the host: what they write, functions read, and what the host writes, they read.

use std::path::PathBuf;

use nephos_conformance::azure_functions::cosmos::CosmosServer;
use nephos_conformance::process::TOOLS;
use serde_json::{Value, json};

use crate::app::{App, account, invoked, triggered, unique, until};

const QUEUES: &str = r#"
import json, sys
from azure.storage.queue import QueueClient, TextBase64EncodePolicy, TextBase64DecodePolicy
text, queue, what = sys.argv[1:4]
client = QueueClient.from_connection_string(
    text, queue, message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy())
if what == "send":
    client.send_message(sys.argv[4])
    print(json.dumps("sent"))
else:
    print(json.dumps([message.content for message in client.peek_messages(32)]))
"#;

const BLOBS: &str = r#"
import json, sys
from azure.storage.blob import BlobServiceClient
text, container = sys.argv[1:3]
blob = BlobServiceClient.from_connection_string(text).get_blob_client(container, "b.txt")
print(json.dumps(blob.download_blob().readall().decode()))
"#;

const DOCUMENTS: &str = r#"
import json, sys
from azure.cosmos import CosmosClient
endpoint, database = sys.argv[1:3]
# The emulator tells an address of its own with https.
container = CosmosClient(endpoint, "a2V5", enable_endpoint_discovery=False).get_database_client(database).get_container_client("things")
print(json.dumps([one["value"] for one in container.query_items("SELECT * FROM c WHERE c.id = 'a'", enable_cross_partition_query=True)]))
"#;

/// Runs a program with the SDKs, and gives the JSON that it printed.
async fn python(program: &str, arguments: &[&str]) -> Value {
    let tools =
        std::env::var_os(TOOLS).unwrap_or_else(|| panic!("{TOOLS} is not set; run `cargo xtask test`"));
    let output = tokio::process::Command::new(PathBuf::from(tools).join("python/bin/python"))
        .args(["-c", program])
        .args(arguments)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_sends_to_a_function_and_reads_its_poison() {
    let (mut app, account) = App::with_storage().await;
    let queue = unique("peer");
    account.create_queue(&queue).await.unwrap();
    app.host("/extensions/queues/maxDequeueCount", json!(1)).function(
        "jobs",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": queue})),
    );
    let host = app.start().await;
    let connection = account.connection_string();
    python(QUEUES, &[&connection, &queue, "send", "do-fail-always für immer"]).await;
    assert_eq!(
        invoked(&host, 1).await[0]["Data"]["msg"],
        "\"do-fail-always für immer\""
    );
    let poison = format!("{queue}-poison");
    until("the poison message", &host, async || {
        account.peek_messages(&poison).await.ok()?.into_iter().next()
    })
    .await;
    assert_eq!(
        python(QUEUES, &[&connection, &poison, "peek"]).await,
        json!(["do-fail-always für immer"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_reads_blobs_and_documents_that_tests_write() {
    let account = account().await;
    let container = unique("peer");
    account.create_container(&container).await.unwrap();
    account
        .put_blob(&container, "b.txt", "text/plain", "für alle".as_bytes())
        .await
        .unwrap();
    assert_eq!(
        python(BLOBS, &[&account.connection_string(), &container]).await,
        "für alle"
    );

    let server = CosmosServer::start().await.unwrap();
    let cosmos = server.account();
    let database = unique("db");
    cosmos.create_database(&database).await.unwrap();
    cosmos
        .create_container(&database, "things", "/key")
        .await
        .unwrap();
    cosmos
        .upsert(
            &database,
            "things",
            "k",
            &json!({"id": "a", "key": "k", "value": 7}),
        )
        .await
        .unwrap();
    assert_eq!(
        python(DOCUMENTS, &[&cosmos.endpoint, &database]).await,
        json!([7])
    );
}
