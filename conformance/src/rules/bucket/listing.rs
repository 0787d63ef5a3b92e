//! Rules of listings.

use std::sync::Arc;

use nephos_core::resource::bucket::Bucket;

use crate::harness::Harness;
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "bucket.list.empty",
        "an empty bucket lists nothing, and has no next page",
        "Go CDK drivertest",
        Phantom,
        empty
    ),
    rule!(
        "bucket.list.prefix-is-any-text",
        "a prefix need not end at a slash",
        "Go CDK drivertest",
        PrefixBySegments,
        prefix
    ),
    rule!(
        "bucket.list.pages-of-any-size",
        "each key is on one page, whatever the page size",
        "Go CDK drivertest",
        PageSkips,
        pages
    ),
    rule!(
        "bucket.list.ascending-by-bytes",
        "going on after a key needs one order on all targets",
        "OpenDAL behaviour tests",
        OrderReversed,
        ascending
    ),
    rule!(
        "bucket.list.after-is-exclusive",
        "the key to go on after is not listed again, and need not exist",
        "object_store list-with-offset",
        PageSkips,
        after
    ),
    rule!(
        "bucket.list.pages-while-keys-come-and-go",
        "what is there all the time is listed once",
        "Go CDK drivertest",
        PageSkips,
        changing
    ),
    rule!(
        "bucket.list.limit-of-zero-is-refused",
        "a page that cannot move on loops for ever",
        "Nephos",
        RefusalLeftOut,
        zero
    ),
    rule!(
        "bucket.list.tells-sizes",
        "a handler decides by size without a head per object",
        "Go CDK drivertest",
        SizeWrong,
        sizes
    ),
];

async fn put_all(bucket: &Bucket, keys: &[&str]) -> Verdict {
    for key in keys {
        bucket.put(key, key.to_string()).await?;
    }
    Ok(())
}

/// All keys, by pages.
async fn walk(bucket: &Bucket, prefix: &str, limit: usize) -> Result<Vec<String>, crate::rule::Violation> {
    let prefix = portable::prefix(bucket, prefix);
    let (mut keys, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let page = bucket.list(&prefix, after.as_deref(), limit).await?;
        ensure!(
            page.objects.len() <= limit,
            "a page of {limit} holds {}",
            page.objects.len()
        );
        keys.extend(page.objects.into_iter().map(|meta| meta.key));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
    Err(crate::rule::Violation::new("the listing does not end"))
}

async fn empty(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    ensure_eq!(
        walk(&bucket, "", 10).await?,
        Vec::<String>::new(),
        "an empty bucket"
    );
    bucket.put("a", "x").await?;
    ensure_eq!(
        walk(&bucket, "b", 10).await?,
        Vec::<String>::new(),
        "a prefix that nothing has"
    );
    Ok(())
}

async fn prefix(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(
        &bucket,
        &["photo-1", "photo-2", "photos/1", "photos/2/a", "video"],
    )
    .await?;
    ensure_eq!(
        walk(&bucket, "photo", 10).await?,
        ["photo-1", "photo-2", "photos/1", "photos/2/a"],
        "prefix `photo`"
    );
    ensure_eq!(
        walk(&bucket, "photos/", 10).await?,
        ["photos/1", "photos/2/a"],
        "prefix `photos/`"
    );
    ensure_eq!(
        walk(&bucket, "photos/2", 10).await?,
        ["photos/2/a"],
        "prefix `photos/2`"
    );
    ensure_eq!(walk(&bucket, "", 10).await?.len(), 5, "all keys");
    Ok(())
}

const KEYS: [&str; 7] = ["a-", "a/1", "a/2", "b", "c/d/e", "c0", "d"];

async fn pages(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(&bucket, &KEYS).await?;
    for limit in [1, 2, 3, 7, 8] {
        ensure_eq!(walk(&bucket, "", limit).await?, KEYS, "pages of {limit}");
    }
    Ok(())
}

async fn ascending(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(&bucket, &["é", "z", "a-", "a/b", "a.b", "Z", "a0", "10", "9"]).await?;
    let expected = ["10", "9", "Z", "a-", "a.b", "a/b", "a0", "z", "é"];
    ensure_eq!(
        walk(&bucket, "", 2).await?,
        expected,
        "order by bytes, in pages of 2"
    );
    Ok(())
}

async fn after(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(&bucket, &["a", "b", "c", "d"]).await?;
    for after in ["a", "aa"] {
        let page = bucket.list("", Some(after), 2).await?;
        let keys: Vec<_> = page.objects.iter().map(|meta| meta.key.as_str()).collect();
        ensure_eq!(keys, ["b", "c"], "two keys after {after:?}");
        ensure_eq!(page.next.as_deref(), Some("c"), "where to go on");
    }
    let last = bucket.list("", Some("c"), 2).await?;
    ensure_eq!((last.objects.len(), last.next), (1, None), "the last page");
    Ok(())
}

async fn changing(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(&bucket, &["a", "c", "e", "g"]).await?;
    let first = bucket.list("", None, 2).await?;
    ensure_eq!(first.next.as_deref(), Some("c"), "where the first page ends");
    // Before, at and behind the place where the next page begins.
    put_all(&bucket, &["b", "d"]).await?;
    bucket.delete("a").await?;
    bucket.delete("c").await?;
    let rest = bucket.list("", first.next.as_deref(), 10).await?;
    let keys: Vec<_> = rest.objects.iter().map(|meta| meta.key.as_str()).collect();
    ensure_eq!(keys, ["d", "e", "g"], "the second page after inserts and deletes");
    Ok(())
}

async fn zero(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let none = portable::limit(&bucket, 0);
    ensure_fails!(bucket.list("", None, none).await, InvalidArgument, "a limit of 0");
    let one = bucket.list("", None, 1).await?;
    ensure_eq!(
        (one.objects.len(), one.next),
        (0, None),
        "a limit of 1 on an empty bucket"
    );
    Ok(())
}

async fn sizes(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    put_all(&bucket, &["a", "four"]).await?;
    let page = bucket.list("", None, 10).await?;
    let sizes: Vec<_> = page
        .objects
        .iter()
        .map(|meta| (meta.key.as_str(), meta.size))
        .collect();
    ensure_eq!(sizes, [("a", 1), ("four", 4)], "keys and sizes");
    Ok(())
}
