//! Rules of keys: to the letter, or refused.

use std::sync::Arc;

use crate::harness::Harness;
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "bucket.keys.to-the-letter",
        "users name their files as they like",
        "Go CDK drivertest",
        KeyLowercased,
        letters
    ),
    rule!(
        "bucket.keys.case-matters",
        "two keys that differ in case are two objects",
        "Go CDK drivertest",
        KeyLowercased,
        case
    ),
    rule!(
        "bucket.keys.impossible-are-refused",
        "no key may leave the bucket, or mean another on another target",
        "Go CDK drivertest; CWE-22",
        RefusalLeftOut,
        impossible
    ),
    rule!(
        "bucket.keys.too-long-is-refused",
        "a key is refused by the declared limit, not cut",
        "Nephos",
        LimitNotHeld,
        too_long
    ),
    rule!(
        "bucket.keys.one-may-begin-another",
        "an object and others below its name are apart, or the second is refused and the first is kept",
        "S3 user guide",
        KeyLowercased,
        nested,
        needs | capabilities | capabilities.bucket.nested_keys,
        nested_refused
    ),
];

/// Each is one key on every target.
const KEYS: [&str; 21] = [
    "a b c/d e.txt",
    "Größe/naïve/日本語.txt",
    "100%",
    "a%20b",
    "%2e%2e/etc",
    "%2F",
    "a#b?c=d&e",
    "~user/~",
    "it's \"quoted\"",
    "back\\slash",
    "🦀/🎉.png",
    "a+b",
    "a=b;c,d",
    "[x](y){z}",
    "*|<>:",
    "dot.",
    ".hidden",
    "..two",
    "a/...",
    "e\u{301}",
    "UPPER/lower",
];

async fn letters(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    for key in KEYS {
        bucket.put(key, format!("content of {key}")).await?;
    }
    for key in KEYS {
        ensure_eq!(
            bucket.get(key).await?,
            format!("content of {key}"),
            "get of {key:?}"
        );
        ensure_eq!(bucket.head(key).await?.key, key, "head of {key:?}");
        ensure_eq!(bucket.get_range(key, 0..7).await?, "content", "range of {key:?}");
    }
    let mut expected = KEYS.to_vec();
    expected.sort_unstable();
    let listed = bucket.list("", None, 100).await?;
    let keys: Vec<_> = listed.objects.iter().map(|meta| meta.key.as_str()).collect();
    ensure_eq!(keys, expected, "the keys as listed");
    for key in KEYS {
        let copy = format!("copy of/{key}");
        bucket.copy(key, &copy).await?;
        bucket.delete(key).await?;
        ensure_fails!(bucket.get(key).await, NotFound, "get of {key:?} after its delete");
        ensure_eq!(
            bucket.get(&copy).await?,
            format!("content of {key}"),
            "copy of {key:?}"
        );
    }
    Ok(())
}

async fn case(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("Key", "upper").await?;
    bucket.put("key", "lower").await?;
    ensure_eq!(bucket.get("Key").await?, "upper", "content of `Key`");
    ensure_eq!(bucket.get("key").await?, "lower", "content of `key`");
    Ok(())
}

async fn impossible(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    for key in [
        "", ".", "..", "../a", "a/../b", "a/..", "a/./b", "/a", "a/", "a//b", "a\0b", "a\nb",
    ] {
        let asked = portable::key(&bucket, key);
        ensure_fails!(bucket.put(&asked, "x").await, InvalidArgument, "put of {key:?}");
        ensure_fails!(bucket.get(&asked).await, InvalidArgument, "get of {key:?}");
        ensure_fails!(bucket.delete(&asked).await, InvalidArgument, "delete of {key:?}");
        ensure_fails!(
            bucket.copy(&asked, "a").await,
            InvalidArgument,
            "copy from {key:?}"
        );
        ensure_fails!(bucket.copy("a", &asked).await, InvalidArgument, "copy to {key:?}");
    }
    ensure_eq!(
        bucket.list("", None, 10).await?.objects.len(),
        0,
        "objects after refused puts"
    );
    Ok(())
}

async fn too_long(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let longest = bucket.capabilities().max_key_bytes;
    let key = "k".repeat(longest + 1);
    ensure_fails!(
        bucket.put(&key, "x").await,
        InvalidArgument,
        "a key of {} bytes",
        longest + 1
    );
    Ok(())
}

async fn nested(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    for key in ["A", "A/b", "A/b/c"] {
        bucket.put(key, key).await?;
    }
    let listed = bucket.list("", None, 10).await?;
    let keys: Vec<_> = listed.objects.iter().map(|meta| meta.key.as_str()).collect();
    ensure_eq!(keys, ["A", "A/b", "A/b/c"], "keys of which one begins another");
    bucket.delete("A").await?;
    ensure_eq!(
        bucket.get("A/b").await?,
        "A/b",
        "an object below one that was deleted"
    );
    Ok(())
}

async fn nested_refused(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "first").await?;
    ensure_fails!(
        bucket.put("a/b", "second").await,
        InvalidArgument,
        "an object below another"
    );
    ensure_eq!(bucket.get("a").await?, "first", "the object that was there");
    bucket.put("c/d", "first").await?;
    ensure_fails!(
        bucket.put("c", "second").await,
        InvalidArgument,
        "an object above another"
    );
    ensure_eq!(bucket.get("c/d").await?, "first", "the object that was there");
    Ok(())
}
