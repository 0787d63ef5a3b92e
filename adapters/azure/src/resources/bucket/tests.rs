//! Tests of buckets on Azure that no rule of the suite asks.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::resource::ResourceKind;

use super::*;
use crate::config::{ENDPOINTS, STORAGE_KEY};

fn open(variables: &[(&str, &str)], physical: &str) -> Result<AzureBucket> {
    let binding = Binding {
        name: "photos".to_owned(),
        kind: ResourceKind::Bucket,
        access: BTreeSet::new(),
        url: None,
        properties: BTreeMap::from([(wiring::PHYSICAL.to_owned(), physical.to_owned())]),
    };
    AzureBucket::open(&Config::load(&variables.iter().copied().collect())?, &binding)
}

const KEY: (&str, &str) = (STORAGE_KEY, "c2VjcmV0");
const OWN: &str = "https://acct.blob.core.windows.net/photos-1";

#[tokio::test]
async fn a_signed_url_is_at_the_containers_place_and_says_what_a_put_must_send() {
    let elsewhere = (
        ENDPOINTS,
        r#"{"https://acct.blob.core.windows.net":"http://127.0.0.1:10000/acct"}"#,
    );
    for (variables, start) in [
        (
            vec![KEY],
            "https://acct.blob.core.windows.net/photos-1/a%20b/%C3%BC.jpg?",
        ),
        (
            vec![KEY, elsewhere],
            "http://127.0.0.1:10000/acct/photos-1/a%20b/%C3%BC.jpg?",
        ),
    ] {
        let bucket = open(&variables, OWN).unwrap();
        for (method, header) in [
            (SignedMethod::Get, None),
            (SignedMethod::Delete, None),
            (SignedMethod::Put, Some("BlockBlob")),
        ] {
            let signed = bucket
                .signed_url(method, "a b/ü.jpg", Duration::from_secs(60))
                .await
                .unwrap();
            assert!(signed.url.starts_with(start), "{}", signed.url);
            let headers: Vec<_> = signed
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            assert_eq!(
                headers,
                header
                    .map(|value| ("x-ms-blob-type", value))
                    .into_iter()
                    .collect::<Vec<_>>()
            );
            assert!(!format!("{signed:?}").contains("sig="), "{signed:?}");
        }
    }
}

#[test]
fn what_is_no_container_is_refused_when_it_is_opened() {
    for physical in [
        "photos",
        "https://acct.blob.core.windows.net/",
        "https://acct.blob.core.windows.net",
        "https://-/photos",
    ] {
        let error = open(&[KEY], physical).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        assert!(error.message().contains("deploy"), "{error}");
    }
    // Without a key, a token would go over plain HTTP.
    let elsewhere = r#"{"https://acct.blob.core.windows.net":"http://127.0.0.1:10000/acct"}"#;
    let error = open(&[(ENDPOINTS, elsewhere)], OWN).unwrap_err();
    assert!(error.message().contains("plain HTTP"), "{error}");
    assert!(open(&[], OWN).is_ok());
}
