//! An emulator behind Google's own documents: a request goes on to it only if the discovery document of the interface knows the method, each parameter and each field of the body.
//! Emulators take what Google refuses.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::Result;
use serde_json::{Value, json};

use super::error::{Code, Refusal};
use crate::discovery::{Documents, Level};
use crate::server::{self, Answer, Server};

/// More than what Pub/Sub and Firestore take at once.
const LARGEST: usize = 32 * 1024 * 1024;

/// A gate before an emulator. It ends when dropped.
#[derive(Debug)]
pub struct Checked(Server);

impl Checked {
    /// Starts it on a free port. Requests are held against the document of `host` (`pubsub.googleapis.com`), and go on to `base` (`http://127.0.0.1:4000`).
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](nephos_core::ErrorKind::Unavailable) if no port can be had.
    pub async fn start(host: &'static str, base: &str, documents: Arc<Documents>) -> Result<Self> {
        let gate = Arc::new(Gate {
            host,
            base: base.to_owned(),
            documents,
            client: Client::builder(TokioExecutor::new()).build_http(),
        });
        let server = Server::start("a gate of Google Cloud", move |request| {
            let gate = Arc::clone(&gate);
            async move { gate.answer(request).await.unwrap_or_else(|refused| refused) }
        })
        .await?;
        Ok(Self(server))
    }

    /// Where it answers (`http://127.0.0.1:4001`).
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }
}

struct Gate {
    host: &'static str,
    base: String,
    documents: Arc<Documents>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A query may be of a database's own collections, or of those below a document; the discovery document has the latter's path alone. Both are in the interface's definition:
/// <https://github.com/googleapis/googleapis/blob/master/google/firestore/v1/firestore.proto>
pub(super) fn documented(path: &str) -> Cow<'_, str> {
    match path.strip_suffix("/documents:runQuery") {
        Some(database) => Cow::Owned(format!("{database}/documents/collection/document:runQuery")),
        None => Cow::Borrowed(path),
    }
}

fn refused(message: impl Into<String>) -> Answer {
    Refusal::new(Code::InvalidArgument, message).answer()
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> std::result::Result<Answer, Answer> {
        let (mut parts, body) = request.into_parts();
        let body = server::read(body, LARGEST).await?;
        let sent: Option<Value> = if body.is_empty() {
            None
        } else {
            let read = serde_json::from_slice(&body);
            Some(read.map_err(|error| refused(format!("Invalid JSON payload received. {error}")))?)
        };
        let query = parts.uri.query().unwrap_or_default();
        let call = self
            .documents
            .find(self.host, parts.method.as_str(), &documented(parts.uri.path()))
            .map_err(|finding| refused(finding.to_string()))?;
        let findings = call.check(query, sent.as_ref(), None);
        if let Some(finding) = findings.iter().find(|finding| finding.level == Level::Error) {
            return Err(refused(finding.to_string()));
        }
        let whole = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let broken = |message: String| {
            let body = json!({"error": {"code": 502, "message": message}});
            server::json(StatusCode::BAD_GATEWAY, &body)
        };
        parts.uri = format!("{}{whole}", self.base)
            .parse()
            .map_err(|_| broken("the emulator's address is no URL".to_owned()))?;
        let request = Request::from_parts(parts, Full::new(body));
        let answer = self.client.request(request).await;
        let (parts, body) = answer
            .map_err(|error| broken(format!("the emulator does not answer: {error}")))?
            .into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| broken(format!("the emulator broke off: {error}")))?
            .to_bytes();
        Ok(Answer::from_parts(parts, Full::new(body)))
    }
}
