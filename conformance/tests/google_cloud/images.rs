//! The registry of images: plain requests, and a client for registries that knows nothing of Google.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::Interruption;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client as Registry, Reference};
use serde_json::{Value, json};

use crate::client::{Google, REGION};

const HOST: &str = "europe-west1-docker.pkg.dev";
const IMAGE: &str = "nephos-tests/apps/orders";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and the code of the first error.
    fn refusal(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["errors"][0]["code"].as_str().unwrap_or_default();
        (self.status, code.to_owned())
    }
}

/// A request to the registry, with a token or without.
async fn send(google: &Google, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let (method, path) = request.split_once(' ').unwrap();
    let mut builder = Request::builder()
        .method(method)
        .uri(format!("{}{path}", google.control.url()))
        .header("host", HOST);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client
        .request(builder.body(body).unwrap())
        .await
        .unwrap()
        .into_parts();
    Answered {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

async fn ask(google: &Google, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let bearer = format!("Bearer {}", google.control.token());
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(headers);
    send(google, request, &all, body).await
}

fn digest(content: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, content);
    let digits: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// A repository for images.
async fn repository(google: &Google, body: Value) {
    let host = "artifactregistry.googleapis.com";
    let create = format!("POST {host}/v1/{REGION}/repositories?repositoryId=apps");
    let operation = google.ask(&create, body).await.ok();
    google.ended(host, &operation).await;
}

async fn with_repository() -> Google {
    let google = Google::start().await;
    repository(&google, json!({"format": "DOCKER"})).await;
    google
}

/// A blob, pushed at once.
async fn pushed(google: &Google, content: &[u8]) -> String {
    let digest = digest(content);
    let begin = format!("POST /v2/{IMAGE}/blobs/uploads/");
    let begun = ask(google, &begin, &[], b"").await;
    assert_eq!(begun.status, 202);
    let end = format!("PUT {}?digest={digest}", begun.header("location"));
    let ended = ask(google, &end, &[], content).await;
    assert_eq!(
        (ended.status, ended.header("docker-content-digest")),
        (201, digest.as_str())
    );
    digest
}

fn manifest(config: (&str, usize), layer: (&str, usize)) -> Vec<u8> {
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config.0, "size": config.1},
        "layers": [{"mediaType": LAYER, "digest": layer.0, "size": layer.1}],
    })
    .to_string()
    .into_bytes()
}

/// An image with a program in one layer, in a new repository; its reference.
pub(crate) async fn image(google: &Google, program: &[u8], config: Value) -> String {
    repository(google, json!({"format": "DOCKER"})).await;
    let mut layer = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    let mut header = tar::Header::new_ustar();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    layer.append_data(&mut header, "bin/program", program).unwrap();
    let layer = layer.into_inner().unwrap().finish().unwrap();
    let config = json!({"architecture": "amd64", "os": "linux", "config": config}).to_string();
    let digests = [
        pushed(google, config.as_bytes()).await,
        pushed(google, &layer).await,
    ];
    let content = manifest((&digests[0], config.len()), (&digests[1], layer.len()));
    let put = format!("PUT /v2/{IMAGE}/manifests/{}", digest(&content));
    let put = ask(google, &put, &[("content-type", MANIFEST)], &content).await;
    assert_eq!(put.status, 201, "{:?}", put.body);
    format!("{HOST}/{IMAGE}@{}", digest(&content))
}

