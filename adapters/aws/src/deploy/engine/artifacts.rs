//! The bucket of artifacts: made once for an account and region, by a small stack of its own.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_cloudformation::operation::create_stack::CreateStackError;
use aws_sdk_cloudformation::types::Tag;
use nephos_core::deploy::Progress;
use nephos_core::{Error, ErrorKind, Result};

use super::buckets::{Buckets, Found, OPERATION};
use super::clients::Clients;
use super::failure::failed;
use super::stack::{Stack, new_token};
use super::state::{Standing, standing};

/// The stack that makes the bucket.
const STACK: &str = "nephos-artifacts";
/// The tag that tells that stack from another's.
const TAG: &str = "nephos:artifacts";

impl Buckets {
    /// Holds that the bucket is there and ours; makes it if it is the one that deployment makes.
    pub(super) async fn ensure(
        &self,
        clients: &Clients,
        chosen: Option<&str>,
        progress: &Progress,
    ) -> Result<String> {
        if let Some(bucket) = chosen {
            return match self.find(bucket).await? {
                Found::Ours => Ok(bucket.to_owned()),
                Found::Nothing => Err(refuse(
                    ErrorKind::NotFound,
                    "there is no such bucket; make it, or leave `artifact_bucket` out",
                    bucket,
                )),
                Found::Foreign => Err(refuse(
                    ErrorKind::PermissionDenied,
                    "the bucket that `artifact_bucket` names is of another account or region, or these credentials may not use it",
                    bucket,
                )),
            };
        }
        let bucket = self.account.artifacts();
        let stack = Stack {
            client: &clients.stacks,
            name: STACK.to_owned(),
            operation: OPERATION,
        };
        let mut made = stack.describe().await?;
        let found = self.find(&bucket).await?;
        if found == Found::Ours && made.is_none() {
            // Another deployment may have made both since the first look.
            made = stack.describe().await?;
        }
        let status = made
            .as_ref()
            .and_then(|stack| stack.stack_status())
            .map(|status| status.as_str().to_owned());
        let ours = made
            .as_ref()
            .is_some_and(|stack| stack.tags().iter().any(|tag| tag.key() == Some(TAG)));
        match (found, status.as_deref().map(standing)) {
            (_, Some(_)) if !ours => Err(refuse(
                ErrorKind::AlreadyExists,
                "there is a stack `nephos-artifacts` that is not of nephos; name a bucket of yours as `artifact_bucket`",
                &bucket,
            )),
            (Found::Foreign, _) => Err(refuse(
                ErrorKind::PermissionDenied,
                "the bucket for artifacts is of another account, or these credentials may not use it; name a bucket of yours as `artifact_bucket`",
                &bucket,
            )),
            (Found::Ours, Some(Standing::Works)) => Ok(bucket),
            (Found::Ours, None | Some(Standing::New)) => Err(refuse(
                ErrorKind::AlreadyExists,
                "there is a bucket of the name for artifacts that nephos has not made, so it is left alone; remove it, or name it as `artifact_bucket`",
                &bucket,
            )),
            (_, standing) => {
                progress.phase(format!("making the bucket {bucket}"));
                make(&stack, &bucket, standing).await?;
                Ok(bucket)
            }
        }
    }
}

/// Makes the bucket's stack, or waits for whoever is making it.
async fn make(stack: &Stack<'_>, bucket: &str, standing: Option<Standing>) -> Result<()> {
    let silent = Progress::silent();
    let parts = BTreeMap::new();
    if standing != Some(Standing::Busy) {
        if standing.is_some_and(|standing| standing != Standing::New) {
            // It failed, or its bucket was deleted by hand.
            let deleted = stack.client.delete_stack().stack_name(&stack.name).send().await;
            deleted.map_err(|error| {
                failed(
                    OPERATION,
                    "the stack of the bucket for artifacts cannot be removed",
                    error,
                )
            })?;
            stack.wait(HashSet::new(), &parts, &silent).await?;
        }
        let tag = Tag::builder().key(TAG).value("1").build();
        let created = stack
            .client
            .create_stack()
            .stack_name(&stack.name)
            .template_body(template(bucket))
            .tags(tag)
            .client_request_token(new_token())
            .send()
            .await;
        match created {
            Ok(_) => {}
            // Another deployment was quicker.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateStackError::is_already_exists_exception) => {}
            Err(error) => {
                return Err(
                    failed(OPERATION, "the bucket for artifacts cannot be made", error)
                        .with("bucket", bucket),
                );
            }
        }
    }
    let end = stack.wait(HashSet::new(), &parts, &silent).await?;
    if matches!(super::state::standing(&end.status), Standing::Works) {
        return Ok(());
    }
    Err(stack.failure("the bucket for artifacts could not be made", end))
}

/// Private, and by TLS only. Kept when its stack goes: stacks may still go back to what is in it.
fn template(bucket: &str) -> String {
    serde_json::json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The code of apps deployed with nephos.",
        "Resources": {
            "Artifacts": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "RetainExceptOnCreate",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "BucketName": bucket,
                    "PublicAccessBlockConfiguration": {
                        "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
                    },
                    "LifecycleConfiguration": { "Rules": [{
                        "Id": "unfinished", "Status": "Enabled", "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 },
                    }] },
                },
            },
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": { "Ref": "Artifacts" },
                    "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
                        "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                        "Resource": [{ "Fn::GetAtt": ["Artifacts", "Arn"] }, { "Fn::Sub": "${Artifacts.Arn}/*" }],
                        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                    }] },
                },
            },
        },
    })
    .to_string()
}

fn refuse(kind: ErrorKind, message: &'static str, bucket: &str) -> Error {
    Error::new(kind, OPERATION, message).with("bucket", bucket)
}
