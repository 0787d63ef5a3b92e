//! Rules of time to live.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::table::Query;
use serde_json::{Value, json};

use super::expiring;
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn declared(capabilities: &Capabilities) -> bool {
    capabilities.table.ttl
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("table.ttl.expires", "a session ends by itself", "Dapr state stores", TtlIgnored, expires, needs declared, refused),
    rule!("table.ttl.expired-is-absent", "an expired lock can be taken again, and an expired item is not listed", "Dapr state stores", TtlIgnored, absent, needs declared, refused),
    rule!("table.ttl.rewriting-removes-it", "what was kept for good must not vanish by the time of an earlier write", "DynamoDB documentation", PutMerges, rewritten, needs declared, refused),
    rule!("table.ttl.bad-value-is-refused", "an item that can never expire is a mistake found late", "Dapr state stores", SchemaLost, bad, needs declared, refused),
];

const TTL: Duration = Duration::from_secs(2);

fn item(harness: &Subject, n: u32) -> Value {
    json!({"id": "a", "n": n, "expires": harness.now().timestamp() + 2})
}

async fn refused(harness: Subject) -> Verdict {
    let table = expiring(&*harness).await?;
    ensure_fails!(
        table.put(&item(&harness, 1)).await,
        Unsupported,
        "an item that expires where none can"
    );
    table.put(&json!({"id": "a"})).await?;
    Ok(())
}

async fn expires(harness: Subject) -> Verdict {
    let table = expiring(&*harness).await?;
    let item = item(&harness, 1);
    table.put(&item).await?;
    table.put(&json!({"id": "b"})).await?;
    table
        .put(&json!({"id": "c", "expires": harness.now().timestamp() + 3600}))
        .await?;
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(item),
        "the item before it expires"
    );
    harness.pass(TTL + Duration::from_secs(1)).await;
    ensure_eq!(
        table.get::<Value>("a").await?,
        None,
        "the item after it has expired"
    );
    ensure_eq!(
        table.get::<Value>("b").await?,
        Some(json!({"id": "b"})),
        "an item without time to live"
    );
    ensure_eq!(
        table.get::<Value>("c").await?.is_some(),
        true,
        "whether an item that lives longer is there"
    );
    Ok(())
}

async fn absent(harness: Subject) -> Verdict {
    let table = expiring(&*harness).await?;
    let version = table.put(&item(&harness, 1)).await?;
    harness.pass(TTL + Duration::from_secs(1)).await;
    ensure_eq!(
        table.query::<Value>(&Query::partition("a")).await?.items.len(),
        0,
        "expired items in a query"
    );
    if table.driver().capabilities().scan {
        ensure_eq!(
            table.scan::<Value>(10, None).await?.items.len(),
            0,
            "expired items in a scan"
        );
    }
    ensure_fails!(
        table.put_if_version(&json!({"id": "a"}), &version).await,
        Conflict,
        "put by the version of an expired item"
    );
    table.put_if_absent(&json!({"id": "a", "n": 2})).await?;
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "n": 2})),
        "the item that took its place"
    );
    Ok(())
}

async fn rewritten(harness: Subject) -> Verdict {
    let table = expiring(&*harness).await?;
    table.put(&item(&harness, 1)).await?;
    let kept = json!({"id": "a", "n": 2});
    table.put(&kept).await?;
    harness.pass(TTL + Duration::from_secs(1)).await;
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(kept),
        "an item that was written again without time to live"
    );
    Ok(())
}

async fn bad(harness: Subject) -> Verdict {
    let table = expiring(&*harness).await?;
    for value in [json!("tomorrow"), json!(1.5), json!(true), json!({})] {
        ensure_fails!(
            table.put(&json!({"id": "a", "expires": value})).await,
            InvalidArgument,
            "time to live of {value}"
        );
    }
    table.put(&json!({"id": "a", "expires": null})).await?;
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "expires": null})),
        "an item whose time to live is null"
    );
    Ok(())
}
