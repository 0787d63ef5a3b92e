//! Documents of Firestore, and commits.

use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};

use super::Place;

const DOCUMENTS: &str = "databases/(default)/documents";
const FULL: &str = "projects/shop/databases/(default)/documents";

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

fn update(id: &str, fields: &Value) -> Value {
    json!({"update": {"name": format!("{FULL}/{id}"), "fields": fields}})
}

async fn commit(place: &Place, writes: Value) -> crate::client::Answered {
    place
        .ask(&format!("POST {DOCUMENTS}:commit"), json!({"writes": writes}))
        .await
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_googles_emulator_gives_it() {
    for place in Place::all(Emulator::Firestore).await {
        let fields = json!({
            "null": {"nullValue": null}, "bool": {"booleanValue": true}, "text": text("ü"), "bytes": {"bytesValue": "AQ=="},
            "whole": {"integerValue": "-9223372036854775808"}, "float": {"doubleValue": 0.1}, "one": {"doubleValue": 1.0},
            "nan": {"doubleValue": "NaN"}, "far": {"doubleValue": "-Infinity"},
            "at": {"timestampValue": "2026-01-01T00:00:00.123456Z"}, "at2": {"timestampValue": "2026-01-01T00:00:00.120Z"},
            "at3": {"timestampValue": "2026-01-01T00:00:00Z"},
            "ref": {"referenceValue": format!("{FULL}/c/a")}, "place": {"geoPointValue": {"latitude": 1.5, "longitude": -2.5}},
            "list": {"arrayValue": {"values": [text("a"), {"mapValue": {"fields": {"b": {"integerValue": "1"}}}}]}},
            "none": {"arrayValue": {}}, "empty": {"mapValue": {}},
        });
        commit(&place, json!([update("c/a", &fields)])).await.ok();
        let told = place.get(&format!("{DOCUMENTS}/c/a")).await.ok();
        assert_eq!(told["fields"], fields);
        // Of a moment Firestore keeps microseconds.
        let fields = json!({"at": {"timestampValue": "2026-01-01T00:00:00.123456789Z"}});
        commit(&place, json!([update("c/a", &fields)])).await.ok();
        let told = place
            .get(&format!("{DOCUMENTS}/c/a?mask.fieldPaths=at"))
            .await
            .ok();
        assert_eq!(
            told["fields"]["at"]["timestampValue"],
            "2026-01-01T00:00:00.123456Z"
        );
    }
}

#[tokio::test]
async fn documents_are_made_got_changed_listed_and_deleted_as_by_googles_emulator() {
    for place in Place::all(Emulator::Firestore).await {
        let below = format!("{DOCUMENTS}/c/a/d");
        let made = place
            .ask(
                &format!("POST {below}?documentId=x"),
                json!({"fields": {"a": text("1")}}),
            )
            .await
            .ok();
        assert_eq!(made["name"], format!("{FULL}/c/a/d/x"));
        assert_eq!(made["createTime"], made["updateTime"]);
        place
            .ask(&format!("POST {below}?documentId=x"), json!({}))
            .await
            .refused(409, "ALREADY_EXISTS", "exists");
        let named = place
            .ask(&format!("POST {below}"), json!({"fields": {}}))
            .await
            .ok();
        let id = named["name"].as_str().unwrap().rsplit('/').next().unwrap();
        assert_eq!(id.len(), 20);
        let patch = format!("PATCH {below}/x?updateMask.fieldPaths=b.c&updateMask.fieldPaths=a");
        let fields = json!({"fields": {"b": {"mapValue": {"fields": {"c": text("2"), "d": text("3")}}}}});
        let changed = place.ask(&patch, fields).await.ok();
        assert_eq!(
            changed["fields"],
            json!({"b": {"mapValue": {"fields": {"c": text("2")}}}})
        );
        assert_eq!(changed["createTime"], made["createTime"]);
        assert_ne!(changed["updateTime"], made["updateTime"]);
        let listed = place.get(&format!("{below}?pageSize=1&orderBy=b.c")).await.ok();
        assert_eq!(listed["documents"].as_array().map(Vec::len), Some(1));
        let listed = place.get(&format!("{below}?pageSize=1")).await.ok();
        let token = listed["nextPageToken"].as_str().unwrap();
        let rest = place
            .get(&format!("{below}?pageSize=5&pageToken={token}"))
            .await
            .ok();
        assert_eq!(rest["documents"].as_array().map(Vec::len), Some(1));
        place
            .ask(
                &format!("DELETE {below}/nope?currentDocument.exists=true"),
                Value::Null,
            )
            .await
            .refused(404, "NOT_FOUND", "");
        for _ in 0..2 {
            place.ask(&format!("DELETE {below}/x"), Value::Null).await.ok();
        }
        place
            .get(&format!("{below}/x"))
            .await
            .refused(404, "NOT_FOUND", "not found");
    }
}

#[tokio::test]
async fn a_commit_does_all_or_nothing_under_its_preconditions_as_googles_emulator_does() {
    for place in Place::all(Emulator::Firestore).await {
        let fields = json!({"a": text("1")});
        let done = commit(
            &place,
            json!([update("c/a", &fields), {"delete": format!("{FULL}/c/b")}]),
        )
        .await
        .ok();
        let at = done["writeResults"][0]["updateTime"].clone();
        assert!(at.is_string());
        assert_eq!(done["writeResults"][1].get("updateTime"), None);
        // What is written as it was keeps its moment.
        let same = commit(&place, json!([update("c/a", &fields)])).await.ok();
        assert_eq!(same["writeResults"][0]["updateTime"], at);
        let conditional = |id: &str, condition: Value| {
            let mut write = update(id, &json!({"a": text("2")}));
            write["currentDocument"] = condition;
            write
        };
        let old = json!({"updateTime": "2020-01-01T00:00:00Z"});
        for (id, condition, status, code) in [
            ("c/a", json!({"exists": false}), 409, "ALREADY_EXISTS"),
            ("c/n", json!({"exists": true}), 404, "NOT_FOUND"),
            ("c/a", old.clone(), 400, "FAILED_PRECONDITION"),
        ] {
            let writes = json!([update("c/new", &fields), conditional(id, condition)]);
            commit(&place, writes).await.refused(status, code, "");
        }
        let gone = json!([{"delete": format!("{FULL}/c/n"), "currentDocument": old}]);
        commit(&place, gone).await.refused(400, "FAILED_PRECONDITION", "");
        place
            .get(&format!("{DOCUMENTS}/c/new"))
            .await
            .refused(404, "NOT_FOUND", "");
        let right = json!({"updateTime": at});
        commit(&place, json!([conditional("c/a", right)])).await.ok();
        // The later write of one document sees the earlier.
        let twice = json!([
            update("c/t", &fields),
            conditional("c/t", json!({"exists": true}))
        ]);
        commit(&place, twice).await.ok();
        let names =
            json!({"documents": [format!("{FULL}/c/t"), format!("{FULL}/c/n"), format!("{FULL}/c/t")]});
        let got = place.ask(&format!("POST {DOCUMENTS}:batchGet"), names).await.ok();
        let got = got.as_array().unwrap();
        assert_eq!(got.len(), 2);
        let found = got.iter().find_map(|one| one.get("found")).unwrap();
        assert_eq!(found["fields"]["a"], text("2"));
        let missing = got.iter().find_map(|one| one.get("missing")).unwrap();
        assert_eq!(missing, &json!(format!("{FULL}/c/n")));
    }
}

/// A value in so many maps.
fn nested(count: usize) -> Value {
    (0..count).fold(
        text("x"),
        |value, _| json!({"mapValue": {"fields": {"a": value}}}),
    )
}

#[tokio::test]
async fn what_is_no_document_is_refused_as_by_googles_emulator() {
    for place in Place::all(Emulator::Firestore).await {
        let refused = async |write: Value| {
            let answer = commit(&place, json!([write])).await;
            assert_eq!(answer.status, 400, "{:#}", answer.json);
            assert_eq!(answer.json["error"]["status"], "INVALID_ARGUMENT");
        };
        for id in [
            "c",
            "__c__/a",
            "c/__a__",
            "c/..",
            "c/.",
            &format!("c/{}", "x".repeat(1501)),
        ] {
            refused(update(id, &json!({}))).await;
        }
        for fields in [
            json!({"": text("x")}),
            json!({"__x__": text("x")}),
            json!({"x": {}}),
            json!({"x": {"stringValue": "a", "booleanValue": true}}),
            json!({"x": {"arrayValue": {"values": [{"arrayValue": {}}]}}}),
            json!({"x": {"timestampValue": "0000-01-01T00:00:00Z"}}),
            json!({"x": {"geoPointValue": {"latitude": 91, "longitude": 0}}}),
            json!({"x": text(&"a".repeat(1_048_570))}),
            json!({"x": nested(21)}),
        ] {
            refused(update("c/a", &fields)).await;
        }
        refused(json!({})).await;
        for fields in [
            json!({"x": text(&"a".repeat(1_048_400))}),
            json!({"x": nested(20)}),
        ] {
            commit(&place, json!([update("c/a", &fields)])).await.ok();
        }
    }
}

#[tokio::test]
async fn what_firestore_refuses_is_refused_where_googles_emulator_takes_it_and_the_rest_is_unimplemented() {
    let place = Place::stand_in(Emulator::Firestore).await;
    let foreign = json!({"delete": "projects/other/databases/(default)/documents/c/a"});
    commit(&place, json!([foreign]))
        .await
        .refused(400, "INVALID_ARGUMENT", "database");
    let large = json!({"a": text(&"a".repeat(1_000_000)), "b": text(&"b".repeat(60_000))});
    commit(&place, json!([update("c/a", &large)]))
        .await
        .refused(400, "INVALID_ARGUMENT", "1048576");
    let whole: Vec<Value> = (0..11)
        .map(|n| update(&format!("c/{n}"), &json!({"a": text(&"a".repeat(1_000_000))})))
        .collect();
    commit(&place, whole.into())
        .await
        .refused(400, "INVALID_ARGUMENT", "payload size");
    place
        .ask(
            &format!("PATCH {DOCUMENTS}/c/a?updateMask.fieldPaths=a-b"),
            json!({}),
        )
        .await
        .refused(400, "INVALID_ARGUMENT", "");
    commit(
        &place,
        json!([{"update": {"name": format!("{FULL}/c/a"), "feilds": {}}}]),
    )
    .await
    .refused(400, "INVALID_ARGUMENT", "feilds");
    let mut transforms = update("c/a", &json!({}));
    transforms["updateTransforms"] = json!([{"fieldPath": "k", "increment": {"integerValue": "2"}}]);
    commit(&place, json!([transforms]))
        .await
        .refused(501, "UNIMPLEMENTED", "updateTransforms");
    for (request, body) in [
        (format!("POST {DOCUMENTS}:beginTransaction"), json!({})),
        (format!("POST {DOCUMENTS}:batchWrite"), json!({"writes": []})),
        (
            format!("POST {DOCUMENTS}:batchGet"),
            json!({"documents": [], "readTime": "2026-01-01T00:00:00Z"}),
        ),
    ] {
        place.ask(&request, body).await.refused(501, "UNIMPLEMENTED", "");
    }
    place
        .get(&format!("{DOCUMENTS}/c/a?readTime=2026-01-01T00:00:00Z"))
        .await
        .refused(501, "UNIMPLEMENTED", "readTime");
}
