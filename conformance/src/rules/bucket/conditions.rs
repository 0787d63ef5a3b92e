//! Rules of conditional writes and reads.

use std::sync::Arc;

use nephos_core::ErrorKind;
use object_store::GetOptions;

use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "bucket.put-if-absent.first-wins",
        "a lock or a marker is taken once",
        "Go CDK drivertest",
        ConditionIgnored,
        absent,
        needs | capabilities | capabilities.bucket.put_if_absent,
        absent_refused
    ),
    rule!(
        "bucket.put-if-absent.race-has-one-winner",
        "two functions that start at once must not both win",
        "object_store tests",
        ConditionIgnored,
        absent_race,
        needs | capabilities | capabilities.bucket.put_if_absent,
        absent_refused
    ),
    rule!(
        "bucket.put-if-match.right-and-stale",
        "a write over somebody else's write is a lost update",
        "object_store CAS tests",
        ConditionIgnored,
        matches,
        needs | capabilities | capabilities.bucket.put_if_match,
        match_refused
    ),
    rule!(
        "bucket.put-if-match.concurrent-counts-lose-none",
        "compare and swap must hold under load",
        "object_store CAS tests",
        ConditionIgnored,
        counts,
        needs | capabilities | capabilities.bucket.put_if_match,
        match_refused
    ),
    rule!(
        "bucket.get.if-match-and-if-none-match",
        "a cache asks only whether its copy is still good",
        "OpenDAL behaviour tests",
        ReadConditionIgnored,
        read_conditions
    ),
];

async fn absent(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put_if_absent("a", "first").await?;
    ensure_fails!(
        bucket.put_if_absent("a", "second").await,
        AlreadyExists,
        "put if absent over an object"
    );
    ensure_eq!(bucket.get("a").await?, "first", "the object that was there");
    bucket.delete("a").await?;
    bucket.put_if_absent("a", "third").await?;
    ensure_eq!(bucket.get("a").await?, "third", "the object put after a delete");
    Ok(())
}

async fn absent_refused(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    ensure_fails!(
        bucket.put_if_absent("a", "x").await,
        Unsupported,
        "put if absent where undeclared"
    );
    Ok(())
}

async fn absent_race(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let puts = (0..8).map(|n| {
        let bucket = bucket.clone();
        tokio::spawn(async move { bucket.put_if_absent("a", format!("writer {n}")).await })
    });
    let mut winners = Vec::new();
    for (n, put) in futures::future::join_all(puts).await.into_iter().enumerate() {
        match put.map_err(Violation::new)? {
            Ok(_) => winners.push(n),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure_eq!(winners.len(), 1, "winners of a race of 8 ({winners:?})");
    ensure_eq!(
        bucket.get("a").await?,
        format!("writer {}", winners[0]),
        "the winner's bytes"
    );
    Ok(())
}

async fn matches(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let first = bucket
        .put("a", "1")
        .await?
        .ok_or_else(|| Violation::new("put returned no etag"))?;
    let second = bucket.put_if_match("a", "2", &first).await?;
    ensure!(
        second.is_some() && second.as_ref() != Some(&first),
        "a write by etag returns the new etag"
    );
    ensure_fails!(
        bucket.put_if_match("a", "3", &first).await,
        Conflict,
        "put by a stale etag"
    );
    ensure_eq!(
        bucket.get("a").await?,
        "2",
        "the object after a write by a stale etag"
    );
    Ok(())
}

async fn match_refused(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    bucket.put("a", "1").await?;
    ensure_fails!(
        bucket.put_if_match("a", "2", "x").await,
        Unsupported,
        "put by etag where undeclared"
    );
    Ok(())
}

async fn counts(harness: Subject) -> Verdict {
    const WRITERS: u32 = 4;
    const EACH: u32 = 4;
    let bucket = harness.bucket().await?;
    bucket.put("n", "0").await?;
    let writers = (0..WRITERS).map(|_| {
        let bucket = bucket.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < EACH {
                let object = bucket.open("n").await?;
                let etag = object.meta.etag.clone().unwrap_or_default();
                let text = String::from_utf8_lossy(&object.bytes().await?).into_owned();
                let n: u32 = text.parse().map_err(Violation::new)?;
                match bucket.put_if_match("n", (n + 1).to_string(), &etag).await {
                    Ok(_) => done += 1,
                    Err(error) if error.kind() == ErrorKind::Conflict => tokio::task::yield_now().await,
                    Err(error) => return Err(error.into()),
                }
            }
            Verdict::Ok(())
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.map_err(Violation::new)??;
    }
    ensure_eq!(
        bucket.get("n").await?,
        (WRITERS * EACH).to_string(),
        "the count after concurrent increments"
    );
    Ok(())
}

async fn read_conditions(harness: Subject) -> Verdict {
    let bucket = harness.bucket().await?;
    let etag = bucket.put("a", "1").await?;
    let with = |if_match: Option<String>, if_none_match: Option<String>| GetOptions {
        if_match,
        if_none_match,
        ..GetOptions::default()
    };
    let same = bucket.open_with("a", with(etag.clone(), None)).await?;
    ensure_eq!(same.bytes().await?, "1", "a read by the right etag");
    let unchanged = bucket.open_with("a", with(None, etag.clone())).await;
    ensure_fails!(unchanged, Conflict, "a read of what has not changed");
    bucket.put("a", "2").await?;
    let stale = bucket.open_with("a", with(etag.clone(), None)).await;
    ensure_fails!(stale, Conflict, "a read by a stale etag");
    let changed = bucket.open_with("a", with(None, etag)).await?;
    ensure_eq!(changed.bytes().await?, "2", "a read of what has changed");
    Ok(())
}
