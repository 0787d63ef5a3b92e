//! From a request to what answers it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::error::{Interface, Outcome, Refusal};
use super::knobs::Interruption;
use super::request::{Asked, Query};
use super::state::{Exchange, Shared};
use super::{auth, json, project, xml};
use crate::server::{self, Answer, Cut};

/// The largest body; what is larger comes in parts.
pub(super) const LIMIT: usize = 512 * 1024 * 1024;

/// Answers a request, or does with it what a test said.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    // The body is read whatever the answer is: who still sends does not listen.
    match server::read(body, LIMIT).await {
        Ok(body) => whole(&shared, parts, body),
        Err(answer) => answer,
    }
}

/// The same for one whose body is there.
pub(super) fn whole(shared: &Shared, parts: Parts, body: Bytes) -> Answer {
    let uri = parts
        .uri
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let method = parts.method.clone();
    let path = parts.uri.path().to_owned();
    let interface = interface(&path);
    let is_head = method == Method::HEAD;
    let interruption = shared.lock().interruptions.next(method.as_str(), &uri);
    let reply = || {
        let text = parts.uri.query().unwrap_or_default().to_owned();
        Query::read(&text)
            .and_then(|query| {
                let mut asked = Asked {
                    method: parts.method,
                    path,
                    query,
                    headers: parts.headers,
                    body,
                };
                if let Some(Interruption::Keep(quanta)) = interruption {
                    json::resumable::shorten(&mut asked, quanta);
                }
                answer(shared, &asked, interface, &text)
            })
            .unwrap_or_else(|refusal| refusal.answer(interface, is_head))
    };
    let mut answer = match interruption {
        Some(Interruption::Cut) => cut(),
        Some(Interruption::Status(status)) => Refusal::injected(status).answer(interface, is_head),
        Some(Interruption::CutAfterwards) => {
            let _lost = reply();
            cut()
        }
        _ => reply(),
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

fn answer(shared: &Shared, asked: &Asked, interface: Interface, query: &str) -> Outcome<Answer> {
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
    let project_id = &shared.options.project;
    if let Some(project) = &shared.project {
        // Content is no body that a document describes.
        let body = serde_json::from_slice(&asked.body).ok();
        let bucket = match interface {
            Interface::Json => asked.path.split("/b/").nth(1),
            Interface::Xml => asked.path.strip_prefix('/'),
        };
        let bucket = bucket.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let bucket = percent_decode_str(bucket).decode_utf8_lossy();
        let bucket = bucket.as_ref();
        let policy = shared
            .lock()
            .buckets
            .get(bucket)
            .map(|found| found.policy.view(bucket, project_id));
        project.admit(&project::Request {
            asker: project::asker(asked),
            policy,
            is_json: interface.is_json(),
            method: &asked.method,
            path: &asked.path,
            query,
            body: body.as_ref(),
        })?;
    }
    match interface {
        Interface::Json => json::answer(shared, asked),
        Interface::Xml => xml::answer(shared, asked),
    }
}
