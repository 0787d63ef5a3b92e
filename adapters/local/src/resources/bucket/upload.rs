//! An upload in parts over the resource API.

use async_trait::async_trait;
use futures::FutureExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use nephos_core::Error;
use object_store::{MultipartUpload, PutPayload, PutResult, UploadPart};

use super::{LocalBucket, body_of, empty, json, put_result, request, to_store_error};

/// An upload in parts. One that is dropped ends with the host.
#[derive(Debug)]
pub(super) struct LocalUpload {
    pub(super) bucket: LocalBucket,
    pub(super) key: String,
    pub(super) id: String,
    pub(super) next: u32,
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        const OPERATION: &str = "bucket.put_multipart";
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let path = self
            .bucket
            .object(&self.key, &format!("?upload={}&part={number}", self.id));
        let (client, key) = (self.bucket.client.clone(), self.key.clone());
        async move {
            let (length, body) = body_of(data);
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, length.into());
            let put = async {
                let request = request(OPERATION, Method::PUT, &path, headers)?;
                client.send(OPERATION, request.map(|()| body)).await.map(drop)
            };
            put.await.map_err(|error: Error| to_store_error(error, &key))
        }
        .boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        const OPERATION: &str = "bucket.put_multipart";
        let path = self
            .bucket
            .object(&self.key, &format!("?upload={}&complete", self.id));
        let complete = async {
            let request = request(OPERATION, Method::POST, &path, HeaderMap::new())?;
            let written = json(
                OPERATION,
                self.bucket.client.send(OPERATION, request.map(empty)).await?,
            )
            .await?;
            Ok(put_result(written))
        };
        complete
            .await
            .map_err(|error: Error| to_store_error(error, &self.key))
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        const OPERATION: &str = "bucket.put_multipart";
        let path = self.bucket.object(&self.key, &format!("?upload={}", self.id));
        let abort = async {
            let request = request(OPERATION, Method::DELETE, &path, HeaderMap::new())?;
            self.bucket
                .client
                .send(OPERATION, request.map(empty))
                .await
                .map(drop)
        };
        abort
            .await
            .map_err(|error: Error| to_store_error(error, &self.key))
    }
}
