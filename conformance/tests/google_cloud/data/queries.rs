//! Structured queries of Firestore.

use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};

use super::Place;
use crate::client::Answered;

const DOCUMENTS: &str = "databases/(default)/documents";
const FULL: &str = "projects/shop/databases/(default)/documents";

fn whole(number: i64) -> Value {
    json!({"integerValue": number.to_string()})
}

fn is(field: &str, op: &str, value: Value) -> Value {
    json!({"fieldFilter": {"field": {"fieldPath": field}, "op": op, "value": value}})
}

fn by(field: &str, direction: &str) -> Value {
    json!([{"field": {"fieldPath": field}, "direction": direction}])
}

/// A query of the collection `c`.
async fn query(place: &Place, mut asked: Value) -> Answered {
    if asked.get("from").is_none() {
        asked["from"] = json!([{"collectionId": "c"}]);
    }
    let body = json!({"structuredQuery": asked});
    place.ask(&format!("POST {DOCUMENTS}:runQuery"), body).await
}

/// The ids that it finds, in order.
async fn found(place: &Place, asked: Value) -> String {
    let answers = query(place, asked).await.ok();
    let names = answers.as_array().unwrap().iter();
    let names = names.filter_map(|answer| answer["document"]["name"].as_str());
    names.map(|name| name.rsplit('/').next().unwrap()).collect()
}

/// Documents `a` to `f`: numbers, a text, none; lists.
async fn fill(place: &Place) {
    let list = |values: Value| json!({"arrayValue": {"values": values}});
    let documents = [
        (
            "c/a",
            json!({"n": whole(2), "l": list(json!([whole(1), whole(2)]))}),
        ),
        (
            "c/b",
            json!({"n": {"doubleValue": 2.5}, "l": list(json!([whole(3)]))}),
        ),
        ("c/c", json!({"n": {"stringValue": "2"}})),
        ("c/d", json!({"n": {"nullValue": null}})),
        ("c/e", json!({"n": {"doubleValue": "NaN"}})),
        ("c/f", json!({"m": whole(1)})),
        ("c/a/d/x", json!({"n": whole(2)})),
        ("d/x", json!({"n": whole(2)})),
    ];
    let writes: Vec<Value> = documents
        .into_iter()
        .map(|(id, fields)| json!({"update": {"name": format!("{FULL}/{id}"), "fields": fields}}))
        .collect();
    let body = json!({"writes": writes});
    place.ask(&format!("POST {DOCUMENTS}:commit"), body).await.ok();
}

#[tokio::test]
async fn queries_find_what_googles_emulator_finds_in_its_order() {
    for place in Place::all(Emulator::Firestore).await {
        fill(&place).await;
        let values = |values: Value| json!({"arrayValue": {"values": values}});
        let unary = |op: &str| json!({"unaryFilter": {"op": op, "field": {"fieldPath": "n"}}});
        let both = |op: &str, filters: Value| json!({"compositeFilter": {"op": op, "filters": filters}});
        let name = |id: &str| json!({"referenceValue": format!("{FULL}/c/{id}")});
        let at = |value: Value, before: bool| json!({"values": [value], "before": before});
        for (asked, wanted) in [
            (json!({}), "abcdef"),
            (json!({"limit": 2, "offset": 1}), "bc"),
            (json!({"limit": 0}), ""),
            (json!({"orderBy": by("n", "ASCENDING")}), "deabc"),
            (json!({"orderBy": by("n", "DESCENDING")}), "cbaed"),
            (json!({"orderBy": by("__name__", "ASCENDING")}), "abcdef"),
            (
                json!({"where": is("n", "EQUAL", json!({"doubleValue": 2.0}))}),
                "a",
            ),
            (json!({"where": is("n", "GREATER_THAN", whole(0))}), "ab"),
            (json!({"where": is("n", "LESS_THAN_OR_EQUAL", whole(2))}), "a"),
            (
                json!({"where": is("n", "LESS_THAN", json!({"stringValue": "3"}))}),
                "c",
            ),
            (json!({"where": is("n", "NOT_EQUAL", whole(2))}), "ebc"),
            (
                json!({"where": is("n", "IN", values(json!([whole(2), {"stringValue": "2"}])))}),
                "ac",
            ),
            (
                json!({"where": is("n", "NOT_IN", values(json!([whole(2)])))}),
                "ebc",
            ),
            (json!({"where": is("l", "ARRAY_CONTAINS", whole(3))}), "b"),
            (
                json!({"where": is("l", "ARRAY_CONTAINS_ANY", values(json!([whole(1), whole(3)])))}),
                "ab",
            ),
            (json!({"where": unary("IS_NULL")}), "d"),
            (json!({"where": unary("IS_NAN")}), "e"),
            (json!({"where": unary("IS_NOT_NULL")}), "eabc"),
            (json!({"where": unary("IS_NOT_NAN")}), "abc"),
            (
                json!({"where": both("AND", json!([is("n", "GREATER_THAN", whole(1)), is("n", "LESS_THAN", whole(3))]))}),
                "ab",
            ),
            (
                json!({"where": both("AND", json!([is("n", "GREATER_THAN", whole(3)), is("n", "LESS_THAN", whole(1))]))}),
                "",
            ),
            (
                json!({"where": both("OR", json!([is("n", "EQUAL", whole(2)), is("m", "EQUAL", whole(1))]))}),
                "af",
            ),
            (json!({"where": is("__name__", "GREATER_THAN", name("d"))}), "ef"),
            (json!({"where": is("__name__", "EQUAL", name("d"))}), "d"),
            (
                json!({"orderBy": by("n", "ASCENDING"), "startAt": at(whole(2), true)}),
                "abc",
            ),
            (
                json!({"orderBy": by("n", "ASCENDING"), "startAt": at(whole(2), false)}),
                "bc",
            ),
            (
                json!({"orderBy": by("n", "DESCENDING"), "startAt": at(whole(2), false)}),
                "ed",
            ),
            (
                json!({"orderBy": by("n", "ASCENDING"), "endAt": at(whole(2), true)}),
                "de",
            ),
            (
                json!({"orderBy": by("n", "ASCENDING"), "endAt": at(whole(2), false)}),
                "dea",
            ),
            (
                json!({"orderBy": by("__name__", "ASCENDING"), "startAt": at(name("d"), false), "limit": 1}),
                "e",
            ),
            (json!({"from": [{"collectionId": "nobody"}]}), ""),
        ] {
            assert_eq!(found(&place, asked.clone()).await, wanted, "{asked:#}");
        }
        let selected = query(
            &place,
            json!({"select": {"fields": [{"fieldPath": "m"}]}, "where": is("m", "EQUAL", whole(1))}),
        )
        .await
        .ok();
        assert_eq!(selected[0]["document"]["fields"], json!({"m": whole(1)}));
        let none = query(
            &place,
            json!({"select": {"fields": [{"fieldPath": "__name__"}]}, "limit": 1}),
        )
        .await
        .ok();
        assert_eq!(none[0]["document"].get("fields"), None);
        // Below a document.
        let body = json!({"structuredQuery": {"from": [{"collectionId": "d"}]}});
        let below = place
            .ask(&format!("POST {DOCUMENTS}/c/a:runQuery"), body)
            .await
            .ok();
        assert_eq!(below[0]["document"]["name"], format!("{FULL}/c/a/d/x"));
    }
}

