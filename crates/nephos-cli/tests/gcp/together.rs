//! Deployments that are killed, and several at once.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nephos_conformance::google_cloud::Interruption;

use crate::account::{Account, Project, SHOP, SMALL, done, output, refused};

const SERVICE: &str = "run.services";

/// Waits until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_killed_is_gone_on_with() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.control.pause(SERVICE);
    let mut killed = google.deploying(&project, &["--yes"]);
    killed.stdout(Stdio::null()).stderr(Stdio::null());
    let mut killed = killed.spawn().unwrap();
    until("no service is being made", || google.names(SERVICE).len() == 5).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let status = google.status(&project).await;
    assert_eq!(status["health"], "changing", "{status:#}");
    google.control.resume(SERVICE);
    let deployed = google.deployed(&project).await;
    assert!(deployed.contains("deployed in"), "{deployed}");
    assert_eq!(google.names(SERVICE).len(), 5);
    assert!(google.deployed(&project).await.contains("no changes"));
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_someone_else_overtook_is_not_carried_out() {
    let (google, project) = (Account::start().await, Project::new(SMALL));
    google.deployed(&project).await;
    project.code(2);
    let throttled = |part: &'static str| {
        let requests = google.control.requests();
        requests
            .iter()
            .filter(|one| one.status == 429 && format!("{}{}", one.host, one.path).contains(part))
            .count()
    };
    // The plan is held up while it reads, and then what carries it out before it does.
    google
        .control
        .interrupt("GET serviceusage.googleapis.com/", 1, Interruption::Throttled(1));
    let late = tokio::spawn(output(google.deploying(&project, &["--yes"])));
    until("nobody plans", || throttled("serviceusage") == 1).await;
    google.control.interrupt(
        "/v3/projects/nephos-tests:getIamPolicy",
        2,
        Interruption::Throttled(1),
    );
    until("nobody reads", || throttled("getIamPolicy") == 1).await;
    google
        .control
        .interrupt("GET serviceusage.googleapis.com/", 1, Interruption::Throttled(20));
    until("nobody carries it out", || throttled("serviceusage") == 2).await;
    let other = Project::new(&SMALL.replace("10 s", "30 s"));
    google.deployed(&other).await;
    refused(
        &late.await.unwrap(),
        &["changed since the plan was made", "deploy again"],
    );
    assert_eq!(
        google.body("/services/small-gcp-hello")["template"]["timeout"],
        "40s"
    );
    google.deployed(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_none_overwrites_the_other() {
    let (google, project) = (Account::start().await, Project::new(SMALL));
    google.deployed(&project).await;
    project.code(2);
    // What changes the service is held up until it was changed.
    google
        .control
        .interrupt("PATCH run.googleapis.com/", 1, Interruption::Throttled(2));
    let late = tokio::spawn(output(google.deploying(&project, &["--yes"])));
    until("nobody changes the service", || {
        google
            .control
            .requests()
            .iter()
            .any(|one| one.method == "PATCH" && one.status == 429)
    })
    .await;
    google
        .control
        .touch("projects/nephos-tests/locations/europe-west1/services/small-gcp-hello")
        .unwrap();
    refused(
        &late.await.unwrap(),
        &["somebody else changes it", "nothing of theirs was overwritten"],
    );
    let deployed = done(&google.deploy(&project, &["--yes"]).await);
    assert!(deployed.contains("1 to update"), "{deployed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_many_functions_costs_a_request_for_each_and_few_more() {
    const MANY: usize = 120;
    let function = |number: usize| format!("[function.f{number}]\non = [{{ http = \"GET /f{number}\" }}]\n");
    let functions: String = (0..MANY).map(function).collect();
    let manifest = SMALL.replace(
        "[function.hello]\non = [{ http = \"GET /hello\" }]\ntimeout = \"10 s\"\n",
        &functions,
    );
    let (google, project) = (Account::start().await, Project::new(&manifest));
    google.deployed(&project).await;
    assert_eq!(google.names(SERVICE).len(), MANY);
    let before = google.control.requests().len();
    let plan = done(&google.deploy(&project, &["--plan"]).await);
    assert!(plan.contains("no changes"), "{plan}");
    let asked = google.control.requests().len() - before;
    assert!(asked < MANY + 30, "{asked} requests");
}
