//! Rules of queries and scans.

use std::collections::BTreeSet;
use std::sync::Arc;

use nephos_core::resource::table::{Query, Table};
use serde_json::{Value, json};

use super::sorted;
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "table.query.whole-partition-in-order",
        "a partition is read in the order of its sort keys",
        "Go CDK docstore",
        OrderReversed,
        whole
    ),
    rule!(
        "table.query.one-partition-only",
        "a partition must not show another's items",
        "Go CDK docstore",
        Phantom,
        alone
    ),
    rule!(
        "table.query.prefix",
        "sort keys are built to be read by prefix",
        "DynamoDB documentation",
        RangeIgnored,
        prefix
    ),
    rule!(
        "table.query.between-is-inclusive",
        "a range of time includes its ends",
        "DynamoDB documentation",
        RangeIgnored,
        between
    ),
    rule!(
        "table.query.descending",
        "the latest comes first",
        "Go CDK docstore",
        DescendingIgnored,
        descending
    ),
    rule!(
        "table.query.sorted-by-bytes",
        "all targets sort text the same way",
        "Nephos",
        SortIgnoresCase,
        bytes
    ),
    rule!(
        "table.query.pages-of-any-size",
        "each item is on one page, whatever the page size",
        "Go CDK docstore",
        PageSkips,
        pages
    ),
    rule!(
        "table.query.limit-is-held",
        "a handler takes no more than it can hold",
        "Go CDK docstore",
        MaxIgnored,
        limit
    ),
    rule!(
        "table.query.pages-while-items-come-and-go",
        "what is there all the time is listed once",
        "Dapr state stores",
        PageSkips,
        changing
    ),
    rule!(
        "table.query.foreign-cursor-is-refused",
        "a cursor of something else must not read from the beginning",
        "Nephos",
        ForeignPositionTaken,
        foreign
    ),
    rule!(
        "table.scan.every-item-once",
        "a small table is read whole",
        "Go CDK docstore",
        PageSkips,
        scan,
        needs | capabilities | capabilities.table.scan,
        scan_refused
    ),
];

async fn filled(harness: &Subject, sorts: &[&str]) -> Result<Table, Violation> {
    let table = sorted(&**harness).await?;
    for sort in sorts {
        table.put(&json!({"id": "p", "sort": sort})).await?;
    }
    Ok(table)
}

/// The sort keys of all pages.
async fn walk(table: &Table, query: Query) -> Result<Vec<String>, Violation> {
    let (mut sorts, mut query) = (Vec::new(), query);
    for _ in 0..100 {
        let page = table.query::<Value>(&query).await?;
        ensure!(
            page.items.len() <= query.limit,
            "a page of {} holds {}",
            query.limit,
            page.items.len()
        );
        sorts.extend(
            page.items
                .iter()
                .map(|stored| stored.item["sort"].as_str().unwrap_or_default().to_owned()),
        );
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(sorts),
        }
    }
    Err(Violation::new("the query does not end"))
}

fn of() -> Query {
    Query::partition("p")
}

async fn whole(harness: Subject) -> Verdict {
    let table = filled(&harness, &["c", "a", "b"]).await?;
    ensure_eq!(walk(&table, of()).await?, ["a", "b", "c"], "the partition");
    ensure_eq!(
        walk(&table, Query::partition("none")).await?.len(),
        0,
        "items of a partition that there is not"
    );
    Ok(())
}

async fn alone(harness: Subject) -> Verdict {
    let table = filled(&harness, &["1"]).await?;
    for id in ["p1", "pp", "P", "o", "q", "p/1"] {
        table.put(&json!({"id": id, "sort": format!("of {id}")})).await?;
    }
    ensure_eq!(walk(&table, of()).await?, ["1"], "items of the partition `p`");
    Ok(())
}

async fn prefix(harness: Subject) -> Verdict {
    let table = filled(
        &harness,
        &[
            "2025-12-31",
            "2026-01-01",
            "2026-01-31",
            "2026-02",
            "2026-1",
            "%",
            "_x",
            "\u{10ffff}\u{10ffff}",
        ],
    )
    .await?;
    ensure_eq!(
        walk(&table, of().prefix("2026-01")).await?,
        ["2026-01-01", "2026-01-31"],
        "prefix `2026-01`"
    );
    ensure_eq!(
        walk(&table, of().prefix("2026-0").limit(1)).await?,
        ["2026-01-01", "2026-01-31", "2026-02"],
        "prefix in pages of 1"
    );
    ensure_eq!(
        walk(&table, of().prefix("%")).await?,
        ["%"],
        "a percent sign is no wildcard"
    );
    ensure_eq!(
        walk(&table, of().prefix("_")).await?,
        ["_x"],
        "an underscore is no wildcard"
    );
    ensure_eq!(
        walk(&table, of().prefix("\u{10ffff}")).await?,
        ["\u{10ffff}\u{10ffff}"],
        "the highest character"
    );
    Ok(())
}

