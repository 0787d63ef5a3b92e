//! The life of an app on Google Cloud: from its plan to its end.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::account::{Account, Project, SHOP, SMALL, done, refused};

const SERVICE: &str = "run.services";

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_deployed_changed_brought_back_and_removed() {
    let (google, project) = (Account::start().await, Project::new(SHOP));

    let plan = done(&google.deploy(&project, &["--plan"]).await);
    assert!(
        plan.contains("+ function hello") && plan.contains("Cloud Run service"),
        "{plan}"
    );
    assert_eq!(
        google.inventory(),
        Vec::<String>::new(),
        "a plan alone makes something"
    );
    assert_eq!(google.changes(), 0);
    assert!(done(&google.run(&project, &["status"]).await).contains("is not deployed"));

    let deployed = google.deployed(&project).await;
    assert!(
        deployed.contains("deployed in") && deployed.contains(".run.app"),
        "{deployed}"
    );
    google.was_understood();
    assert_eq!(google.names(SERVICE).len(), 5);
    for service in google.names(SERVICE) {
        let body = google.body(&format!("/services/{service}"));
        let image = body["template"]["containers"][0]["image"].as_str().unwrap();
        assert!(google.control.image(image).is_some(), "{image} was not pushed");
        assert_eq!(
            body["terminalCondition"]["state"], "CONDITION_SUCCEEDED",
            "{body:#}"
        );
    }

    let before = google.changes();
    let again = google.deployed(&project).await;
    assert!(again.contains("no changes"), "{again}");
    assert_eq!(google.changes(), before, "what is as it is to be was changed");

    // New code alone changes the services, and nothing else.
    project.code(2);
    let changed = google.deployed(&project).await;
    assert!(
        changed.contains("5 to update") && changed.contains("containers.image"),
        "{changed}"
    );
    let status = google.status(&project).await;
    assert_eq!(status["health"], "works", "{status:#}");
    let newest = status["functions"]["hello"].clone();
    assert!(
        newest["url"].as_str().unwrap().ends_with(".run.app"),
        "{status:#}"
    );
    assert!(
        newest["code"].as_str().unwrap().starts_with("sha256:"),
        "{status:#}"
    );

    let back = done(&google.run(&project, &["rollback", "hello", "--yes"]).await);
    assert!(back.contains("instead of"), "{back}");
    let status = google.status(&project).await;
    let rolled = &status["functions"]["hello"];
    assert_ne!(rolled["version"], newest["version"], "{status:#}");
    assert_ne!(rolled["code"], newest["code"], "{status:#}");
    let no_further = google.run(&project, &["rollback", "hello", "--yes"]).await;
    refused(&no_further, &["no version before", "function=hello"]);
    let forward = google.deployed(&project).await;
    assert!(
        forward.contains("1 to update") && forward.contains("traffic"),
        "{forward}"
    );
    assert_eq!(
        google.status(&project).await["functions"]["hello"]["version"],
        newest["version"]
    );

    let removed = done(&google.run(&project, &["destroy", "--delete-data", "--yes"]).await);
    assert!(removed.contains("removed"), "{removed}");
    assert_eq!(google.inventory(), Vec::<String>::new());
    let policy = google.control.policy("projects/nephos-tests").unwrap();
    assert!(!policy.to_string().contains("shop-gcp"), "{policy:#}");
    assert!(done(&google.run(&project, &["status"]).await).contains("is not deployed"));
    let nothing = done(&google.run(&project, &["destroy", "--yes"]).await);
    assert!(nothing.contains("nothing to remove"), "{nothing}");
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_manifest_goes_and_what_holds_data_stays() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.deployed(&project).await;

    let without = SHOP
        .replace("[bucket.pictures]\n", "")
        .replace("[secret.token]\n", "")
        .replace(", token = [\"read\"], pictures = [\"read\"]", "")
        .replace(
            "[function.look]\non = [{ bucket = \"pictures\" }]\ntimeout = \"10 s\"\n",
            "",
        )
        .replace(
            "[function.tick]\non = [{ schedule = \"0 5 * * *\" }]\ntimeout = \"10 s\"\n",
            "",
        );
    project.write(&without);
    project.code(1);
    let changed = google.deployed(&project).await;
    assert!(changed.contains("its data is kept"), "{changed}");
    assert_eq!(google.names(SERVICE).len(), 3);
    assert_eq!(google.names("cloudscheduler.jobs"), Vec::<String>::new());
    assert_eq!(google.names("secretmanager.secrets").len(), 1);
    assert_eq!(google.names("storage.buckets").len(), 1);
    assert_eq!(google.names("storage.notifications"), Vec::<String>::new());
    let again = google.deployed(&project).await;
    assert!(again.contains("no changes"), "{again}");

    // It comes back with what was kept.
    project.write(SHOP);
    project.code(1);
    let back = google.deployed(&project).await;
    assert!(back.contains("taken again"), "{back}");
    assert!(google.deployed(&project).await.contains("no changes"));

    let removed = done(&google.run(&project, &["destroy", "--yes"]).await);
    for kept in ["kept bucket pictures", "kept table orders", "kept secret token"] {
        assert!(removed.contains(kept), "{removed}");
    }
    let left: Vec<String> = google.inventory();
    let has_data = |name: &String| {
        ["/buckets/", "/databases/", "/secrets/"]
            .iter()
            .any(|part| name.contains(part))
    };
    assert!(left.iter().all(has_data), "{left:#?}");
    let nothing = done(&google.run(&project, &["destroy", "--yes"]).await);
    assert!(nothing.contains("nothing to remove"), "{nothing}");
    assert!(google.deployed(&project).await.contains("taken again"));
    assert!(google.deployed(&project).await.contains("no changes"));

    done(&google.run(&project, &["destroy", "--yes"]).await);
    done(&google.run(&project, &["destroy", "--delete-data", "--yes"]).await);
    assert_eq!(google.inventory(), Vec::<String>::new());
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_loses_its_trigger_is_pulled_and_what_somebody_changed_by_hand_is_put_right() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.deployed(&project).await;
    assert!(google.body("/subscriptions/shop-gcp-jobs")["pushConfig"]["pushEndpoint"].is_string());
    let pulled = SHOP.replace("[{ queue = \"jobs\" }]", "[{ schedule = \"0 6 * * *\" }]");
    project.write(&pulled);
    let changed = google.deployed(&project).await;
    assert!(changed.contains("pushConfig"), "{changed}");
    let subscription = google.body("/subscriptions/shop-gcp-jobs");
    assert!(
        subscription["pushConfig"]["pushEndpoint"].is_null(),
        "{subscription:#}"
    );
    assert_eq!(
        subscription["enableExactlyOnceDelivery"], true,
        "{subscription:#}"
    );
    assert!(google.deployed(&project).await.contains("no changes"));
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_each_once_and_followed() {
    let (google, project) = (Account::start().await, Project::new(SMALL));
    google.deployed(&project).await;
    let service = google.names(SERVICE).remove(0);
    let line = |text: &str, id: &str| {
        let entry = json!({
            "logName": "projects/nephos-tests/logs/run.googleapis.com%2Fstdout",
            "resource": {"type": "cloud_run_revision", "labels": {
                "project_id": "nephos-tests", "location": "europe-west1", "service_name": service, "revision_name": "r", "configuration_name": service,
            }},
            "timestamp": chrono::Utc::now().to_rfc3339(),
            "insertId": id,
            "textPayload": text,
        });
        google.control.logs().add(&entry).unwrap();
    };
    for number in 0..1200 {
        line(&format!("line {number}."), &format!("{number:05}"));
    }
    let logs = done(&google.run(&project, &["logs", "--since", "1h"]).await);
    for number in 0..1200 {
        assert_eq!(
            logs.matches(&format!("line {number}.")).count(),
            1,
            "line {number}"
        );
    }
    let mut follow = google.command(&project, &["logs", "--follow", "--target", "gcp"]);
    let mut following = follow
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || tokio::task::block_in_place(|| lines.next().unwrap().unwrap());
    assert!(next().contains("line 0."));
    while !next().contains("line 1199.") {}
    line("after", "after");
    assert!(next().contains("after"));
    following.kill().unwrap();
    following.wait().unwrap();

    google.control.deny("logging.*", "");
    refused(&google.run(&project, &["logs"]).await, &["permission"]);
    let nobody = google.run(&project, &["logs", "nobody"]).await;
    assert!(!nobody.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_requests_is_called_by_one_and_others_with_their_sources_body() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.deployed(&project).await;
    refused(
        &google.run(&project, &["invoke", "hello", "{}"]).await,
        &["called by one", "nephos status"],
    );
    // What answers at the service's address tells what it was asked.
    let server = echo().await;
    google
        .edge
        .route("shop-gcp-work-123456789012.europe-west1.run.app", &server);
    let invoked = google
        .run(&project, &["--json", "invoke", "work", r#"{"message": {}}"#])
        .await;
    let invoked: Value = serde_json::from_str(&done(&invoked)).unwrap();
    assert_eq!(invoked["result"], "ok", "{invoked:#}");
    let asked = invoked["answer"].as_str().unwrap();
    assert!(asked.starts_with("POST /.nephos/queue/"), "{asked}");
    assert!(
        asked
            .to_ascii_lowercase()
            .contains("content-type: application/json"),
        "{asked}"
    );
    assert!(asked.contains("Bearer eyJ"), "{asked}");
    google.control.deny("iam.serviceAccounts.getOpenIdToken", "");
    google.control.deny("iamcredentials.*", "");
    refused(
        &google.run(&project, &["invoke", "work", "{}"]).await,
        &["Identity Token Creator", "account=shop-gcp-nephos-caller"],
    );
}

/// A server that answers with the head of what it was asked.
async fn echo() -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let answer = [
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    head.len()
                )
                .as_bytes(),
                &head,
            ]
            .concat();
            // A client that went away is its own matter.
            let _ = stream.write_all(&answer).await;
        }
    });
    url
}
