//! The checksums that clients send with an object, in a header or behind the content: checked while the bytes pass.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

use super::super::{FolderBucket, Incoming};
use super::convert::s3_error;

/// The headers, or trailers, that hold one.
const HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Takes an object's bytes into a hidden file and compares them with what the request's headers say of them.
pub(super) async fn take_in(
    bucket: &FolderBucket,
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailers: Option<&TrailingHeaders>,
) -> S3Result<Incoming> {
    let mut incoming = bucket.incoming().await.map_err(s3_error)?;
    let mut sums = Sums::asked(headers);
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| {
                tracing::debug!(%error, "an upload broke off");
                S3Error::with_message(
                    S3ErrorCode::IncompleteBody,
                    "the content broke off, or its signature is wrong; nothing was stored",
                )
            })?;
            sums.update(&chunk);
            incoming.write(chunk).await.map_err(s3_error)?;
        }
    }
    incoming.flush().await.map_err(s3_error)?;
    sums.check(headers, trailers)?;
    Ok(incoming)
}

struct Sums {
    hasher: ChecksumHasher,
    md5: Option<Md5>,
}

impl Sums {
    fn asked(headers: &HeaderMap) -> Self {
        let trailer = headers
            .get("x-amz-trailer")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let asked = |index: usize| {
            let name = HEADERS[index];
            headers.contains_key(name) || trailer.split(',').any(|announced| announced.trim() == name)
        };
        Self {
            hasher: ChecksumHasher {
                crc32: asked(0).then(Crc32::new),
                crc32c: asked(1).then(Crc32c::new),
                crc64nvme: asked(2).then(Crc64Nvme::new),
                sha1: asked(3).then(Sha1::new),
                sha256: asked(4).then(Sha256::new),
            },
            md5: headers.contains_key("content-md5").then(Md5::new),
        }
    }

    fn update(&mut self, chunk: &Bytes) {
        self.hasher.update(chunk);
        if let Some(md5) = &mut self.md5 {
            md5.update(chunk);
        }
    }

    fn check(self, headers: &HeaderMap, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        let text = |headers: &HeaderMap, name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let refuse = |name: &str| {
            Err(S3Error::with_message(
                S3ErrorCode::BadDigest,
                format!("the content is not what {name} says; nothing was stored"),
            ))
        };
        if let Some(md5) = self.md5 {
            let sum = STANDARD.encode(md5.finalize());
            if text(headers, "content-md5").as_ref() != Some(&sum) {
                return refuse("content-md5");
            }
        }
        let Checksum {
            checksum_crc32,
            checksum_crc32c,
            checksum_crc64nvme,
            checksum_sha1,
            checksum_sha256,
            ..
        } = self.hasher.finalize();
        let sums = [
            checksum_crc32,
            checksum_crc32c,
            checksum_crc64nvme,
            checksum_sha1,
            checksum_sha256,
        ];
        for (name, sum) in HEADERS.into_iter().zip(sums) {
            let Some(sum) = sum else { continue };
            let said =
                text(headers, name).or_else(|| trailers?.read(|trailers| text(trailers, name)).flatten());
            if said.as_ref() != Some(&sum) {
                return refuse(name);
            }
        }
        Ok(())
    }
}
