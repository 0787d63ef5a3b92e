//! Uploads in parts of the XML API.

use http::Method;

use crate::client::{Answered, Gcs, object, xml};

const LEAST: usize = 5 * 1024 * 1024;

async fn begin(gcs: &Gcs) -> String {
    let headers = [("content-type", "text/plain"), ("x-goog-meta-a", "b")];
    let begun = gcs
        .ask(Method::POST, &format!("{}?uploads", xml("big")), &headers, b"")
        .await;
    let text = begun.text();
    let (_, rest) = text.split_once("<UploadId>").unwrap();
    rest.split_once("</UploadId>").unwrap().0.to_owned()
}

async fn part(gcs: &Gcs, id: &str, number: u32, content: &[u8]) -> String {
    let path = format!("{}?partNumber={number}&uploadId={id}", xml("big"));
    let put = gcs.ask(Method::PUT, &path, &[], content).await;
    assert_eq!(put.status, 200, "{}", put.text());
    put.header("etag").unwrap().to_owned()
}

async fn complete(gcs: &Gcs, id: &str, parts: &[(u32, &str)]) -> Answered {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    gcs.ask(
        Method::POST,
        &format!("{}?uploadId={id}", xml("big")),
        &[],
        body.as_bytes(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object_in_the_order_of_their_numbers() {
    let gcs = Gcs::start().await;
    let id = begin(&gcs).await;
    let last = part(&gcs, &id, 7, b"end").await;
    let first = part(&gcs, &id, 2, &vec![1; LEAST]).await;
    let listed = gcs.get(&format!("{}?uploadId={id}", xml("big"))).await.text();
    assert!(listed.contains("<PartNumber>2</PartNumber>") && listed.contains("<Size>3</Size>"));
    assert_eq!(gcs.storage.unfinished(), 1);
    let done = complete(&gcs, &id, &[(2, &first), (7, &last)]).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let resource = gcs.get(&object("big")).await.json();
    assert_eq!(resource["size"], (LEAST + 3).to_string());
    assert_eq!(resource["contentType"], "text/plain");
    assert_eq!(resource["metadata"]["a"], "b");
    // Only objects that came at once have an MD5 sum.
    assert!(resource.get("md5Hash").is_none());
    assert!(resource.get("crc32c").is_some());
    assert_eq!(gcs.storage.unfinished(), 0);
    assert_eq!(
        complete(&gcs, &id, &[(2, &first)]).await.refusal(),
        (404, "NoSuchUpload".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_of_the_parts_is_refused() {
    let gcs = Gcs::start().await;
    let id = begin(&gcs).await;
    let small = part(&gcs, &id, 1, b"small").await;
    let other = part(&gcs, &id, 2, b"other").await;
    for (parts, code) in [
        (vec![(1, small.as_str()), (2, other.as_str())], "EntityTooSmall"),
        (vec![(2, other.as_str()), (1, small.as_str())], "InvalidPartOrder"),
        (vec![(1, small.as_str()), (1, small.as_str())], "InvalidPartOrder"),
        (vec![(1, other.as_str())], "InvalidPart"),
        (vec![(3, small.as_str())], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let answer = complete(&gcs, &id, &parts).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{parts:?}");
    }
    let path = format!("{}?uploadId={id}", xml("big"));
    for body in [
        "",
        "<Other/>",
        "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Extra/></CompleteMultipartUpload>",
    ] {
        let answer = gcs.ask(Method::POST, &path, &[], body.as_bytes()).await;
        assert_eq!(answer.refusal(), (400, "MalformedXML".to_owned()), "{body}");
    }
    assert_eq!(complete(&gcs, &id, &[(2, &other)]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_has_no_conditions_and_can_be_given_up() {
    let gcs = Gcs::start().await;
    let condition = [("x-goog-if-generation-match", "0")];
    let begun = gcs
        .ask(Method::POST, &format!("{}?uploads", xml("big")), &condition, b"")
        .await;
    assert_eq!(begun.status, 400);
    let id = begin(&gcs).await;
    for number in ["0", "10001", "x"] {
        let path = format!("{}?partNumber={number}&uploadId={id}", xml("big"));
        assert_eq!(
            gcs.ask(Method::PUT, &path, &[], b"x").await.status,
            400,
            "{number}"
        );
    }
    let path = format!("{}?partNumber=1&uploadId={id}", xml("big"));
    let wrong = gcs
        .ask(
            Method::PUT,
            &path,
            &[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            b"x",
        )
        .await;
    assert_eq!(wrong.refusal(), (400, "BadDigest".to_owned()));
    let path = format!("{}?uploadId={id}", xml("big"));
    assert_eq!(gcs.ask(Method::DELETE, &path, &[], b"").await.status, 204);
    assert_eq!(
        gcs.ask(Method::DELETE, &path, &[], b"").await.refusal(),
        (404, "NoSuchUpload".to_owned())
    );
    assert_eq!(gcs.storage.unfinished(), 0);
}
