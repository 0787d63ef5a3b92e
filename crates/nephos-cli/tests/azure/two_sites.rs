//! A function that requests and other triggers call has two sites: they are deployed, brought back and removed as one.

use crate::account::{Account, Project, done, refused};
use crate::examples::example;
use crate::life::program_of;

const SITE: &str = "Microsoft.Web/sites";

/// The example `every-trigger`, whose function that takes whatever calls it is called by both.
fn project() -> Project {
    let manifest = std::fs::read_to_string(example("every-trigger").join("nephos.toml")).unwrap();
    let on = "[queue.jobs]\n[function.raw]\non = [{ http = \"POST /raw\" }, { queue = \"jobs\" }]\n";
    let changed = manifest.replace("[function.raw]\n", on);
    assert_ne!(changed, manifest);
    // The subscription is the one that there is.
    let lines = changed.lines().filter(|line| !line.starts_with("subscription"));
    Project::of("every-trigger", &lines.collect::<Vec<_>>().join("\n"))
}

/// The sites of that function.
fn sites(azure: &Account) -> Vec<String> {
    let mut all = azure.names("every-trigger", SITE);
    all.retain(|site| site.contains("raw"));
    assert_eq!(all.len(), 2, "{all:?}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_two_sites_is_deployed_brought_back_and_removed_as_one() {
    let (azure, project) = (Account::start().await, project());
    azure.deployed(&project).await;
    let sites = sites(&azure);
    project.code(2);
    let changed = azure.deployed(&project).await;
    assert!(changed.contains("version 2"), "{changed}");
    assert_eq!(versions(&azure, &sites), [2, 2]);
    let programs: Vec<String> = sites
        .iter()
        .map(|site| program_of(&azure.manager.published(site)[1].bytes))
        .collect();
    assert_eq!(programs[0], programs[1], "the sites run different programs");

    let status = azure.status(&project).await;
    assert_eq!(status["functions"]["raw"]["version"], "2", "{status:#}");

    let back = done(&azure.run(&project, &["rollback", "raw", "--yes"]).await);
    assert!(back.contains("version 1 instead of 2"), "{back}");
    for site in &sites {
        let published = azure.manager.published(site);
        assert_eq!(published[2].sha256, published[0].sha256, "{site}");
    }
    done(&azure.run(&project, &["destroy", "--yes"]).await);
    assert!(azure.names("every-trigger", SITE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_of_two_sites_refuses_is_told_and_made_good_by_the_next_run() {
    let (azure, project) = (Account::start().await, project());
    azure.deployed(&project).await;
    let sites = sites(&azure);
    for (number, refusing) in sites.iter().enumerate() {
        azure.manager.fail_publish(refusing, "the package is too odd");
        project.code(2 + u8::try_from(number).unwrap());
        let failed = azure.deploy(&project, &["--yes"]).await;
        refused(&failed, &["the package is too odd"]);
        let again = azure.deployed(&project).await;
        assert!(again.contains("to update"), "{again}");
        let last: Vec<String> = (sites.iter())
            .map(|site| azure.manager.published(site).last().unwrap().bytes.clone())
            .map(|bytes| program_of(&bytes))
            .collect();
        assert_eq!(last[0], last[1], "the sites run different programs");
    }
    assert_eq!(azure.status(&project).await["health"], "works");
}

fn versions(azure: &Account, sites: &[String]) -> Vec<usize> {
    sites
        .iter()
        .map(|site| azure.manager.published(site).len())
        .collect()
}
