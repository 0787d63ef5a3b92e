//! Rules of the end of an app: all of it goes, but for data that is to stay, and for what is another's.

use std::sync::Arc;

use nephos_core::ErrorKind;
use nephos_core::deploy::{Confirmed, Destroyed, Health, Keep, Progress};

use super::ground::{names, on_ground, shop, small, things};
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "deploy.destroy.leaves-nothing",
        "what is left costs money, and takes the names of what comes next",
        "DESIGN, the deploy port; Terraform, destroy",
        DestroyKeeps,
        leaves_nothing
    ),
    rule!(
        "deploy.destroy.keeps-data",
        "who removes an app does not say that its data is to go",
        "DESIGN, the deploy port; CloudFormation, DeletionPolicy",
        DestroyKeepsNothing,
        keeps_data
    ),
    rule!(
        "deploy.destroy.nothing-there-is-no-error",
        "a clean-up that ran already, or had nothing to do, must not fail the pipeline",
        "DESIGN, the deploy port",
        DeleteMissingFails,
        nothing_there
    ),
    rule!(
        "deploy.destroy.others-stay",
        "two apps in one account must not know of each other",
        "DESIGN, the deploy port, marks",
        DestroyTakesOthers,
        others_stay
    ),
    rule!(
        "deploy.name.foreign-is-left-alone",
        "what has the right name and is not ours must neither be changed nor removed",
        "DESIGN, the deploy port, marks",
        MarkIgnored,
        foreign
    ),
];

async fn leaves_nothing(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            ground.deploy(&app, 1).await?;
            ground.deploy(&app, 2).await?;
            let there = ground.inventory(&app).await?;
            ensure!(!there.is_empty(), "nothing is seen of a deployed app");
            let done = ground.destroy(&app, Keep::Nothing).await?;
            let left = ground.inventory(&app).await?;
            ensure!(left.is_empty(), "what is left of the app: {:?}", names(&left));
            ensure!(done.removed > 0, "an app was removed, and nothing is said to be");
            ensure_eq!(
                done.kept,
                [],
                "what is said to be kept although nothing was to be"
            );
            ensure_eq!(
                ground.status(&app).await?.health,
                Health::Absent,
                "how an app stands that was removed"
            );
            let again = ground.destroy(&app, Keep::Nothing).await?;
            ensure_eq!(again, Destroyed::default(), "what a second removal found");
            Ok(())
        })
    })
    .await
}

async fn keeps_data(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            ground.deploy(&app, 1).await?;
            let before = ground.inventory(&app).await?;
            let done = ground.destroy(&app, Keep::Data).await?;
            ensure!(
                done.kept.iter().any(|kept| kept.part == things()),
                "the table is not among what is said to be kept: {:?}",
                done.kept
            );
            let kept = ground.inventory(&app).await?;
            ensure!(
                !kept.is_empty() && kept.len() < before.len() && names(&kept).is_subset(&names(&before)),
                "with data to be kept, there is {:?} of {:?}",
                names(&kept),
                names(&before)
            );
            ensure_eq!(
                ground.status(&app).await?.functions.len(),
                0,
                "how many functions outlive the app"
            );
            // The next deployment finds it again, and makes no second one.
            ground.deploy(&app, 1).await?;
            ground
                .is_deployed(&app, 1, "after the app came back to its data")
                .await?;
            let again = ground.inventory(&app).await?;
            ensure_eq!(
                again.len(),
                before.len(),
                "how many things there are of the app that came back"
            );
            ensure!(
                names(&kept).is_subset(&names(&again)),
                "what was kept, {:?}, is not what the app has now: {:?}",
                names(&kept),
                names(&again)
            );
            // What is kept can go later.
            ground.destroy(&app, Keep::Data).await?;
            ground.destroy(&app, Keep::Nothing).await?;
            let left = ground.inventory(&app).await?;
            ensure!(
                left.is_empty(),
                "what is left when the data is to go too: {:?}",
                names(&left)
            );
            Ok(())
        })
    })
    .await
}

async fn nothing_there(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            for keep in [Keep::Data, Keep::Nothing] {
                let done = ground.destroy(&app, keep).await?;
                ensure_eq!(
                    done,
                    Destroyed::default(),
                    "what was removed of an app that never was"
                );
            }
            let status = ground.status(&app).await?;
            ensure_eq!(status.health, Health::Absent, "how an app stands that never was");
            ensure!(
                status.functions.is_empty(),
                "the functions of an app that never was"
            );
            Ok(())
        })
    })
    .await
}

async fn others_stay(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let (app, other) = (ground.has(small()), ground.has(small()));
            ground.deploy(&other, 1).await?;
            ground.deploy(&app, 1).await?;
            let before = ground.inventory(&other).await?;
            ensure!(!before.is_empty(), "nothing is seen of a deployed app");
            ground.destroy(&app, Keep::Nothing).await?;
            ensure_eq!(
                ground.inventory(&other).await?,
                before,
                "the other app after one was removed"
            );
            ground
                .is_deployed(&other, 1, "after another app was removed")
                .await
        })
    })
    .await
}

async fn foreign(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            let before = ground.inventory(&app).await?;
            let namesake = ground.account.namesake(&app);
            let deployer = ground.deployer(&namesake, 2).await?;
            ensure_fails!(
                deployer.preview(&Progress::silent()).await,
                AlreadyExists,
                "planning an app whose names another has"
            );
            // Either nothing is found that could be removed, or it is refused.
            match deployer
                .destroy(Confirmed, Keep::Nothing, &Progress::silent())
                .await
            {
                Ok(done) => ensure_eq!(done.removed, 0, "how much was removed of what is another's"),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Violation::from(error)),
            }
            ensure_eq!(
                ground.inventory(&app).await?,
                before,
                "the app after another wanted its names"
            );
            ground
                .is_deployed(&app, 1, "after another wanted its names")
                .await
        })
    })
    .await
}
