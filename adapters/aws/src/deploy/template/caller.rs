//! Callers that are not of the app's making: a user pool, a voice skill. They are allowed to call; what attaches them is the user's.

use nephos_core::app::{FunctionSpec, Trigger};
use nephos_core::event::AuthStage;
use nephos_core::{Error, ErrorKind, Result};

use super::body::Body;
use super::function::alias_id;
use super::layout::Layout;
use super::trigger::allow;
use super::value::{literal, reference, sub};
use super::{Output, name};

/// Adds the function's `auth` and `voice` triggers.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<()> {
    let mut stages: Vec<&str> = Vec::new();
    let mut called = false;
    for trigger in &spec.on {
        match trigger {
            Trigger::Auth { stage } => {
                if stages.is_empty() {
                    user_pool(layout, body, function)?;
                }
                stages.push(pool_trigger(stage));
                called = true;
            }
            Trigger::Voice { skill } => {
                voice(layout, body, function, skill)?;
                called = true;
            }
            _ => {}
        }
    }
    if !called {
        return Ok(());
    }
    let key = name::id("Endpoint", function);
    if !stages.is_empty() {
        body.note(format!(
            "function `{function}` is called once the user pool names it: set its Lambda triggers {} to the output {key}; CloudFormation cannot change a pool that another made",
            stages.join(", ")
        ));
    }
    let output = Output::Endpoint {
        function: function.to_owned(),
    };
    body.output(&key, reference(&alias_id(function)), output);
    Ok(())
}

fn user_pool(layout: &Layout<'_>, body: &mut Body, function: &str) -> Result<()> {
    let Some(pool) = &layout.settings.user_pool else {
        return Err(missing(
            layout,
            function,
            "user_pool",
            "an `auth` trigger needs to know its user pool; name its id or ARN in the target's settings",
        ));
    };
    let arn = match pool.split_once('_') {
        Some((region, _)) if !pool.starts_with("arn:") => {
            format!("arn:${{AWS::Partition}}:cognito-idp:{region}:${{AWS::AccountId}}:userpool/{pool}")
        }
        _ => literal(pool),
    };
    // https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-identity-pools-working-with-aws-lambda-triggers.html
    allow(
        body,
        function,
        &name::trigger_id("Allow", function, &["auth"]),
        "cognito-idp.amazonaws.com",
        &[("SourceArn", sub(arn))],
    )
}

/// The pool's name of a step: <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_LambdaConfigType.html>.
fn pool_trigger(stage: &AuthStage) -> &str {
    match stage {
        AuthStage::BeforeSignUp => "PreSignUp",
        AuthStage::AfterSignUp => "PostConfirmation",
        AuthStage::BeforeSignIn => "PreAuthentication",
        AuthStage::AfterSignIn => "PostAuthentication",
        AuthStage::BeforeToken => "PreTokenGeneration",
        other => other.name(),
    }
}

fn voice(layout: &Layout<'_>, body: &mut Body, function: &str, skill: &str) -> Result<()> {
    let Some(id) = layout.settings.skills.get(skill) else {
        return Err(missing(
            layout,
            function,
            "skills",
            "a `voice` trigger needs to know its skill's id; name it in the target's settings, skills = { name = \"amzn1.ask.skill.…\" }",
        )
        .with("skill", skill));
    };
    // https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-an-aws-lambda-function.html
    allow(
        body,
        function,
        &name::trigger_id("Allow", function, &["voice", skill]),
        "alexa-appkit.amazon.com",
        &[("EventSourceToken", id.as_str().into())],
    )?;
    body.note(format!(
        "function `{function}` answers the skill `{skill}` once the skill's endpoint is the output {}",
        name::id("Endpoint", function)
    ));
    Ok(())
}

fn missing(layout: &Layout<'_>, function: &str, key: &str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "deploy.render", message)
        .with("function", function)
        .with("key", format!("target.{}.{key}", layout.target))
}
