//! Decides who may sign up.

use nephos::prelude::*;

/// Runs before an account is created.
#[nephos::function]
async fn gatekeeper(step: AuthEvent) -> Result<AuthDecision> {
    let ours = step.email.as_deref().is_some_and(|email| email.ends_with("@example.net"));
    Ok(if ours { AuthDecision::allow().confirmed() } else { AuthDecision::deny("only people of example.net may sign up") })
}

nephos::main!(gatekeeper);
