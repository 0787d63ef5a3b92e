//! The documents themselves: what is missing is named, and a request is held against its own method.

use std::sync::LazyLock;

use nephos_conformance::discovery::{Documents, Finding, Level, NAMES};
use nephos_core::ErrorKind;
use serde_json::Value;

pub(crate) static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::installed().unwrap());

/// What is found in a request (`POST run.googleapis.com/v2/…?…`).
pub(crate) fn found(request: &str, body: Option<&Value>, former: Option<&Value>) -> Vec<Finding> {
    let (method, rest) = request.split_once(' ').unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match DOCUMENTS.find(host, method, path) {
        Ok(call) => call.check(query, body, former),
        Err(finding) => vec![finding],
    }
}

#[test]
fn a_document_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Documents::read(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let place = error.context().find(|(key, _)| *key == "path").unwrap().1;
    assert!(place.ends_with(&format!("{}.json", NAMES[0])), "{place}");
    assert!(error.message().contains("cargo xtask setup"), "{error}");
}

#[test]
fn a_file_that_is_no_document_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "{",
        "{}",
        r#"{"rootUrl": "https://a/", "servicePath": "", "title": "A"}"#,
    ] {
        std::fs::write(folder.path().join(format!("{}.json", NAMES[0])), text).unwrap();
        let error = Documents::read(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{text}");
    }
}

#[test]
fn the_method_is_the_one_that_says_most_of_the_path() {
    for (method, path, id) in [
        (
            "GET",
            "secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/1:access",
            "secretmanager.projects.secrets.versions.access",
        ),
        (
            "GET",
            "secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/1",
            "secretmanager.projects.secrets.versions.get",
        ),
        (
            "GET",
            "run.googleapis.com/v2/projects/p/locations/l/operations/o",
            "run.projects.locations.operations.get",
        ),
        (
            "GET",
            "run.googleapis.com/v2/projects/p/locations/l/services/s",
            "run.projects.locations.services.get",
        ),
        (
            "GET",
            "storage.googleapis.com/storage/v1/b/bucket",
            "storage.buckets.get",
        ),
        (
            "POST",
            "cloudresourcemanager.googleapis.com/v3/projects/p:setIamPolicy",
            "cloudresourcemanager.projects.setIamPolicy",
        ),
    ] {
        let (host, path) = path.split_at(path.find('/').unwrap());
        let call = DOCUMENTS.find(host, method, path).unwrap();
        assert_eq!(call.id(), id, "{path}");
    }
    let call = DOCUMENTS
        .find("pubsub.googleapis.com", "PUT", "/v1/projects/p/topics/a%2Bb")
        .unwrap();
    assert_eq!(call.path_parameters()["name"], "projects/p/topics/a+b");
}

#[test]
fn a_finding_tells_document_method_place_and_reason() {
    let [finding]: [Finding; 1] = found(
        "GET pubsub.googleapis.com/v1/projects/p/topics?pageSize=many",
        None,
        None,
    )
    .try_into()
    .unwrap();
    assert_eq!(finding.level, Level::Error);
    assert_eq!(
        finding.to_string(),
        "pubsub.v1 pubsub.projects.topics.list: error: query.pageSize: `many` is not a whole number"
    );
}
