//! Resumable uploads: chunks, their state, their end. <https://cloud.google.com/storage/docs/performing-resumable-uploads>

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode};

use super::{reply, resource};
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::hash::Expected;
use crate::gcs::object::{Metadata, New, Object};
use crate::gcs::preconditions::Preconditions;
use crate::gcs::request::Asked;
use crate::gcs::state::{Shared, State};
use crate::server::{self, Answer};

/// All chunks but the last have multiples of this.
const QUANTUM: usize = 256 * 1024;

/// An upload that was begun.
#[derive(Debug)]
pub(in crate::gcs) struct Session {
    bucket: String,
    name: String,
    metadata: Metadata,
    conditions: Preconditions,
    expected: Expected,
    total: Option<usize>,
    received: BytesMut,
    end: End,
}

#[derive(Debug)]
enum End {
    Open,
    Done(Box<Object>),
    Canceled,
}

impl Session {
    pub(super) fn new(
        bucket: &str,
        name: &str,
        metadata: Metadata,
        conditions: Preconditions,
        expected: Expected,
        total: Option<usize>,
    ) -> Self {
        Self {
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            metadata,
            conditions,
            expected,
            total,
            received: BytesMut::new(),
            end: End::Open,
        }
    }

    pub(in crate::gcs) fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }
}

/// What `Content-Range` says.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// No bytes: a question, or the end of an upload whose length becomes known.
    Nothing { total: Option<usize> },
    /// The bytes from `first` on; `last` is not known while they come.
    Bytes {
        first: usize,
        last: Option<usize>,
        total: Option<usize>,
    },
}

