//! The bucket of artifacts: made once for an account and region, by a small stack of its own, and filled with what is not there yet.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_cloudformation::operation::create_stack::CreateStackError;
use aws_sdk_cloudformation::types::Tag;
use bytes::Bytes;
use nephos_core::deploy::Progress;
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential, Checksum};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector as _, HttpRequest, HttpRequestBody, ReqwestConnector,
};
use object_store::path::Path;

use super::clients::{Account, Clients};
use super::failure::{failed, no_credentials};
use super::stack::{Stack, new_token};
use super::state::{Standing, standing};

const OPERATION: &str = "deploy.artifacts";
/// The stack that makes the bucket.
const STACK: &str = "nephos-artifacts";
/// The tag that tells that stack from another's.
const TAG: &str = "nephos:artifacts";
/// How long one upload may take: Lambda's largest artifact over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(1800);

/// S3, as deployment needs it.
#[derive(Debug)]
pub(super) struct Buckets {
    account: Account,
    endpoint: Option<String>,
    credential: AwsCredential,
    http: HttpClient,
}

/// What is at a bucket's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Ours,
    Nothing,
    Foreign,
}

impl Buckets {
    /// Of the clients' account, with their credentials as they are now.
    pub(super) async fn of(clients: &Clients) -> Result<Self> {
        let provider = clients
            .sdk
            .credentials_provider()
            .ok_or_else(|| no_credentials(OPERATION))?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| no_credentials(OPERATION).caused_by(error))?;
        // As the SDK reads it: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
        let endpoint = std::env::var("AWS_ENDPOINT_URL_S3")
            .ok()
            .filter(|url| !url.is_empty());
        use_ring();
        let http = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true));
        Ok(Self {
            account: clients.account.clone(),
            endpoint: endpoint.or_else(|| clients.sdk.endpoint_url().map(str::to_owned)),
            credential: AwsCredential {
                key_id: credentials.access_key_id().to_owned(),
                secret_key: credentials.secret_access_key().to_owned(),
                token: credentials.session_token().map(str::to_owned),
            },
            http: http.map_err(store_failed)?,
        })
    }

    /// Where buckets are, by path.
    fn base(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.{}", self.account.region, self.account.domain()),
        }
    }

    /// A request for a bucket as such, which no driver has.
    async fn ask(&self, method: http::Method, bucket: &str) -> Result<http::StatusCode> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Unavailable, OPERATION, "S3 cannot be reached")
                .with("bucket", bucket)
                .caused_by(super::failure::said(&error.to_string()))
        };
        let mut request: HttpRequest = http::Request::builder()
            .method(method)
            .uri(format!("{}/{bucket}", self.base()))
            // A bucket of this name in another account must not get our code: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
            .header("x-amz-expected-bucket-owner", &self.account.id)
            .body(HttpRequestBody::empty())
            .map_err(|error| failed(&error))?;
        AwsAuthorizer::new(&self.credential, "s3", &self.account.region)
            .try_authorize(&mut request, None)
            .map_err(|error| failed(&error))?;
        let answer = self.http.execute(request).await.map_err(|error| failed(&error))?;
        Ok(answer.status())
    }

    async fn find(&self, bucket: &str) -> Result<Found> {
        let status = self.ask(http::Method::HEAD, bucket).await?;
        match status.as_u16() {
            200..=299 => Ok(Found::Ours),
            404 => Ok(Found::Nothing),
            301 | 403 => Ok(Found::Foreign),
            _ => Err(Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "S3 does not say whether the bucket is there",
            )
            .with("bucket", bucket)
            .with("status", status.as_u16())),
        }
    }

    /// Deletes a bucket if nothing is in it; S3 itself refuses otherwise. Whether it is gone.
    pub(super) async fn delete_if_empty(&self, bucket: &str) -> Result<bool> {
        let status = self.ask(http::Method::DELETE, bucket).await?;
        Ok(status.is_success() || status == http::StatusCode::NOT_FOUND)
    }

    /// A bucket's objects.
    pub(super) fn store(&self, bucket: &str) -> Result<AmazonS3> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&self.account.region)
            .with_endpoint(self.base())
            .with_virtual_hosted_style_request(false)
            .with_allow_http(self.endpoint.is_some())
            .with_checksum_algorithm(Checksum::SHA256)
            .with_access_key_id(&self.credential.key_id)
            .with_secret_access_key(&self.credential.secret_key)
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(UPLOAD_TIMEOUT)
                    .with_allow_http(self.endpoint.is_some()),
            );
        if let Some(token) = &self.credential.token {
            builder = builder.with_token(token);
        }
        builder
            .build()
            .map_err(|error| store_failed(error).with("bucket", bucket))
    }

    /// Whether this account has the bucket.
    pub(super) async fn exists(&self, bucket: &str) -> Result<bool> {
        Ok(self.find(bucket).await? == Found::Ours)
    }

    /// Uploads what is not there yet; the key names the content.
    pub(super) async fn upload(
        &self,
        bucket: &str,
        key: &str,
        content: Bytes,
        progress: &Progress,
    ) -> Result<()> {
        let store = self.store(bucket)?;
        let path = Path::from(key);
        let failed = |error| store_failed(error).with("bucket", bucket).with("key", key);
        match store.head(&path).await {
            Ok(there) if there.size == content.len() as u64 => return Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        progress.phase(format!("uploading {} KiB", content.len().div_ceil(1024)));
        store.put(&path, content.into()).await.map_err(failed)?;
        Ok(())
    }

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

/// The store's TLS comes without cryptography: this is the SDK's too.
fn use_ring() {
    // Whoever was first has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn refuse(kind: ErrorKind, message: &'static str, bucket: &str) -> Error {
    Error::new(kind, OPERATION, message).with("bucket", bucket)
}

fn store_failed(error: object_store::Error) -> Error {
    let core = Error::from(error);
    Error::new(core.kind(), OPERATION, "the bucket for artifacts cannot be used").caused_by(core)
}
