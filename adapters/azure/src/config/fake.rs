//! Services over HTTPS that a test answers for: they are asked with tokens, as no emulator is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};

use super::Config;

/// The token of everybody, behind the name of the service that it is for.
pub(crate) const TOKEN: &str = "token-for:";

/// A request, as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get_optional_str(&HeaderName::from_static(name))
    }
}

/// A status, headers and a body.
pub(crate) type Told<'a> = (u16, &'a [(&'static str, &'static str)], &'a str);

type Answer = (u16, Vec<(&'static str, &'static str)>, String);

/// What answers; the last answer is repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service(Arc<Mutex<(VecDeque<Answer>, Vec<Asked>)>>);

impl Service {
    pub(crate) fn answering(answers: &[Told<'_>]) -> Self {
        let answers = answers
            .iter()
            .map(|(status, headers, body)| (*status, headers.to_vec(), (*body).to_owned()))
            .collect();
        Self(Arc::new(Mutex::new((answers, Vec::new()))))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().1.clone()
    }

    /// A configuration whose requests come here.
    pub(crate) fn config(&self) -> Config {
        let environment = std::iter::empty::<(&str, &str)>().collect();
        Config::with(&environment, Arc::new(Everybody), Arc::new(self.clone())).unwrap()
    }
}

#[async_trait]
impl HttpClient for Service {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else {
            panic!("a stream of bytes")
        };
        let mut state = self.0.lock().unwrap();
        state.1.push(Asked {
            method: request.method().as_str().to_owned(),
            url: request.url().to_string(),
            headers: request.headers().clone(),
            body: body.to_vec(),
        });
        let answer = match state.0.len() {
            0 => panic!("nothing is left to answer"),
            1 => state.0.front().cloned(),
            _ => state.0.pop_front(),
        };
        let (status, pairs, body) = answer.unwrap();
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            headers,
            body.into_bytes(),
        ))
    }
}

/// Has a token for everything.
#[derive(Debug)]
struct Everybody;

#[async_trait]
impl TokenCredential for Everybody {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let expiry = SystemTime::now() + Duration::from_secs(3600);
        Ok(AccessToken::new(
            format!("{TOKEN}{}", scopes.join(" ")),
            expiry.into(),
        ))
    }
}