#[tokio::test]
async fn what_is_no_query_is_refused_as_by_googles_emulator() {
    for place in Place::all(Emulator::Firestore).await {
        // By name there is an index in one direction alone.
        query(&place, json!({"orderBy": by("__name__", "DESCENDING")}))
            .await
            .refused(400, "FAILED_PRECONDITION", "");
        for (asked, words) in [
            (json!({"limit": -1}), "negative"),
            (json!({"offset": -1}), "negative"),
            (json!({"from": [{"collectionId": "a/b"}]}), "invalid"),
            (
                json!({"from": [{"collectionId": "c"}, {"collectionId": "d"}]}),
                "more than one",
            ),
            (json!({"where": is("a-b", "EQUAL", whole(1))}), "property path"),
            (
                json!({"where": is("a", "OPERATOR_UNSPECIFIED", whole(1))}),
                "operator",
            ),
            (json!({"where": is("a", "IN", whole(1))}), "ArrayValue"),
            (json!({"where": is("__name__", "EQUAL", whole(1))}), "__key__"),
            (
                json!({"orderBy": by("a", "ASCENDING"), "startAt": {"values": [whole(1), whole(2), whole(3)]}}),
                "too many",
            ),
            (
                json!({"orderBy": by("__name__", "ASCENDING"), "startAt": {"values": [whole(1)]}}),
                "reference",
            ),
        ] {
            query(&place, asked).await.refused(400, "INVALID_ARGUMENT", words);
        }
    }
}

#[tokio::test]
async fn what_needs_an_index_that_nobody_made_is_refused_although_googles_emulator_answers_it() {
    let place = Place::stand_in(Emulator::Firestore).await;
    fill(&place).await;
    let both = |one: Value, other: Value| json!({"compositeFilter": {"op": "AND", "filters": [one, other]}});
    let (n, m) = (is("n", "EQUAL", whole(2)), is("m", "GREATER_THAN", whole(0)));
    for asked in [
        json!({"where": both(n.clone(), m)}),
        json!({"where": n.clone(), "orderBy": by("m", "ASCENDING")}),
        json!({"from": [{"collectionId": "d", "allDescendants": true}]}),
    ] {
        query(&place, asked)
            .await
            .refused(400, "FAILED_PRECONDITION", "requires an index");
    }
    // Those that only say what is equal do without.
    let equal = json!({"where": both(n, is("m", "EQUAL", whole(1)))});
    assert_eq!(found(&place, equal).await, "");
    for (asked, words) in [
        (
            json!({"findNearest": {"limit": 1, "distanceMeasure": "COSINE", "vectorField": {"fieldPath": "v"}, "queryVector": {"mapValue": {}}}}),
            "findNearest",
        ),
        (json!({"from": [{}]}), "collections"),
    ] {
        query(&place, asked).await.refused(501, "UNIMPLEMENTED", words);
    }
    let many = json!({"arrayValue": {"values": (0..31).map(whole).collect::<Vec<_>>()}});
    query(&place, json!({"where": is("n", "IN", many)}))
        .await
        .refused(400, "INVALID_ARGUMENT", "30");
    query(&place, json!({"wehre": {}}))
        .await
        .refused(400, "INVALID_ARGUMENT", "wehre");
}
