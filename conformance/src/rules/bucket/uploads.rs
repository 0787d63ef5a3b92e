//! Rules of streamed uploads.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use nephos_core::resource::bucket::{Bucket, PutOptionsExt};

use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "bucket.put-stream.many-parts",
        "an upload of any size arrives whole, in bounded memory",
        "object_store multipart tests",
        PartDropped,
        many_parts
    ),
    rule!(
        "bucket.put-stream.small-and-empty",
        "a stream may be shorter than a part",
        "object_store multipart tests",
        BodyTruncated,
        small
    ),
    rule!(
        "bucket.put-stream.broken-leaves-nothing",
        "half an object is no object",
        "Go CDK drivertest",
        BrokenUploadKept,
        broken
    ),
    rule!(
        "bucket.put-stream.broken-keeps-the-old-object",
        "a failed write must not destroy what was there",
        "Go CDK drivertest",
        BrokenUploadKept,
        broken_keeps
    ),
    rule!(
        "bucket.put-stream.dropped-leaves-nothing",
        "a handler that runs out of time in an upload leaves no half of it",
        "object_store multipart tests",
        UploadVisibleEarly,
        dropped
    ),
    rule!(
        "bucket.put-stream.shows-when-complete",
        "a reader never sees an upload that goes on",
        "Go CDK drivertest",
        UploadVisibleEarly,
        invisible
    ),
];

const MIB: usize = 1 << 20;

type Chunk = Result<Bytes, std::io::Error>;

/// `count` chunks of 1 MiB, each of its own byte.
fn chunks(count: u8) -> Vec<Chunk> {
    (0..count).map(|n| Ok(Bytes::from(vec![n; MIB]))).collect()
}

fn broken_after(count: u8) -> Vec<Chunk> {
    let mut chunks = chunks(count);
    chunks.push(Err(std::io::Error::other("the sender went away")));
    chunks
}

async fn upload(bucket: &Bucket, key: &str, chunks: Vec<Chunk>) -> nephos_core::Result<Option<String>> {
    bucket
        .put_stream(key, stream::iter(chunks), PutOptionsExt::default())
        .await
}

async fn many_parts(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    upload(&bucket, "large", chunks(20)).await?;
    ensure_eq!(bucket.head("large").await?.size, 20 * MIB as u64, "the size");
    let bytes = bucket.get("large").await?;
    for (n, chunk) in bytes.chunks(MIB).enumerate() {
        ensure!(
            chunk.iter().all(|byte| usize::from(*byte) == n),
            "MiB number {n} is not what was sent"
        );
    }
    Ok(())
}

async fn small(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let few: Vec<Chunk> = ["a", "", "bc"]
        .into_iter()
        .map(|text| Ok(Bytes::from(text)))
        .collect();
    upload(&bucket, "small", few).await?;
    ensure_eq!(bucket.get("small").await?, "abc", "a small stream");
    upload(&bucket, "empty", Vec::new()).await?;
    ensure_eq!(bucket.get("empty").await?.len(), 0, "an empty stream");
    Ok(())
}

async fn broken(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    for (key, sent) in [("early", 1), ("late", 12)] {
        let error = ensure_fails!(
            upload(&bucket, key, broken_after(sent)).await,
            Cancelled,
            "a stream that breaks off"
        );
        ensure!(
            error.chain().contains("the sender went away"),
            "the error tells the cause: {}",
            error.chain()
        );
        ensure_fails!(
            bucket.get(key).await,
            NotFound,
            "an object whose upload broke off after {sent} MiB"
        );
    }
    ensure_eq!(
        bucket.list("", None, 10).await?.objects.len(),
        0,
        "objects listed after broken uploads"
    );
    Ok(())
}

async fn broken_keeps(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "old").await?;
    ensure_fails!(
        upload(&bucket, "a", broken_after(12)).await,
        Cancelled,
        "a stream that breaks off"
    );
    ensure_eq!(
        bucket.get("a").await?,
        "old",
        "the object after an upload over it broke off"
    );
    Ok(())
}

async fn invisible(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let reader = bucket.clone();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let chunks = stream::unfold(0_u8, move |n| {
        let (reader, notes) = (reader.clone(), Arc::clone(&notes));
        async move {
            // 12 MiB is behind the first part of the upload, and before its end.
            if n == 12 {
                let early = reader.get("a").await.map(|bytes| bytes.len());
                notes
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(early);
            }
            (n < 16).then(|| (Chunk::Ok(Bytes::from(vec![n; MIB])), n + 1))
        }
    });
    bucket.put_stream("a", chunks, PutOptionsExt::default()).await?;
    let early = seen
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .pop();
    match early {
        Some(read) => drop(ensure_fails!(read, NotFound, "a read during the upload")),
        None => ensure!(false, "the upload ended before its 12th MiB was asked for"),
    }
    ensure_eq!(
        bucket.head("a").await?.size,
        16 * MIB as u64,
        "the size when complete"
    );
    Ok(())
}

async fn dropped(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("old", "as it was").await?;
    for key in ["new", "old"] {
        let (asked, was_asked) = tokio::sync::oneshot::channel();
        let mut asked = Some(asked);
        // Two parts, and then a sender that says no more.
        let content = chunks(17).into_iter();
        let content = stream::iter(content).chain(stream::poll_fn(move |_| {
            asked.take().map(|asked| asked.send(()));
            std::task::Poll::Pending
        }));
        let uploader = bucket.clone();
        let upload =
            tokio::spawn(async move { uploader.put_stream(key, content, PutOptionsExt::default()).await });
        was_asked.await.map_err(Violation::new)?;
        upload.abort();
        // Over when the task is, whatever its end.
        drop(upload.await);
    }
    ensure_fails!(
        bucket.get("new").await,
        NotFound,
        "an object whose upload was dropped"
    );
    ensure_eq!(
        bucket.get("old").await?,
        "as it was",
        "the object over which an upload was dropped"
    );
    ensure_eq!(
        bucket.list("", None, 10).await?.objects.len(),
        1,
        "objects listed after dropped uploads"
    );
    Ok(())
}
