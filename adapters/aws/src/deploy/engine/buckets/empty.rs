//! Empties a bucket for good: all versions of its objects, what marks them as deleted, and uploads in parts that nobody finished.

use bytes::Bytes;
use http::Method;
use nephos_core::deploy::Progress;
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::escape::escape;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Buckets;
use crate::deploy::engine::failure::said;

const OPERATION: &str = "deploy.destroy";

/// What stays as it is in a query that S3 checks the signature of: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same in a key.
const KEY: &AsciiSet = &VALUE.remove(b'/');

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Versions {
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    version: Vec<Version>,
    delete_marker: Vec<Version>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    key: String,
    #[serde(default)]
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Uploads {
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Deleted {
    error: Vec<Refused>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Refused {
    code: String,
    message: String,
}

impl Buckets {
    /// Removes all that is in a bucket. One that is not there is empty.
    pub(in super::super) async fn empty(&self, bucket: &str, progress: &Progress) -> Result<()> {
        let mut removed = 0;
        let mut from = String::new();
        loop {
            let Some(page): Option<Versions> = self.list(bucket, &format!("versions{from}")).await? else {
                return Ok(());
            };
            from = after(
                "version-id-marker",
                page.next_key_marker.as_deref(),
                page.next_version_id_marker.as_deref(),
            );
            let things: Vec<Version> = page.version.into_iter().chain(page.delete_marker).collect();
            removed += things.len();
            self.delete(bucket, &things).await?;
            if removed > 0 {
                progress.phase(format!("emptying the bucket {bucket}: {removed} removed"));
            }
            if !page.is_truncated {
                break;
            }
        }
        let mut from = String::new();
        loop {
            let Some(page): Option<Uploads> = self.list(bucket, &format!("uploads{from}")).await? else {
                return Ok(());
            };
            from = after(
                "upload-id-marker",
                page.next_key_marker.as_deref(),
                page.next_upload_id_marker.as_deref(),
            );
            for upload in page.upload {
                self.abort(bucket, &upload).await?;
            }
            if !page.is_truncated {
                return Ok(());
            }
        }
    }

    /// A page of what is in a bucket; `None` if there is no bucket.
    async fn list<T: DeserializeOwned>(&self, bucket: &str, query: &str) -> Result<Option<T>> {
        // Keys may hold what XML cannot.
        let target = format!("{bucket}?{query}&encoding-type=url");
        let (status, body) = self.ask(Method::GET, &target, Bytes::new()).await?;
        match status.as_u16() {
            200..=299 => read(bucket, &body).map(Some),
            404 => Ok(None),
            _ => Err(refused(bucket, status, &body)),
        }
    }

    async fn delete(&self, bucket: &str, things: &[Version]) -> Result<()> {
        if things.is_empty() {
            return Ok(());
        }
        let mut body = String::from("<Delete><Quiet>true</Quiet>");
        for thing in things {
            body.push_str("<Object><Key>");
            body.push_str(&escape(decoded(&thing.key)));
            body.push_str("</Key>");
            if let Some(version) = &thing.version_id {
                body.push_str("<VersionId>");
                body.push_str(&escape(version.as_str()));
                body.push_str("</VersionId>");
            }
            body.push_str("</Object>");
        }
        body.push_str("</Delete>");
        let target = format!("{bucket}?delete");
        let (status, body) = self.ask(Method::POST, &target, body.into()).await?;
        if status == http::StatusCode::NOT_FOUND {
            return Ok(());
        }
        if !status.is_success() {
            return Err(refused(bucket, status, &body));
        }
        let deleted: Deleted = read(bucket, &body)?;
        match deleted.error.first() {
            None => Ok(()),
            Some(first) => Err(cannot_be_emptied(bucket)
                .with("not_removed", deleted.error.len())
                .caused_by(said(&format!("{}: {}", first.code, first.message)))),
        }
    }

    async fn abort(&self, bucket: &str, upload: &Upload) -> Result<()> {
        let key = decoded(&upload.key);
        let target = format!(
            "{bucket}/{}?uploadId={}",
            utf8_percent_encode(&key, KEY),
            utf8_percent_encode(&upload.upload_id, VALUE)
        );
        let (status, body) = self.ask(Method::DELETE, &target, Bytes::new()).await?;
        if status.is_success() || status == http::StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(refused(bucket, status, &body))
    }
}

/// Where the next page begins.
fn after(id: &str, key: Option<&str>, marker: Option<&str>) -> String {
    let mut query = String::new();
    if let Some(key) = key {
        query.push_str(&format!(
            "&key-marker={}",
            utf8_percent_encode(&decoded(key), VALUE)
        ));
    }
    if let Some(marker) = marker {
        query.push_str(&format!("&{id}={}", utf8_percent_encode(marker, VALUE)));
    }
    query
}

/// A key as it is, from the form in which S3 lists it.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

fn read<T: DeserializeOwned>(bucket: &str, body: &[u8]) -> Result<T> {
    quick_xml::de::from_reader(body).map_err(|error| cannot_be_emptied(bucket).caused_by(error))
}

fn refused(bucket: &str, status: http::StatusCode, body: &[u8]) -> Error {
    let told: Refused = quick_xml::de::from_reader(body).unwrap_or_default();
    let error = cannot_be_emptied(bucket).with("status", status.as_u16());
    if told.code.is_empty() {
        return error;
    }
    error.caused_by(said(&format!("{}: {}", told.code, told.message)))
}

fn cannot_be_emptied(bucket: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        OPERATION,
        "the bucket cannot be emptied; mend what AWS names below, and destroy with --delete-data again",
    )
    .with("bucket", bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_markers_are_read_in_any_order_and_the_next_page_follows_them() {
        let page: Versions = read(
            "b",
            br#"<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated>
            <Version><Key>a+b%26.jpg</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></Version><DeleteMarker><Key>c</Key><VersionId>2</VersionId></DeleteMarker>
            <Version><Key>c</Key><VersionId>1</VersionId></Version><NextKeyMarker>c%2Fd</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker></ListVersionsResult>"#,
        )
        .unwrap();
        assert_eq!(
            (page.version.len(), page.delete_marker.len(), page.is_truncated),
            (2, 1, true)
        );
        assert_eq!(decoded(&page.version[0].key), "a b&.jpg");
        assert_eq!(
            after(
                "version-id-marker",
                page.next_key_marker.as_deref(),
                page.next_version_id_marker.as_deref()
            ),
            "&key-marker=c%2Fd&version-id-marker=1"
        );
        let none: Versions = read(
            "b",
            b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>",
        )
        .unwrap();
        assert!(none.version.is_empty() && !none.is_truncated);
        let refused = refused(
            "b",
            http::StatusCode::FORBIDDEN,
            b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        );
        assert!(
            refused.chain().ends_with("AccessDenied: no"),
            "{}",
            refused.chain()
        );
    }
}
