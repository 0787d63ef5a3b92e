//! The example `orders` on AWS: HTTP, queue, table, the table's stream, topic, bucket, and the clock.

use std::time::Duration;

use serde_json::json;

use crate::sdk::{attribute, wait, wait_for};
use crate::support::{Aws, Project, manifest};

/// The schedule says every minute; the emulator looks at its schedules every ten seconds.
const A_MINUTE_AND_A_LOOK: Duration = Duration::from_secs(90);

#[test]
fn an_order_goes_all_the_way_to_its_receipt_and_the_report_comes_by_the_clock() {
    let aws = Aws::start();
    let project = Project::of("orders", &manifest("orders", ""));
    aws.deployed(&project);
    let (sdk, stack) = (aws.sdk(), aws.outputs("orders-aws"));
    let (place, status) = (aws.host(&project, "place"), aws.host(&project, "status"));
    let order = |id: &str, quantity: u32| {
        let body = json!({"id": id, "article": "lamp", "quantity": quantity}).to_string();
        aws.request("POST /orders", &place, &body)
    };

    let accepted = order("a-1", 2);
    assert!(accepted.starts_with("HTTP/1.1 202"), "{accepted}");
    let row = wait("the order's row", || sdk.item(&stack["TableOrders"], "id", "a-1"));
    assert_eq!(
        (&row["status"], &row["quantity"], &row["article"]),
        (&json!("accepted"), &json!(2), &json!("lamp"))
    );
    let receipt = json!({"Bucket": stack["BucketReceipts"], "Key": "a-1.txt"});
    let receipt = wait("the receipt", || {
        sdk.ask("s3", "get_object", receipt.clone()).ok()
    });
    assert_eq!(receipt["Body"], "Order a-1: 2 × lamp\n");
    let told = aws.request("GET /orders/a-1", &status, "");
    assert!(
        told.starts_with("HTTP/1.1 200") && told.contains("\"accepted\""),
        "{told}"
    );

    let nobody = aws.request("GET /orders/a-9", &status, "");
    assert!(nobody.starts_with("HTTP/1.1 404"), "{nobody}");
    let none = order("a-3", 0);
    assert!(none.starts_with("HTTP/1.1 4"), "{none}");
    let other_path = aws.request("POST /elsewhere", &place, "{}");
    assert!(other_path.starts_with("HTTP/1.1 404"), "{other_path}");

    assert!(order("a-2", 5000).starts_with("HTTP/1.1 202"));
    let letters = wait("the refused order's letter", || {
        let letters = sdk.letters(&stack["QueueFulfilDeadLetter"]);
        (!letters.is_empty()).then_some(letters)
    });
    let reason = attribute(&letters[0], "nephos-reason");
    assert!(
        reason.contains("5000 is more than the warehouse holds"),
        "{reason}"
    );
    assert!(
        letters[0]["Body"].as_str().unwrap().contains("\"a-2\""),
        "{letters:#?}"
    );
    assert_eq!(
        sdk.items(&stack["TableOrders"]).len(),
        1,
        "the refused order was written"
    );

    // Nobody strikes it by hand: EventBridge Scheduler does, a minute after the deployment.
    let report = json!({"Bucket": stack["BucketReceipts"], "Key": "report.json"});
    let report = wait_for(A_MINUTE_AND_A_LOOK, "the clock's report", || {
        sdk.ask("s3", "get_object", report.clone()).ok()
    });
    let report: serde_json::Value = serde_json::from_str(report["Body"].as_str().unwrap()).unwrap();
    assert_eq!(report, json!({"orders": 1, "articles": 2}));
}
