//! Rules of single objects: read, write, ranges, attributes, delete, copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use nephos_core::resource::bucket::PutOptionsExt;
use object_store::{GetOptions, GetRange};

use crate::harness::Harness;
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "bucket.get.missing-is-not-found",
        "a handler must tell an absent object from an empty one",
        "Go CDK drivertest",
        MissingReadsEmpty,
        missing
    ),
    rule!(
        "bucket.put.then-get",
        "what is written is what is read, to the byte",
        "Go CDK drivertest",
        BodyTruncated,
        put_then_get
    ),
    rule!(
        "bucket.put.empty-body",
        "an empty object is an object",
        "Go CDK drivertest",
        EmptyBodyLost,
        empty_body
    ),
    rule!(
        "bucket.put.overwrites",
        "the last write wins, whatever was there",
        "Go CDK drivertest",
        FirstWriteWins,
        overwrites
    ),
    rule!(
        "bucket.put.concurrent-writers-never-mix",
        "a reader sees one writer's bytes, never two writers'",
        "Go CDK drivertest",
        WritesMix,
        writers_never_mix
    ),
    rule!(
        "bucket.get.range-in-the-middle",
        "large objects are read in pieces",
        "Go CDK drivertest",
        RangeIgnored,
        range_middle
    ),
    rule!(
        "bucket.get.range-is-cut-at-the-end",
        "a reader need not know the size",
        "OpenDAL behaviour tests",
        RangeNotCut,
        range_cut
    ),
    rule!(
        "bucket.get.range-offset-and-suffix",
        "the tail of an object is read without its head",
        "OpenDAL behaviour tests",
        RangeIgnored,
        range_offset_and_suffix
    ),
    rule!(
        "bucket.get.impossible-range-is-refused",
        "an off-by-one in a range must not read as the end of the object",
        "Go CDK drivertest",
        RangeBehindEndEmpty,
        range_impossible
    ),
    rule!(
        "bucket.head.size-and-etag",
        "a handler decides by size and version before it reads",
        "Go CDK drivertest",
        SizeWrong,
        head
    ),
    rule!(
        "bucket.etag.changes-with-the-content",
        "the etag is what conditional writes rest on",
        "object_store CAS tests",
        VersionConstant,
        etag_changes
    ),
    rule!(
        "bucket.attributes.round-trip",
        "a picture stays a picture",
        "Go CDK drivertest",
        AttributesDropped,
        attributes,
        needs | capabilities | capabilities.bucket.attributes,
        attributes_refused
    ),
    rule!(
        "bucket.attributes.go-with-the-object-that-is-replaced",
        "old attributes on new bytes are wrong",
        "Go CDK drivertest",
        AttributesKept,
        attributes_replaced,
        needs | capabilities | capabilities.bucket.attributes,
        attributes_refused
    ),
    rule!(
        "bucket.delete.then-get-is-not-found",
        "what is deleted is gone",
        "Go CDK drivertest",
        DeleteIgnored,
        delete
    ),
    rule!(
        "bucket.delete.missing-is-fine",
        "a redelivered event deletes a second time",
        "Go CDK drivertest",
        DeleteMissingFails,
        delete_missing
    ),
    rule!(
        "bucket.copy.copies",
        "a copy has the bytes and attributes of its source",
        "Go CDK drivertest",
        CopyIgnored,
        copy
    ),
    rule!(
        "bucket.copy.missing-source-is-not-found",
        "a copy of nothing must not pass for one",
        "Go CDK drivertest",
        CopyMissingWorks,
        copy_missing
    ),
    rule!(
        "bucket.copy.to-itself-keeps-the-object",
        "a copy whose target turns out to be its source must not destroy it",
        "OpenDAL behaviour tests",
        SelfCopyEmpties,
        copy_self
    ),
    rule!(
        "bucket.copy.does-not-alias",
        "a copy stays what it is when its source changes",
        "Go CDK drivertest",
        CopyAliases,
        copy_no_alias
    ),
];

async fn missing(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    ensure_fails!(bucket.get("no/such").await, NotFound, "get of a missing object");
    ensure_fails!(bucket.head("no/such").await, NotFound, "head of a missing object");
    Ok(())
}

async fn put_then_get(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_001).collect();
    bucket.put("a/b.bin", bytes.clone()).await?;
    ensure!(
        bucket.get("a/b.bin").await? == bytes,
        "the bytes read are not those written"
    );
    Ok(())
}

async fn empty_body(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("empty", Bytes::new()).await?;
    ensure_eq!(bucket.get("empty").await?.len(), 0, "length of an empty object");
    ensure_eq!(bucket.head("empty").await?.size, 0, "size of an empty object");
    Ok(())
}

async fn overwrites(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "a longer first").await?;
    bucket.put("a", "second").await?;
    ensure_eq!(bucket.get("a").await?, "second", "content after two writes");
    Ok(())
}

async fn writers_never_mix(harness: Subject) -> Verdict {
    const SIZE: usize = 100_000;
    let bucket = harness.bucket().await?;
    bucket.put("a", vec![b'0'; SIZE]).await?;
    let writes = (b'a'..=b'h').map(|letter| {
        let bucket = bucket.clone();
        async move { bucket.put("a", vec![letter; SIZE]).await }
    });
    let reads = (0..8).map(|_| {
        let bucket = bucket.clone();
        async move { bucket.get("a").await }
    });
    let (written, read) = futures::join!(
        futures::future::join_all(writes),
        futures::future::join_all(reads)
    );
    for result in written {
        result?;
    }
    for content in read.into_iter().chain([bucket.get("a").await]) {
        let content = content?;
        let whole = content.len() == SIZE && content.iter().all(|byte| Some(byte) == content.first());
        ensure!(
            whole,
            "a read saw the bytes of two writers, or not all of one's ({} bytes)",
            content.len()
        );
    }
    Ok(())
}

