//! From a request to what answers it.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;

use super::error::{Interface, Outcome, Refusal};
use super::knobs::Interruption;
use super::request::{Asked, Query};
use super::state::{Exchange, Shared};
use super::{auth, json, xml};
use crate::server::{self, Answer, Cut};

/// The largest body; what is larger comes in parts.
const LIMIT: usize = 512 * 1024 * 1024;

/// Answers a request, or does with it what a test said.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let uri = parts
        .uri
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let method = parts.method.clone();
    let path = parts.uri.path().to_owned();
    let interface = interface(&path);
    let is_head = method == Method::HEAD;
    let interruption = shared.lock().interruptions.next(method.as_str(), &uri);
    let mut answer = match interruption {
        Some(Interruption::Cut) => cut(),
        // The body is read whatever the answer is: who still sends does not listen.
        other => match server::read(body, LIMIT).await {
            Err(answer) => answer,
            Ok(body) => {
                let reply = || {
                    Query::read(parts.uri.query().unwrap_or_default())
                        .and_then(|query| {
                            let mut asked = Asked {
                                method: parts.method,
                                path,
                                query,
                                headers: parts.headers,
                                body,
                            };
                            if let Some(Interruption::Keep(quanta)) = other {
                                json::resumable::shorten(&mut asked, quanta);
                            }
                            answer(&shared, &asked, interface)
                        })
                        .unwrap_or_else(|refusal| refusal.answer(interface, is_head))
                };
                match other {
                    Some(Interruption::Status(status)) => {
                        Refusal::injected(status).answer(interface, is_head)
                    }
                    Some(Interruption::CutAfterwards) => {
                        let _lost = reply();
                        cut()
                    }
                    _ => reply(),
                }
            }
        },
    };
    if let Ok(value) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        answer.headers_mut().insert("x-guploader-uploadid", value);
    }
    let is_cut = answer.extensions().get::<Cut>().is_some();
    shared.lock().requests.push(Exchange {
        method: method.to_string(),
        path: uri,
        status: if is_cut { 0 } else { answer.status().as_u16() },
    });
    answer
}

fn cut() -> Answer {
    let mut answer = server::answer(StatusCode::OK, "");
    answer.extensions_mut().insert(Cut);
    answer
}

fn interface(path: &str) -> Interface {
    let is_json = [
        "/storage/v1/",
        "/upload/storage/v1/",
        "/download/storage/v1/",
        "/resumable/upload/storage/v1/",
        "/batch/storage/v1",
    ]
    .iter()
    .any(|start| path.starts_with(start));
    if is_json { Interface::Json } else { Interface::Xml }
}

fn answer(shared: &Shared, asked: &Asked, interface: Interface) -> Outcome<Answer> {
    let host = asked.header("host")?.unwrap_or_default();
    if host.ends_with(".storage.googleapis.com") {
        return Err(Refusal::not_built("hosts of single buckets"));
    }
    // The address of a session is a secret that stands for its token.
    let is_session = interface == Interface::Json
        && asked.path.starts_with("/upload/")
        && asked.method != Method::POST
        && asked.query.has("upload_id");
    if !is_session {
        auth::check(shared, asked)?;
    }
    match interface {
        Interface::Json => json::answer(shared, asked),
        Interface::Xml => xml::answer(shared, asked),
    }
}
