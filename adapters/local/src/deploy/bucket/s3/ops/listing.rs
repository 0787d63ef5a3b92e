//! Listings, as S3 asks for them.

use s3s::dto::{
    CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::super::super::list::{After, Entry, Page, after_token, token};
use super::super::convert::{etag, s3_error, timestamp};
use super::Ops;

/// As S3's own: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
const PAGE: usize = 1000;

impl Ops {
    async fn page(
        &self,
        bucket: &str,
        prefix: Option<&str>,
        after: After,
        delimiter: Option<&str>,
        max_keys: Option<i32>,
    ) -> S3Result<(Page, usize)> {
        let limit = match max_keys {
            None => PAGE,
            Some(limit) => usize::try_from(limit)
                .map_err(|_| {
                    S3Error::with_message(S3ErrorCode::InvalidArgument, "max-keys must not be negative")
                })?
                .min(PAGE),
        };
        let bucket = self.bucket(bucket).await?;
        let page = bucket
            .page(prefix.unwrap_or_default(), after, delimiter, limit)
            .await
            .map_err(s3_error)?;
        Ok((page, limit))
    }

    pub(super) async fn newer_list(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => after_token(token).map_err(s3_error)?,
            (None, Some(key)) => After::Key(key.clone()),
            (None, None) => After::Start,
        };
        let (page, limit) = self
            .page(
                &input.bucket,
                input.prefix.as_deref(),
                after,
                input.delimiter.as_deref(),
                input.max_keys,
            )
            .await?;
        let (contents, common_prefixes) = entries(&page);
        let next = page.entries.last().filter(|_| page.more).map(token);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(page.entries.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..ListObjectsV2Output::default()
        }))
    }

    pub(super) async fn older_list(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let after = match (&input.marker, &input.delimiter) {
            (None, _) => After::Start,
            // The marker behind a common prefix is that prefix itself.
            (Some(marker), Some(delimiter))
                if !delimiter.is_empty() && marker.ends_with(delimiter.as_str()) =>
            {
                After::Prefix(marker.clone())
            }
            (Some(marker), _) => After::Key(marker.clone()),
        };
        let (page, limit) = self
            .page(
                &input.bucket,
                input.prefix.as_deref(),
                after,
                input.delimiter.as_deref(),
                input.max_keys,
            )
            .await?;
        let (contents, common_prefixes) = entries(&page);
        let next = page
            .entries
            .last()
            .filter(|_| page.more)
            .map(|entry| entry.name().to_owned());
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            marker: input.marker,
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(next.is_some()),
            next_marker: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..ListObjectsOutput::default()
        }))
    }
}

fn entries(page: &Page) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in &page.entries {
        match entry {
            Entry::Object(meta) => objects.push(Object {
                key: Some(meta.location.to_string()),
                e_tag: meta.e_tag.as_deref().map(etag),
                last_modified: Some(timestamp(meta.last_modified)),
                size: i64::try_from(meta.size).ok(),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Object::default()
            }),
            Entry::Prefix(prefix) => prefixes.push(CommonPrefix {
                prefix: Some(prefix.clone()),
            }),
        }
    }
    (objects, prefixes)
}
