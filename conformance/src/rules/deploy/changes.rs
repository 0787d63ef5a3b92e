//! Rules of what a deployment changes: all that it is to, and nothing besides.

use std::sync::Arc;

use nephos_core::deploy::Progress;
use nephos_core::plan::{Data, Plan};

use super::ground::{
    HELLO, THINGS, WORK, function, names, on_ground, removes, shelf, shop, small, things, with_mode,
    without_things,
};
use crate::account::Inventory;
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "deploy.apply.twice-is-noop",
        "a pipeline deploys at each push, and must change nothing where nothing changed",
        "DESIGN, the deploy port; Pulumi, up",
        BuildsDiffer,
        twice
    ),
    rule!(
        "deploy.apply.overtaken-is-refused",
        "who agreed to a plan agreed to what was there then, not to undoing what another deployed since",
        "DESIGN, the deploy port; Terraform, stale plans",
        StalePlanTaken,
        overtaken
    ),
    rule!(
        "deploy.manifest.what-leaves-goes",
        "a function that nobody wants any more must not go on to take messages, and what stays must not notice",
        "DESIGN, the deploy port; Kubernetes, apply --prune",
        LeftoversStay,
        what_leaves
    ),
    rule!(
        "deploy.manifest.data-that-leaves-is-told",
        "nobody may lose a table by taking three lines from a file without having been told",
        "DESIGN, the deploy port; CloudFormation, DeletionPolicy",
        DataUntold,
        data_that_leaves
    ),
    rule!(
        "deploy.rollback.restores",
        "the way back from a bad release must be one command, to the very code before it",
        "DESIGN, the deploy port; AWS Lambda aliases; Cloud Run, rollbacks",
        RollbackIgnored,
        restores
    ),
    rule!(
        "deploy.rollback.first-has-no-way-back",
        "who asks for what never was must be told, not be said to have it",
        "DESIGN, the deploy port",
        MissingWorks,
        no_way_back
    ),
];

async fn twice(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            let first = ground.deploy(&app, 1).await?;
            let before = ground.inventory(&app).await?;
            let second = ground.deploy(&app, 1).await?;
            ensure_eq!(
                ground.inventory(&app).await?,
                before,
                "what there is after the same was deployed again"
            );
            ensure_eq!(
                second.functions,
                first.functions,
                "what the second deployment says of the functions"
            );
            Ok(())
        })
    })
    .await
}

async fn overtaken(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            let late = ground.deployer(&with_mode(&app, "late"), 1).await?;
            let plan = late.preview(&Progress::silent()).await?;
            let other = with_mode(&app, "other");
            ground.deploy(&other, 1).await?;
            let before = ground.inventory(&app).await?;
            ensure_fails!(
                late.apply(plan, &Progress::silent()).await,
                Conflict,
                "carrying out a plan that another deployment overtook"
            );
            ensure_eq!(
                ground.inventory(&app).await?,
                before,
                "what there is after the plan was refused"
            );
            ground
                .is_deployed(&other, 1, "after a plan that was overtaken")
                .await
        })
    })
    .await
}

async fn what_leaves(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            let mut less = app.clone();
            less.functions.remove(WORK);
            ground.deploy(&less, 1).await?;
            let before = ground.inventory(&app).await?;
            ground.deploy(&app, 1).await?;
            let (more, hello) = (ground.inventory(&app).await?, ground.function(&app, HELLO).await?);
            ensure!(
                names(&before).is_subset(&names(&more)) && more.len() > before.len(),
                "a function that came took something away, or is not there: before {:?}, after {:?}",
                names(&before),
                names(&more)
            );
            let plan = ground.plan(&less, 1).await?;
            ensure!(
                plan.steps.iter().any(|step| removes(step, &function(WORK))),
                "a function left the manifest, and the plan does not remove it: {plan}"
            );
            ensure_eq!(
                plan.losses().count(),
                0,
                "how many steps lose data when a function leaves: {plan}"
            );
            ground.deploy(&less, 1).await?;
            let after = ground.inventory(&app).await?;
            ensure!(
                names(&before).is_subset(&names(&after)),
                "a function that left took along what is not its own: before {:?}, after {:?}",
                names(&before),
                names(&after)
            );
            let unsaid = names(&after).into_iter().find(|name| !before.contains_key(*name) && !is_kept(&plan, name));
            ensure_eq!(
                unsaid,
                None,
                "what of the function is still there, though the plan did not say that it is kept with its data"
            );
            ensure_eq!(
                ground.function(&less, HELLO).await?,
                hello,
                "the other function after one left"
            );
            ground.is_deployed(&less, 1, "after a function left").await
        })
    })
    .await
}

