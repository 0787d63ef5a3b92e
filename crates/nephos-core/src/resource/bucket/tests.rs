//! Keys, ranges, listings and streamed uploads, over a store in memory.

use futures::stream;
use http::{HeaderName, HeaderValue};

use super::*;
use crate::resource::fake::Fake;

fn bucket(able: bool) -> Bucket {
    let mut fake = Fake::new();
    fake.able = able;
    Bucket::new("snapshots", Arc::new(fake))
}

fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_key_that_could_be_two_or_leave_the_bucket_is_refused() {
    let bucket = bucket(true);
    for key in [
        "", "/a", "a/", "a//b", "..", "a/../b", ".", "a/./b", "a\nb", "a\0b",
    ] {
        let error = bucket.put(key, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{key:?}");
        if key.split('/').any(|segment| segment == "..") {
            let said = error.to_string();
            assert!(
                said.contains("its segments may not be empty, `.` or `..`"),
                "{key:?}: {said}"
            );
        }
    }
    assert_eq!(
        kind_of(bucket.put(&"x".repeat(65), "x").await),
        ErrorKind::InvalidArgument
    );
    for key in ["a b%20c", "å/%2e%2e/é", "a..b", "100 %", "#?&=+~"] {
        bucket.put(key, key.to_owned()).await.unwrap();
        assert_eq!(bucket.get(key).await.unwrap(), key);
        assert_eq!(bucket.head(key).await.unwrap().key, key);
    }
}

#[tokio::test]
async fn a_range_is_cut_at_the_end_and_an_empty_one_refused() {
    let bucket = bucket(true);
    bucket.put("k", "0123456789").await.unwrap();
    assert_eq!(bucket.get_range("k", 8..100).await.unwrap(), "89");
    assert_eq!(bucket.get_range("k", 0..1).await.unwrap(), "0");
    assert_eq!(
        kind_of(bucket.get_range("k", 3..3).await),
        ErrorKind::InvalidArgument
    );
    let object = bucket.open("k").await.unwrap();
    assert_eq!((object.meta.size, object.range.clone()), (10, 0..10));
}

#[tokio::test]
async fn conditions_hold_and_are_refused_where_the_bucket_has_none() {
    let able = bucket(true);
    let etag = able.put_if_absent("k", "1").await.unwrap().unwrap();
    assert_eq!(
        kind_of(able.put_if_absent("k", "2").await),
        ErrorKind::AlreadyExists
    );
    able.put_if_match("k", "2", &etag).await.unwrap();
    assert_eq!(
        kind_of(able.put_if_match("k", "3", &etag).await),
        ErrorKind::Conflict
    );
    assert_eq!(able.get("k").await.unwrap(), "2");

    let unable = bucket(false);
    assert_eq!(
        kind_of(unable.put_if_absent("k", "1").await),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind_of(unable.put_if_match("k", "1", "e").await),
        ErrorKind::Unsupported
    );
}

#[tokio::test]
async fn attributes_are_kept_or_refused() {
    let options = |name: &str| PutOptionsExt {
        content_type: Some("image/jpeg".to_owned()),
        metadata: [(name.to_owned(), "gate-7".to_owned())].into(),
    };
    let able = bucket(true);
    able.put_with("k", "x", options("camera")).await.unwrap();
    let object = able.open("k").await.unwrap();
    assert_eq!(object.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(object.metadata["camera"], "gate-7");
    assert_eq!(
        kind_of(able.put_with("k", "x", options("Camera")).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(
        kind_of(bucket(false).put_with("k", "x", options("camera")).await),
        ErrorKind::Unsupported
    );
}

#[tokio::test]
async fn every_object_is_on_one_page_whether_the_store_lists_in_order_or_not() {
    for ordered in [true, false] {
        let bucket = bucket(ordered);
        let mut keys = ["a", "a-b", "a/1", "a/2", "a/b/3", "ab", "b"];
        for key in keys.iter().rev() {
            bucket.put(key, "x").await.unwrap();
        }
        keys.sort_unstable();
        for (prefix, limit) in [
            ("", 1),
            ("", 3),
            ("", 100),
            ("a", 2),
            ("a/", 1),
            ("a/b", 9),
            ("x", 1),
        ] {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = bucket.list(prefix, after.as_deref(), limit).await.unwrap();
                assert!(page.objects.len() <= limit);
                found.extend(page.objects.into_iter().map(|meta| meta.key));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                expected,
                "{prefix:?} by {limit}"
            );
        }
        // A key to go on after need not be one that the bucket could hold.
        let page = bucket.list("", Some("a/"), 100).await.unwrap();
        assert_eq!(page.objects[0].key, "a/1");
    }
    assert_eq!(
        kind_of(bucket(true).list("", None, 0).await),
        ErrorKind::InvalidArgument
    );
}

#[tokio::test]
async fn a_stream_of_any_chunks_is_stored_whole() {
    let bucket = bucket(true);
    let megabyte = 1 << 20;
    for sizes in [
        vec![],
        vec![0],
        vec![1, 2, 3],
        vec![3 * megabyte; 7],
        vec![20 * megabyte, 1],
    ] {
        let mut next = 0_u8;
        let chunks: Vec<Bytes> = sizes
            .iter()
            .map(|size| {
                next = next.wrapping_add(1);
                vec![next; *size].into()
            })
            .collect();
        let whole: Vec<u8> = chunks.concat();
        let stream = stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
        bucket
            .put_stream("k", stream, PutOptionsExt::default())
            .await
            .unwrap();
        assert!(bucket.get("k").await.unwrap() == whole, "{sizes:?}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_leaves_nothing_behind() {
    let bucket = bucket(true);
    let broken = stream::iter([
        Ok(Bytes::from(vec![0; 9 << 20])),
        Err(std::io::Error::other("the camera went away")),
    ]);
    let error = bucket
        .put_stream("k", broken, PutOptionsExt::default())
        .await
        .unwrap_err();
    assert!(
        error.chain().contains("the camera went away"),
        "{}",
        error.chain()
    );
    assert_eq!(kind_of(bucket.head("k").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_missing_object_is_not_found_and_deleting_it_is_no_error() {
    let bucket = bucket(true);
    let error = bucket.get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("bucket=snapshots"), "{error}");
    bucket.delete("k").await.unwrap();
    bucket.put("k", "x").await.unwrap();
    bucket.copy("k", "l").await.unwrap();
    bucket.delete("k").await.unwrap();
    assert_eq!(bucket.get("l").await.unwrap(), "x");
    assert_eq!(kind_of(bucket.copy("k", "m").await), ErrorKind::NotFound);
}

#[test]
fn a_signed_url_keeps_its_proof_to_itself_when_it_is_logged() {
    let signed = SignedUrl {
        url: "https://store.example/snapshots/a.jpg?sig=hunter2".to_owned(),
        headers: vec![(
            HeaderName::from_static("x-ms-blob-type"),
            HeaderValue::from_static("hunter3"),
        )],
    };
    let shown = format!("{signed:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(
        shown.contains("snapshots/a.jpg") && shown.contains("x-ms-blob-type"),
        "{shown}"
    );
    let bare = SignedUrl::new("https://store.example/a");
    assert!(format!("{bare:?}").contains("example/a\""), "{bare:?}");
}

#[tokio::test]
async fn a_signed_url_gives_no_more_than_the_function_has() {
    let hour = Duration::from_secs(3600);
    let unable = bucket(false);
    let error = unable.signed_url(SignedMethod::Get, "k", hour).await.unwrap_err();
    assert!(error.to_string().contains("has no signed URLs"), "{error}");
    assert_eq!(
        kind_of(bucket(true).signed_url(SignedMethod::Get, "k", hour).await),
        ErrorKind::Unsupported
    );
    let reader = Bucket::with_access("snapshots", Arc::new(Fake::new()), [Access::Read].into());
    assert_eq!(
        kind_of(reader.signed_url(SignedMethod::Put, "k", Duration::ZERO).await),
        ErrorKind::PermissionDenied
    );
    let minute = Duration::from_secs(60);
    assert!(
        bucket(true)
            .signed_url(SignedMethod::Get, "k", minute)
            .await
            .is_ok()
    );
}
