//! What a function's role allows: what its `uses` and triggers need, each on the very resource.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::resource::{Access, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::layout::{self, Layout, resource_id};
use super::value::sub;
use super::{mail, name};

/// All inline policies of a role together, without spaces: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const MAX_POLICY_BYTES: usize = 10_240;

/// Allowed actions, and on what.
#[derive(Debug, Default)]
pub(super) struct Grants(BTreeMap<&'static [&'static str], BTreeSet<String>>);

impl Grants {
    /// Allows `actions` on `resource`, a text for `Fn::Sub`.
    pub(super) fn allow(&mut self, actions: &'static [&'static str], resource: impl Into<String>) {
        self.0.entry(actions).or_default().insert(resource.into());
    }

    /// The policy document.
    pub(super) fn document(&self) -> Value {
        let statements: Vec<Value> = self
            .0
            .iter()
            .map(|(actions, resources)| {
                let resources: Vec<Value> = resources.iter().map(sub).collect();
                json!({"Effect": "Allow", "Action": actions, "Resource": resources})
            })
            .collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}

/// The actions of each access on the resource itself, and on what is in it; of buckets the objects.
/// Which action a call needs: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
const fn actions(kind: ResourceKind, access: Access) -> (&'static [&'static str], &'static [&'static str]) {
    match (kind, access) {
        // Without the right to list, S3 answers for an object that is not there as for one that may not be read:
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        (ResourceKind::Bucket, Access::Read) => (&["s3:ListBucket"], &["s3:GetObject"]),
        (ResourceKind::Bucket, Access::Write) => (&[], &["s3:AbortMultipartUpload", "s3:PutObject"]),
        (ResourceKind::Bucket, Access::Delete) => (&[], &["s3:DeleteObject"]),
        (ResourceKind::Queue, Access::Send) => (&["sqs:SendMessage"], &[]),
        (ResourceKind::Queue, Access::Receive) => (
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            &[],
        ),
        (ResourceKind::Topic, Access::Publish) => (&["sns:Publish"], &[]),
        (ResourceKind::Stream, Access::Read) => (
            &[
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            &[],
        ),
        (ResourceKind::Stream, Access::Write) => (&["kinesis:PutRecord", "kinesis:PutRecords"], &[]),
        (ResourceKind::Table, Access::Read) => {
            (&["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"], &[])
        }
        (ResourceKind::Table, Access::Write) => (&["dynamodb:PutItem"], &[]),
        (ResourceKind::Table, Access::Delete) => (&["dynamodb:DeleteItem"], &[]),
        (ResourceKind::Secret, Access::Read) => (&["secretsmanager:GetSecretValue"], &[]),
        _ => (&[], &[]),
    }
}

/// All that a function's role allows.
pub(super) fn of(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<Grants> {
    let mut grants = Grants::default();
    grants.allow(
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        format!("${{{}.Arn}}", name::id("Logs", function)),
    );
    if layout.settings.tracing {
        // X-Ray names no resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
        grants.allow(&["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*");
    }
    for (name, access) in &spec.uses {
        uses(layout, &mut grants, name, access)?;
    }
    for trigger in &spec.on {
        watches(layout, &mut grants, trigger)?;
    }
    if spec.has_dead_letters() {
        grants.allow(&["sqs:SendMessage"], layout.arn(&spec.dead_letter)?);
    }
    let bytes = grants.document().to_string().len();
    if bytes > MAX_POLICY_BYTES {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            "deploy.render",
            "the function uses more than one role's policy can name; split it into several functions",
        )
        .with("function", function)
        .with("bytes", bytes)
        .with("max_bytes", MAX_POLICY_BYTES)
        .with("uses", spec.uses.len()));
    }
    Ok(grants)
}

fn uses(layout: &Layout<'_>, grants: &mut Grants, name: &str, access: &BTreeSet<Access>) -> Result<()> {
    let resource = layout.resource(name)?;
    if let Resource::Bucket(bucket) = resource
        && bucket.url.is_some()
    {
        // A store outside the target has its own keys.
        return match &bucket.credentials {
            Some(secret) => uses(layout, grants, secret, &BTreeSet::from([Access::Read])),
            None => Ok(()),
        };
    }
    if layout
        .settings
        .secrets
        .get(name)
        .is_some_and(|existing| is_parameter(existing))
    {
        grants.allow(&["ssm:GetParameter"], layout.arn(name)?);
        return Ok(());
    }
    for access in access {
        let (itself, within) = actions(resource.kind(), *access);
        let arn = layout.arn(name)?;
        if !within.is_empty() {
            grants.allow(within, format!("{arn}/*"));
        }
        if !itself.is_empty() {
            grants.allow(itself, arn);
        }
    }
    Ok(())
}

/// Whether a secret that exists already is a parameter of Systems Manager: `ssm:` and its name, or its ARN.
fn is_parameter(existing: &str) -> bool {
    existing.starts_with(layout::PARAMETER) || existing.split(':').nth(2) == Some("ssm")
}

/// What Lambda does for the function under the function's own role.
fn watches(layout: &Layout<'_>, grants: &mut Grants, trigger: &Trigger) -> Result<()> {
    match trigger {
        // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        Trigger::Queue { queue, .. } => grants.allow(
            &[
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            layout.arn(queue)?,
        ),
        // https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
        Trigger::Stream { stream, .. } => grants.allow(
            &[
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            layout.arn(stream)?,
        ),
        // https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
        Trigger::Table { table, .. } => {
            let id = resource_id(layout.resource(table)?, table);
            grants.allow(
                &[
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ],
                format!("${{{id}.StreamArn}}"),
            );
            grants.allow(&["dynamodb:ListStreams"], format!("${{{id}.Arn}}/stream/*"));
        }
        Trigger::Email { .. } => {
            grants.allow(
                &["s3:GetObject"],
                format!("arn:${{AWS::Partition}}:s3:::{}/*", mail::bucket_name(layout)?),
            );
        }
        _ => {}
    }
    Ok(())
}