/// Whether a plan says of what has this name that it stays, with its data.
fn is_kept(plan: &Plan, name: &str) -> bool {
    let last = |id: &str| id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    plan.steps
        .iter()
        .any(|step| step.data == Data::Kept && last(&step.id) == last(name))
}

async fn data_that_leaves(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shelf());
            ground.deploy(&app, 1).await?;
            let before = ground.inventory(&app).await?;
            let less = without_things(&app);
            let plan = ground.plan(&less, 1).await?;
            let mut told = plan.steps.iter().filter(|step| removes(step, &things()));
            let Some(told) = told.next() else {
                return Err(Violation::new(format!(
                    "a table left the manifest, and the plan does not say so: {plan}"
                )));
            };
            ensure!(
                told.data != Data::Untouched,
                "a table leaves, and the plan does not say what becomes of its data: {plan}"
            );
            ground.deploy(&less, 1).await?;
            let after = ground.inventory(&app).await?;
            let kept = if told.data == Data::Kept {
                tables(&before)
            } else {
                Vec::new()
            };
            ensure_eq!(
                tables(&after),
                kept,
                "the tables after one left, of which the plan said {:?}",
                told.data
            );
            // It comes back, and is no second one.
            ground.deploy(&app, 1).await?;
            ground.is_deployed(&app, 1, "after the table came back").await?;
            let again = ground.inventory(&app).await?;
            ensure_eq!(tables(&again), tables(&before), "the tables after it came back");
            Ok(())
        })
    })
    .await
}

/// What there is of the table.
fn tables(inventory: &Inventory) -> Vec<&str> {
    names(inventory)
        .into_iter()
        .filter(|name| name.contains(THINGS))
        .collect()
}

async fn restores(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            let first = ground.codes(&app).await?;
            ground.deploy(&app, 2).await?;
            let second = ground.codes(&app).await?;
            for (name, code) in &first {
                ensure!(
                    second.get(name) != Some(code),
                    "{name} has the same code after other code was deployed"
                );
            }
            let deployer = ground.deployer(&app, 2).await?;
            let moved = deployer.rollback(&[], &Progress::silent()).await?;
            let told: Vec<&str> = moved.iter().map(|moved| moved.function.as_str()).collect();
            ensure_eq!(told, [HELLO], "the functions that are said to be brought back");
            ensure_eq!(ground.codes(&app).await?, first, "the code after the way back");
            let status = ground.status(&app).await?;
            for moved in &moved {
                let version = (status.functions.get(&moved.function)).and_then(|now| now.version.clone());
                ensure_eq!(
                    version.as_ref(),
                    Some(&moved.to),
                    "the version of {} that takes events",
                    moved.function
                );
            }
            // The next deployment goes forward again.
            let plan = ground.plan(&app, 2).await?;
            ensure!(
                !plan.is_empty(),
                "the functions run older code, and the plan changes nothing"
            );
            ground.deploy(&app, 2).await?;
            ensure_eq!(
                ground.codes(&app).await?,
                second,
                "the code after it was deployed again"
            );
            ground.is_deployed(&app, 2, "after the way back and forth").await
        })
    })
    .await
}

async fn no_way_back(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            let before = ground.status(&app).await?;
            let deployer = ground.deployer(&app, 1).await?;
            for name in [HELLO, "nobody"] {
                ensure_fails!(
                    deployer.rollback(&[name.to_owned()], &Progress::silent()).await,
                    NotFound,
                    "going back to a version of {name} that never was"
                );
            }
            ensure_eq!(ground.status(&app).await?, before, "how the app stands after it");
            Ok(())
        })
    })
    .await
}
