//! Tests of an item's form in a container.

use nephos_core::ErrorKind;
use serde_json::json;

use super::*;
use crate::document::{RESERVED, SYSTEM};
use crate::payload::Bookkeeping;

fn schema(key: &str, sort: Option<&str>, ttl: Option<&str>) -> TableSchema {
    TableSchema {
        key: key.to_owned(),
        sort: sort.map(str::to_owned),
        ttl: ttl.map(str::to_owned),
    }
}

/// What the service adds.
fn as_kept(document: Value) -> Map<String, Value> {
    let Value::Object(mut fields) = document else {
        panic!("no object")
    };
    for name in SYSTEM {
        fields.insert(name.to_owned(), json!("the service's"));
    }
    fields.insert("_etag".to_owned(), json!("\"tag\""));
    fields
}

#[test]
fn an_item_comes_back_whatever_its_attributes_are_called() {
    let schema = schema("id", Some("at"), None);
    let mut item = json!({"id": "a", "at": "2", "n": u64::MAX, "deep": {"id": 1.0}});
    for name in RESERVED.into_iter().filter(|name| *name != "id") {
        item[name] = json!({"own": name, "n": 1.0});
    }
    let document = Document::of(&schema, &item)
        .unwrap()
        .written(ChangeKind::Inserted);
    assert_eq!(document["id"], "2");
    assert_eq!(document["_nephos"]["id"], "a");
    assert!(document.get("ttl").is_none(), "{document}");
    let read = Read::of("table.get", &schema, as_kept(document)).unwrap();
    assert_eq!(read.key(&schema).unwrap(), Key::sorted("a", "2"));
    let stored = read.into_stored();
    assert_eq!(stored.item, item);
    assert_eq!(stored.version, Version("\"tag\"".to_owned()));
}

#[test]
fn an_item_of_another_program_is_all_its_own() {
    let schema = schema("face", None, None);
    let item = json!({"face": "a", "id": "7", "ttl": 60});
    let read = Read::of("table.get", &schema, as_kept(item.clone())).unwrap();
    assert_eq!(read.into_stored().item, item);
}

#[test]
fn an_item_expires_by_its_own_attribute_and_the_service_removes_it_then() {
    let schema = schema("face", None, Some("ttl"));
    let now = Utc::now().timestamp();
    for (expiry, ttl, expired) in [
        (now + 100, 99..=100, false),
        (now - 5, 1..=1, true),
        (i64::MAX, i64::from(i32::MAX)..=i64::from(i32::MAX), false),
    ] {
        let document = Document::of(&schema, &json!({"face": "a", "ttl": expiry}))
            .unwrap()
            .written(ChangeKind::Modified);
        assert!(ttl.contains(&document["ttl"].as_i64().unwrap()), "{document}");
        let read = Read::of("table.get", &schema, as_kept(document)).unwrap();
        assert_eq!(read.is_expired(), expired, "{expiry}");
        let stored = read.into_stored();
        assert_eq!(stored.item["ttl"], expiry);
        assert_eq!(etag(&stored.version).is_some(), !expired, "{:?}", stored.version);
    }
    let error = Document::of(&schema, &json!({"face": 1})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_change_feed_is_told_what_the_write_was() {
    let schema = schema("face", None, None);
    for change in [ChangeKind::Inserted, ChangeKind::Modified] {
        let document = Document::of(&schema, &json!({"face": "a"}))
            .unwrap()
            .written(change);
        let kept: Bookkeeping = serde_json::from_value(document[BOOKKEEPING].clone()).unwrap();
        assert_eq!(kept.change, Some(change));
    }
}

#[test]
fn an_id_has_no_sign_that_the_service_refuses_and_is_another_for_another_key() {
    let mut seen = std::collections::BTreeSet::new();
    let long = "x".repeat(2000);
    let keys = [
        "a",
        "A",
        "a b",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "~",
        "~7e",
        "%",
        ".",
        "..",
        "a.b",
        " ",
        "é",
        "🦀",
        "\u{0}",
        &long,
        &long[1..],
    ];
    for key in keys {
        let id = id_of(&Key::new(key));
        assert!(id.len() <= MAX_ID && !id.starts_with('.'), "{id}");
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte)),
            "{id}"
        );
        assert!(seen.insert(id), "{key:?}");
    }
    assert_eq!(
        id_of(&Key::sorted("p", "2026-01-01T00:00:00Z")),
        "2026-01-01T00:00:00Z"
    );
}

#[test]
fn a_sort_key_is_ordered_by_its_bytes() {
    let mut keys = ["\u{10000}", "\u{ffff}", "é", "z", "a"];
    keys.sort_by_key(|key| sortable(key).encode_utf16().collect::<Vec<_>>());
    assert_eq!(keys, ["a", "z", "é", "\u{ffff}", "\u{10000}"]);
}

#[test]
fn a_version_that_was_never_one_is_told_from_a_header() {
    for (text, tag) in [
        ("\"0000\"", Some("\"0000\"")),
        ("no version of this table", Some("no version of this table")),
        ("", None),
        ("*", None),
        ("a\nb", None),
        ("é", None),
        ("1|tag", None),
        ("99999999999|tag", Some("tag")),
    ] {
        assert_eq!(etag(&Version(text.to_owned())), tag, "{text:?}");
    }
}

#[test]
fn an_item_that_was_damaged_is_told_and_not_taken_for_another() {
    let schema = schema("face", None, None);
    let fields = as_kept(json!({"face": "a", "_nephos": {"own": 7}}));
    let error = Read::of("table.get", &schema, fields).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    assert!(error.to_string().contains("_nephos"), "{error}");
}
