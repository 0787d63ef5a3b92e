//! Rules of deployments that do not end as they should.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::deploy::{Happening, Progress};
use nephos_core::event::Payload;
use tokio::sync::Notify;

use super::ground::{Ground, HELLO, on_ground, shop, slower, small};
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "deploy.apply.killed-at-once-converges",
        "a laptop that is closed at the first step must not need a person to clean up",
        "DESIGN, the deploy port",
        LockLeft,
        killed_at_once
    ),
    rule!(
        "deploy.apply.killed-halfway-converges",
        "a runner that is taken away in the middle must not leave an app that can be neither deployed nor removed",
        "DESIGN, the deploy port; Terraform, state locks",
        LockLeft,
        killed_halfway
    ),
    rule!(
        "deploy.apply.killed-is-removed",
        "what a deployment left that never ended must go with the app",
        "DESIGN, the deploy port",
        LockLeft,
        killed_and_removed
    ),
    rule!(
        "deploy.apply.failure-is-undone",
        "a release that the provider refuses must not take down the one that works",
        "DESIGN, the deploy port; CloudFormation, rollback",
        FailureDestroys,
        failure
    ),
    rule!(
        "deploy.function.unknown-is-told",
        "a misspelt function must be told from one that has nothing to say",
        "DESIGN, the deploy port",
        MissingWorks,
        unknown
    ),
];

/// Where an app is deployed and ends up, and how many steps there were of it.
#[derive(Debug, Clone, Copy)]
enum At {
    First,
    Half,
}

/// Begins to deploy, and is gone once so much of it has happened.
async fn kill(ground: &Ground, app: &nephos_core::app::App, at: At) -> Verdict {
    let deployer = ground.deployer(app, 1).await?;
    let plan = deployer.preview(&Progress::silent()).await?;
    let last = match at {
        At::First => 1,
        At::Half => plan.steps.len().div_ceil(2),
    };
    let (reached, count) = (Arc::new(Notify::new()), std::sync::atomic::AtomicUsize::new(0));
    let there = Arc::clone(&reached);
    let progress = Progress::new(move |happening| {
        let is_step = matches!(happening, Happening::Step { .. });
        if is_step && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == last {
            there.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = reached.notified() => Ok(()),
        done = deployer.apply(plan, &progress) => match done {
            Ok(_) => Err(Violation::new(format!("the deployment ended before {last} of its steps were told"))),
            Err(error) => Err(error.into()),
        },
    }
}

/// How many things an app of this form is, deployed in peace.
async fn in_peace(ground: &Ground) -> Result<usize, Violation> {
    let app = ground.has(shop());
    ground.deploy(&app, 1).await?;
    Ok(ground.inventory(&app).await?.len())
}

async fn converges(harness: Subject, at: At) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            let (killed, wanted) = tokio::join!(kill(ground, &app, at), in_peace(ground));
            killed?;
            ground.deploy(&app, 1).await?;
            ground
                .is_deployed(&app, 1, "after a deployment that was killed, and another")
                .await?;
            ensure_eq!(
                ground.inventory(&app).await?.len(),
                wanted?,
                "how many things there are of the app, as of one that was deployed in peace"
            );
            Ok(())
        })
    })
    .await
}

async fn killed_at_once(harness: Subject) -> Verdict {
    converges(harness, At::First).await
}

async fn killed_halfway(harness: Subject) -> Verdict {
    converges(harness, At::Half).await
}

async fn killed_and_removed(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            kill(ground, &app, At::Half).await?;
            ground.destroy(&app, nephos_core::deploy::Keep::Nothing).await?;
            let left = ground.inventory(&app).await?;
            ensure!(
                left.is_empty(),
                "what is left of an app whose deployment was killed: {:?}",
                left.keys()
            );
            Ok(())
        })
    })
    .await
}

async fn failure(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            let (before, codes) = (ground.inventory(&app).await?, ground.codes(&app).await?);
            let broken = ground
                .account
                .breaking(&slower(&app, HELLO, Duration::from_secs(17)))
                .await?;
            let deployer = ground.deployer(&broken, 2).await?;
            let plan = deployer.preview(&Progress::silent()).await?;
            ensure!(
                !plan.is_empty(),
                "there is something new, and the plan changes nothing"
            );
            let failed = deployer.apply(plan, &Progress::silent()).await;
            ensure!(
                failed.is_err(),
                "the provider refused a thing, and the deployment says that it went well"
            );
            let after = ground.inventory(&app).await?;
            ensure!(
                before.keys().all(|name| after.contains_key(name)),
                "a deployment that failed took away what was there: before {:?}, after {:?}",
                before.keys(),
                after.keys()
            );
            ensure_eq!(
                ground.codes(&app).await?,
                codes,
                "the code after a deployment that failed"
            );
            // Nothing of it is left to do either.
            ground.deploy(&app, 1).await?;
            ground
                .is_deployed(&app, 1, "after a deployment that failed, and the old one again")
                .await?;
            ensure_eq!(
                ground.inventory(&app).await?.len(),
                before.len(),
                "how many things there are after the old one was deployed again"
            );
            Ok(())
        })
    })
    .await
}

async fn unknown(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            let nothing = || Payload::json(&serde_json::json!({}));
            let deployer = ground.deployer(&app, 1).await?;
            ensure_fails!(
                deployer.invoke(HELLO, nothing()?).await,
                NotFound,
                "calling a function before anything is deployed"
            );
            ground.deploy(&app, 1).await?;
            ensure_fails!(
                deployer.invoke("nobody", nothing()?).await,
                NotFound,
                "calling a function that the app does not have"
            );
            let query = nephos_core::deploy::LogQuery {
                functions: vec!["nobody".to_owned()],
                since: Duration::from_secs(60),
                follow: nephos_core::deploy::Follow::No,
            };
            ensure_fails!(
                deployer.logs(&query, &mut |_| {}).await,
                NotFound,
                "reading the lines of a function that the app does not have"
            );
            Ok(())
        })
    })
    .await
}
