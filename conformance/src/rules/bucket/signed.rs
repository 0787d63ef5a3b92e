//! Rules of signed URLs.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::bucket::{Bucket, SignedMethod, SignedUrl};

use crate::harness::{Capabilities, Harness};
use crate::http::{self, Answer};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn declared(capabilities: &Capabilities) -> bool {
    !capabilities.bucket.max_signed_url.is_zero()
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("bucket.signed-url.works", "a browser uploads and downloads without credentials", "Go CDK drivertest", SignedForOtherKey, works, needs declared, refused),
    rule!("bucket.signed-url.headers-are-told", "a browser can send what a store demands only if it is told", "Azure Blob Storage documentation, Put Blob, x-ms-blob-type", SignedHeaderUntold, headers, needs declared, refused),
    rule!("bucket.signed-url.for-its-method-only", "a link to read must not write", "Go CDK drivertest", SignedForAnyMethod, method, needs declared, refused),
    rule!("bucket.signed-url.for-its-key-only", "a link to one object must not open another", "Go CDK drivertest", SignedForAnyKey, key, needs declared, refused),
    rule!("bucket.signed-url.tampered-is-refused", "a link without its signature is no link", "Go CDK drivertest", SignatureIgnored, tampered, needs declared, refused),
    rule!("bucket.signed-url.expires", "a link that is passed on must not live for ever", "Go CDK drivertest", SignedForLong, expires, needs declared, refused),
    rule!("bucket.signed-url.too-long-is-refused", "a link that dies early is worse than none", "Nephos", LimitNotHeld, too_long, needs declared, refused),
];

const MINUTE: Duration = Duration::from_secs(60);

async fn refused(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "x").await?;
    ensure_fails!(
        bucket.signed_url(SignedMethod::Get, "a", MINUTE).await,
        Unsupported,
        "a signed URL where undeclared"
    );
    Ok(())
}

/// A request as the URL's client sends it: with the headers that came with the URL, and no others.
async fn call(method: &str, signed: &SignedUrl, body: &str) -> Result<Answer, Violation> {
    let headers = signed
        .headers
        .iter()
        .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(Violation::new)?)))
        .collect::<Result<Vec<_>, Violation>>()?;
    http::call_with(method, &signed.url, body.as_bytes(), &headers).await
}

/// The same with another URL.
fn with(signed: &SignedUrl, url: String) -> SignedUrl {
    SignedUrl {
        url,
        headers: signed.headers.clone(),
    }
}

async fn two(harness: &Subject) -> Result<Bucket, Violation> {
    let bucket = harness.bucket().await?;
    bucket.put("a", "content of a").await?;
    bucket.put("b", "content of b").await?;
    Ok(bucket)
}

async fn works(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let weird = "sp ace/ü%20+&=?#.txt";
    for key in ["a", weird] {
        let url = bucket.signed_url(SignedMethod::Put, key, MINUTE).await?;
        let put = call("PUT", &url, "put by URL").await?;
        ensure!(
            put.is_success(),
            "PUT {key:?} by its signed URL answered {}",
            put.status
        );
        ensure_eq!(
            bucket.get(key).await?,
            "put by URL",
            "what was put by URL to {key:?}"
        );
        let url = bucket.signed_url(SignedMethod::Get, key, MINUTE).await?;
        let got = call("GET", &url, "").await?;
        ensure_eq!(
            (got.status, got.text()),
            (200, "put by URL".to_owned()),
            "GET {key:?} by its signed URL"
        );
        let url = bucket.signed_url(SignedMethod::Delete, key, MINUTE).await?;
        let deleted = call("DELETE", &url, "").await?;
        ensure!(
            deleted.is_success(),
            "DELETE {key:?} by its signed URL answered {}",
            deleted.status
        );
        ensure_fails!(bucket.get(key).await, NotFound, "what was deleted by URL");
    }
    Ok(())
}

async fn headers(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let allowed = bucket.signed_url(SignedMethod::Put, "a", MINUTE).await?;
    let put = call("PUT", &allowed, "by URL and headers").await?;
    ensure!(
        put.is_success(),
        "PUT with the headers that came with the URL ({allowed:?}) answered {}",
        put.status
    );
    ensure_eq!(bucket.get("a").await?, "by URL and headers", "the object");
    Ok(())
}

async fn method(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let url = bucket.signed_url(SignedMethod::Get, "a", MINUTE).await?;
    for method in ["PUT", "DELETE"] {
        let answer = call(method, &url, "overwritten").await?;
        ensure!(
            answer.is_refused(),
            "{method} with a URL signed for GET answered {}",
            answer.status
        );
    }
    ensure_eq!(bucket.get("a").await?, "content of a", "the object");
    Ok(())
}

async fn key(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let url = bucket.signed_url(SignedMethod::Get, "a", MINUTE).await?;
    let answer = call("GET", &url, "").await?;
    ensure_eq!(
        (answer.status, answer.text()),
        (200, "content of a".to_owned()),
        "GET by the URL for `a`"
    );
    let (before, after) = url
        .url
        .split_once("/a?")
        .ok_or_else(|| Violation::new(format!("the URL names no `/a?`: {url:?}")))?;
    let other = call("GET", &with(&url, format!("{before}/b?{after}")), "").await?;
    ensure!(
        other.is_refused(),
        "the URL for `a`, changed to `b`, answered {}: {}",
        other.status,
        other.text()
    );
    Ok(())
}

async fn tampered(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let url = bucket.signed_url(SignedMethod::Get, "a", MINUTE).await?;
    let answer = call("GET", &url, "").await?;
    ensure_eq!(answer.text(), "content of a", "GET by the URL as it is");
    let (bare, query) = url
        .url
        .split_once('?')
        .ok_or_else(|| Violation::new("the URL has no query"))?;
    let answer = call("GET", &with(&url, bare.to_owned()), "").await?;
    ensure!(
        answer.is_refused(),
        "the URL without its query answered {}",
        answer.status
    );
    for (index, _) in query.split('&').enumerate() {
        let fewer: Vec<_> = query
            .split('&')
            .enumerate()
            .filter(|(n, _)| *n != index)
            .map(|(_, part)| part)
            .collect();
        let fewer = with(&url, format!("{bare}?{}", fewer.join("&")));
        let answer = call("GET", &fewer, "").await?;
        ensure!(
            answer.is_refused(),
            "the URL without its parameter number {index} answered {}",
            answer.status
        );
    }
    Ok(())
}

async fn expires(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let url = bucket
        .signed_url(SignedMethod::Get, "a", Duration::from_secs(2))
        .await?;
    ensure_eq!(
        call("GET", &url, "").await?.status,
        200,
        "GET before the URL expires"
    );
    harness.pass(Duration::from_millis(3500)).await;
    let answer = call("GET", &url, "").await?;
    ensure!(
        answer.is_refused(),
        "GET after the URL has expired answered {}",
        answer.status
    );
    Ok(())
}

async fn too_long(harness: Subject) -> Verdict {
    let bucket = two(&harness).await?;
    let longest = bucket.capabilities().max_signed_url;
    let longer = longest + Duration::from_secs(1);
    ensure_fails!(
        bucket.signed_url(SignedMethod::Get, "a", longer).await,
        Unsupported,
        "a URL for {longer:?}"
    );
    Ok(())
}
