//! Both forms become the same request, and what the host cannot carry is refused.

use http::header::SET_COOKIE;
use nephos_core::ErrorKind;
use nephos_core::event::BufferedRequest;
use nephos_core::handler::PathParams;
use nephos_core::route::RouteSpec;
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use super::*;

fn routes() -> Routes<()> {
    let spec = |path: &str| RouteSpec {
        method: Some("POST".to_owned()),
        path: path.to_owned(),
    };
    Routes::of("f", [spec("/orders/{id}"), spec("/")]).unwrap()
}

fn wrapped(headers: Value, body: Value) -> Bytes {
    let request = json!({
        "Url": "https://shop.azurewebsites.net/orders/a%20b?x=1&x=2&y=%2F", "Method": "POST", "Query": {"x": "1,2", "y": "/"},
        "Headers": headers, "Params": {"path": "orders/a b"}, "Identities": [{"IsAuthenticated": false}], "Body": body,
    });
    json!({"Data": {"req": request}, "Metadata": {"Headers": {}}})
        .to_string()
        .into()
}

fn to(routed: Routed) -> Event {
    match routed {
        Routed::To(event) => event,
        Routed::Refused(response) => panic!("refused: {response:?}"),
    }
}

fn refusal(document: &Bytes) -> u16 {
    match decode_wrapped(document, None, &routes()).unwrap() {
        Routed::Refused(response) => response.status().as_u16(),
        Routed::To(event) => panic!("{event:?}"),
    }
}

