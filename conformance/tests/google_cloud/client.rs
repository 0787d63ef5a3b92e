//! A client that knows nothing: requests with a token, and operations that are asked about until they end.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::discovery::Documents;
use nephos_conformance::google_cloud::{Control, Options};
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "projects/nephos-tests";
pub(crate) const REGION: &str = "projects/nephos-tests/locations/europe-west1";

static DOCUMENTS: LazyLock<Arc<Documents>> = LazyLock::new(|| Arc::new(Documents::installed().unwrap()));

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answered {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{:#}", self.json);
        self.json
    }

    /// That it is refused so: status of HTTP, name of the code, part of the message.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str, words: &str) -> Value {
        let error = self.json["error"].clone();
        assert_eq!(
            (self.status.as_u16(), error["status"].as_str()),
            (status, Some(code)),
            "{error:#}"
        );
        assert_eq!(error["code"], status);
        assert!(error["message"].as_str().unwrap().contains(words), "{error:#}");
        error
    }
}

/// A stand-in, and a token for it.
pub(crate) struct Google {
    pub(crate) control: Control,
    token: String,
}

impl Google {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let control = Control::start(options, Arc::clone(&DOCUMENTS)).await.unwrap();
        let token = control.token();
        Self { control, token }
    }

    /// A request (`POST run.googleapis.com/v2/…`) with the token.
    pub(crate) async fn ask(&self, request: &str, body: Value) -> Answered {
        let token = format!("Bearer {}", self.token);
        self.send(request, Some(&token), body).await.unwrap()
    }

    /// The same, with another token or none; an error is a connection that was cut.
    pub(crate) async fn send(
        &self,
        request: &str,
        token: Option<&str>,
        body: Value,
    ) -> Result<Answered, String> {
        let (method, rest) = request.split_once(' ').unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.control.url()))
            .header("host", host);
        if let Some(token) = token {
            builder = builder.header("authorization", token);
        }
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            // Cloud Storage wants to be told.
            builder = builder.header("content-type", "application/json");
            body.to_string().into()
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client
            .request(builder.body(Full::new(bytes)).unwrap())
            .await
            .map_err(|error| error.to_string())?;
        let (parts, body) = answer.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask(&format!("GET {path}"), Value::Null).await
    }

    /// Asks about an operation until it has ended.
    pub(crate) async fn ended(&self, host: &str, operation: &Value) -> Value {
        let name = operation["name"].as_str().unwrap();
        let version = if host.starts_with("run.") { "v2" } else { "v1" };
        for _ in 0..10 {
            let now = self.get(&format!("{host}/{version}/{name}")).await.ok();
            if now["done"] == true {
                return now;
            }
        }
        panic!("the operation does not end: {operation:#}");
    }

    /// A service account that things can run as.
    pub(crate) async fn account(&self, id: &str) -> String {
        let body = json!({"accountId": id, "serviceAccount": {"displayName": id}});
        let request = format!("POST iam.googleapis.com/v1/{PROJECT}/serviceAccounts");
        let account = self.ask(&request, body).await.ok();
        account["email"].as_str().unwrap().to_owned()
    }

    /// A topic.
    pub(crate) async fn topic(&self, id: &str) -> String {
        let name = format!("{PROJECT}/topics/{id}");
        let request = format!("PUT pubsub.googleapis.com/v1/{name}");
        self.ask(&request, json!({})).await.ok();
        name
    }
}
