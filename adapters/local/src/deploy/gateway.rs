//! The HTTP gateway: routes requests to functions, streams bodies both ways.

mod lanes;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nephos_core::event::{AuthEvent, AuthStage, Data, Event, VoiceRequest};
use nephos_core::outcome::{PROBLEM_JSON, problem_json};
use nephos_core::route::{Refusal, Routes};
use nephos_core::{Error, ErrorKind, Outcome, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::activity::InvocationResult;
use super::pool::{Answer, AnswerBody, DeliveryBody, Fleet, Pool};
use crate::events::decode_outcome;
use crate::wire::{JSON, OutcomeKind, strip_reserved};

use self::lanes::Lanes;

/// The largest sign-in or voice request, in bytes.
const MAX_STEP_BYTES: usize = 1 << 20;
/// The largest reason of a failure that is read, in bytes.
const MAX_REASON_BYTES: usize = 1 << 20;
/// How long requests in flight may take to finish once the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// The wait before the next try when a connection cannot be taken, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// When a client that was turned away may try again, in seconds.
const RETRY_IN: HeaderValue = HeaderValue::from_static("1");

/// Headers that concern one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What a route leads to.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A function with an HTTP trigger.
    Function(Arc<Pool>),
    /// Functions with a trigger on this step of sign-up or sign-in.
    Auth(AuthStage, Arc<str>),
    /// A function with a trigger on this skill.
    Voice(Arc<str>),
}

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    routes: Routes<Destination>,
    fleet: Arc<Fleet>,
    lanes: Lanes,
}

impl Gateway {
    /// A gateway with these routes.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if its threads cannot be started.
    pub fn new(routes: Routes<Destination>, fleet: Arc<Fleet>) -> Result<Self> {
        Ok(Self {
            routes,
            fleet,
            lanes: Lanes::start()?,
        })
    }

    /// Serves until `stop`, and then finishes what is in flight.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let gateway = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (served, stop) = (Arc::clone(&gateway), stop.clone());
            let accepted = accepted.and_then(|(stream, _)| {
                gateway
                    .lanes
                    .serve(stream, |stream| served.connection(stream, stop))
            });
            match accepted {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection to the gateway could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, gateway.lanes.finished())
            .await
            .is_err()
        {
            tracing::warn!("requests were still in flight when the time to finish them was over");
        }
        gateway.lanes.end();
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection's small packets are held back");
        }
        // Of its own, so that connections of other lanes do not wait for each other to look at it.
        let stop = stop.child_token();
        let gateway = &self;
        let service = service_fn(|request| async move { Ok::<_, Infallible>(gateway.handle(request).await) });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).pipeline_flush(true);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a client's connection broke off");
        }
    }

    async fn handle(&self, mut request: Request<Incoming>) -> Response<GatewayBody> {
        let found = self.routes.find(request.uri().path(), request.method());
        let (destination, params) = match found {
            Ok(found) => found,
            Err(refusal) => return refused(&refusal),
        };
        match destination {
            Destination::Function(pool) => {
                strip_hop_by_hop(request.headers_mut());
                to_origin_form(request.uri_mut());
                match pool.request(request.map(DeliveryBody::Client), &params).await {
                    Ok(answer) => pass_on(answer, pool).await,
                    Err(error) => failed(&error),
                }
            }
            Destination::Auth(stage, function) => self.step(function, Some(stage), request).await,
            Destination::Voice(function) => self.step(function, None, request).await,
        }
    }

    /// A sign-in step or voice request in neutral JSON, answered with the function's answer in neutral JSON.
    async fn step(
        &self,
        function: &str,
        stage: Option<&AuthStage>,
        request: Request<Incoming>,
    ) -> Response<GatewayBody> {
        let read = Limited::new(request.into_body(), MAX_STEP_BYTES).collect().await;
        let bytes = match read {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return problem(
                    StatusCode::BAD_REQUEST,
                    Some(&format!("the body cannot be read: {error}")),
                );
            }
        };
        let data = match stage {
            // The path says which step it is; the body need not repeat it.
            Some(stage) => serde_json::from_slice::<serde_json::Value>(&bytes).and_then(|mut json| {
                if let Some(fields) = json.as_object_mut() {
                    fields.insert("stage".to_owned(), stage.name().into());
                }
                serde_json::from_value::<AuthEvent>(json).map(|event| Data::Auth(Box::new(event)))
            }),
            None => serde_json::from_slice::<VoiceRequest>(&bytes).map(|voice| Data::Voice(Box::new(voice))),
        };
        let data = match data {
            Ok(data) => data,
            Err(error) => {
                return problem(
                    StatusCode::BAD_REQUEST,
                    Some(&format!("the body is not the request's JSON: {error}")),
                );
            }
        };
        let answer = match self.fleet.call(function, Event::of(data)).await {
            Ok(Outcome::Auth(decision)) => serde_json::to_vec(&decision),
            Ok(Outcome::Voice(response)) => serde_json::to_vec(&response),
            Ok(Outcome::Failed(error)) | Err(error) => return failed(&error),
            Ok(_) => return problem(StatusCode::BAD_GATEWAY, None),
        };
        match answer {
            Ok(json) => respond(StatusCode::OK, JSON, json.into()),
            Err(error) => {
                tracing::error!(%error, function, "an answer cannot be written as JSON");
                problem(StatusCode::BAD_GATEWAY, None)
            }
        }
    }
}