async fn between(harness: Subject) -> Verdict {
    use nephos_core::resource::table::SortRange;
    let table = filled(&harness, &["a", "b", "ba", "c", "ca", "d"]).await?;
    ensure_eq!(
        walk(&table, of().between("b", "c")).await?,
        ["b", "ba", "c"],
        "from b to c"
    );
    ensure_eq!(
        walk(&table, of().between("b", "c").descending()).await?,
        ["c", "ba", "b"],
        "from b to c, descending"
    );
    let from = Query {
        range: SortRange::Between(Some("c".to_owned()), None),
        ..of()
    };
    ensure_eq!(walk(&table, from).await?, ["c", "ca", "d"], "from c on");
    let to = Query {
        range: SortRange::Between(None, Some("b".to_owned())),
        ..of()
    };
    ensure_eq!(walk(&table, to).await?, ["a", "b"], "up to b");
    ensure_eq!(
        walk(&table, of().between("x", "b")).await?.len(),
        0,
        "items of a range that ends before it begins"
    );
    Ok(())
}

async fn descending(harness: Subject) -> Verdict {
    let table = filled(&harness, &["a", "b", "c", "d"]).await?;
    ensure_eq!(
        walk(&table, of().descending()).await?,
        ["d", "c", "b", "a"],
        "descending"
    );
    ensure_eq!(
        walk(&table, of().descending().limit(1)).await?,
        ["d", "c", "b", "a"],
        "descending, in pages of 1"
    );
    Ok(())
}

async fn bytes(harness: Subject) -> Verdict {
    let table = filled(
        &harness,
        &[
            "é",
            "z",
            "a",
            "B",
            "b",
            "A",
            "~",
            "10",
            "9",
            "\u{ffff}",
            "\u{10000}",
        ],
    )
    .await?;
    // U+10000 follows U+FFFF by UTF-8 bytes, and precedes it by UTF-16 units.
    let expected = [
        "10",
        "9",
        "A",
        "B",
        "a",
        "b",
        "z",
        "~",
        "é",
        "\u{ffff}",
        "\u{10000}",
    ];
    ensure_eq!(walk(&table, of()).await?, expected, "order by bytes");
    Ok(())
}

async fn pages(harness: Subject) -> Verdict {
    let sorts = ["a", "b", "c", "d", "e", "f", "g"];
    let table = filled(&harness, &sorts).await?;
    for size in [1, 2, 3, 7, 8] {
        ensure_eq!(walk(&table, of().limit(size)).await?, sorts, "pages of {size}");
    }
    Ok(())
}

async fn limit(harness: Subject) -> Verdict {
    let table = filled(&harness, &["a", "b", "c"]).await?;
    let page = table.query::<Value>(&of().limit(2)).await?;
    ensure_eq!(
        (page.items.len(), page.next.is_some()),
        (2, true),
        "items of a page of 2, and whether it goes on"
    );
    ensure_fails!(
        table.query::<Value>(&of().limit(0)).await,
        InvalidArgument,
        "a limit of 0"
    );
    Ok(())
}

async fn changing(harness: Subject) -> Verdict {
    let table = filled(&harness, &["a", "c", "e", "g"]).await?;
    let first = table.query::<Value>(&of().limit(2)).await?;
    ensure!(first.next.is_some(), "a first page of 2 of 4 goes on");
    for sort in ["b", "d"] {
        table.put(&json!({"id": "p", "sort": sort})).await?;
    }
    for sort in ["a", "c"] {
        table
            .delete(nephos_core::resource::table::Key::sorted("p", sort))
            .await?;
    }
    ensure_eq!(
        walk(&table, of().cursor(first.next)).await?,
        ["d", "e", "g"],
        "the pages after inserts and deletes"
    );
    Ok(())
}

async fn foreign(harness: Subject) -> Verdict {
    let table = filled(&harness, &["a", "b"]).await?;
    for cursor in ["", "not a cursor", "💥", "eyJhIjoxfQ"] {
        let query = of().cursor(Some(cursor.to_owned()));
        ensure_fails!(
            table.query::<Value>(&query).await,
            InvalidArgument,
            "the cursor {cursor:?}"
        );
        if table.driver().capabilities().scan {
            ensure_fails!(
                table.scan::<Value>(10, Some(cursor)).await,
                InvalidArgument,
                "a scan from the cursor {cursor:?}"
            );
        }
    }
    Ok(())
}

async fn scan(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    let mut expected = BTreeSet::new();
    for partition in ["a", "b", "ab"] {
        for sort in ["1", "2", "3"] {
            table.put(&json!({"id": partition, "sort": sort})).await?;
            expected.insert(format!("{partition}-{sort}"));
        }
    }
    for size in [1, 4, 9, 20] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        for _ in 0..20 {
            let page = table.scan::<Value>(size, cursor.as_deref()).await?;
            seen.extend(page.items.iter().map(|stored| {
                format!(
                    "{}-{}",
                    stored.item["id"].as_str().unwrap_or_default(),
                    stored.item["sort"].as_str().unwrap_or_default()
                )
            }));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        ensure_eq!(seen.len(), expected.len(), "items scanned in pages of {size}");
        ensure_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected, "the items");
    }
    Ok(())
}

async fn scan_refused(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    ensure_fails!(
        table.scan::<Value>(1, None).await,
        Unsupported,
        "a scan where there is none"
    );
    Ok(())
}
