//! Rules of what a plan says, and that it is no more than a plan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::deploy::Health;
use nephos_core::plan::{Action, Part};

use super::ground::{HELLO, WORK, function, on_ground, shop, slower, small, things};
use crate::account::Meddling;
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

fn finds_code(capabilities: &Capabilities) -> bool {
    capabilities.deploy.is_some_and(|deploy| deploy.drift_of_code)
}

fn finds_settings(capabilities: &Capabilities) -> bool {
    capabilities.deploy.is_some_and(|deploy| deploy.drift_of_settings)
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "deploy.plan.makes-nothing",
        "who looks at what would happen must not have it happen",
        "DESIGN, the deploy port; Terraform, plan",
        PlanDeploys,
        makes_nothing
    ),
    rule!(
        "deploy.plan.unchanged-is-empty",
        "a plan that always finds something is not read any more when it matters",
        "DESIGN, the deploy port; Terraform, plan",
        PlanMadeUp,
        unchanged
    ),
    rule!(
        "deploy.plan.names-what-changes",
        "what one function needs must change nothing of another",
        "DESIGN, the deploy port; CloudFormation, change sets",
        PlansNothing,
        names_what_changes
    ),
    rule!(
        "deploy.drift.code-is-found",
        "what runs must be what was built, whoever deployed something else by hand; where the provider's engine cannot tell, nothing may be made up",
        "DESIGN, the deploy port; Terraform, refresh",
        PlansNothing,
        code_found,
        needs finds_code,
        code_unnoticed
    ),
    rule!(
        "deploy.drift.settings-are-found",
        "a limit that somebody changed by hand must not be taken for the manifest's; where the provider's engine cannot tell, nothing may be made up",
        "DESIGN, the deploy port; CloudFormation, drift detection",
        PlansNothing,
        settings_found,
        needs finds_settings,
        settings_unnoticed
    ),
];

async fn makes_nothing(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            let plan = ground.plan(&app, 1).await?;
            let parts: BTreeSet<&Part> = plan.steps.iter().map(|step| &step.part).collect();
            for part in [function(HELLO), function(WORK), things()] {
                ensure!(
                    parts.contains(&part),
                    "{part} is not in the plan of the whole app: {plan}"
                );
            }
            ensure!(
                plan.steps.iter().all(|step| step.action == Action::Create),
                "of an app that is not deployed, something is to be changed: {plan}"
            );
            let there = ground.inventory(&app).await?;
            ensure!(there.is_empty(), "a plan that was given up leaves {there:?}");
            ensure_eq!(
                ground.status(&app).await?.health,
                Health::Absent,
                "how an app stands that was only planned"
            );
            Ok(())
        })
    })
    .await
}

async fn unchanged(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            ground.deploy(&app, 1).await?;
            ground.is_deployed(&app, 1, "after a deployment").await
        })
    })
    .await
}

async fn names_what_changes(harness: Subject) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(shop());
            ground.deploy(&app, 1).await?;
            let plan = ground
                .plan(&slower(&app, HELLO, Duration::from_secs(17)), 1)
                .await?;
            let parts: BTreeSet<&Part> = plan.steps.iter().map(|step| &step.part).collect();
            ensure!(
                parts.contains(&function(HELLO)),
                "a function's time-out is another, and the plan does not name it: {plan}"
            );
            ensure!(
                !parts.contains(&function(WORK)) && !parts.contains(&things()),
                "one function's time-out is another, and the plan changes what is not its: {plan}"
            );
            ensure_eq!(plan.losses().count(), 0, "how many steps lose data: {plan}");
            // Another binary is every function's.
            let plan = ground.plan(&app, 2).await?;
            for name in [HELLO, WORK] {
                ensure!(
                    plan.steps.iter().any(|step| step.part == function(name)),
                    "the binary is another, and the plan does not name {name}: {plan}"
                );
            }
            Ok(())
        })
    })
    .await
}

async fn code_found(harness: Subject) -> Verdict {
    found(harness, Meddling::Code).await
}

async fn settings_found(harness: Subject) -> Verdict {
    found(harness, Meddling::Settings).await
}

/// Deploys twice, so that there is code to go back to, has somebody meddle, and deploys again.
async fn found(harness: Subject, how: Meddling) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            ground.deploy(&app, 2).await?;
            let codes = ground.codes(&app).await?;
            ground.account.meddle(&app, how).await?;
            let plan = ground.plan(&app, 2).await?;
            ensure!(
                plan.steps.iter().any(|step| step.part == function(HELLO)),
                "somebody changed the function by hand, and the plan does not put it right: {plan}"
            );
            ground.deploy(&app, 2).await?;
            ground
                .is_deployed(&app, 2, "after what somebody changed was put right")
                .await?;
            ensure_eq!(
                ground.codes(&app).await?,
                codes,
                "the code after it was put right"
            );
            Ok(())
        })
    })
    .await
}

async fn code_unnoticed(harness: Subject) -> Verdict {
    unnoticed(harness, Meddling::Code).await
}

async fn settings_unnoticed(harness: Subject) -> Verdict {
    unnoticed(harness, Meddling::Settings).await
}

/// What the engine cannot know of it neither tells nor touches.
async fn unnoticed(harness: Subject, how: Meddling) -> Verdict {
    on_ground(&harness, |ground| {
        Box::pin(async move {
            let app = ground.has(small());
            ground.deploy(&app, 1).await?;
            ground.deploy(&app, 2).await?;
            let before = ground.inventory(&app).await?;
            ground.account.meddle(&app, how).await?;
            let meddled = ground.inventory(&app).await?;
            ensure!(
                meddled != before,
                "what somebody changed by hand is not seen from outside"
            );
            let plan = ground.plan(&app, 2).await?;
            ensure!(
                plan.is_empty(),
                "the engine does not declare that it finds this, and plans all the same: {plan}"
            );
            ground.deploy(&app, 2).await?;
            ensure_eq!(
                ground.inventory(&app).await?,
                meddled,
                "what there is after a deployment without changes"
            );
            Ok(())
        })
    })
    .await
}
