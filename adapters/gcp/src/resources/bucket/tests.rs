//! Tests of buckets on Google Cloud that no rule of the suite asks.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::resource::ResourceKind;

use super::*;

fn open(physical: &str) -> Result<GcpBucket> {
    let binding = Binding {
        name: "photos".to_owned(),
        kind: ResourceKind::Bucket,
        access: BTreeSet::new(),
        url: None,
        properties: BTreeMap::from([(wiring::PHYSICAL.to_owned(), physical.to_owned())]),
    };
    let config = Config::load(&std::iter::empty::<(&str, &str)>().collect())?;
    GcpBucket::open(&config, &binding)
}

#[test]
fn what_is_no_bucket_is_refused_when_it_is_opened() {
    for physical in [
        "",
        "..",
        "Photos",
        "a/b",
        "a?b",
        "https://storage.googleapis.com/a",
    ] {
        let error = open(physical).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        assert!(error.message().contains("deploy"), "{error}");
    }
    let bucket = open("photos.example_1-a").unwrap();
    assert_eq!(
        bucket.address.as_str(),
        "https://storage.googleapis.com/photos.example_1-a"
    );
}
