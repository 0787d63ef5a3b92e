//! The life of an app on Azure: from its plan to its end.

use std::io::{BufRead as _, BufReader, Cursor, Read as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nephos_conformance::azure_functions::{Host, Options, Services, Settings};
use nephos_conformance::azure_manager::Line;

use crate::account::{Account, Project, SHOP, done, refused};
use crate::examples::example;

const SITE: &str = "Microsoft.Web/sites";

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_deployed_changed_brought_back_and_removed() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));

    let plan = done(&azure.deploy(&project, &["--plan"]).await);
    assert!(
        plan.contains("+ function hello") && plan.contains(SITE) && plan.contains("package"),
        "{plan}"
    );
    assert!(azure.manager.groups().is_empty(), "a plan alone makes something");
    assert!(done(&azure.run(&project, &["status"]).await).contains("is not deployed"));

    let deployed = azure.deployed(&project).await;
    assert!(
        deployed.contains("deployed in") && deployed.contains(".azurewebsites.net"),
        "{deployed}"
    );
    let sites = azure.names("shop", SITE);
    assert_eq!(sites.len(), 1, "{sites:?}");
    for site in &sites {
        assert_eq!(azure.manager.published(site).len(), 1, "{site}");
    }
    // The package holds the very program, as Lambda's zip does.
    let program = std::fs::read(project.binary()).unwrap();
    let package = azure.manager.published(&sites[0]).remove(0).bytes;
    assert!(
        unpacked(&package, "handler") == program,
        "the package holds another program"
    );
    let lambda = nephos_aws::deploy::artifact::zip(&program).unwrap();
    assert!(
        unpacked(&lambda.bytes, "bootstrap") == program,
        "Lambda's zip holds another program"
    );
    // The stack keeps others from deleting what it manages.
    let stack = azure.manager.stack(&azure.stack()).unwrap();
    assert_eq!(
        stack["properties"]["denySettings"]["mode"], "denyDelete",
        "{stack:#}"
    );

    let puts = azure.requests("PUT", "/deploymentStacks/");
    let again = azure.deployed(&project).await;
    assert!(again.contains("no changes"), "{again}");
    project.code(2);
    let changed = azure.deployed(&project).await;
    assert!(
        changed.contains("1 to update") && changed.contains("version 2"),
        "{changed}"
    );
    assert_eq!(
        azure.requests("PUT", "/deploymentStacks/"),
        puts,
        "new code alone touches no stack"
    );
    for site in &sites {
        assert_eq!(azure.manager.published(site).len(), 2, "{site}");
    }

    let back = done(&azure.run(&project, &["rollback", "--yes"]).await);
    assert!(back.contains("version 1 instead of 2"), "{back}");
    for site in &sites {
        let published = azure.manager.published(site);
        assert_eq!(published[2].sha256, published[0].sha256, "{site}");
    }
    let no_further = azure.run(&project, &["rollback", "hello", "--yes"]).await;
    refused(&no_further, &["no version before", "function=hello"]);
    let forward = azure.deployed(&project).await;
    assert!(forward.contains("version 2"), "{forward}");

    let status = azure.status(&project).await;
    assert_eq!(status["health"], "works", "{status:#}");
    let hello = &status["functions"]["hello"];
    assert_eq!(hello["version"], "2", "{status:#}");
    let url = hello["url"].as_str().unwrap();
    assert!(url.ends_with(".azurewebsites.net"), "{status:#}");

    let removed = done(&azure.run(&project, &["destroy", "--delete-data", "--yes"]).await);
    assert!(removed.contains("removed"), "{removed}");
    assert!(
        azure.manager.resources("shop").is_empty(),
        "{:?}",
        azure.manager.resources("shop").keys()
    );
    assert!(
        azure.manager.groups().is_empty(),
        "the group that deployment made is left"
    );
    assert!(done(&azure.run(&project, &["status"]).await).contains("is not deployed"));
    let again = done(&azure.run(&project, &["destroy", "--yes"]).await);
    assert!(again.contains("nothing to remove"), "{again}");
    // The vault was purged: its name is free at once.
    azure.deployed(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_data_outlives_the_app_and_what_leaves_the_manifest() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;

    let without = (SHOP.replace("[table.orders]\nkey = \"id\"\n", ""))
        .replace("orders = [\"read\", \"write\"], ", "")
        .replace("[queue.jobs]\n", "")
        .replace("jobs = [\"send\"], ", "");
    project.write(&without);
    let changed = azure.deployed(&project).await;
    assert!(changed.contains("its data is kept"), "{changed}");
    let tables = azure.names(
        "shop",
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
    );
    assert_eq!(tables.len(), 1, "{tables:?}");
    assert_eq!(
        azure.names("shop", SITE).len(),
        1,
        "the site of the queue is gone"
    );

    // It comes back with what was kept.
    project.write(SHOP);
    let back = azure.deployed(&project).await;
    assert!(back.contains("taken again"), "{back}");

    let removed = done(&azure.run(&project, &["destroy", "--yes"]).await);
    assert!(
        removed.contains("kept queue jobs") && removed.contains("kept table orders"),
        "{removed}"
    );
    assert!(azure.names("shop", SITE).is_empty());
    assert_eq!(azure.names("shop", "Microsoft.Storage/storageAccounts").len(), 1);
    let again = azure.deployed(&project).await;
    assert!(again.contains("taken again"), "{again}");
    assert_eq!(azure.names("shop", SITE).len(), 1);

    // What was kept can go later, too.
    done(&azure.run(&project, &["destroy", "--yes"]).await);
    assert_eq!(azure.names("shop", "Microsoft.KeyVault/vaults").len(), 1);
    done(&azure.run(&project, &["destroy", "--delete-data", "--yes"]).await);
    assert!(
        azure.manager.groups().is_empty(),
        "{:?}",
        azure.manager.resources("shop").keys()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_all_sites_are_read_and_each_once() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;
    let sites = azure.names("shop", SITE);
    for (number, site) in sites.iter().enumerate() {
        azure.manager.log(Line {
            role: site.clone(),
            at: chrono::Utc::now(),
            text: format!("line {number}\nof two"),
            severity: 1,
            exception: None,
        });
    }
    let logs = done(&azure.run(&project, &["logs", "--since", "1h"]).await);
    for number in 0..sites.len() {
        assert_eq!(logs.matches(&format!("line {number}")).count(), 1, "{logs}");
    }
    assert_eq!(logs.matches("of two").count(), sites.len(), "{logs}");
    azure.manager.deny_logs();
    let denied = azure.run(&project, &["logs"]).await;
    refused(&denied, &["InsufficientAccessError"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_come_are_followed_and_a_function_of_requests_is_called_by_one() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    azure.deployed(&project).await;
    let site = azure.names("shop", SITE).remove(0);
    let line = |text: &str| {
        azure.manager.log(Line {
            role: site.clone(),
            at: chrono::Utc::now(),
            text: text.to_owned(),
            severity: 1,
            exception: None,
        });
    };
    line("before");
    let mut follow = azure
        .command(&project, &["logs", "--follow", "--target", "azure"])
        .await;
    let mut following = follow
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let next = async |lines: &mut std::io::Lines<BufReader<std::process::ChildStdout>>| {
        tokio::task::block_in_place(|| lines.next().unwrap().unwrap())
    };
    assert!(next(&mut lines).await.contains("before"));
    line("after");
    assert!(next(&mut lines).await.contains("after"));
    following.kill().unwrap();
    following.wait().unwrap();

    let invoked = azure.run(&project, &["invoke", "hello", "{}"]).await;
    refused(&invoked, &["called by one", "nephos status"]);
    let nobody = azure.run(&project, &["invoke", "nobody", "{}"]).await;
    assert!(!nobody.status.success());
}

/// The digest of a package's program.
pub(crate) fn program_of(package: &[u8]) -> String {
    nephos_core::deploy::archive::sha256(&unpacked(package, "handler"))
}

/// A file of a zip.
fn unpacked(zip: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_no_request_calls_is_called_by_hand_with_the_hosts_key() {
    let azure = Account::start().await;
    let manifest = std::fs::read_to_string(example("face-gate").join("nephos.toml")).unwrap();
    let project = Project::of("face-gate", &manifest);
    azure.deployed(&project).await;
    let sites = azure.names("face-gate", SITE);
    let site = sites.iter().find(|site| site.contains("recognise")).unwrap();

    // The site as it runs: its package under the host stand-in, with the key that Azure tells of it.
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("package.zip");
    std::fs::write(&zip, &azure.manager.published(site)[0].bytes).unwrap();
    let account = azure.azurite.account();
    let settings = [
        ("AzureWebJobsStorage", account.connection_string()),
        ("FUNCTIONS_WORKER_RUNTIME", "custom".to_owned()),
        ("NEPHOS_APP", "face-gate".to_owned()),
        ("NEPHOS_TARGET", "azure".to_owned()),
        ("NEPHOS_FUNCTION", "recognise".to_owned()),
        ("NEPHOS_AZURE_STORAGE_KEY", account.key.clone()),
    ];
    let services = Services {
        storage: Some(account.clone()),
        ..Services::default()
    };
    let mut options = Options::new(Settings::new(settings), services);
    options.keys.master = azure.manager.master_key(site);
    options.site.clone_from(site);
    let host = Host::start(&zip, options).await.unwrap();
    azure.edge.route("*.azurewebsites.net", &host.url());

    let invoked = azure
        .run(&project, &["--json", "invoke", "recognise", "not an event"])
        .await;
    let invoked: serde_json::Value = serde_json::from_str(&done(&invoked)).unwrap();
    assert_eq!(
        (&invoked["result"], &invoked["version"]),
        (&"ok".into(), &"1".into()),
        "{invoked:#}"
    );
    let told = invoked["log"][0].as_str().unwrap();
    assert!(told.contains("has begun to call it"), "{told}");
    // It is called, and fails on what is no event of storage.
    let until = Instant::now() + Duration::from_secs(30);
    while !host
        .log()
        .iter()
        .any(|line| line.contains("bucket-snapshots") && line.contains("failed"))
    {
        assert!(Instant::now() < until, "{:#?}", host.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What is no site of functions refuses it.
    azure.edge.route("*.azurewebsites.net", &azure.manager.url());
    let refusal = azure.run(&project, &["invoke", "recognise", "again"]).await;
    assert_eq!(
        refusal.status.code(),
        Some(1),
        "{}",
        crate::account::text(&refusal.stderr)
    );
}
