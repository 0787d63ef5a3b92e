//! Schedules: one of EventBridge Scheduler's for each, and a role of its own that calls the function.

mod expression;

use std::time::Duration;

use nephos_core::app::FunctionSpec;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::json;

use super::body::{Body, Resource};
use super::function::{alias_id, bound, trust};
use super::layout::Layout;
use super::name;
use super::policy::Grants;
use super::value::{attribute, reference, sub};

/// Adds a schedule, and the function's role for it if it is the first.
pub(super) fn add(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    text: &str,
    every: Option<Duration>,
    timezone: &str,
) -> Result<()> {
    let expression = match every {
        Some(interval) => expression::rate(interval),
        None => expression::cron(text),
    }
    .map_err(|reason| {
        Error::new(ErrorKind::Unsupported, "deploy.render", reason)
            .with("function", function)
            .with("schedule", text)
    })?;
    let role = name::id("Clock", function);
    if !body.has(&role) {
        let alias = format!("${{{}}}", alias_id(function));
        let mut grants = Grants::default();
        grants.allow(&["lambda:InvokeFunction"], alias);
        grants.allow(&["sqs:SendMessage"], layout.arn(&spec.dead_letter)?);
        let own = json!({"StringEquals": {"aws:SourceAccount": reference("AWS::AccountId")}});
        let mut properties = json!({
            "AssumeRolePolicyDocument": trust("scheduler.amazonaws.com", Some(own)),
            "Policies": [{"PolicyName": "nephos", "PolicyDocument": grants.document()}],
        });
        bound(layout, &mut properties);
        body.add(
            &role,
            Resource::new("AWS::IAM::Role", "schedule_role", function, properties),
        )?;
    }
    // The name in angle brackets is filled in at each tick:
    // https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    let input = json!({"nephos": {"schedule": text}, "due_at": "<aws.scheduler.scheduled-time>"});
    let mut properties = json!({
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": reference(&alias_id(function)),
            "RoleArn": attribute(&role, "Arn"),
            "Input": input.to_string(),
            "DeadLetterConfig": {"Arn": sub(layout.arn(&spec.dead_letter)?)},
        },
    });
    if let (None, serde_json::Value::Object(properties)) = (every, &mut properties) {
        properties.insert("ScheduleExpressionTimezone".to_owned(), timezone.into());
    }
    body.add(
        &name::trigger_id("Schedule", function, &[text, timezone]),
        Resource::new("AWS::Scheduler::Schedule", "schedule", function, properties),
    )
}
