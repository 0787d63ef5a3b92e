//! Google's front before the services: who may call, which revision gets a request, how long it may take.
//!
//! <https://cloud.google.com/run/docs/authenticating/overview>, <https://cloud.google.com/run/docs/configuring/request-timeout>, <https://cloud.google.com/run/docs/trace>

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, Sleep};

use super::World;
use super::instance::Payload;
use super::pool::{Busy, Lease};
use crate::google_cloud::id_tokens::{verify, without_signature};
use crate::google_cloud::kinds::SERVICE;
use crate::server;

/// Another header with the token, for who needs `Authorization` for itself.
const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");
const TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");
const TRACE_W3C: HeaderName = HeaderName::from_static("traceparent");

/// The roles with the permission `run.routes.invoke`: <https://cloud.google.com/run/docs/reference/iam/roles>.
const INVOKERS: &[&str] = &[
    "roles/run.invoker",
    "roles/run.servicesInvoker",
    "roles/run.admin",
    "roles/owner",
    "roles/editor",
];

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a caller gets.
pub(super) type Reply = Response<Either<Served, Full<Bytes>>>;

/// An answer's body as long as the request may take; the instance is this request's until then.
#[derive(Debug)]
pub(super) struct Served {
    body: Incoming,
    deadline: Pin<Box<Sleep>>,
    _lease: Lease,
}

impl Body for Served {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("the request took too long".into())));
        }
        Pin::new(&mut self.body).poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// A request of a client.
pub(super) fn incoming(request: Request<Incoming>) -> Request<Payload> {
    request.map(Either::Left)
}

/// The revisions that get a service's requests, with their shares of a hundred.
pub(super) fn targets(service: &str, body: &Value) -> Vec<(String, u64)> {
    let targets = body["trafficStatuses"].as_array().into_iter().flatten();
    targets
        .filter_map(|target| {
            let revision = match target["revision"].as_str().filter(|name| !name.is_empty()) {
                Some(name) => format!("{service}/revisions/{}", name.rsplit('/').next()?),
                None => body["latestReadyRevision"].as_str()?.to_owned(),
            };
            Some((revision, target["percent"].as_u64()?))
        })
        .filter(|(_, percent)| *percent > 0)
        .collect()
}

