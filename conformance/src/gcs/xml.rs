//! The XML API: <https://cloud.google.com/storage/docs/xml-api>. Buckets are the first part of the path.

mod list;
pub(super) mod multipart;
pub(super) mod object;
pub(super) mod write;

use http::{Method, StatusCode};

use super::error::{Outcome, Refusal};
use super::request::{Asked, decode};
use super::signed;
use super::state::Shared;
use crate::server::{self, Answer};

/// Answers a request whose sender is known.
pub(super) fn answer(shared: &Shared, asked: &Asked) -> Outcome<Answer> {
    let path = asked.path.strip_prefix('/').unwrap_or(&asked.path);
    let (bucket, name) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, name) = (decode(bucket)?, decode(name)?);
    if bucket.is_empty() {
        return Err(Refusal::not_built("the list of buckets in XML"));
    }
    if name.is_empty() {
        return of_bucket(shared, asked, &bucket);
    }
    let has = |parameter: &str| asked.query.has(parameter);
    match asked.method {
        Method::GET if has("uploadId") => multipart::parts(shared, asked, &bucket, &name),
        Method::GET | Method::HEAD => object::get(shared, asked, &bucket, &name),
        Method::PUT if has("uploadId") || has("partNumber") => multipart::put(shared, asked, &bucket, &name),
        Method::PUT if asked.headers.contains_key("x-goog-copy-source") => {
            object::copy(shared, asked, &bucket, &name)
        }
        Method::PUT => object::put(shared, asked, &bucket, &name),
        Method::DELETE if has("uploadId") => multipart::abort(shared, asked, &bucket, &name),
        Method::DELETE => object::delete(shared, asked, &bucket, &name),
        Method::POST if has("uploads") => multipart::begin(shared, asked, &bucket, &name),
        Method::POST if has("uploadId") => multipart::complete(shared, asked, &bucket, &name),
        Method::POST => Err(Refusal::not_built("forms and resumable uploads in XML")),
        _ => Err(Refusal::method()),
    }
}

fn of_bucket(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    match asked.method {
        Method::GET => list::list(shared, asked, bucket),
        Method::HEAD => {
            only(asked, &[])?;
            asked.only_headers(&[])?;
            shared.lock().bucket(bucket)?;
            Ok(server::answer(StatusCode::OK, ""))
        }
        Method::PUT | Method::DELETE | Method::POST => {
            Err(Refusal::not_built("changes of buckets in XML; JSON has them"))
        }
        _ => Err(Refusal::method()),
    }
}

/// Refuses parameters that are neither those nor of a signature.
fn only(asked: &Asked, known: &[&str]) -> Outcome<()> {
    let all: Vec<&str> = known.iter().copied().chain(signed::PARAMETERS).collect();
    asked.query.only(&all)
}
