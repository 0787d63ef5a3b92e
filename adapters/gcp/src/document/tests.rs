//! Tests of items as documents.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

#[test]
fn what_others_write_is_read_as_they_mean_it() {
    let fields = object(json!({
        "whole": {"integerValue": "-9223372036854775808"},
        "float": {"doubleValue": 3},
        "none": {"doubleValue": "NaN"},
        "at": {"timestampValue": "2026-01-01T00:00:00Z"},
        "place": {"geoPointValue": {"latitude": 1.5, "longitude": 2.5}},
        "empty": {"mapValue": {}},
        "list": {"arrayValue": {}},
        "_nephos_version": {"stringValue": "x"},
    }));
    assert_eq!(
        Value::Object(from_fields(&fields).unwrap()),
        json!({
            "whole": i64::MIN, "float": 3.0, "none": "NaN", "at": "2026-01-01T00:00:00Z",
            "place": {"latitude": 1.5, "longitude": 2.5}, "empty": {}, "list": [],
        })
    );
    for damaged in [
        json!({"a": {}}),
        json!({"a": {"newValue": 1}}),
        json!({"a": {"integerValue": "1.5"}}),
        json!({"a": 1}),
        json!({"a": {"mapValue": {"fields": {"~json": {"stringValue": "{"}}}}}),
    ] {
        let error = from_fields(&object(damaged)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}

/// How deep maps and lists are nested in a value of Firestore.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            let inner = fields.values().map(depth).max().unwrap_or(0);
            inner + usize::from(fields.contains_key("mapValue") || fields.contains_key("arrayValue"))
        }
        Value::Array(list) => list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn what_is_nested_deeper_than_firestore_takes_is_kept_as_text() {
    for around in [|value: Value| json!([value]), |value: Value| json!({"a": value})] {
        let deep = (0..60).fold(json!(1), |value, _| around(value));
        let item = object(json!({"deep": deep}));
        let fields = to_fields(&item);
        assert!(depth(&Value::Object(fields.clone())) <= 20);
        assert_eq!(from_fields(&fields).unwrap(), item);
    }
}

#[test]
fn every_key_has_a_name_of_its_own_that_firestore_takes() {
    let long = "x".repeat(748);
    let texts = [
        "a", "|", "a|b", "%", "%7C", ".", "..", "__", "____", "__x__", "a/b", "__a", "b__", "%.", "%h",
        &long, "é",
    ];
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for partition in texts {
        for sort in texts.iter().map(|sort| Some(*sort)).chain([None]) {
            let id = document_id(partition, sort);
            assert!(
                !id.contains('/') && id != "." && id != ".." && !is_reserved(&id) && id.len() <= 1_500,
                "{id}"
            );
            ids.insert(id);
            count += 1;
        }
    }
    assert_eq!(ids.len(), count);
}

#[test]
fn the_index_orders_a_partition_by_its_sort_keys_and_keeps_partitions_apart() {
    assert!(index("a", "9") < index("a", "b"));
    assert_ne!(index("a", "bc"), index("ab", "c"));
    assert_ne!(index("1:a", "b"), index("1", ":ab"));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(
                "(~|~~|__|_nephos_key)?[a-z]{0,2}(__|list|number|json)?",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_item_comes_back_as_it_was(value in values(), name in "(~|__|_nephos_version)?[a-z]{0,2}(__)?") {
        let item = Map::from_iter([(name, value)]);
        let fields = to_fields(&item);
        prop_assert!(fields.keys().all(|name| !name.is_empty() && !is_reserved(name) && !name.starts_with(OURS)));
        // As it travels.
        let text = serde_json::to_string(&fields).unwrap();
        let read: Map<String, Value> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(from_fields(&read).unwrap(), item);
    }
}
