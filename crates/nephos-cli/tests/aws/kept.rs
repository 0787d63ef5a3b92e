//! What outlives an app is found again by the next deployment of it; and where its code lies.

use serde_json::json;

use crate::sdk::wait;
use crate::support::{Aws, Project, done, refused, uncalled};

const KEEPER: &str = r#"
app = "keeper"
[table.seen]
key = "what"
[queue.tasks]
[function.worker]
timeout = "2 s"
on = [{ queue = "tasks" }]
uses = { seen = ["write"] }
[target.aws]
artifact_bucket = "my-code"
"#;

#[test]
fn a_table_that_destroy_kept_is_found_again_and_the_code_lies_where_the_settings_say() {
    let aws = Aws::start();
    let project = Project::of("every-trigger", &format!("{KEEPER}{}", uncalled(&["worker"])));
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["there is no such bucket", "artifact_bucket", "bucket=my-code"],
    );
    let sdk = aws.sdk();
    sdk.call("s3", "create_bucket", json!({"Bucket": "my-code"}));
    aws.deployed(&project);
    let keys = sdk.keys("my-code");
    assert!(keys.iter().any(|key| key.ends_with(".zip")), "{keys:?}");
    let buckets = sdk.call("s3", "list_buckets", json!({}));
    assert_eq!(
        crate::sdk::names(&buckets["Buckets"], "Name"),
        ["my-code"],
        "another bucket was made for the code"
    );

    let handled = |name: &str| {
        let stack = aws.outputs("keeper-aws");
        let message =
            json!({"QueueUrl": stack["QueueTasks"], "MessageBody": json!({"name": name}).to_string()});
        sdk.call("sqs", "send_message", message);
        wait(name, || {
            sdk.item(&stack["TableSeen"], "what", &format!("worker/{name}#1"))
        });
        stack["TableSeen"].clone()
    };
    let table = handled("first");
    let removed = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(
        removed.contains("kept table seen") && removed.contains(&table),
        "{removed}"
    );

    let plan = done(&aws.deploy(&project, &["--plan"]));
    assert!(plan.contains("it is there already, and taken in"), "{plan}");
    aws.deployed(&project);
    assert_eq!(handled("second"), table, "another table");
    let items = sdk.items(&table);
    assert_eq!(items.len(), 2, "{items:#?}");

    let all = done(&aws.run(&project, &["destroy", "--yes", "--delete-data"]));
    assert!(all.contains("removed"), "{all}");
    let tables = sdk.call("dynamodb", "list_tables", json!({}));
    assert_eq!(tables["TableNames"], json!([]));
}
