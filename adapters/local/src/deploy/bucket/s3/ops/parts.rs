//! Uploads in parts, as S3 asks for them.

use futures::TryStreamExt as _;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput,
    MultipartUpload, Part, Range, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::super::checksums::take_in;
use super::super::convert::{Described, conditions, etag, mode, s3_error, store_error, timestamp};
use super::{Ops, get_range};

impl Ops {
    pub(super) async fn begin(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let attributes = Described {
            content_type: input.content_type,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata,
        }
        .attributes();
        let id = bucket.begin_upload(&input.key, attributes).map_err(s3_error)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn take_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let S3Request {
            input,
            headers,
            trailing_headers,
            ..
        } = request;
        let bucket = self.bucket(&input.bucket).await?;
        // Before the bytes are taken in.
        bucket.parts(&input.key, &input.upload_id).map_err(s3_error)?;
        let incoming = take_in(&bucket, input.body, &headers, trailing_headers.as_ref()).await?;
        let number = u32::try_from(input.part_number).unwrap_or_default();
        let part = bucket
            .add_part(&input.key, &input.upload_id, number, incoming)
            .map_err(s3_error)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(etag(&part.etag)),
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            ..UploadPartOutput::default()
        }))
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        let (source, from) = self.source(&input.copy_source).await?;
        let bucket = self.bucket(&input.bucket).await?;
        let mut options = conditions(
            input.copy_source_if_match,
            input.copy_source_if_none_match,
            input.copy_source_if_modified_since,
            input.copy_source_if_unmodified_since,
        );
        options.range = match input.copy_source_range {
            None => None,
            Some(range) => Some(get_range(Range::parse(&range).map_err(|_| {
                S3Error::with_message(
                    S3ErrorCode::InvalidArgument,
                    "x-amz-copy-source-range is no range",
                )
            })?)),
        };
        let content = source.content(&from, options).await.map_err(store_error)?;
        let mut incoming = bucket.incoming().await.map_err(s3_error)?;
        let mut stream = content.stream;
        while let Some(chunk) = stream.try_next().await.map_err(store_error)? {
            incoming.write(chunk).await.map_err(s3_error)?;
        }
        incoming.flush().await.map_err(s3_error)?;
        let number = u32::try_from(input.part_number).unwrap_or_default();
        let part = bucket
            .add_part(&input.key, &input.upload_id, number, incoming)
            .map_err(s3_error)?;
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(chrono::Utc::now())),
                ..CopyPartResult::default()
            }),
            ..UploadPartCopyOutput::default()
        }))
    }

    pub(super) async fn parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let after = input.part_number_marker.unwrap_or_default();
        let limit = usize::try_from(input.max_parts.unwrap_or(1000))
            .unwrap_or(1000)
            .min(1000);
        let mut parts: Vec<_> = bucket
            .parts(&input.key, &input.upload_id)
            .map_err(s3_error)?
            .into_iter()
            .filter(|part| i64::from(part.number) > i64::from(after))
            .collect();
        let more = parts.len() > limit;
        parts.truncate(limit);
        let next = parts
            .last()
            .filter(|_| more)
            .and_then(|part| i32::try_from(part.number).ok());
        let parts = parts
            .into_iter()
            .map(|part| Part {
                part_number: i32::try_from(part.number).ok(),
                e_tag: Some(etag(&part.etag)),
                size: i64::try_from(part.size).ok(),
                ..Part::default()
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(more),
            next_part_number_marker: next,
            parts: Some(parts),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) async fn uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let uploads = bucket
            .uploads()
            .into_iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(key, id)| MultipartUpload {
                key: Some(key),
                upload_id: Some(id),
                ..MultipartUpload::default()
            })
            .collect();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    pub(super) async fn complete(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        let mode = mode(input.if_match, input.if_none_match)?;
        let parts = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let mut only = Vec::with_capacity(parts.len());
        for part in parts {
            let number = part
                .part_number
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| S3Error::with_message(S3ErrorCode::InvalidPart, "a part has no number"))?;
            only.push((number, part.e_tag.map(ETag::into_value)));
        }
        if only.is_empty() {
            return Err(S3Error::with_message(
                S3ErrorCode::MalformedXML,
                "the request names no parts",
            ));
        }
        let written = bucket
            .complete_upload(&input.key, &input.upload_id, Some(only), mode)
            .await
            .map_err(s3_error)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&written.etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn abort(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket).await?;
        bucket
            .abort_upload(&input.key, &input.upload_id)
            .map_err(s3_error)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