/// The function's answer to the client: its own response, or, of a failure, only that there was one. The reason is for the log.
async fn pass_on(answer: Answer, pool: &Pool) -> Response<GatewayBody> {
    let (mut parts, mut body) = answer.into_parts();
    if OutcomeKind::of(&parts.headers) == Some(OutcomeKind::Http) {
        strip_reserved(&mut parts.headers);
        strip_hop_by_hop(&mut parts.headers);
        return Response::from_parts(parts, GatewayBody::Function(Box::new(body)));
    }
    let bytes = match Limited::new(&mut body, MAX_REASON_BYTES).collect().await {
        Ok(read) => read.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let error = match decode_outcome(parts, bytes, &[]) {
        Ok(Outcome::Failed(error)) | Err(error) => error,
        Ok(_) => Error::new(
            ErrorKind::Internal,
            "http.answer",
            "the function answered a request with what is no response",
        ),
    };
    // The activity tells of it: this is for whoever wants to see where it came from.
    tracing::debug!(function = %pool.function(), error = %error.chain(), "a request failed");
    body.set_result(InvocationResult::Failed {
        kind: error.kind(),
        reason: error.chain(),
    });
    failed(&error)
}

/// The status that a client sees of a failure that is none of its own doing.
fn failed(error: &Error) -> Response<GatewayBody> {
    let status = match (error.kind(), error.operation()) {
        (ErrorKind::DeadlineExceeded, _) => StatusCode::GATEWAY_TIMEOUT,
        (ErrorKind::ResourceExhausted | ErrorKind::Unavailable, "function.invoke") => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (_, "function.invoke" | "function.start" | "http.answer" | "outcome.decode") => {
            StatusCode::BAD_GATEWAY
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status != StatusCode::INTERNAL_SERVER_ERROR {
        tracing::debug!(error = %error.chain(), status = status.as_u16(), "a request failed");
    }
    let mut response = problem(status, None);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_IN);
    }
    response
}

fn refused(refusal: &Refusal) -> Response<GatewayBody> {
    let mut response = problem(refusal.status(), Some(refusal.detail()));
    if let Some(allowed) = refusal.allow() {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn problem(status: StatusCode, detail: Option<&str>) -> Response<GatewayBody> {
    respond(status, PROBLEM_JSON, problem_json(status, detail).into())
}

fn respond(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Whole(Some(bytes)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Removes what concerns one connection only, and what its `Connection` header names besides.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(named) = headers
        .get(CONNECTION)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
    {
        for name in named.split(',') {
            if let Ok(name) = HeaderName::try_from(name.trim()) {
                headers.remove(name);
            }
        }
    }
    while let Some(name) = headers.keys().find(|name| HOP_BY_HOP.contains(name)).cloned() {
        headers.remove(name);
    }
}

/// A proxy's absolute form becomes the path alone.
fn to_origin_form(uri: &mut Uri) {
    if uri.authority().is_some() {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if let Ok(origin) = path.parse() {
            *uri = origin;
        }
    }
}

/// The body of the gateway's answer.
#[derive(Debug)]
pub enum GatewayBody {
    /// The gateway's own.
    Whole(Option<Bytes>),
    /// The function's.
    Function(Box<AnswerBody>),
}

impl http_body::Body for GatewayBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Function(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Function(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Function(body) => body.size_hint(),
        }
    }
}

/// The routes of the steps that have no path of their own in the manifest.
///
/// # Errors
/// As [`Routes::add`].
pub fn add_steps(
    routes: &mut Routes<Destination>,
    auth: impl IntoIterator<Item = (AuthStage, Arc<str>)>,
    voice: impl IntoIterator<Item = (String, Arc<str>)>,
) -> Result<()> {
    for (stage, function) in auth {
        let path = format!("/_nephos/auth/{}", stage.name());
        routes.add(
            Some(Method::POST),
            &path,
            &function,
            Destination::Auth(stage.clone(), Arc::clone(&function)),
        )?;
    }
    for (skill, function) in voice {
        // A skill's name may hold what is a parameter in a path.
        let path = format!("/_nephos/voice/{}", skill.replace('{', "{{").replace('}', "}}"));
        routes.add(
            Some(Method::POST),
            &path,
            &function,
            Destination::Voice(Arc::clone(&function)),
        )?;
    }
    Ok(())
}