fn read(event: Event) -> BufferedRequest {
    let Data::Http(request) = event.data else {
        panic!("{event:?}")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(BufferedRequest::read(request, 1 << 20)).unwrap()
}

#[test]
fn a_wrapped_request_is_the_clients() {
    let document = wrapped(json!({"Accept": ["a", "b"], "Host": "h"}), json!("grüße"));
    let event = to(decode_wrapped(&document, Some("i-1".to_owned()), &routes()).unwrap());
    assert_eq!(event.attributes.id, "i-1");
    assert!(event.attributes.extensions.is_empty());
    assert_eq!(event.raw.as_ref().unwrap().bytes, document);
    let BufferedRequest { parts, body } = read(event);
    assert_eq!(parts.uri, "/orders/a%20b?x=1&x=2&y=%2F");
    assert_eq!(parts.extensions.get::<PathParams>().unwrap().0["id"], "a b");
    assert_eq!(parts.headers.get_all("accept").iter().count(), 2);
    assert_eq!(body, "grüße");
}

#[test]
fn a_forwarded_request_loses_what_the_host_added() {
    let mut request = http::Request::builder()
        .method("POST")
        .uri("/orders/7")
        .header("X-Azure-Functions-InvocationId", "forged, i-2")
        .header("traceparent", "00-a-b-01")
        .header("X-Azure-Functions-HostVersion", "4.1037.0.0")
        .header("User-Agent", "curl/8 Azure-Functions-Host/4.1037.0.0")
        .body(Body::from("hi"))
        .unwrap();
    assert_eq!(invocation_id(request.headers()).as_deref(), Some("i-2"));
    let told = Told::take(request.headers_mut());
    assert_eq!(told.trace.parent.as_deref(), Some("00-a-b-01"));
    let event = to(decode_forwarded(request, told.id, &routes()));
    assert_eq!(event.attributes.id, "i-2");
    let BufferedRequest { parts, body } = read(event);
    assert_eq!(parts.headers.len(), 2);
    assert_eq!(parts.headers["traceparent"], "00-a-b-01");
    assert_eq!(parts.headers["user-agent"], "curl/8");
    assert_eq!(
        (
            parts.extensions.get::<PathParams>().unwrap().0["id"].as_str(),
            &body[..]
        ),
        ("7", &b"hi"[..])
    );
}

#[test]
fn only_the_hosts_own_part_of_a_user_agent_goes() {
    let own = |agent: &'static str| clients_own(&HeaderValue::from_static(agent));
    let part = |text| Own::Part(HeaderValue::from_static(text));
    assert_eq!(own("Azure-Functions-Host/4.1"), Own::Nothing);
    assert_eq!(own("a/1 b/2 Azure-Functions-Host/4.1"), part("a/1 b/2"));
    assert_eq!(own("Azure-Functions-Host/4.1 c/3"), Own::All);
    assert_eq!(own("curl/8"), Own::All);
    assert_eq!(own("notAzure-Functions-Host/4.1"), Own::All);
}

#[test]
fn bytes_are_base64_where_the_host_keeps_them_and_what_it_damaged_is_refused() {
    let typed = |content_type: &str, length: Option<usize>, body: &str| {
        let mut headers = json!({"Content-Type": [content_type]});
        if let Some(length) = length {
            headers["Content-Length"] = json!([length.to_string()]);
        }
        wrapped(headers, json!(body))
    };
    let body = |document: &Bytes| read(to(decode_wrapped(document, None, &routes()).unwrap())).body;
    assert_eq!(
        body(&typed("application/octet-stream", Some(2), "AP8=")),
        vec![0, 255]
    );
    assert_eq!(
        body(&typed("multipart/form-data; boundary=b", Some(2), "aGk=")),
        "hi"
    );
    assert_eq!(body(&typed("text/plain", Some(2), "hi")), "hi");
    assert_eq!(body(&typed("text/plain", Some(5), "hi")), "\u{feff}hi");
    // A picture: each byte that is no UTF-8 became three.
    assert_eq!(refusal(&typed("image/png", Some(4), "\u{fffd}PNG")), 415);
    assert_eq!(
        refusal(&wrapped(json!({"Transfer-Encoding": ["chunked"]}), Value::Null)),
        411
    );
    let error = decode_wrapped(&typed("application/octet-stream", None, "!"), None, &routes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[test]
fn what_no_route_fits_does_not_reach_the_handler() {
    let request = |method: &str, url: &str| {
        Bytes::from(json!({"Data": {"req": {"Url": url, "Method": method}}}).to_string())
    };
    assert_eq!(refusal(&request("POST", "http://h/nothing")), 404);
    assert_eq!(refusal(&request("GET", "http://h/orders/1")), 405);
    let root = decode_wrapped(&request("POST", "http://h?a=b"), None, &routes()).unwrap();
    assert_eq!(read(to(root)).parts.uri, "/?a=b");
    for damaged in [
        r#"{"Data":{"req":{"Url":"/","Method":"G T"}}}"#,
        r#"{"Data":{"req":{"Url":"/","Method":"POST","Headers":{"a b":["c"]}}}}"#,
        r#"{"Data":{"req":{"Url":"/","Method":"POST","Headers":{"a":["\n"]}}}}"#,
        r#"{"Data":{"req":{"Method":"POST"}}}"#,
        r#"{"Data":{"req":"aGk="}}"#,
    ] {
        assert!(
            decode_wrapped(&Bytes::from(damaged), None, &routes()).is_err(),
            "{damaged}"
        );
    }
}

#[test]
fn who_signed_in_is_an_extension() {
    let mut document: Value = serde_json::from_slice(&wrapped(json!({}), Value::Null)).unwrap();
    document["Data"]["req"]["Identities"] = json!([{"IsAuthenticated": true, "AuthenticationType": "aad"}]);
    let event = to(decode_wrapped(&document.to_string().into(), None, &routes()).unwrap());
    assert!(event.attributes.extensions["azureidentities"].contains("aad"));
}

fn answer(response: http::Response<&'static [u8]>) -> Result<Value> {
    let (parts, body) = response.into_parts();
    answer::encode(&parts, &Bytes::from_static(body)).map(|json| serde_json::from_slice(&json).unwrap())
}

#[test]
fn an_answer_is_what_the_host_reads() {
    let response = http::Response::builder()
        .status(201)
        .header("vary", "accept")
        .header("vary", "origin")
        .header("set-cookie", "a=1")
        .header("x-at", "2026-02-03T12:00:00Z")
        .body("grüße".as_bytes())
        .unwrap();
    assert_eq!(
        answer(response).unwrap(),
        json!({"Outputs": {"res": {"statusCode": "201", "body": "grüße",
            "headers": {"vary": "accept, origin", "set-cookie": "a=1", "x-at": " 2026-02-03T12:00:00Z"}}},
            "Logs": [], "ReturnValue": null})
    );
}

#[test]
fn what_the_host_cannot_be_told_is_an_error() {
    let mut cookies = http::Response::new(&b""[..]);
    for cookie in ["a=1", "b=2"] {
        cookies
            .headers_mut()
            .append(SET_COOKIE, HeaderValue::from_static(cookie));
    }
    for response in [
        http::Response::new(&b"\xff"[..]),
        http::Response::new(&b"2026-02-03T12:00:00"[..]),
        http::Response::new(&b"/Date(1224043200000)/"[..]),
        cookies,
    ] {
        assert_eq!(answer(response).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    for plain in [
        &b"2026-02-03"[..],
        b"\"2026-02-03T12:00:00Z\"",
        b"at 2026-02-03T12:00:00Z",
        b"",
    ] {
        assert!(answer(http::Response::new(plain)).is_ok(), "{plain:?}");
    }
}

proptest! {
    #[test]
    fn any_url_is_a_target_or_refused(url in any::<String>()) {
        if let Ok(uri) = target(&url) {
            assert!(uri.path().starts_with('/'), "{url:?}: {uri}");
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode_wrapped(&bytes.into(), None, &routes());
    }
}