async fn range_middle(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "0123456789").await?;
    ensure_eq!(bucket.get_range("a", 3..6).await?, "345", "bytes 3..6");
    ensure_eq!(bucket.get_range("a", 0..1).await?, "0", "the first byte");
    ensure_eq!(bucket.get_range("a", 9..10).await?, "9", "the last byte");
    Ok(())
}

async fn range_cut(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "0123456789").await?;
    ensure_eq!(bucket.get_range("a", 7..100).await?, "789", "bytes 7..100 of 10");
    Ok(())
}

async fn range_offset_and_suffix(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "0123456789").await?;
    for (range, expected) in [(GetRange::Offset(8), "89"), (GetRange::Suffix(3), "789")] {
        let options = GetOptions {
            range: Some(range.clone()),
            ..GetOptions::default()
        };
        let object = bucket.open_with("a", options).await?;
        ensure_eq!(
            object.meta.size,
            10,
            "the size of the whole object, told with a range of it"
        );
        ensure_eq!(object.bytes().await?, expected, "{range}");
    }
    Ok(())
}

async fn range_impossible(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "0123456789").await?;
    ensure_fails!(
        bucket.get_range("a", 4..4).await,
        InvalidArgument,
        "an empty range"
    );
    let behind = bucket.get_range("a", 10..12).await;
    ensure!(
        behind.is_err(),
        "a range that begins behind the end is refused, but it read {behind:?}"
    );
    Ok(())
}

async fn head(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let etag = bucket.put("a", "12345").await?;
    let meta = bucket.head("a").await?;
    ensure_eq!(meta.key, "a", "the key");
    ensure_eq!(meta.size, 5, "the size");
    ensure_eq!(meta.etag, etag, "the etag is the one that put returned");
    Ok(())
}

async fn etag_changes(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let first = bucket.put("a", "1").await?;
    let second = bucket.put("a", "2").await?;
    ensure!(first.is_some() && second.is_some(), "put returns an etag");
    ensure!(
        first != second,
        "the etag stayed {first:?} although the content changed"
    );
    ensure_eq!(
        bucket.head("a").await?.etag,
        second,
        "etag of the object after the second write"
    );
    Ok(())
}

fn options() -> PutOptionsExt {
    PutOptionsExt {
        content_type: Some("image/png".to_owned()),
        metadata: BTreeMap::from([
            ("camera".to_owned(), "front door".to_owned()),
            ("exposure-ms".to_owned(), "12".to_owned()),
        ]),
    }
}

async fn attributes(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put_with("a", "x", options()).await?;
    let object = bucket.open("a").await?;
    ensure_eq!(object.content_type, options().content_type, "content type");
    ensure_eq!(object.metadata, options().metadata, "metadata");
    Ok(())
}

async fn attributes_refused(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    ensure_fails!(
        bucket.put_with("a", "x", options()).await,
        Unsupported,
        "attributes where none are kept"
    );
    ensure_fails!(bucket.get("a").await, NotFound, "an object whose put was refused");
    Ok(())
}

async fn attributes_replaced(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put_with("a", "x", options()).await?;
    bucket.put("a", "y").await?;
    let object = bucket.open("a").await?;
    ensure_eq!(
        object.metadata,
        BTreeMap::new(),
        "metadata after a write without any"
    );
    ensure!(
        object.content_type.as_deref() != Some("image/png"),
        "the content type of the replaced object stayed"
    );
    Ok(())
}

async fn delete(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "x").await?;
    bucket.put("ab", "stays").await?;
    bucket.delete("a").await?;
    ensure_fails!(bucket.get("a").await, NotFound, "get of a deleted object");
    ensure_eq!(bucket.get("ab").await?, "stays", "another object");
    Ok(())
}

async fn delete_missing(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.delete("no/such").await?;
    Ok(())
}

async fn copy(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let kept = bucket.capabilities().attributes;
    if kept {
        bucket.put_with("from", "x", options()).await?;
    } else {
        bucket.put("from", "x").await?;
    }
    bucket.put("to/here", "old").await?;
    bucket.copy("from", "to/here").await?;
    let object = bucket.open("to/here").await?;
    if kept {
        ensure_eq!(
            object.content_type,
            options().content_type,
            "content type of the copy"
        );
        ensure_eq!(object.metadata, options().metadata, "metadata of the copy");
    }
    ensure_eq!(object.bytes().await?, "x", "bytes of the copy");
    ensure_eq!(bucket.get("from").await?, "x", "the source after it was copied");
    Ok(())
}

async fn copy_missing(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    ensure_fails!(
        bucket.copy("no/such", "to").await,
        NotFound,
        "copy of a missing object"
    );
    ensure_fails!(
        bucket.get("to").await,
        NotFound,
        "the target of a copy that failed"
    );
    Ok(())
}

async fn copy_no_alias(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("from", "old").await?;
    bucket.copy("from", "to").await?;
    bucket.put("from", "new").await?;
    ensure_eq!(
        bucket.get("to").await?,
        "old",
        "the copy after its source changed"
    );
    bucket.delete("from").await?;
    ensure_eq!(
        bucket.get("to").await?,
        "old",
        "the copy after its source was deleted"
    );
    Ok(())
}

async fn copy_self(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "content").await?;
    bucket.copy("a", "a").await?;
    ensure_eq!(
        bucket.get("a").await?,
        "content",
        "an object that was copied to itself"
    );
    Ok(())
}
