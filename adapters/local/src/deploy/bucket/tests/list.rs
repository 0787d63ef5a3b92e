//! Listing.

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use super::super::{After, Entry};
use super::Fixture;

/// In the order of their bytes, which is not that of a walk through folders: `a-b` and `a.txt` come before `a/…`.
const KEYS: [&str; 12] = [
    "a!", "a-b", "a.txt", "a/b", "a/b-c", "a/b.d/e", "a/c/d", "a/c/e", "a0", "b", "c/d/e/f", "é",
];

async fn filled() -> Fixture {
    let fixture = Fixture::new();
    // `a/b` cannot be a folder too; everything else goes side by side.
    for key in KEYS.iter().rev() {
        fixture.bucket().put(key, "x").await.unwrap();
    }
    std::fs::create_dir_all(fixture.file("empty/folder")).unwrap();
    fixture
}

fn keys(objects: &[ObjectMeta]) -> Vec<&str> {
    objects.iter().map(|meta| meta.location.as_ref()).collect()
}

#[tokio::test]
async fn a_listing_is_in_the_order_of_the_keys_bytes() {
    let fixture = filled().await;
    let all: Vec<_> = fixture.folder.list(None).try_collect().await.unwrap();
    assert_eq!(keys(&all), KEYS);
    for (index, offset) in KEYS.iter().enumerate() {
        let behind: Vec<_> = fixture
            .folder
            .list_with_offset(None, &Path::parse(offset).unwrap())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(keys(&behind), KEYS[index + 1..], "behind {offset}");
    }
    let below: Vec<_> = fixture
        .folder
        .list(Some(&Path::from("a")))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(keys(&below), ["a/b", "a/b-c", "a/b.d/e", "a/c/d", "a/c/e"]);
}

#[tokio::test]
async fn pages_join_to_the_whole_whatever_their_size() {
    let fixture = filled().await;
    let bucket = fixture.bucket();
    for (prefix, expected) in [
        ("", &KEYS[..]),
        ("a", &KEYS[..9]),
        ("a/", &KEYS[3..8]),
        ("a/c", &KEYS[6..8]),
        ("zz", &[]),
    ] {
        for limit in [1, 2, 5, 100] {
            let mut joined = Vec::new();
            let mut after = None;
            loop {
                let page = bucket.list(prefix, after.as_deref(), limit).await.unwrap();
                assert!(page.objects.len() <= limit);
                joined.extend(page.objects.into_iter().map(|meta| meta.key));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(joined, expected, "prefix {prefix}, limit {limit}");
        }
    }
}

#[tokio::test]
async fn a_delimiter_folds_what_is_below_it() {
    let fixture = filled().await;
    let expected = ["a!", "a-b", "a.txt", "a/", "a0", "b", "c/", "é"];
    for limit in [1, 3, 100] {
        let mut names = Vec::new();
        let mut after = After::Start;
        loop {
            let page = fixture.folder.page("", after, Some("/"), limit).await.unwrap();
            names.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
            if !page.more {
                break;
            }
            let token = super::super::list::token(page.entries.last().unwrap());
            after = super::super::list::after_token(&token).unwrap();
        }
        assert_eq!(names, expected, "limit {limit}");
    }
    let page = fixture
        .folder
        .page("a/b", After::Start, Some("d"), 10)
        .await
        .unwrap();
    let folded: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.name(), matches!(entry, Entry::Prefix(_))))
        .collect();
    assert_eq!(folded, [("a/b", false), ("a/b-c", false), ("a/b.d", true)]);
    let listed = fixture
        .folder
        .list_with_delimiter(Some(&Path::from("a")))
        .await
        .unwrap();
    assert_eq!(keys(&listed.objects), ["a/b", "a/b-c"]);
    assert_eq!(listed.common_prefixes, [Path::from("a/b.d"), Path::from("a/c")]);
}

#[tokio::test]
async fn a_token_of_nobody_is_refused() {
    for token in ["", "?", "eA", "a2tleQ=="] {
        super::super::list::after_token(token).unwrap_err();
    }
}
