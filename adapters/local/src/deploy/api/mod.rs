//! The resource API: the functions' way to the embedded resources, and the command's way to a running engine.

mod access;
mod control;
mod remote;
mod resources;

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use nephos_core::event::Body;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::{Queue, QueueDriver};
use nephos_core::resource::secret::{Secret, SecretDriver};
use nephos_core::resource::stream::{Stream, StreamDriver};
use nephos_core::resource::table::{Table, TableDriver};
use nephos_core::resource::topic::{Topic, TopicDriver};
use nephos_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::access::{Caller, Tokens};
pub use self::control::Control;
pub use self::remote::Remote;
use crate::wire::{JSON, PROBLEM_JSON, problem, status_of_kind};

/// How long requests in flight may take to finish once the API is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// The embedded resources by name. Outside buckets are not among them: functions reach those themselves.
#[derive(Debug, Clone, Default)]
pub struct ResourceRegistry {
    /// The queues, dead-letter queues among them.
    pub queues: BTreeMap<String, Arc<dyn QueueDriver>>,
    /// The topics.
    pub topics: BTreeMap<String, Arc<dyn TopicDriver>>,
    /// The streams.
    pub streams: BTreeMap<String, Arc<dyn StreamDriver>>,
    /// The tables.
    pub tables: BTreeMap<String, Arc<dyn TableDriver>>,
    /// The secrets.
    pub secrets: BTreeMap<String, Arc<dyn SecretDriver>>,
    /// The buckets.
    pub buckets: BTreeMap<String, Arc<dyn BucketDriver>>,
}

impl ResourceRegistry {
    /// The names of the resources of one kind.
    #[must_use]
    pub fn names(&self, kind: ResourceKind) -> Vec<&str> {
        fn keys<T: ?Sized>(map: &BTreeMap<String, Arc<T>>) -> Vec<&str> {
            map.keys().map(String::as_str).collect()
        }
        match kind {
            ResourceKind::Bucket => keys(&self.buckets),
            ResourceKind::Queue => keys(&self.queues),
            ResourceKind::Topic => keys(&self.topics),
            ResourceKind::Stream => keys(&self.streams),
            ResourceKind::Table => keys(&self.tables),
            ResourceKind::Secret => keys(&self.secrets),
        }
    }

    fn queue(&self, name: &str) -> Result<Queue> {
        open(ResourceKind::Queue, &self.queues, name).map(|driver| Queue::new(name, driver))
    }

    fn topic(&self, name: &str) -> Result<Topic> {
        open(ResourceKind::Topic, &self.topics, name).map(|driver| Topic::new(name, driver))
    }

    fn stream(&self, name: &str) -> Result<Stream> {
        open(ResourceKind::Stream, &self.streams, name).map(|driver| Stream::new(name, driver))
    }

    fn table(&self, name: &str) -> Result<Table> {
        open(ResourceKind::Table, &self.tables, name).map(|driver| Table::new(name, driver))
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        open(ResourceKind::Secret, &self.secrets, name).map(|driver| Secret::new(name, driver))
    }
}

fn open<T: ?Sized>(kind: ResourceKind, drivers: &BTreeMap<String, Arc<T>>, name: &str) -> Result<Arc<T>> {
    drivers.get(name).map(Arc::clone).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "api.open",
            "the app has no such resource; declare it in nephos.toml",
        )
        .with(kind.name(), name)
    })
}

/// What the requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    registry: ResourceRegistry,
    tokens: Arc<Tokens>,
    control: Arc<dyn Control>,
}

/// The whole API. `buckets` are the routes under `/v1/bucket`, as [`bucket::router`](crate::deploy::bucket::router) makes them over the same
/// [`Tokens`]: it asks them itself, as signed URLs need none.
pub fn router(
    registry: ResourceRegistry,
    tokens: Arc<Tokens>,
    control: Arc<dyn Control>,
    buckets: Router,
) -> Router {
    let shared = Arc::new(Shared {
        registry,
        tokens,
        control,
    });
    Router::new()
        .route("/v1/status", get(control::status))
        .route("/v1/activity", get(control::activity))
        .route("/v1/invoke/{function}", post(control::invoke))
        .route("/v1/emit", post(control::emit))
        .route("/v1/{kind}", get(control::list))
        .route("/v1/{kind}/{name}/{operation}", post(resources::operate))
        .fallback(no_such_route)
        .with_state(shared)
        .merge(buckets)
}

async fn no_such_route(request: Request) -> Problem {
    Problem(
        Error::new(
            ErrorKind::NotFound,
            "api.route",
            "the resource API has no such route",
        )
        .with("method", request.method())
        .with("path", request.uri().path()),
    )
}

/// Serves the API until `stop`, and then finishes what is in flight; long answers that do not end are cut off after a while.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if the listener fails.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<()> {
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection's small packets are held back");
        }
    });
    let stopping = stop.clone();
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { stopping.cancelled().await });
    let mut serving = std::pin::pin!(serving.into_future());
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stop.cancelled() => tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(())),
    };
    served.map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            "api.serve",
            "the resource API's listener failed",
        )
        .caused_by(error)
    })
}

/// An error as the API answers it: problem details with all of its fields.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status_of_kind(self.0.kind());
        answer(status, PROBLEM_JSON, problem(&self.0, status))
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn json<T: serde::Serialize>(value: &T) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "api.answer",
            "the answer cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    Ok(answer(StatusCode::OK, JSON, bytes))
}

/// A request's body, whole.
async fn read(request: Request, limit: usize) -> Result<bytes::Bytes> {
    axum::body::to_bytes(request.into_body(), limit)
        .await
        .map_err(|error| {
            // What the body's own error is, axum only tells as the cause.
            let too_long = std::error::Error::source(&error)
                .and_then(|cause| cause.downcast_ref::<http_body_util::LengthLimitError>())
                .is_some();
            let (kind, message) = if too_long {
                (
                    ErrorKind::ResourceExhausted,
                    "the request's body is larger than the API takes",
                )
            } else {
                (ErrorKind::InvalidArgument, "the request's body broke off")
            };
            Error::new(kind, "api.read", message)
                .with("max_bytes", limit)
                .caused_by(error)
        })
}
