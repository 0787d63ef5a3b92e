//! S3, as deployment needs it: whether a bucket is there and ours, what is put into it, and what is not to stay there.

mod empty;

use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nephos_core::deploy::Progress;
use nephos_core::retry::RetryPolicy;
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential, Checksum};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector as _, HttpRequest, HttpRequestBody, ReqwestConnector,
};
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::clients::{Account, Clients};
use super::failure::{no_credentials, said};
use crate::error::credentials;

pub(super) const OPERATION: &str = "deploy.artifacts";
/// How long one upload may take: Lambda's largest artifact over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(1800);
/// How requests are tried again that no client of AWS sends.
const RETRY: RetryPolicy = RetryPolicy {
    attempts: 6,
    base: Duration::from_millis(500),
    max: Duration::from_secs(10),
};

/// S3, as deployment needs it.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) account: Account,
    endpoint: Option<String>,
    credential: AwsCredential,
    http: HttpClient,
}

/// What is at a bucket's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
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
            .map_err(|error| credentials::failed(OPERATION, &error))?;
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

    /// A request for a bucket as such, or for what no driver has; tried again while S3 asks for that. `target` is what comes after the host, with its
    /// query. The answer's status and body.
    pub(super) async fn ask(
        &self,
        method: http::Method,
        target: &str,
        body: Bytes,
    ) -> Result<(http::StatusCode, Bytes)> {
        RETRY.run(|| self.ask_once(&method, target, &body)).await
    }

    async fn ask_once(
        &self,
        method: &http::Method,
        target: &str,
        body: &Bytes,
    ) -> Result<(http::StatusCode, Bytes)> {
        let bucket = target.split(['/', '?']).next().unwrap_or_default();
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "S3 cannot be reached; check the network, and repeat the command",
            )
            .with("bucket", bucket)
            .caused_by(said(&error.to_string()))
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}/{target}", self.base()))
            // A bucket of this name in another account must not get our code: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
            .header("x-amz-expected-bucket-owner", &self.account.id);
        if !body.is_empty() {
            // S3 asks for it where much is deleted: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
            request = request.header("x-amz-checksum-sha256", STANDARD.encode(Sha256::digest(body)));
        }
        let body = match body.is_empty() {
            true => HttpRequestBody::empty(),
            false => body.clone().into(),
        };
        let mut request: HttpRequest = request.body(body).map_err(|error| failed(&error))?;
        AwsAuthorizer::new(&self.credential, "s3", &self.account.region)
            .try_authorize(&mut request, None)
            .map_err(|error| failed(&error))?;
        let answer = self.http.execute(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
            return Err(Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "S3 is asked more often than it allows, or is out of order; wait a few minutes, and repeat the command",
            )
            .with("bucket", bucket)
            .with("status", status.as_u16()));
        }
        let body = answer.into_body().bytes().await.map_err(|error| failed(&error))?;
        Ok((status, body))
    }

    pub(super) async fn find(&self, bucket: &str) -> Result<Found> {
        let (status, _) = self.ask(http::Method::HEAD, bucket, Bytes::new()).await?;
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
        let (status, _) = self.ask(http::Method::DELETE, bucket, Bytes::new()).await?;
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
        // Whoever may not list is told 403 of what is not there: putting it shows.
        let (there, _) = self
            .ask(http::Method::HEAD, &format!("{bucket}/{key}"), Bytes::new())
            .await?;
        if there.is_success() {
            return Ok(());
        }
        progress.phase(format!("uploading {} KiB", content.len().div_ceil(1024)));
        store.put(&path, content.into()).await.map_err(failed)?;
        Ok(())
    }
}

/// The store's TLS comes without cryptography: this is the SDK's too.
fn use_ring() {
    // Whoever was first has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn store_failed(error: object_store::Error) -> Error {
    let core = Error::from(error);
    Error::new(core.kind(), OPERATION, "the bucket for artifacts cannot be used").caused_by(core)
}
