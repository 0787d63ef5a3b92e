//! What can go wrong while an app is deployed to Google Cloud: each is told with the next step, what was there before goes on, and the same command converges.

use nephos_conformance::google_cloud::{Code, Failure, Interruption, Options, Unready, When};

use crate::account::{Account, Project, SHOP, SMALL, done, output, refused};

const SERVICE: &str = "run.services";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_deploy_is_told_what_to_do() {
    let (google, project) = (Account::start().await, Project::new(SMALL));
    let mut nobody = google.deploying(&project, &["--yes"]);
    // Neither a file nor a metadata server.
    nobody.env_remove("GCE_METADATA_HOST");
    refused(&output(nobody).await, &["gcloud auth application-default login"]);

    google.control.deny("run.services.create", "");
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &["permission=run.services.create", "have a role given"],
    );
    google.control.let_succeed();
    google.deployed(&project).await;
    google.control.expire_tokens();
    refused(&google.run(&project, &["status"]).await, &["sign in"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_a_region_and_a_name_that_cannot_be_are_refused_before_anything_is_made() {
    let google = Account::start().await;
    let project = Project::new(&SMALL.replace("nephos-tests", "nephos-other"));
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &["no such project", "project=nephos-other"],
    );
    project.write(&SMALL.replace("europe-west1", "mars-north1"));
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &["no such region", "gcloud run regions list"],
    );
    assert_eq!(google.inventory(), Vec::<String>::new());
    // The project of the environment.
    project.write(&SMALL.replace("project = \"nephos-tests\"\n", ""));
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &["GOOGLE_CLOUD_PROJECT"],
    );
    let mut named = google.deploying(&project, &["--yes"]);
    named.env("GOOGLE_CLOUD_PROJECT", "nephos-tests");
    done(&output(named).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_project_has_not_enabled_is_named_or_enabled() {
    let mut options = Options::default();
    options
        .enabled
        .retain(|host| host != "run.googleapis.com" && host != "artifactregistry.googleapis.com");
    let (google, project) = (Account::with(options).await, Project::new(SMALL));
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &[
            "gcloud services enable artifactregistry.googleapis.com run.googleapis.com",
            "enable_apis",
        ],
    );
    assert_eq!(google.inventory(), Vec::<String>::new());
    project.write(&format!("{SMALL}enable_apis = true\n"));
    let deployed = google.deployed(&project).await;
    assert!(
        deployed.contains("interface") && deployed.contains("run.googleapis.com"),
        "{deployed}"
    );
    assert!(google.deployed(&project).await.contains("no changes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_does_not_get_ready_leaves_the_app_as_it_was() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.deployed(&project).await;
    let before = google.status(&project).await;
    let image = |name: &str| {
        google.body(&format!("/services/shop-gcp-{name}"))["template"]["containers"][0]["image"].clone()
    };
    let old = image("hello");

    project.write(&SHOP.replace("timeout = \"10 s\"", "timeout = \"20 s\""));
    project.code(2);
    google.control.keep_unready(
        "shop-gcp-hello",
        Unready {
            reason: "HEALTH_CHECK_CONTAINER_ERROR".to_owned(),
            message: "The user-provided container failed to start and listen on the port.".to_owned(),
        },
    );
    let failed = google.deploy(&project, &["--yes"]).await;
    refused(
        &failed,
        &[
            "failed to start and listen",
            "Cloud Run service shop-gcp-hello",
            "undone=",
        ],
    );
    // It cannot get ready as it was before either; the others are as they were.
    for name in ["work", "look", "watch", "tick"] {
        assert_eq!(image(name), old, "{name}");
        assert_eq!(
            google.body(&format!("/services/shop-gcp-{name}"))["template"]["timeout"],
            "20s"
        );
    }
    let after = google.status(&project).await;
    assert_eq!(
        after["functions"]["hello"]["version"], before["functions"]["hello"]["version"],
        "{after:#}"
    );
    google.control.let_succeed();
    let deployed = google.deployed(&project).await;
    assert!(deployed.contains("deployed in"), "{deployed}");
    assert_ne!(image("hello"), old);
    assert_eq!(google.status(&project).await["health"], "works");
    assert!(google.deployed(&project).await.contains("no changes"));
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_half_made_is_made_again() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    let failure = Failure::new(Code::Internal, "the trigger is half made").told(When::Halfway);
    google.control.fail("eventarc.triggers", failure);
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &[
            "the trigger is half made",
            "Eventarc trigger",
            "what was made stays",
        ],
    );
    google.control.let_succeed();
    let deployed = google.deployed(&project).await;
    assert!(deployed.contains("half made"), "{deployed}");
    assert!(google.deployed(&project).await.contains("no changes"));
    let trigger = google.names("eventarc.triggers").remove(0);
    assert!(google.body(&format!("/triggers/{trigger}"))["conditions"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_told_and_throttling_is_waited_out() {
    let (google, project) = (Account::start().await, Project::new(SHOP));
    google.control.limit(SERVICE, 2);
    refused(
        &google.deploy(&project, &["--yes"]).await,
        &["quota", "have it raised"],
    );
    google.control.let_succeed();
    google
        .control
        .interrupt("POST run.googleapis.com/", 1, Interruption::Throttled(1));
    google.control.interrupt(
        "GET pubsub.googleapis.com/",
        1,
        Interruption::Broken(Code::Unavailable),
    );
    google
        .control
        .interrupt("PUT pubsub.googleapis.com/", 1, Interruption::Cut);
    google.deployed(&project).await;
    // What was done all the same is not done twice.
    project.write(
        &SHOP
            .replace("[queue.jobs]\n", "[queue.jobs]\n[queue.more]\n")
            .replace("10 s", "20 s"),
    );
    google
        .control
        .interrupt("PUT pubsub.googleapis.com/", 1, Interruption::CutAfterwards);
    google
        .control
        .interrupt("PATCH run.googleapis.com/", 1, Interruption::CutAfterwards);
    google.deployed(&project).await;
    assert!(google.deployed(&project).await.contains("no changes"));
    google.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_left_alone() {
    let (google, project) = (Account::start().await, Project::new(SMALL));
    google.deployed(&project).await;
    let before = google.inventory();
    let changes = google.changes();
    // Another app whose names are the same.
    let other = Project::new(&format!(
        "{}prefix = \"small-gcp\"\n",
        SMALL.replace("app = \"small\"", "app = \"other\"")
    ));
    refused(
        &google.deploy(&other, &["--yes"]).await,
        &["not this app's", "the app small", "`prefix`"],
    );
    let nothing = done(&google.run(&other, &["destroy", "--delete-data", "--yes"]).await);
    assert!(nothing.contains("nothing to remove"), "{nothing}");
    assert_eq!(google.inventory(), before);
    assert_eq!(google.changes(), changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_too_long_is_cut_and_is_still_the_same_the_next_time() {
    let name = "a".repeat(60);
    let google = Account::start().await;
    let project = Project::new(&SMALL.replace("function.hello", &format!("function.{name}")));
    google.deployed(&project).await;
    assert!(google.names(SERVICE).iter().all(|service| service.len() <= 49));
    assert!(google.deployed(&project).await.contains("no changes"));
}
