//! Lists of objects in both interfaces.

use nephos_conformance::gcs::Options;
use serde_json::Value;

use crate::client::Gcs;

const NAMES: [&str; 8] = ["a", "a/1", "a/2/x", "a/2/y", "b", "z", "ä/1", "\u{1f600}"];
const JSON: &str = "/storage/v1/b/tests/o";

async fn start(page: usize) -> Gcs {
    let gcs = Gcs::start_with(Options {
        page,
        ..Options::default()
    })
    .await;
    for name in NAMES.iter().rev() {
        let name: String = url_encoded(name);
        gcs.put(&name, b"x").await;
    }
    gcs
}

fn url_encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn names(list: &Value) -> (Vec<String>, Vec<String>) {
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    let all = |name: &str| list[name].as_array().cloned().unwrap_or_default();
    (
        all("items").iter().map(|item| of(&item["name"])).collect(),
        all("prefixes").iter().map(of).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_ordered_by_their_bytes() {
    let gcs = start(1000).await;
    assert_eq!(names(&gcs.get(JSON).await.json()).0, NAMES);
    let text = gcs.get("/tests?list-type=2").await.text();
    let keys: Vec<&str> = text
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</Key>"))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, NAMES);
    assert!(text.contains("<KeyCount>8</KeyCount>") && text.contains("<IsTruncated>false</IsTruncated>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_delimiters_and_offsets_choose_names() {
    let gcs = start(1000).await;
    for (query, items, prefixes) in [
        ("delimiter=/", vec!["a", "b", "z", "\u{1f600}"], vec!["a/", "ä/"]),
        ("prefix=a/&delimiter=/", vec!["a/1"], vec!["a/2/"]),
        ("prefix=a/2", vec!["a/2/x", "a/2/y"], vec![]),
        ("startOffset=a/2/y&endOffset=z", vec!["a/2/y", "b"], vec![]),
        ("prefix=none", vec![], vec![]),
    ] {
        let list = gcs.get(&format!("{JSON}?{query}")).await.json();
        assert_eq!(
            names(&list),
            (
                items.iter().map(ToString::to_string).collect(),
                prefixes.iter().map(ToString::to_string).collect()
            ),
            "{query}"
        );
    }
    gcs.put("a/", b"").await;
    let plain = names(&gcs.get(&format!("{JSON}?delimiter=/&prefix=a")).await.json());
    assert_eq!(plain, (vec!["a".to_owned()], vec!["a/".to_owned()]));
    let trailing = gcs
        .get(&format!(
            "{JSON}?delimiter=/&prefix=a&includeTrailingDelimiter=true"
        ))
        .await;
    assert_eq!(
        names(&trailing.json()),
        (vec!["a".to_owned(), "a/".to_owned()], vec!["a/".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_everything_once_and_a_token_is_for_its_own_list() {
    for (page, delimiter) in [(1, ""), (2, ""), (3, "&delimiter=/"), (1, "&delimiter=/")] {
        let gcs = start(page).await;
        let (mut items, mut prefixes) = (Vec::new(), Vec::new());
        let mut token = String::new();
        loop {
            let list = gcs.get(&format!("{JSON}?{delimiter}{token}")).await.json();
            let (more, common) = names(&list);
            assert!(more.len() + common.len() <= page && !(more.is_empty() && common.is_empty()));
            items.extend(more);
            prefixes.extend(common);
            match list["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={next}"),
                None => break,
            }
        }
        if delimiter.is_empty() {
            assert_eq!(items, NAMES);
        } else {
            assert_eq!(items, ["a", "b", "z", "\u{1f600}"]);
            assert_eq!(prefixes, ["a/", "ä/"]);
        }
    }
    let gcs = start(2).await;
    let first = gcs.get(&format!("{JSON}?prefix=a")).await.json();
    let token = first["nextPageToken"].as_str().unwrap();
    for query in [
        format!("pageToken={token}"),
        "pageToken=x".to_owned(),
        "maxResults=0".to_owned(),
    ] {
        assert_eq!(gcs.get(&format!("{JSON}?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_fields_that_are_asked_for_come() {
    let gcs = start(1000).await;
    let list = gcs
        .get(&format!("{JSON}?maxResults=1&fields=items(name,bucket)"))
        .await
        .json();
    assert_eq!(
        list,
        serde_json::json!({"items": [{"name": "a", "bucket": "tests"}]})
    );
    assert_eq!(gcs.get(&format!("{JSON}?fields=items(")).await.status, 400);
}
