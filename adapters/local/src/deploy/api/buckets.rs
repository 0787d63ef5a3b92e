//! The gate before the bucket's routes: which access a request needs, and whether its caller has it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use nephos_core::Result;
use nephos_core::resource::{Access, ResourceKind};
use percent_encoding::percent_decode_str;

use super::{Problem, Shared};

/// In the extensions of a request whose caller may do what it asks. A request without it carries a signature, which the route must check.
#[derive(Debug, Clone, Copy)]
pub struct Authorized;

/// Lets a request pass to the bucket's routes if its token allows it, or if it is signed.
pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let query = Query::of(&request);
    if query.signature
        && matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::PUT | Method::DELETE
        )
    {
        return next.run(request).await;
    }
    match check(&shared, &request, &query) {
        Ok(()) => {
            request.extensions_mut().insert(Authorized);
            next.run(request).await
        }
        Err(error) => Problem(error).into_response(),
    }
}

fn check(shared: &Shared, request: &Request, query: &Query) -> Result<()> {
    let caller = shared.tokens.caller(request.headers())?;
    let bucket = request
        .uri()
        .path()
        .strip_prefix("/v1/bucket/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    let bucket = percent_decode_str(bucket).decode_utf8_lossy();
    for access in needed(request.method(), query) {
        caller.require(ResourceKind::Bucket, &bucket, access)?;
    }
    super::open(ResourceKind::Bucket, &shared.registry.buckets, &bucket).map(drop)
}

/// What the request's query says that matters here.
#[derive(Debug, Default)]
struct Query {
    signature: bool,
    upload: bool,
    copy: bool,
    sign: Option<String>,
}

impl Query {
    fn of(request: &Request) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        {
            match &*name {
                "signature" => query.signature = true,
                "upload" => query.upload = true,
                "copy-from" => query.copy = true,
                "sign" => query.sign = Some(value.into_owned()),
                _ => {}
            }
        }
        query
    }
}

fn needed(method: &Method, query: &Query) -> Vec<Access> {
    match *method {
        // A signed URL gives away what its method does.
        Method::POST if query.sign.is_some() => match query.sign.as_deref() {
            Some("get") => vec![Access::Read],
            Some("delete") => vec![Access::Delete],
            _ => vec![Access::Write],
        },
        Method::GET | Method::HEAD => vec![Access::Read],
        // Giving up an upload deletes no object.
        Method::DELETE if !query.upload => vec![Access::Delete],
        _ if query.copy => vec![Access::Write, Access::Read],
        _ => vec![Access::Write],
    }
}