/// An answer of Google's own.
fn page(status: StatusCode, text: &str) -> Reply {
    let title = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    let body = format!(
        "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{code} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n</body></html>\n"
    );
    let mut answer = server::answer(status, body).map(Either::Right);
    let kind = HeaderValue::from_static("text/html; charset=UTF-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    answer
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let mut answer = server::answer(status, text).map(Either::Right);
    let kind = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    answer
}

impl World {
    /// The full name of the service that a host name is of: `<service>-<number>.<region>.run.app`.
    pub(super) fn service_of(&self, host: &str) -> Option<String> {
        let (label, rest) = host.split_once('.')?;
        let region = rest.strip_suffix(".run.app")?;
        let id = label.strip_suffix(&format!("-{}", self.shared.options.number))?;
        let name = format!(
            "projects/{}/locations/{region}/services/{id}",
            self.shared.options.project
        );
        self.shared.lock().get(&SERVICE, &name).is_ok().then_some(name)
    }

    /// A request that came by a service's URL.
    pub(super) async fn front(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let host = server::header(request.headers(), "host").unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match self.service_of(&host) {
            Some(service) => self.called(&service, incoming(request)).await,
            None => page(
                StatusCode::NOT_FOUND,
                "The requested URL was not found on this server.",
            ),
        }
    }

    /// A request to a service, by its full name.
    pub(super) async fn called(self: &Arc<Self>, service: &str, mut request: Request<Payload>) -> Reply {
        let began = Instant::now();
        let told = json!({
            "requestMethod": request.method().as_str(),
            "requestUrl": request.uri().to_string(),
            "userAgent": server::header(request.headers(), "user-agent"),
        });
        let trace = trace(request.headers_mut());
        let checked = self.check(service, request.headers_mut());
        let pool = self.target(service).and_then(|revision| self.pool(&revision));
        let answered_by = pool.clone();
        let (mut answer, instance) = match (checked, pool) {
            (Err(refused), _) => (*refused, String::new()),
            (Ok(()), None) => {
                let text = "The server encountered an error and could not complete your request.";
                (page(StatusCode::SERVICE_UNAVAILABLE, text), String::new())
            }
            (Ok(()), Some(pool)) => {
                let deadline = began + pool.timeout;
                match tokio::time::timeout_at(deadline, pool.lease()).await {
                    Ok(Ok(lease)) => {
                        let id = lease.instance.id.clone();
                        (forward(lease, request, deadline).await, id)
                    }
                    Ok(Err(Busy::Full)) => (
                        plain(StatusCode::TOO_MANY_REQUESTS, "Rate exceeded."),
                        String::new(),
                    ),
                    Ok(Err(Busy::Failed)) => (
                        plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
                        String::new(),
                    ),
                    Err(_) => (
                        plain(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout"),
                        String::new(),
                    ),
                }
            }
        };
        if let Some(pool) = answered_by {
            let status = answer.status().as_u16();
            let severity = match status {
                0..400 => "INFO",
                400..500 => "WARNING",
                _ => "ERROR",
            };
            let mut told = told;
            told["status"] = status.into();
            told["latency"] = format!("{:.6}s", began.elapsed().as_secs_f64()).into();
            let id = trace.split('/').next().unwrap_or_default();
            let mut entry = Map::new();
            entry.insert("httpRequest".to_owned(), told);
            entry.insert("severity".to_owned(), severity.into());
            let project = &self.shared.options.project;
            entry.insert(
                "trace".to_owned(),
                format!("projects/{project}/traces/{id}").into(),
            );
            // It has what Cloud Logging knows.
            let _ = self.log.request(&pool.origin(&instance), &entry);
        }
        let headers = answer.headers_mut();
        headers.insert("server", HeaderValue::from_static("Google Frontend"));
        if let Ok(value) = trace.parse() {
            headers.insert(TRACE, value);
        }
        answer
    }

    /// Whether who calls may; the signature of a token that was verified is taken away.
    fn check(&self, service: &str, headers: &mut HeaderMap) -> Result<(), Box<Reply>> {
        let members = self.invokers(service);
        if members.iter().any(|member| member == "allUsers") {
            return Ok(());
        }
        let forbidden = || {
            let text = "Your client does not have permission to get URL from this server.";
            Box::new(page(StatusCode::FORBIDDEN, text))
        };
        let name = if headers.contains_key(SERVERLESS) {
            SERVERLESS
        } else {
            AUTHORIZATION
        };
        let sent = headers.get(&name).and_then(|value| value.to_str().ok());
        let token = sent
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned());
        let token = token.ok_or_else(forbidden)?;
        let claims = verify(&token);
        let claims =
            claims.filter(|claims| self.service_of(&host_of(&claims.audience)).as_deref() == Some(service));
        let Some(claims) = claims else {
            let mut answer = page(
                StatusCode::UNAUTHORIZED,
                "Your client does not have permission to the requested URL.",
            );
            let challenge =
                "Bearer error=\"invalid_token\" error_description=\"The access token could not be verified\"";
            let challenge = HeaderValue::from_static(challenge);
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            return Err(Box::new(answer));
        };
        let account = format!("serviceAccount:{}", claims.email);
        if !members
            .iter()
            .any(|member| *member == account || member == "allAuthenticatedUsers")
        {
            return Err(forbidden());
        }
        if let Ok(value) = format!("Bearer {}", without_signature(&token)).parse() {
            headers.insert(name, value);
        }
        Ok(())
    }

    /// Who may call a service, by its policy and by the project's.
    fn invokers(&self, service: &str) -> Vec<String> {
        let project = format!("projects/{}", self.shared.options.project);
        let state = self.shared.lock();
        let policies = [service, &project].map(|name| state.policies.get(name).cloned());
        let bindings = policies.into_iter().flatten().flat_map(|policy| {
            let bindings = policy["bindings"].as_array().cloned();
            bindings.unwrap_or_default()
        });
        bindings
            .filter(|binding| {
                binding["role"]
                    .as_str()
                    .is_some_and(|role| INVOKERS.contains(&role))
            })
            // What a condition says is not looked at: it gives nobody anything here.
            .filter(|binding| binding["condition"].is_null())
            .flat_map(|binding| {
                let members = binding["members"].as_array().cloned().unwrap_or_default();
                members
                    .into_iter()
                    .filter_map(|member| Some(member.as_str()?.to_owned()))
            })
            .collect()
    }

    /// The revision that gets the next request, by the shares of all.
    fn target(&self, service: &str) -> Option<String> {
        let mut state = self.shared.lock();
        let targets = targets(service, &state.get(&SERVICE, service).ok()?.body);
        if let [(only, _)] = targets.as_slice() {
            return Some(only.clone());
        }
        state.count += 1;
        let mut place = state.count % targets.iter().map(|(_, percent)| percent).sum::<u64>().max(1);
        for (revision, percent) in targets {
            if place < percent {
                return Some(revision);
            }
            place -= percent;
        }
        None
    }
}

fn host_of(url: &str) -> String {
    let parsed = url.parse::<http::Uri>().ok();
    let uri = parsed.filter(|uri| uri.scheme_str() == Some("https"));
    uri.and_then(|uri| uri.host().map(str::to_owned))
        .unwrap_or_default()
}

/// The trace that a request is part of, as the older header tells it; one that has none begins one.
fn trace(headers: &mut HeaderMap) -> String {
    if let Some(known) = server::header(headers, TRACE.as_str()) {
        return known.to_owned();
    }
    let sent = server::header(headers, TRACE_W3C.as_str()).map(str::to_owned);
    let (id, span) = match sent
        .as_deref()
        .map(|text| text.split('-').collect::<Vec<_>>())
        .as_deref()
    {
        Some([_, id, span, _]) => ((*id).to_owned(), u64::from_str_radix(span, 16).unwrap_or(1)),
        _ => {
            let (_, span) = uuid::Uuid::new_v4().as_u64_pair();
            (uuid::Uuid::new_v4().simple().to_string(), span)
        }
    };
    let told = format!("{id}/{span};o=1");
    if let Ok(value) = told.parse() {
        headers.insert(TRACE, value);
    }
    if sent.is_none()
        && let Ok(value) = format!("00-{id}-{span:016x}-01").parse()
    {
        headers.insert(TRACE_W3C, value);
    }
    told
}

async fn forward(lease: Lease, request: Request<Payload>, deadline: Instant) -> Reply {
    let (mut parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let Ok(uri) = format!("http://127.0.0.1:{}{path}", lease.instance.port).parse() else {
        return plain(StatusCode::BAD_REQUEST, "Bad Request");
    };
    parts.uri = uri;
    parts.version = http::Version::HTTP_11;
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let host = parts.headers.get(HOST).cloned();
    let add = |headers: &mut HeaderMap, name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    add(&mut parts.headers, "x-forwarded-for", "127.0.0.1");
    add(&mut parts.headers, "x-forwarded-proto", "https");
    add(&mut parts.headers, "forwarded", "for=\"127.0.0.1\";proto=https");
    if let Some(host) = host {
        parts.headers.insert(HOST, host);
    }
    let client = lease.instance.client.clone();
    let answer = client.request(Request::from_parts(parts, body));
    match tokio::time::timeout_at(deadline, answer).await {
        Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout"),
        // The container broke off before it answered.
        Ok(Err(_)) => plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Ok(Ok(answer)) => {
            let (mut parts, body) = answer.into_parts();
            for name in [CONNECTION, TRANSFER_ENCODING] {
                parts.headers.remove(name);
            }
            let served = Served {
                body,
                deadline: Box::pin(tokio::time::sleep_until(deadline)),
                _lease: lease,
            };
            Response::from_parts(parts, Either::Left(served))
        }
    }
}
