//! `nephos ls` on a bucket of the embedded S3 store.

use std::path::Path;

use crate::support::{Dev, built, done, manifest, nephos};

const MANIFEST: &str = r#"app = "hello-http"
[bucket.evidence]
url = "s3://evidence/gate/"
endpoint = "embedded"
[bucket.whole]
url = "s3://evidence"
endpoint = "embedded"
[function.hello]
on = [{ http = "GET /hello/{name}" }]
"#;

/// The keys that a listing shows.
fn keys(dir: &Path, args: &[&str]) -> Vec<String> {
    let mut all = vec!["-C", dir.to_str().unwrap(), "ls"];
    all.extend(args);
    let listing = done(&nephos(&all));
    let key = |line: &str| line.split_whitespace().next_back().map(str::to_owned);
    listing.lines().filter_map(key).collect()
}

#[test]
fn an_embedded_bucket_is_listed_below_its_urls_prefix_with_a_host_and_without_one() {
    let dir = manifest(MANIFEST);
    let dir = dir.path();
    std::fs::write(dir.join("a.jpg"), "1234").unwrap();
    let photo = dir.join("a.jpg");
    let put = |bucket: &str, key: &str| {
        let photo = photo.to_str().unwrap();
        done(&nephos(&[
            "-C",
            dir.to_str().unwrap(),
            "put",
            bucket,
            photo,
            "--key",
            key,
        ]));
    };
    put("evidence", "09/a.jpg");
    put("whole", "yard/b.jpg");
    let dev = Dev::of_binary(dir, &built("hello-http"));
    put("evidence", "10/c.jpg");
    for running in [Some(dev), None] {
        let host = if running.is_some() { "with" } else { "without" };
        assert_eq!(
            keys(dir, &["evidence"]),
            ["09/a.jpg", "10/c.jpg"],
            "{host} a host"
        );
        assert_eq!(keys(dir, &["evidence", "10/"]), ["10/c.jpg"], "{host} a host");
        assert_eq!(keys(dir, &["evidence", "gate"]), [""; 0], "{host} a host");
        let whole = ["gate/09/a.jpg", "gate/10/c.jpg", "yard/b.jpg"];
        assert_eq!(keys(dir, &["whole"]), whole, "{host} a host");
        assert_eq!(keys(dir, &["whole", "gate/09"]), whole[..1], "{host} a host");
    }
}
