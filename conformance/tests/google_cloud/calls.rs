//! Services that run: started, called, refused, scaled and ended.

use std::collections::BTreeSet;
use std::time::Duration;

use nephos_conformance::google_cloud::cloud_run::Pace;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::PROJECT;
use crate::running::{Emulators, Running, service, url};

#[tokio::test]
async fn a_container_is_told_who_it_is_and_asks_the_metadata_server_for_tokens() {
    let running = Running::start().await;
    let account = running.google.account("orders").await;
    let template = json!({"serviceAccount": account, "env": {"COLOUR": "blue"}});
    running.public("orders", template).await;
    let env = running.get(&format!("{}/env", url("orders")), None).await.json();
    assert_eq!(
        (&env["K_SERVICE"], &env["K_CONFIGURATION"]),
        (&json!("orders"), &json!("orders"))
    );
    assert!(env["K_REVISION"].as_str().unwrap().starts_with("orders-00001-"));
    assert_eq!(env["COLOUR"], "blue");
    let server = format!(
        "http://{}/computeMetadata/v1",
        env["GCE_METADATA_HOST"].as_str().unwrap()
    );
    let ask = async |path: &str| {
        let request = running.client.get(format!("{server}/{path}"));
        let answer = request.header("metadata-flavor", "Google").send().await.unwrap();
        assert_eq!(answer.headers()["metadata-flavor"], "Google");
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("project/project-id").await.1, "nephos-tests");
    assert_eq!(ask("instance/service-accounts/default/email").await.1, account);
    let (_, token) = ask("instance/service-accounts/default/token").await;
    let token: Value = serde_json::from_str(&token).unwrap();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let request = format!("GET pubsub.googleapis.com/v1/{PROJECT}/topics");
    let list = async || {
        running
            .google
            .send(&request, Some(&bearer), Value::Null)
            .await
            .unwrap()
    };
    list()
        .await
        .refused(403, "PERMISSION_DENIED", "pubsub.topics.list");
    let members = [format!("serviceAccount:{account}")];
    let policy = json!({"bindings": [{"role": "roles/pubsub.viewer", "members": members}]});
    let set = format!("POST cloudresourcemanager.googleapis.com/v3/{PROJECT}:setIamPolicy");
    running.google.ask(&set, json!({"policy": policy})).await.ok();
    assert_eq!(list().await.ok(), json!({}));
    let (status, told) = ask("instance/service-accounts/default/identity").await;
    assert_eq!((status, told.contains("audience")), (400, true));
    let (_, identity) = ask("instance/service-accounts/default/identity?audience=https://x.example").await;
    assert_eq!(identity.split('.').count(), 3);
    let bare = running.client.get(format!("{server}/project/project-id"));
    assert_eq!(bare.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn only_who_may_call_a_service_reaches_it_and_no_token_goes_on_with_its_signature() {
    let running = Running::start().await;
    running.google.account("caller").await;
    running.create("orders", json!({})).await;
    let caller = format!("caller@{}.iam.gserviceaccount.com", "nephos-tests");
    let refused = running.get(&url("orders"), None).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("does not have permission"),
        "{}",
        refused.text
    );
    let token = |audience: &str| running.google.control.id_token(&caller, audience).unwrap();
    let good = token(&url("orders"));
    assert_eq!(running.get(&url("orders"), Some(&good)).await.status, 403);
    running
        .allow("orders", &[&format!("serviceAccount:{caller}")])
        .await;
    for wrong in [
        "ya29.x",
        &token("https://others.example"),
        &good[..good.len() - 8],
    ] {
        let refused = running.get(&url("orders"), Some(wrong)).await;
        assert_eq!(refused.status, 401);
        assert!(
            refused.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .contains("invalid_token")
        );
    }
    let told = running
        .get(&format!("{}/a?b=c", url("orders")), Some(&good))
        .await
        .json();
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(
        told["headers"]["authorization"],
        format!("Bearer {signed}.SIGNATURE_REMOVED_BY_GOOGLE")
    );
    assert_eq!(told["path"], "/a?b=c");
    assert_eq!(told["headers"]["x-forwarded-proto"], "https");
    let trace = told["headers"]["x-cloud-trace-context"].as_str().unwrap();
    let (id, _) = trace.split_once('/').unwrap();
    assert!(told["headers"]["traceparent"].as_str().unwrap().contains(id));
    assert_eq!(
        running
            .get("https://none-123456789012.europe-west1.run.app", None)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_504_and_an_instance_that_ends_is_503() {
    let running = Running::start().await;
    running.public("orders", json!({"timeout": "5s"})).await;
    let began = Instant::now();
    let slow = running.get(&format!("{}/sleep/60", url("orders")), None).await;
    assert_eq!(
        (slow.status, slow.text.as_str()),
        (504, "upstream request timeout")
    );
    assert!(began.elapsed() < Duration::from_secs(30));
    let first = running.get(&url("orders"), None).await.json()["pid"].clone();
    assert_eq!(
        running
            .get(&format!("{}/exit/3", url("orders")), None)
            .await
            .status,
        503
    );
    running.logged("called exit(3)").await;
    let next = running.get(&url("orders"), None).await.json()["pid"].clone();
    assert_ne!(first, next);
    let entry = running.logged("\"status\":504").await;
    assert_eq!(entry["severity"], "ERROR");
}

#[tokio::test]
async fn an_answer_arrives_while_it_is_written() {
    let running = Running::start().await;
    running.public("orders", json!({})).await;
    let mut answer = running
        .client
        .get(format!("{}/chunks/1", url("orders")))
        .send()
        .await
        .unwrap();
    let mut came = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        came.push((String::from_utf8(chunk.to_vec()).unwrap(), Instant::now()));
    }
    let texts: Vec<&str> = came.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["first", "last"]);
    assert!(came[1].1 - came[0].1 > Duration::from_millis(500));
}

#[tokio::test]
async fn there_are_as_many_instances_as_requests_need_and_never_more_than_there_may_be() {
    let pace = Pace {
        pending: Duration::from_millis(4500),
        ..Pace::default()
    };
    let running = Running::with(Emulators::default(), pace).await;
    let template =
        |most: u32| json!({"maxInstanceRequestConcurrency": 1, "scaling": {"maxInstanceCount": most}});
    running.public("wide", template(3)).await;
    let slow = |id: &str, time: &str| {
        let address = format!("{}/sleep/{time}", url(id));
        let running = &running;
        async move { running.get(&address, None).await }
    };
    let answers = futures::future::join_all((0..3).map(|_| slow("wide", "4"))).await;
    let pids: BTreeSet<u64> = answers
        .iter()
        .map(|one| one.json()["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids.len(), 3);
    assert_eq!(running.run.processes(&service("wide")).len(), 3);
    // The second waits for the first, the third for longer than it may.
    running.public("narrow", template(1)).await;
    let answers = futures::future::join_all((0..3).map(|_| slow("narrow", "3"))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|one| one.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(running.run.processes(&service("narrow")).len(), 1);
}

#[tokio::test]
async fn a_new_revision_takes_over_and_the_former_ends_once_it_has_answered() {
    let running = Running::start().await;
    running.public("orders", json!({"env": {"N": "1"}})).await;
    let address = format!("{}/sleep/2", url("orders"));
    let client = running.client.clone();
    let under_way = tokio::spawn(async move { client.get(address).send().await.unwrap() });
    running.logged("sleeps 2").await;
    let before = running.get(&format!("{}/env", url("orders")), None).await.json();
    running.update("orders", json!({"env": {"N": "2"}})).await;
    let after = running.get(&format!("{}/env", url("orders")), None).await.json();
    assert_eq!((&before["N"], &after["N"]), (&json!("1"), &json!("2")));
    assert_eq!(under_way.await.unwrap().status(), 200);
    let entry = running.logged("ended in order").await;
    assert_eq!(entry["resource"]["labels"]["revision_name"], before["K_REVISION"]);
}

#[tokio::test]
async fn an_instance_that_does_not_end_in_its_time_is_killed() {
    let pace = Pace {
        grace: Duration::from_millis(300),
        ..Pace::default()
    };
    let running = Running::with(Emulators::default(), pace).await;
    running.public("orders", json!({"env": {"STAYS": "1"}})).await;
    running.update("orders", json!({})).await;
    running.logged("told to end").await;
    running.logged("ended by SIGKILL").await;
}

#[tokio::test]
async fn a_revision_whose_container_does_not_listen_is_not_ready_and_the_former_goes_on() {
    let pace = Pace {
        startup: Duration::from_secs(2),
        ..Pace::default()
    };
    let running = Running::with(Emulators::default(), pace).await;
    running.public("orders", json!({})).await;
    for (env, words) in [
        (json!({"ENDS": "7"}), "called exit(7)"),
        (json!({"SILENT": "1"}), "failed to start and listen"),
    ] {
        let ended = running.update("orders", json!({"env": env})).await;
        let message = ended["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("is not ready and cannot serve traffic") && message.contains(words),
            "{message}"
        );
        let told = running
            .google
            .get(&format!("run.googleapis.com/v2/{}", service("orders")))
            .await
            .ok();
        assert_eq!(
            told["terminalCondition"]["revisionReason"],
            "HEALTH_CHECK_CONTAINER_ERROR"
        );
        running.get(&url("orders"), None).await.json();
    }
    assert_eq!(running.run.processes(&service("orders")).len(), 1);
}

#[tokio::test]
async fn a_container_that_takes_more_memory_than_it_may_is_ended() {
    let running = Running::start().await;
    let container = json!({"image": "image:1", "resources": {"limits": {"memory": "128Mi", "cpu": "1"}}});
    running.public("orders", json!({"containers": [container]})).await;
    running
        .get(&format!("{}/memory/16", url("orders")), None)
        .await
        .json();
    let address = format!("{}/memory/300", url("orders"));
    // It may answer before it is seen.
    let _ = running.client.get(address).send().await;
    let entry = running.logged("Memory limit of 128 MiB exceeded").await;
    assert_eq!(entry["severity"], "ERROR");
    running.get(&url("orders"), None).await.json();
}

#[tokio::test]
async fn what_a_container_says_is_logged_line_by_line() {
    let running = Running::start().await;
    running.public("orders", json!({})).await;
    running
        .get(&format!("{}/log/hello", url("orders")), None)
        .await
        .json();
    let entry = running.logged("\"message\":\"hello\"").await;
    assert_eq!(
        (&entry["severity"], &entry["jsonPayload"]["place"]),
        (&json!("NOTICE"), &json!("container"))
    );
    let entry = running.logged("plain hello").await;
    assert!(
        entry["logName"]
            .as_str()
            .unwrap()
            .ends_with("run.googleapis.com%2Fstderr")
    );
    assert_eq!(entry["resource"]["labels"]["service_name"], "orders");
}

#[tokio::test]
async fn a_service_that_was_killed_starts_again_with_the_next_request() {
    let running = Running::start().await;
    running.public("orders", json!({})).await;
    let first = running.get(&url("orders"), None).await.json()["pid"].clone();
    running.run.crash(&service("orders")).await;
    assert!(running.run.processes(&service("orders")).is_empty());
    assert_ne!(running.get(&url("orders"), None).await.json()["pid"], first);
}

#[tokio::test]
async fn a_container_runs_the_program_of_its_image_with_the_images_variables_and_its_own() {
    let running = Running::of_images().await;
    let config =
        json!({"Entrypoint": ["/bin/program", "first"], "Cmd": ["second"], "Env": ["COLOUR=red", "SIZE=9"]});
    let program = include_bytes!("container.py");
    let image = crate::images::image(&running.google, program, config).await;
    let env = json!([{"name": "COLOUR", "value": "blue"}]);
    let container = |image: &str| json!({"containers": [{"image": image, "env": env}]});
    running.public("orders", container(&image)).await;
    let told = running.get(&format!("{}/env", url("orders")), None).await.json();
    assert_eq!((&told["COLOUR"], &told["SIZE"]), (&json!("blue"), &json!("9")));
    let told = running
        .get(&format!("{}/arguments", url("orders")), None)
        .await
        .json();
    assert_eq!(told, json!(["first", "second"]));
    let (name, _) = image.split_once('@').unwrap();
    let ended = running.update("orders", container(&format!("{name}:none"))).await;
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(message.contains("orders:none' not found"), "{message}");
}
