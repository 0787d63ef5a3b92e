//! Objects' keys: a key that a bucket takes is the store's path to the letter, and comes whole through the resource API's URL.

use nephos_core::resource::bucket::key_to_path;
use nephos_local::wire::{bucket_path, object_path, query_value};
use percent_encoding::percent_decode_str;

/// Reads `data` as a bucket's name, a line's end, and an object's key.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (bucket, key) = text.split_once('\n').unwrap_or(("snapshots", text));
    in_a_url(bucket, key);
    let Some(path) = key_to_path(key) else {
        assert!(
            key.is_empty() || !is_plain(key),
            "a plain key is refused: {key:?}"
        );
        return;
    };
    assert_eq!(path.as_ref(), key, "two keys would be one object");
    for segment in key.split('/').filter(|_| !key.is_empty()) {
        assert!(!["", ".", ".."].contains(&segment), "{key:?} leaves its folder");
        assert!(
            !segment.contains(['\0', '\n']),
            "{key:?} holds a control character"
        );
    }
}

/// Letters and digits: nothing that a store may have a reason to refuse.
fn is_plain(key: &str) -> bool {
    key.split('/')
        .all(|segment| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn in_a_url(bucket: &str, key: &str) {
    let path = object_path(bucket, key);
    let uri: http::Uri = path.parse().expect("the path of an object is a URI's");
    assert_eq!(
        (uri.path(), uri.query()),
        (path.as_str(), None),
        "a key must not end the path"
    );
    let rest = path
        .strip_prefix(&bucket_path(bucket))
        .and_then(|rest| rest.strip_prefix('/'));
    let decoded = percent_decode_str(rest.expect("an object is below its bucket")).decode_utf8();
    assert_eq!(decoded.expect("keys are text"), key);

    let query = format!("/v1/bucket/snapshots?prefix={}", query_value(key));
    let uri: http::Uri = query.parse().expect("a value of a query is a URI's");
    let value = uri.query().and_then(|query| query.strip_prefix("prefix="));
    let decoded = percent_decode_str(value.expect("the query has the value")).decode_utf8();
    assert_eq!(decoded.expect("prefixes are text"), key);
}
