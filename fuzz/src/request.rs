//! HTTP requests as the embedded host passes them to a function: its own headers are read or refused, and no handler sees them.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use nephos_core::ErrorKind;
use nephos_core::event::{Body, Data, Request};
use nephos_core::handler::PathParams;
use nephos_local::events::{decode_http, encode_http};
use nephos_local::wire::{PATH_PARAMS, RESERVED_PREFIX, decode_path_params, encode_path_params};

/// Reads `data` as method and URI on one line, and a header on each that follows.
pub fn check(data: &[u8]) {
    let Some((line, head)) = crate::first_line(data) else {
        return;
    };
    let (method, uri) = line.split_once(' ').unwrap_or((line, "/"));
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    *request.uri_mut() = uri.parse().unwrap_or_else(|_| Uri::from_static("/"));
    *request.headers_mut() = headers(head);
    let sent = request.headers().clone();
    let (method, uri) = (request.method().clone(), request.uri().clone());

    path_params(&sent);
    let (event, meta) = match decode_http(request) {
        Ok(read) => read,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            return crate::check_error(&error);
        }
    };
    let Data::Http(request) = event.data else {
        panic!("a request is {:?}", event.data);
    };
    assert_eq!((request.method(), request.uri()), (&method, &uri));
    let reserved = |name: &HeaderName| name.as_str().starts_with(RESERVED_PREFIX);
    assert!(!request.headers().keys().any(reserved), "{:?}", request.headers());
    let mut kept = sent.clone();
    for name in sent.keys().filter(|name| reserved(name)) {
        kept.remove(name);
    }
    assert_eq!(
        request.headers(),
        &kept,
        "a header of the client was lost or changed"
    );

    let params = request
        .extensions()
        .get::<PathParams>()
        .cloned()
        .unwrap_or_default();
    let mut again = Request::new(Body::empty());
    *again.headers_mut() = request.headers().clone();
    encode_http(again.headers_mut(), &meta, &params).expect("parameters that were read can be written");
    let (event, meta_again) = decode_http(again).expect("our own headers are read");
    assert_eq!(meta_again, meta);
    let Data::Http(again) = event.data else {
        panic!("a request is {:?}", event.data);
    };
    assert_eq!(again.extensions().get(), Some(&params));
}

/// The header of the path's parameters alone, whatever the others say.
fn path_params(sent: &HeaderMap) {
    if let Ok(params) = decode_path_params(sent) {
        let mut headers = HeaderMap::new();
        headers.insert(
            PATH_PARAMS,
            encode_path_params(&params).expect("any text can be written"),
        );
        assert_eq!(
            decode_path_params(&headers).expect("our own header is read"),
            params
        );
    }
}

fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}