#[tokio::test]
async fn an_image_is_pushed_found_and_read() {
    let google = with_repository().await;
    let (config, layer) = (
        br#"{"architecture":"amd64","os":"linux"}"#.as_slice(),
        b"a layer".as_slice(),
    );
    let missing = ask(
        &google,
        &format!("HEAD /v2/{IMAGE}/blobs/{}", digest(layer)),
        &[],
        b"",
    )
    .await;
    assert_eq!(missing.status, 404);
    let (of_config, of_layer) = (pushed(&google, config).await, pushed(&google, layer).await);
    let head = ask(&google, &format!("HEAD /v2/{IMAGE}/blobs/{of_layer}"), &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, "7"));

    let body = manifest((&of_config, config.len()), (&of_layer, layer.len()));
    let put = format!("PUT /v2/{IMAGE}/manifests/v1");
    let made = ask(&google, &put, &[("content-type", MANIFEST)], &body).await;
    let of_manifest = digest(&body);
    assert_eq!(
        (made.status, made.header("docker-content-digest")),
        (201, of_manifest.as_str())
    );
    for reference in ["v1", &of_manifest] {
        let got = ask(
            &google,
            &format!("GET /v2/{IMAGE}/manifests/{reference}"),
            &[],
            b"",
        )
        .await;
        assert_eq!((got.status, got.header("content-type")), (200, MANIFEST));
        assert_eq!(got.body, body);
    }
    // Where a blob is read is told, and needs no token.
    let got = ask(&google, &format!("GET /v2/{IMAGE}/blobs/{of_layer}"), &[], b"").await;
    assert_eq!(got.status, 302);
    let read = send(&google, &format!("GET {}", got.header("location")), &[], b"").await;
    assert_eq!((read.status, read.body.as_ref()), (200, layer));
    let tags = ask(&google, &format!("GET /v2/{IMAGE}/tags/list"), &[], b"").await;
    let tags: Value = serde_json::from_slice(&tags.body).unwrap();
    assert_eq!((&tags["name"], &tags["tags"]), (&json!(IMAGE), &json!(["v1"])));

    let image = google
        .control
        .image(&format!("{HOST}/{IMAGE}@{of_manifest}"))
        .unwrap();
    assert_eq!(
        (image.config["os"].as_str(), image.layers[0].content.as_ref()),
        (Some("linux"), layer)
    );
    assert_eq!(google.control.image(&format!("{HOST}/{IMAGE}:v1")), Some(image));
    assert!(google.control.image(&format!("{HOST}/{IMAGE}:v2")).is_none());

    let delete = format!("DELETE artifactregistry.googleapis.com/v1/{REGION}/repositories/apps");
    let operation = google.ask(&delete, Value::Null).await.ok();
    google.ended("artifactregistry.googleapis.com", &operation).await;
    let gone = ask(&google, &format!("GET /v2/{IMAGE}/manifests/v1"), &[], b"").await;
    assert_eq!(gone.refusal(), (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn an_upload_in_chunks_goes_on_where_it_ended() {
    let google = with_repository().await;
    let begun = ask(&google, &format!("POST /v2/{IMAGE}/blobs/uploads/"), &[], b"").await;
    let at = begun.header("location").to_owned();
    let patch = format!("PATCH {at}");
    let first = ask(&google, &patch, &[("content-range", "0-3")], b"abcd").await;
    assert_eq!((first.status, first.header("range")), (202, "0-3"));
    for range in ["0-1", "5-6", "4-9", "x"] {
        let wrong = ask(&google, &patch, &[("content-range", range)], b"ef").await;
        assert_eq!(
            (wrong.status, wrong.header("range"), wrong.header("location")),
            (416, "0-3", at.as_str())
        );
    }
    assert_eq!(ask(&google, &format!("GET {at}"), &[], b"").await.status, 204);
    assert_eq!(
        ask(&google, &patch, &[("content-range", "4-5")], b"ef")
            .await
            .status,
        202
    );
    let wrong = digest(b"abcdefh");
    let end = format!("PUT {at}?digest={}", digest(b"abcdefg"));
    assert_eq!(
        ask(&google, &end, &[("content-range", "6-6")], b"g").await.status,
        201
    );
    assert_eq!(
        ask(&google, &end, &[], b"").await.refusal(),
        (404, "BLOB_UPLOAD_UNKNOWN".to_owned())
    );

    let at_once = format!("POST /v2/{IMAGE}/blobs/uploads/?digest={wrong}");
    let refused = ask(&google, &at_once, &[], b"abcdefg").await;
    assert_eq!(refused.refusal(), (400, "DIGEST_INVALID".to_owned()));
    assert_eq!(ask(&google, &at_once, &[], b"abcdefh").await.status, 201);
    let mount = format!("POST /v2/nephos-tests/apps/others/blobs/uploads/?mount={wrong}&from={IMAGE}");
    assert_eq!(ask(&google, &mount, &[], b"").await.status, 201);
    let begun = ask(&google, &format!("POST /v2/{IMAGE}/blobs/uploads/"), &[], b"").await;
    let at = begun.header("location").to_owned();
    assert_eq!(ask(&google, &format!("DELETE {at}"), &[], b"").await.status, 204);
    assert_eq!(ask(&google, &format!("GET {at}"), &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_manifest_that_is_none_or_lacks_something_is_refused() {
    let google = with_repository().await;
    let of_config = pushed(&google, b"{}").await;
    let absent = digest(b"absent");
    let good = manifest((&of_config, 2), (&of_config, 2));
    let own = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    let put = |reference: &str| format!("PUT /v2/{IMAGE}/manifests/{reference}");
    for (reference, kind, body, status, code) in [
        (
            "v1",
            MANIFEST,
            manifest((&of_config, 2), (&absent, 6)),
            400,
            "MANIFEST_BLOB_UNKNOWN",
        ),
        (
            "v1",
            MANIFEST,
            manifest((&of_config, 3), (&of_config, 2)),
            400,
            "MANIFEST_INVALID",
        ),
        ("v1", "application/json", good.clone(), 400, "MANIFEST_INVALID"),
        (
            "v1",
            "application/vnd.oci.image.index.v1+json",
            good.clone(),
            400,
            "MANIFEST_INVALID",
        ),
        (
            "v1",
            MANIFEST,
            own(&good)
                .replace("\"schemaVersion\":2", "\"schemaVersion\":1")
                .into_bytes(),
            400,
            "MANIFEST_INVALID",
        ),
        ("v1", MANIFEST, b"{".to_vec(), 400, "MANIFEST_INVALID"),
        (absent.as_str(), MANIFEST, good.clone(), 400, "DIGEST_INVALID"),
        (".v1", MANIFEST, good.clone(), 400, "TAG_INVALID"),
    ] {
        let answer = ask(&google, &put(reference), &[("content-type", kind)], &body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{reference} {kind}");
    }
    let unknown = ask(&google, &format!("GET /v2/{IMAGE}/manifests/v1"), &[], b"").await;
    assert_eq!(unknown.refusal(), (404, "MANIFEST_UNKNOWN".to_owned()));
    assert_eq!(
        ask(&google, &put("v1"), &[("content-type", MANIFEST)], &good)
            .await
            .status,
        201
    );
    let delete = format!("DELETE /v2/{IMAGE}/manifests/{}", digest(&good));
    assert_eq!(ask(&google, &delete, &[], b"").await.status, 202);
    assert_eq!(
        ask(&google, &format!("GET /v2/{IMAGE}/manifests/v1"), &[], b"")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn tags_that_do_not_change_are_refused_another_image() {
    let google = Google::start().await;
    repository(
        &google,
        json!({"format": "DOCKER", "dockerConfig": {"immutableTags": true}}),
    )
    .await;
    let of_config = pushed(&google, b"{}").await;
    let of_layer = pushed(&google, b"layer").await;
    let put = format!("PUT /v2/{IMAGE}/manifests/v1");
    let first = manifest((&of_config, 2), (&of_layer, 5));
    let second = manifest((&of_config, 2), (&of_config, 2));
    let headers = [("content-type", MANIFEST)];
    assert_eq!(ask(&google, &put, &headers, &first).await.status, 201);
    assert_eq!(ask(&google, &put, &headers, &first).await.status, 201);
    assert_eq!(
        ask(&google, &put, &headers, &second).await.refusal(),
        (400, "DENIED".to_owned())
    );
}

#[tokio::test]
async fn who_may_not_push_is_told_where_a_token_is_to_be_had() {
    let google = with_repository().await;
    let begin = format!("POST /v2/{IMAGE}/blobs/uploads/");
    let refused = send(&google, &begin, &[], b"").await;
    assert_eq!(refused.refusal(), (401, "UNAUTHORIZED".to_owned()));
    assert_eq!(
        refused.header("www-authenticate"),
        format!(
            "Bearer realm=\"https://{HOST}/v2/token\",service=\"{HOST}\",scope=\"repository:{IMAGE}:pull,push\""
        )
    );
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("oauth2accesstoken:{}", google.control.token()))
    );
    let exchange = async |actions: &str| {
        let path = format!("GET /v2/token?service={HOST}&scope=repository:{IMAGE}:{actions}");
        let answer = send(&google, &path, &[("authorization", &basic)], b"").await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        format!("Bearer {}", body["token"].as_str().unwrap())
    };
    let (pull, push) = (exchange("pull").await, exchange("pull,push").await);
    for (authorization, status) in [(pull.as_str(), 401), (push.as_str(), 202), (basic.as_str(), 202)] {
        let answer = send(&google, &begin, &[("authorization", authorization)], b"").await;
        assert_eq!(answer.status, status);
    }
    let nobody = format!("Basic {}", STANDARD.encode("oauth2accesstoken:ya29.invented"));
    let token = format!("GET /v2/token?service={HOST}");
    let answer = send(&google, &token, &[("authorization", &nobody)], b"").await;
    assert_eq!(answer.refusal(), (401, "UNAUTHORIZED".to_owned()));

    for (path, status, code) in [
        ("/v2/nephos-tests/none/orders/blobs/uploads/", 404, "NAME_UNKNOWN"),
        ("/v2/other-project/apps/orders/blobs/uploads/", 403, "DENIED"),
        ("/v2/nephos-tests/apps/blobs/uploads/", 400, "NAME_INVALID"),
        ("/v2/nephos-tests/apps/Orders/blobs/uploads/", 400, "NAME_INVALID"),
    ] {
        let answer = ask(&google, &format!("POST {path}"), &[], b"").await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{path}");
    }
    google
        .control
        .deny("artifactregistry.repositories.uploadArtifacts", "");
    assert_eq!(
        ask(&google, &begin, &[], b"").await.refusal(),
        (403, "DENIED".to_owned())
    );
    google.control.let_succeed();
    google
        .control
        .interrupt("/blobs/uploads/", 1, Interruption::Throttled(2));
    let answer = ask(&google, &begin, &[], b"").await;
    assert_eq!(answer.refusal(), (429, "TOOMANYREQUESTS".to_owned()));
    assert_eq!(answer.header("retry-after"), "2");
    google.control.disable("artifactregistry.googleapis.com");
    assert_eq!(
        ask(&google, &begin, &[], b"").await.refusal(),
        (403, "DENIED".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_for_registries_pushes_and_pulls_by_googles_own_name() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let google = with_repository().await;
    let edge = Edge::start().await.unwrap();
    google.control.route(&edge);
    for use_monolithic_push in [false, true] {
        let registry = Registry::new(ClientConfig {
            use_monolithic_push,
            https_proxy: Some(edge.proxy_url().to_owned()),
            tls_certs_only: vec![Certificate {
                encoding: CertificateEncoding::Pem,
                data: edge.certificate_pem().into(),
            }],
            ..ClientConfig::default()
        });
        let auth = RegistryAuth::Basic("oauth2accesstoken".to_owned(), google.control.token());
        let image: Reference = format!("{HOST}/{IMAGE}:v-{use_monolithic_push}").parse().unwrap();
        // More than one chunk.
        let content = vec![u8::from(use_monolithic_push); 5 * 1024 * 1024];
        let layer = ImageLayer::new(content.clone(), LAYER.to_owned(), None);
        let config = Config::new(b"{}".as_slice(), CONFIG.to_owned(), None);
        registry
            .push(&image, &[layer], config, &auth, None)
            .await
            .unwrap();
        let pulled = registry.pull(&image, &auth, vec![LAYER]).await.unwrap();
        assert_eq!(pulled.layers[0].data, content);
        let digest = registry.fetch_manifest_digest(&image, &auth).await.unwrap();
        let kept = google.control.image(&format!("{HOST}/{IMAGE}@{digest}")).unwrap();
        assert_eq!(kept.layers[0].media_type, LAYER);
        assert_eq!(kept.layers[0].content, content);
    }
    let nobody = RegistryAuth::Basic("oauth2accesstoken".to_owned(), "ya29.invented".to_owned());
    let registry = Registry::new(ClientConfig {
        https_proxy: Some(edge.proxy_url().to_owned()),
        tls_certs_only: vec![Certificate {
            encoding: CertificateEncoding::Pem,
            data: edge.certificate_pem().into(),
        }],
        ..ClientConfig::default()
    });
    let image: Reference = format!("{HOST}/{IMAGE}:v-true").parse().unwrap();
    assert!(registry.pull(&image, &nobody, vec![LAYER]).await.is_err());
    assert!(edge.refused().is_empty());
}
