//! What has to be known of the whole app before a part of it can be rendered: names, who watches what, where dead letters go.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{App, FunctionSpec, Resource, Trigger};
use nephos_core::{Error, ErrorKind, Result};

use super::dead_letter::{self, QueuePlan};
use super::notification::{self, Notification};
use super::{Code, name};
use crate::deploy::settings::{HttpFront, Settings};

/// The longest name of a function: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
const MAX_FUNCTION_NAME: usize = 64;
/// The longest name of a table: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
const MAX_TABLE_NAME: usize = 255;
/// The longest name of a bucket: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
pub(super) const MAX_BUCKET_NAME: usize = 63;
/// What account (12 digits), region (14 letters at most) and hyphens take of a bucket's name.
pub(super) const BUCKET_SUFFIX: usize = 1 + 12 + 1 + 14;
/// What the name of a parameter of Systems Manager begins with, to tell it from a secret's.
pub(super) const PARAMETER: &str = "ssm:";
/// What a bucket's name may not begin with, from the same page.
const BUCKET_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];

/// The app with all that follows from it.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) app: &'a App,
    pub(super) target: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) code: &'a Code,
    pub(super) stack: String,
    /// Whether HTTP triggers share one API.
    pub(super) has_api: bool,
    /// What becomes of each queue.
    pub(super) queues: BTreeMap<&'a str, QueuePlan<'a>>,
    /// Tables that a trigger watches.
    pub(super) watched: BTreeSet<&'a str>,
    /// What each bucket tells to whom.
    pub(super) notifications: BTreeMap<&'a str, Vec<Notification<'a>>>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(app: &'a App, target: &'a str, settings: &'a Settings, code: &'a Code) -> Result<Self> {
        let mut watched = BTreeSet::new();
        for trigger in app.functions.values().flat_map(|function| &function.on) {
            if let Trigger::Table { table, .. } = trigger {
                watched.insert(table.as_str());
            }
        }
        Ok(Self {
            app,
            target,
            settings,
            code,
            stack: settings.stack_name(app, target),
            has_api: settings.http == HttpFront::HttpApi && app.functions.values().any(has_http),
            queues: dead_letter::queues(app)?,
            watched,
            notifications: notification::by_bucket(app)?,
        })
    }

    /// A function's name on Lambda.
    pub(super) fn function_name(&self, function: &str) -> String {
        name::physical(&self.stack, function, MAX_FUNCTION_NAME)
    }

    /// A table's name. Chosen here, so that a table that outlived its stack is found again by a new one.
    pub(super) fn table_name(&self, table: &str) -> String {
        name::physical(&self.stack, table, MAX_TABLE_NAME)
    }

    /// A bucket's name, as text for `Fn::Sub`. Chosen here because a bucket refers to the functions that it calls, and they to it; with
    /// account and region, because all of AWS shares these names.
    pub(super) fn bucket_name(&self, bucket: &str) -> Result<String> {
        self.own_bucket_name(&name::physical(
            &self.stack,
            bucket,
            MAX_BUCKET_NAME - BUCKET_SUFFIX,
        ))
    }

    /// The whole name of the bucket whose own part this is.
    pub(super) fn own_bucket_name(&self, own: &str) -> Result<String> {
        if let Some(prefix) = BUCKET_PREFIXES.iter().find(|prefix| own.starts_with(**prefix)) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "deploy.render",
                "S3 refuses bucket names that begin so; choose another stack name",
            )
            .with("bucket", own)
            .with("prefix", prefix)
            .with("key", format!("target.{}.stack", self.target)));
        }
        Ok(format!("{own}-${{AWS::AccountId}}-${{AWS::Region}}"))
    }

    /// The resource of this name.
    pub(super) fn resource(&self, name: &str) -> Result<&'a Resource> {
        self.app.resources.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "deploy.render",
                "the app has no such resource; declare it in nephos.toml",
            )
            .with("resource", name)
        })
    }

    /// The resource's own name on AWS, as text for `Fn::Sub`; what its driver needs.
    pub(super) fn physical(&self, name: &str) -> Result<String> {
        Ok(match self.resource(name)? {
            Resource::Bucket(_) => self.bucket_name(name)?,
            Resource::Secret(_) => match self.settings.secrets.get(name) {
                Some(existing) => super::value::literal(existing),
                None => format!("${{{}.Id}}", name::id("Secret", name)),
            },
            other => format!("${{{}}}", resource_id(other, name)),
        })
    }

    /// The resource's ARN, as text for `Fn::Sub`.
    pub(super) fn arn(&self, name: &str) -> Result<String> {
        let resource = self.resource(name)?;
        Ok(match resource {
            Resource::Bucket(_) => format!("arn:${{AWS::Partition}}:s3:::{}", self.bucket_name(name)?),
            // `Ref` is the ARN of these.
            Resource::Topic(_) => format!("${{{}}}", resource_id(resource, name)),
            Resource::Secret(_) => match self.settings.secrets.get(name) {
                // `Id` is the ARN, as `Ref` is:
                // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
                None => format!("${{{}.Id}}", resource_id(resource, name)),
                Some(arn) if arn.starts_with("arn:") => super::value::literal(arn),
                Some(existing) if existing.starts_with(PARAMETER) => format!(
                    "arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter/{}",
                    super::value::literal(existing.trim_start_matches(PARAMETER).trim_start_matches('/'))
                ),
                // The service appends six letters to a secret's name:
                // https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
                Some(existing) => format!(
                    "arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{}-??????",
                    super::value::literal(existing)
                ),
            },
            _ => format!("${{{}.Arn}}", resource_id(resource, name)),
        })
    }
}

/// The logical id of a resource.
pub(super) fn resource_id(resource: &Resource, name: &str) -> String {
    let part = match resource {
        Resource::Bucket(_) => "Bucket",
        Resource::Queue(_) => "Queue",
        Resource::Topic(_) => "Topic",
        Resource::Stream(_) => "Stream",
        Resource::Table(_) => "Table",
        Resource::Secret(_) => "Secret",
    };
    name::id(part, name)
}

/// Whether HTTP requests call the function.
pub(super) fn has_http(function: &FunctionSpec) -> bool {
    function
        .on
        .iter()
        .any(|trigger| matches!(trigger, Trigger::Http { .. }))
}

/// Whether Lambda itself keeps and retries the trigger's events.
pub(super) const fn is_asynchronous(trigger: &Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Bucket { .. } | Trigger::Topic { .. } | Trigger::Schedule { .. } | Trigger::Email { .. }
    )
}
