//! A request, read: its method of the discovery document, its query, its body.

use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::state::Shared;
use crate::discovery::Call;

/// A request that fits a method.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) call: Call<'a>,
    pub(super) query: Vec<(String, String)>,
    /// An empty object if nothing was sent.
    pub(super) body: Value,
}

impl<'a> Asked<'a> {
    pub(super) fn new(call: Call<'a>, query: &str, body: Value) -> Self {
        Self {
            call,
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body,
        }
    }

    /// The last part of the method's id (`create`).
    pub(super) fn verb(&self) -> &'a str {
        self.call.id().rsplit('.').next().unwrap_or_default()
    }

    /// The name in the path, as it is kept: what is meant, or what it is to be in.
    pub(super) fn name(&self, shared: &Shared) -> String {
        let mut names = self.call.path_parameters().values();
        shared.key(names.next().map_or("", String::as_str))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.parameter(name) == Some("true")
    }

    /// Text of the body, by a pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// How many a list is to have at most, and after how many it begins.
    pub(super) fn page(&self) -> Outcome<(usize, usize)> {
        let size = match self.parameter("pageSize").map(str::parse::<usize>) {
            None | Some(Ok(0)) => 100,
            Some(Ok(size)) => size.min(1000),
            Some(Err(_)) => return Err(Refusal::field("page_size", "it must not be negative")),
        };
        let start = match self.parameter("pageToken") {
            None => 0,
            Some(token) => token
                .strip_prefix("after-")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| Refusal::field("page_token", "it is not one that a list gave"))?,
        };
        Ok((size, start))
    }
}
