//! What the S3-compatible store does with each request.

mod listing;
mod parts;

use futures::TryStreamExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;
use nephos_core::Error;
use object_store::{GetRange, ObjectMeta, PutMode};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    MetadataDirective, PutObjectInput, PutObjectOutput, Range, StreamingBlob, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::super::FolderBucket;
use super::super::content::Content;
use super::super::files::check_key;
use super::checksums::take_in;
use super::convert::{Described, conditions, etag, mode, s3_error, store_error, timestamp};
use super::{Folders, REGION};

#[derive(Debug)]
pub(super) struct Ops {
    folders: Folders,
}

impl Ops {
    pub(super) fn new(folders: Folders) -> Self {
        Self { folders }
    }

    async fn bucket(&self, name: &str) -> S3Result<FolderBucket> {
        let (folders, owned) = (self.folders.clone(), name.to_owned());
        blocking(move || folders.get(&owned)).await?.ok_or_else(|| {
            S3Error::with_message(S3ErrorCode::NoSuchBucket, format!("there is no bucket {name}"))
        })
    }

    /// The bucket and key of a copy's source.
    async fn source(&self, source: &CopySource) -> S3Result<(FolderBucket, String)> {
        match source {
            CopySource::Bucket {
                bucket,
                key,
                version_id: None,
            } => Ok((self.bucket(bucket).await?, key.to_string())),
            _ => Err(S3Error::with_message(
                S3ErrorCode::NotImplemented,
                "a copy's source is a bucket and a key; this store keeps no versions",
            )),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> nephos_core::Result<T> + Send + 'static,
) -> S3Result<T> {
    super::super::blocking::blocking(work).await.map_err(s3_error)
}

fn get_range(range: Range) -> GetRange {
    match range {
        Range::Int { first, last: None } => GetRange::Offset(first),
        Range::Int {
            first,
            last: Some(last),
        } => GetRange::Bounded(first..last.saturating_add(1)),
        Range::Suffix { length } => GetRange::Suffix(length),
    }
}

/// The length of an answer and, if a range was asked for, which part of the object it is: even when that is all of it.
fn length(meta: &ObjectMeta, range: &std::ops::Range<u64>, ranged: bool) -> (Option<i64>, Option<String>) {
    // An empty range has no last byte to name.
    let part = (ranged && range.start < range.end)
        .then(|| format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size));
    (i64::try_from(range.end - range.start).ok(), part)
}

#[async_trait::async_trait]
impl S3 for Ops {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = request.input.bucket;
        let (folders, owned) = (self.folders.clone(), name.clone());
        let made = blocking(move || {
            if folders.get(&owned)?.is_some() {
                return Ok(false);
            }
            folders.create(&owned).map(|_| true)
        })
        .await?;
        if !made {
            return Err(S3Error::with_message(
                S3ErrorCode::BucketAlreadyOwnedByYou,
                "the bucket is there already",
            ));
        }
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(format!("/{name}")),
        }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let name = request.input.bucket;
        self.bucket(&name).await?;
        let folders = self.folders.clone();
        if !blocking(move || folders.remove(&name)).await? {
            return Err(S3Error::with_message(
                S3ErrorCode::BucketNotEmpty,
                "the bucket holds objects; delete them first",
            ));
        }
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&request.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket(&request.input.bucket).await?;
        // S3 names the first region by saying nothing.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let folders = self.folders.clone();
        let names = blocking(move || folders.names()).await?;
        let buckets = names
            .into_iter()
            .map(|name| Bucket {
                name: Some(name),
                ..Bucket::default()
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            ..ListBucketsOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let mut options = conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        options.range = input.range.map(get_range);
        let ranged = options.range.is_some();
        options.version = input.version_id;
        let Content {
            meta,
            attributes,
            range,
            stream,
        } = bucket.content(&input.key, options).await.map_err(store_error)?;
        let (content_length, content_range) = length(&meta, &range, ranged);
        let described = Described::of(&attributes);
        let frames = stream.map_ok(Frame::data).map_err(Error::from);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(Body::http_body_unsync(StreamBody::new(
                frames,
            )))),
            accept_ranges: Some("bytes".to_owned()),
            content_length,
            content_range,
            content_type: input.response_content_type.or(described.content_type),
            content_disposition: input
                .response_content_disposition
                .or(described.content_disposition),
            content_encoding: input.response_content_encoding.or(described.content_encoding),
            content_language: input.response_content_language.or(described.content_language),
            cache_control: input.response_cache_control.or(described.cache_control),
            metadata: described.metadata,
            e_tag: meta.e_tag.as_deref().map(etag),
            last_modified: Some(timestamp(meta.last_modified)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let mut options = conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        options.range = input.range.map(get_range);
        let ranged = options.range.is_some();
        options.version = input.version_id;
        options.head = true;
        let Content {
            meta,
            attributes,
            range,
            ..
        } = bucket.content(&input.key, options).await.map_err(store_error)?;
        let (content_length, content_range) = length(&meta, &range, ranged);
        let described = Described::of(&attributes);
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length,
            content_range,
            content_type: described.content_type,
            content_disposition: described.content_disposition,
            content_encoding: described.content_encoding,
            content_language: described.content_language,
            cache_control: described.cache_control,
            metadata: described.metadata,
            e_tag: meta.e_tag.as_deref().map(etag),
            last_modified: Some(timestamp(meta.last_modified)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request {
            input,
            headers,
            trailing_headers,
            ..
        } = request;
        let bucket = self.bucket(&input.bucket).await?;
        let mode = mode(input.if_match, input.if_none_match)?;
        check_key(&input.key, "bucket.put").map_err(s3_error)?;
        let attributes = Described {
            content_type: input.content_type,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata,
        }
        .attributes();
        let incoming = take_in(&bucket, input.body, &headers, trailing_headers.as_ref()).await?;
        let written = bucket
            .commit(&input.key, incoming, mode, attributes)
            .await
            .map_err(s3_error)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(&written.etag)),
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            ..PutObjectOutput::default()
        }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let S3Request { input, headers, .. } = request;
        let (source, from) = self.source(&input.copy_source).await?;
        let bucket = self.bucket(&input.bucket).await?;
        let mut options = conditions(
            input.copy_source_if_match,
            input.copy_source_if_none_match,
            input.copy_source_if_modified_since,
            input.copy_source_if_unmodified_since,
        );
        // S3 knows no other condition on a copy's target.
        let mode = match headers
            .get(http::header::IF_NONE_MATCH)
            .map(http::HeaderValue::as_bytes)
        {
            Some(b"*") => PutMode::Create,
            _ => PutMode::Overwrite,
        };
        let replace = input
            .metadata_directive
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let described = Described {
            content_type: input.content_type,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata,
        };
        options.head = true;
        source.content(&from, options).await.map_err(store_error)?;
        let attributes = replace.then(|| described.attributes());
        let written = bucket
            .copy_from(&source, &from, &input.key, mode, attributes)
            .await
            .map_err(s3_error)?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(etag(&written.etag)),
                last_modified: Some(timestamp(written.modified)),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        bucket.delete_object(&input.key).await.map_err(s3_error)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            match bucket.delete_object(&object.key).await {
                Ok(_) if quiet => {}
                Ok(_) => deleted.push(DeletedObject {
                    key: Some(object.key),
                    ..DeletedObject::default()
                }),
                Err(error) => {
                    let error = s3_error(error);
                    errors.push(s3s::dto::Error {
                        code: Some(error.code().as_str().to_owned()),
                        key: Some(object.key),
                        message: error.message().map(str::to_owned),
                        ..s3s::dto::Error::default()
                    });
                }
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.newer_list(request).await
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        self.older_list(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin(request).await
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.take_part(request).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.copy_part(request).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.parts(request).await
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.uploads(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort(request).await
    }
}