fn range(text: &str) -> Option<Range> {
    let (bytes, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let total = match total {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    if bytes == "*" {
        return Some(Range::Nothing { total });
    }
    let (first, last) = bytes.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last: Option<usize> = match last {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    let is_sound = last.is_none_or(|last| last >= first && total.is_none_or(|total| last < total));
    is_sound.then_some(Range::Bytes { first, last, total })
}

/// Answers at a session's address.
pub(super) fn answer(shared: &Shared, asked: &Asked, bucket: &str, id: &str) -> Outcome<Answer> {
    asked.query.only_json(&["upload_id", "name", "projection"])?;
    asked.only_headers(&["content-range", "x-goog-hash"])?;
    let mut state = shared.lock();
    let session = state
        .sessions
        .get_mut(id)
        .filter(|session| session.bucket == bucket)
        .ok_or_else(Refusal::not_found)?;
    let gone = || {
        Refusal::new(
            499,
            "clientClosedRequest",
            "InvalidArgument",
            "The upload was cancelled.",
        )
    };
    match (&session.end, &asked.method) {
        (End::Canceled, _) => return Err(gone()),
        (End::Done(object), &Method::PUT) => {
            let object = object.as_ref().clone();
            let view = resource::view(&state.url, bucket, &object);
            drop(state);
            return reply(asked, view);
        }
        (End::Open, &Method::PUT) => {}
        (End::Open, &Method::DELETE) => {
            asked.no_body()?;
            session.end = End::Canceled;
            session.received.clear();
            return Err(gone());
        }
        _ => return Err(Refusal::method()),
    }
    let sent = Expected::headers(asked)?;
    let Some(is_final) = take(session, asked)? else {
        return Ok(incomplete(session));
    };
    if !is_final {
        return Ok(incomplete(session));
    }
    finish(&mut state, asked, id, sent)
}

/// Takes a chunk; whether it was the last, or nothing if there was none.
fn take(session: &mut Session, asked: &Asked) -> Outcome<Option<bool>> {
    let body = &asked.body;
    let range = match asked.header("content-range")? {
        // All of it at once.
        None => Range::Bytes {
            first: 0,
            last: None,
            total: None,
        },
        Some(text) => range(text)
            .ok_or_else(|| Refusal::invalid(format!("Failed to parse Content-Range header: '{text}'.")))?,
    };
    let (Range::Nothing { total } | Range::Bytes { total, .. }) = range;
    if let (Some(before), Some(now)) = (session.total, total)
        && before != now
    {
        return Err(Refusal::invalid(format!(
            "The upload has {before} bytes, as was said before, and not {now}."
        )));
    }
    let total = session.total.or(total);
    let (first, is_open) = match range {
        Range::Nothing { total: said } => {
            asked.no_body()?;
            session.total = total;
            let is_end = said.is_some() && said == Some(session.received.len());
            return Ok(is_end.then_some(true));
        }
        Range::Bytes { first, last, .. } => {
            if let Some(last) = last
                && last + 1 - first != body.len()
            {
                return Err(Refusal::invalid(format!(
                    "Content-Range says {} bytes, and the body has {}.",
                    last + 1 - first,
                    body.len()
                )));
            }
            (first, last.is_none())
        }
    };
    let has = session.received.len();
    if first > has {
        return Err(Refusal::new(
            503,
            "backendError",
            "ServiceUnavailable",
            format!(
                "Invalid request. According to the Content-Range header, the upload offset is {first} byte(s), which exceeds already uploaded size of {has} byte(s)."
            ),
        ));
    }
    let end = first + body.len();
    if total.is_some_and(|total| end > total || (is_open && end != total)) {
        return Err(Refusal::invalid(format!(
            "The upload has {} bytes, and not {end}.",
            total.unwrap_or_default()
        )));
    }
    let is_final = is_open || total == Some(end);
    if !is_final && (body.is_empty() || !body.len().is_multiple_of(QUANTUM)) {
        return Err(Refusal::invalid(format!(
            "Invalid request. The number of bytes uploaded is required to be equal or greater than 262144, except for the final request (it's recommended to be the exact multiple of 262144). The received request contained {} bytes, which does not meet this requirement.",
            body.len()
        )));
    }
    session.total = total;
    // What is there already is not taken again.
    session
        .received
        .extend_from_slice(body.get(has - first..).unwrap_or_default());
    Ok(Some(is_final))
}

/// Makes a chunk as short as a server makes it that stops in the middle of it.
pub(in crate::gcs) fn shorten(asked: &mut Asked, quanta: usize) {
    let size = asked.body.len();
    let kept = (quanta * QUANTUM).min(size);
    let said = asked.headers.get(http::header::CONTENT_RANGE);
    let (first, total) = match said.map(|value| value.to_str().ok().and_then(range)) {
        None => (0, Some(size)),
        Some(Some(Range::Bytes { first, last, total })) => {
            (first, total.or(last.is_none().then_some(first + size)))
        }
        Some(_) => return,
    };
    let bytes = match kept {
        0 => "*".to_owned(),
        _ => format!("{first}-{}", first + kept - 1),
    };
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    if let Ok(value) = HeaderValue::from_str(&format!("bytes {bytes}/{total}")) {
        asked.headers.insert(http::header::CONTENT_RANGE, value);
        asked.body.truncate(kept);
    }
}

/// 308, with what is there.
fn incomplete(session: &Session) -> Answer {
    let mut answer = server::answer(StatusCode::PERMANENT_REDIRECT, "");
    if let Some(last) = session.received.len().checked_sub(1)
        && let Ok(value) = HeaderValue::from_str(&format!("bytes=0-{last}"))
    {
        answer.headers_mut().insert(http::header::RANGE, value);
    }
    answer
}

fn finish(state: &mut State, asked: &Asked, id: &str, sent: Expected) -> Outcome<Answer> {
    let mut session = state.sessions.remove(id).ok_or_else(Refusal::not_found)?;
    let content: Bytes = std::mem::take(&mut session.received).freeze();
    session.expected.extend(sent);
    // An upload that is refused now has ended too.
    session.expected.check(&content)?;
    let new = New {
        content,
        metadata: session.metadata.clone(),
        has_md5: true,
        components: None,
    };
    let object = state.write(&session.bucket, &session.name, new, &session.conditions)?;
    let view = resource::view(&state.url, &session.bucket, &object);
    session.end = End::Done(Box::new(object));
    state.sessions.insert(id.to_owned(), session);
    reply(asked, view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_those_of_the_documents() {
        let bytes = |first, last, total| Some(Range::Bytes { first, last, total });
        assert_eq!(range("bytes 0-9/10"), bytes(0, Some(9), Some(10)));
        assert_eq!(range("bytes 5-9/*"), bytes(5, Some(9), None));
        assert_eq!(range("bytes 5-*/*"), bytes(5, None, None));
        assert_eq!(range("bytes */*"), Some(Range::Nothing { total: None }));
        assert_eq!(range("bytes */7"), Some(Range::Nothing { total: Some(7) }));
        for wrong in [
            "bytes 9-0/10",
            "bytes 0-10/10",
            "0-1/2",
            "bytes 0-1",
            "bytes a-b/c",
            "bytes -1/2",
        ] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
