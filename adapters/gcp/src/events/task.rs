//! Tasks of Cloud Tasks: <https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler>.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use nephos_core::Result;

use super::refused;

/// A task, whose request's body is the message.
#[derive(Debug)]
pub(super) struct Task {
    /// Its short name, unique in its queue for days.
    pub(super) name: String,
    /// The queue's name at Cloud Tasks.
    pub(super) queue: String,
    /// Which try it is, from 1.
    pub(super) attempt: u32,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

impl Task {
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let missing = || refused("the request does not tell whose task it is, as Cloud Tasks does");
        // The count of tries, which begins at 0, and includes those that found no instance.
        let tries: u32 = text("x-cloudtasks-taskretrycount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            name: text("x-cloudtasks-taskname")
                .filter(|name| !name.is_empty())
                .ok_or_else(missing)?,
            queue: text("x-cloudtasks-queuename").ok_or_else(missing)?,
            attempt: tries.saturating_add(1),
            content_type: headers
                .get(CONTENT_TYPE)
                .and_then(|ty| ty.to_str().ok())
                .map(str::to_owned),
            body: body.clone(),
        })
    }
}
