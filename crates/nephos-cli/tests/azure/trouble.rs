//! What can go wrong while an app is deployed to Azure: each is told with the next step, what was there before stays, and the same command converges.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::account::{Account, Project, SHOP, done, output, refused};
use nephos_conformance::azure_manager::{Failure, Interruption, Options, Subscription};

const SITE: &str = "Microsoft.Web/sites";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_deploy_is_told_what_to_do() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    let mut nobody = azure
        .command(
            &project,
            &["deploy", "--target", "azure", "--yes", "--binary", "/bin/true"],
        )
        .await;
    // Neither an identity nor Azure's own command.
    nobody.env_remove("IDENTITY_ENDPOINT").env("PATH", "/nonexistent");
    refused(&output(nobody).await, &["az login"]);

    azure.manager.use_tenant("00000000-0000-4000-8000-00000000beef");
    refused(
        &azure.deploy(&project, &["--yes"]).await,
        &["another tenant", "az login --tenant"],
    );
    let azure = Account::start().await;
    azure.manager.deny("Microsoft.Resources/deploymentStacks/*", "");
    refused(
        &azure.deploy(&project, &["--yes"]).await,
        &["have a role given", "AuthorizationFailed"],
    );
    azure.manager.allow_all();
    azure.deployed(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_chosen_only_where_there_is_no_other() {
    let mut options = Options::default();
    options.subscriptions.push(Subscription {
        id: "1c2f6471-1bf0-4dda-aec3-cb9272f09590".to_owned(),
        name: "Other".to_owned(),
        state: "Enabled".to_owned(),
    });
    let (azure, project) = (Account::with(options).await, Project::new(SHOP));
    refused(
        &azure.deploy(&project, &["--yes"]).await,
        &["several subscriptions", "(Other)", "AZURE_SUBSCRIPTION_ID"],
    );
    let mut named = azure.command(&project, &["status", "--target", "azure"]).await;
    named.env(
        "AZURE_SUBSCRIPTION_ID",
        &azure.manager.options().subscriptions[0].id,
    );
    assert!(done(&output(named).await).contains("is not deployed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_cannot_give_is_refused_with_another_way() {
    let (azure, project) = (
        Account::start().await,
        Project::new(&SHOP.replace("westeurope", "francecentral")),
    );
    refused(
        &azure.deploy(&project, &["--yes"]).await,
        &["no Flex Consumption", "westeurope"],
    );
    assert!(azure.manager.groups().is_empty());

    project.write(SHOP);
    let quota = Failure::new(
        409,
        "SubscriptionIsOverQuotaForSku",
        "This region has quota of 0 instances.",
    );
    azure.manager.fail("Microsoft.Web/serverfarms", quota);
    let failed = azure.deploy(&project, &["--yes"]).await;
    refused(
        &failed,
        &[
            "quota",
            "Usage + quotas",
            "quota of 0 instances",
            "Microsoft.Web/serverfarms",
            "goes on from there",
        ],
    );
    azure.manager.let_succeed();
    azure.deployed(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_leaves_the_app_as_it_was() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;
    let before: Vec<String> = azure.manager.resources("shop").into_keys().collect();

    project.write(
        &SHOP
            .replace("[queue.jobs]\n", "[queue.jobs]\n[queue.more]\n")
            .replace("10 s", "20 s"),
    );
    project.code(2);
    let mood = Failure::new(400, "BadRequest", "The storage service is in a bad mood.");
    azure.manager.fail("/queues/more", mood);
    let failed = azure.deploy(&project, &["--yes"]).await;
    refused(
        &failed,
        &["a bad mood", "queues shop", "the stack is again as it was"],
    );
    let after: Vec<String> = azure.manager.resources("shop").into_keys().collect();
    assert_eq!(before, after);
    for site in azure.names("shop", SITE) {
        assert_eq!(
            azure.manager.published(&site).len(),
            1,
            "{site} got code that its surroundings are not made for"
        );
    }
    assert_eq!(azure.status(&project).await["health"], "works");

    azure.manager.let_succeed();
    let deployed = azure.deployed(&project).await;
    assert!(deployed.contains("queue more"), "{deployed}");

    azure.manager.cancel_at(SITE);
    project.write(SHOP);
    refused(&azure.deploy(&project, &["--yes"]).await, &["cancel"]);
    azure.manager.let_succeed();
    azure.deployed(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_left_alone() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;
    azure.manager.touch_stack(&azure.stack()).unwrap();
    azure.deployed(&project).await;

    // The same stack, of another app.
    let other = Project::new(&SHOP.replace("app = \"shop\"", "app = \"other\"").replace(
        "[target.azure]\n",
        "[target.azure]\nresource_group = \"shop\"\nstack = \"shop-azure\"\n",
    ));
    refused(
        &azure.deploy(&other, &["--yes"]).await,
        &["not the app's", "`stack`"],
    );

    let azure = Account::start().await;
    let storage = azure.command(&project, &["status"]).await;
    let endpoints = storage
        .get_envs()
        .find(|(name, _)| *name == "NEPHOS_AZURE_ENDPOINTS")
        .unwrap()
        .1
        .unwrap();
    let endpoints: serde_json::Value = serde_json::from_str(endpoints.to_str().unwrap()).unwrap();
    let name = endpoints.as_object().unwrap().keys().next().unwrap();
    let name = name.trim_start_matches("https://").split('.').next().unwrap();
    azure.manager.take_name("Microsoft.Storage/storageAccounts", name);
    refused(
        &azure.deploy(&project, &["--yes"]).await,
        &["taken by somebody else", "another name"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_away_or_cut_off_is_asked_again() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure
        .manager
        .interrupt("GET /subscriptions", 1, Interruption::Throttled(1));
    azure
        .manager
        .interrupt("PUT /deploymentStacks/", 1, Interruption::Status(503));
    azure.deployed(&project).await;
    let site = azure.names("shop", SITE).remove(0);
    azure.manager.keep_scm_away(&site, 1);
    project.code(2);
    azure.deployed(&project).await;
    azure.manager.fail_publish(&site, "the package is too odd");
    project.code(3);
    let failed = azure.deploy(&project, &["--yes"]).await;
    refused(&failed, &["the package is too odd", "runs the one that it had"]);
    assert!(azure.deployed(&project).await.contains("1 to update"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_killed_is_gone_on_with() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.manager.pause(SITE);
    let mut killed = azure
        .command(&project, &["deploy", "--target", "azure", "--yes", "--binary"])
        .await;
    killed
        .arg(project.binary())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut killed = killed.spawn().unwrap();
    azure.manager.paused(SITE).await.unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let status = azure.status(&project).await;
    assert_eq!(status["health"], "changing", "{status:#}");
    azure.manager.resume(SITE);
    let deployed = azure.deployed(&project).await;
    assert!(deployed.contains("deployed in"), "{deployed}");
    assert_eq!(azure.names("shop", SITE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_someone_else_overtook_is_not_carried_out() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;
    project.write(&SHOP.replace("[queue.jobs]\n", "[queue.jobs]\n[queue.more]\n"));
    let throttled = async |part: &str| {
        let seen = || {
            let requests = azure.manager.requests();
            requests
                .iter()
                .any(|one| one.status == 429 && one.path.contains(part))
        };
        let until = Instant::now() + Duration::from_secs(60);
        while !seen() {
            assert!(Instant::now() < until, "nobody asked for {part}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // The plan is held up, and then what carries it out.
    azure.manager.interrupt("whatIf", 1, Interruption::Throttled(2));
    let mut late = azure
        .command(&project, &["deploy", "--target", "azure", "--yes", "--binary"])
        .await;
    late.arg(project.binary());
    let late = tokio::spawn(output(late));
    throttled("whatIf").await;
    azure
        .manager
        .interrupt("GET /subscriptions?", 1, Interruption::Throttled(2));
    throttled("/subscriptions?").await;
    azure.manager.touch_stack(&azure.stack()).unwrap();
    refused(
        &late.await.unwrap(),
        &["changed since the plan was made", "deploy again"],
    );
    azure.deployed(&project).await;
}
