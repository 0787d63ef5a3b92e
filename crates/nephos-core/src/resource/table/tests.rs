//! Keys, limits and conditions, before any I/O.

use serde_json::json;

use super::*;
use crate::resource::fake::Fake;

fn table(change: impl FnOnce(&mut Fake)) -> (Table, Arc<Fake>) {
    let mut fake = Fake::new();
    change(&mut fake);
    let fake = Arc::new(fake);
    (Table::new("faces", Arc::<Fake>::clone(&fake)), fake)
}

fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn delete(key: &str) -> Write {
    Write::Delete {
        key: key.into(),
        condition: Condition::Always,
    }
}

#[tokio::test]
async fn an_item_beyond_the_tables_limits_is_refused_before_any_io() {
    let (table, fake) = table(|_| {});
    for (item, expected) in [
        (json!({"id": 7}), ErrorKind::InvalidArgument),
        (json!({"id": ""}), ErrorKind::InvalidArgument),
        (json!({}), ErrorKind::InvalidArgument),
        (json!("text"), ErrorKind::InvalidArgument),
        (json!({"id": "a", "expires": "soon"}), ErrorKind::InvalidArgument),
        (json!({"id": "a", "expires": 1}), ErrorKind::Unsupported),
        (
            json!({"id": "a", "text": "x".repeat(64)}),
            ErrorKind::ResourceExhausted,
        ),
    ] {
        assert_eq!(kind_of(table.put(&item).await), expected, "{item}");
    }
    assert_eq!(fake.calls(), 0);
    assert!(table.put(&json!({"id": "a", "expires": null})).await.is_ok());
}

#[tokio::test]
async fn a_key_must_fit_the_table() {
    let (plain, _) = table(|_| {});
    let error = plain.delete(Key::sorted("a", "b")).await.unwrap_err();
    assert!(error.to_string().contains("use `Key::new`"), "{error}");
    let (sorted, fake) = table(|fake| fake.schema.sort = Some("at".to_owned()));
    let error = sorted.get_stored::<serde_json::Value>("a").await.unwrap_err();
    assert!(error.to_string().contains("use `Key::sorted`"), "{error}");
    assert_eq!(
        kind_of(sorted.delete(Key::sorted("a", "")).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn a_query_needs_a_partition_a_limit_and_a_sort_key_for_a_range() {
    let (table, fake) = table(|_| {});
    for query in [
        Query::partition(""),
        Query::partition("a").limit(0),
        Query::partition("a").prefix("2026-"),
    ] {
        assert_eq!(
            kind_of(table.query::<serde_json::Value>(&query).await),
            ErrorKind::InvalidArgument,
            "{query:?}"
        );
    }
    assert_eq!(
        kind_of(table.scan::<serde_json::Value>(1, None).await),
        ErrorKind::Unsupported
    );
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn a_batch_is_no_longer_than_the_target_does_at_once_and_writes_each_key_once() {
    let (table, fake) = table(|_| {});
    let long = vec![delete("a"), delete("b"), delete("c")];
    assert_eq!(kind_of(table.write_batch(long).await), ErrorKind::Unsupported);
    let twice = vec![
        Write::Put {
            item: json!({"id": "a"}),
            condition: Condition::Always,
        },
        delete("a"),
    ];
    let error = table.write_batch(twice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("key=a"), "{error}");
    assert!(table.write_batch(Vec::new()).await.unwrap().is_empty());
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn a_batch_is_of_one_partition_where_the_target_does_one_at_a_time() {
    let batch = || vec![delete("a"), delete("b")];
    let (unable, fake) = table(|_| {});
    let error = unable.write_batch(batch()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("partitions=2"), "{error}");
    assert_eq!(fake.calls(), 0);
    let (able, _) = table(|fake| fake.able = true);
    assert_eq!(able.write_batch(batch()).await.unwrap(), [None, None]);
    let (sorted, fake) = table(|fake| fake.schema.sort = Some("at".to_owned()));
    let of_one = ["1", "2"].map(|sort| Write::Delete {
        key: Key::sorted("a", sort),
        condition: Condition::Always,
    });
    assert_eq!(sorted.write_batch(of_one.to_vec()).await.unwrap().len(), 2);
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused_before_any_io() {
    let (sorted, fake) = table(|fake| fake.schema.sort = Some("at".to_owned()));
    // Sixteen bytes are allowed, and these are seventeen, but nine characters.
    let long = format!("{}x", "ü".repeat(8));
    for key in [Key::sorted(&long, "1"), Key::sorted("a", &long)] {
        assert_eq!(
            kind_of(sorted.get::<serde_json::Value>(key.clone()).await),
            ErrorKind::InvalidArgument
        );
        let item = json!({"id": key.partition, "at": key.sort});
        assert_eq!(kind_of(sorted.put(&item).await), ErrorKind::InvalidArgument);
        let error = sorted.delete(key).await.unwrap_err();
        assert!(error.to_string().contains("bytes=17, max_bytes=16"), "{error}");
    }
    let query = Query::partition(&long);
    assert_eq!(
        kind_of(sorted.query::<serde_json::Value>(&query).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(fake.calls(), 0);
    let longest = "ü".repeat(8);
    sorted.put(&json!({"id": longest, "at": longest})).await.unwrap();
}

#[tokio::test]
async fn a_batch_needs_the_access_of_each_of_its_writes() {
    let table = Table::with_access("faces", Arc::new(Fake::new()), [Access::Write].into());
    assert!(table.put(&json!({"id": "a"})).await.is_ok());
    assert_eq!(kind_of(table.delete("a").await), ErrorKind::PermissionDenied);
    assert_eq!(
        kind_of(table.get::<serde_json::Value>("a").await),
        ErrorKind::PermissionDenied
    );
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_tried_again() {
    let unavailable = [ErrorKind::Unavailable];
    let item = json!({"id": "a"});
    let fake = Arc::new(Fake::new().failing(&unavailable));
    let table = Table::new("faces", Arc::<Fake>::clone(&fake));
    assert_eq!(kind_of(table.put_if_absent(&item).await), ErrorKind::Unavailable);
    assert_eq!(fake.calls(), 1);

    let fake = Arc::new(Fake::new().failing(&unavailable));
    let table = Table::new("faces", Arc::<Fake>::clone(&fake));
    assert!(table.put(&item).await.is_ok());
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn an_item_that_does_not_fit_names_its_field() {
    #[derive(Debug, serde::Deserialize)]
    struct Face {
        #[expect(dead_code, reason = "only its type counts")]
        count: u32,
    }
    let (table, _) = table(|_| {});
    let error = table.get::<Face>("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("field=count"), "{error}");
}
