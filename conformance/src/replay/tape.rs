//! One rule's tape: a server of its own for each of the provider's services, which passes requests on and records them, or answers them from the recording.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;

use super::Source;
use super::body::Body;
use super::dialect::Dialect;
use super::exchange::{Answered, Exchange, Recording, remove, write};
use super::player::Player;
use super::scrub::Hidden;
use crate::server::{self, Answer, Server};

/// The largest body.
const LARGEST: usize = 64 << 20;

/// An answer that took longer was held back on purpose, and is in a replay too: clients count time by their own clocks.
const HELD: Duration = Duration::from_millis(250);

/// How long an answer waits for a request that came before it in the recording.
const PATIENCE: Duration = Duration::from_secs(5);

/// Headers that are of the connection, not of the message: <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>; and lengths, which are made anew.
const OF_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
];

/// A rule's tape, and where it answers.
#[derive(Debug)]
pub struct Tape {
    shared: Arc<Shared>,
    servers: Vec<(&'static str, Server)>,
    names: AtomicU32,
    secrets: AtomicU32,
}

#[derive(Debug)]
struct Shared {
    rule: &'static str,
    file: PathBuf,
    dialect: Dialect,
    hidden: Mutex<Hidden>,
    way: Way,
    /// A replayed request found its exchange.
    found: Notify,
}

#[derive(Debug)]
enum Way {
    Record(Recorder),
    Replay(Mutex<Player>),
}

#[derive(Debug)]
struct Recorder {
    source: Arc<Source>,
    client: Client<HttpConnector, Full<Bytes>>,
    at: DateTime<Utc>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// In the order in which the requests came; `None` while there is no answer.
    exchanges: Vec<Option<Exchange>>,
    /// Why the recording is worth nothing.
    broken: Option<String>,
}

impl Taken {
    /// What was answered: whoever asked and went away got no answer, and gets none in a replay.
    fn answered(&self) -> Vec<Exchange> {
        let place_of = |(place, taken): (usize, &Option<Exchange>)| Some((place, taken.clone()?));
        let answered = self.exchanges.iter().enumerate().filter_map(place_of);
        answered
            .map(|(place, mut exchange)| {
                let came = self.exchanges.iter().skip(place + 1).take(exchange.meanwhile);
                exchange.meanwhile = came.flatten().count();
                exchange
            })
            .collect()
    }
}

impl Tape {
    /// A tape that records what `source` answers.
    pub(super) async fn record(
        rule: &'static str,
        folder: &Path,
        dialect: Dialect,
        source: Arc<Source>,
    ) -> Result<Arc<Self>> {
        let mut hidden = Hidden::default();
        for (value, stand_in) in &source.secrets {
            hidden.replaced(value, stand_in);
        }
        for (service, url) in &source.services {
            // A service may tell its own address, or the one that it was asked by: for clients they are one.
            hidden.varying(&endpoint_name(service), authority(url));
        }
        let way = Way::Record(Recorder {
            source,
            client: Client::builder(TokioExecutor::new()).build_http(),
            at: Utc::now().trunc_subsecs(0),
            taken: Mutex::default(),
        });
        Self::start(rule, folder, dialect, hidden, way).await
    }

    /// A tape that answers from the recording. A rule that asks for nothing has none, so without one nothing is answered.
    pub(super) async fn replay(rule: &'static str, folder: &Path, dialect: Dialect) -> Result<Arc<Self>> {
        let now = Utc::now();
        let recording = match Recording::read(&Recording::path(folder, rule)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Recording::empty(rule, now),
            read => read.map_err(|error| error.with("record", again(dialect, rule)))?,
        };
        let player = Player::new(recording, now.timestamp());
        let way = Way::Replay(Mutex::new(player));
        Self::start(rule, folder, dialect, Hidden::default(), way).await
    }

    async fn start(
        rule: &'static str,
        folder: &Path,
        dialect: Dialect,
        hidden: Hidden,
        way: Way,
    ) -> Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            rule,
            file: Recording::path(folder, rule),
            dialect,
            hidden: Mutex::new(hidden),
            way,
            found: Notify::new(),
        });
        let mut servers = Vec::new();
        for service in dialect.services {
            let handled = Arc::clone(&shared);
            let server = Server::start("a tape", move |request| {
                let shared = Arc::clone(&handled);
                async move { shared.handle(service, request).await }
            })
            .await?;
            lock(&shared.hidden).varying(&endpoint_name(service), &server.authority());
            servers.push((*service, server));
        }
        Ok(Arc::new(Self {
            shared,
            servers,
            names: AtomicU32::new(0),
            secrets: AtomicU32::new(0),
        }))
    }

    /// Where one of the dialect's services answers (`http://127.0.0.1:4000`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the dialect has no such service.
    pub fn url(&self, service: &str) -> Result<String> {
        self.servers
            .iter()
            .find(|(name, _)| *name == service)
            .map(|(_, server)| server.url())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "the tape has no such service; name it in the dialect",
                )
                .with("service", service)
            })
    }

    /// A name for a new resource: the same in the recording and in every replay, and no other rule's.
    #[must_use]
    pub fn name(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.shared.rule.replace('.', "-"))
    }

    /// A value that no recording may have: what stands for it is written, and a replay puts the value of its own run in its place.
    pub fn hide(&self, value: &[u8]) {
        let number = self.secrets.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.shared.hidden).secret(&format!("secret-{number}"), value);
    }

    /// What the recording was made with, where one is played.
    pub(super) fn made(&self) -> Option<String> {
        match &self.shared.way {
            Way::Replay(player) => lock(player).recording.made(),
            Way::Record(_) => None,
        }
    }

    /// The rule is over. A recording is written if the rule `held`; a replay must have asked what was recorded, all of it and nothing else.
    ///
    /// # Errors
    /// If a recording cannot be written, has a secret or lacks an answer; if a replay asked for something else.
    pub(super) fn end(&self, held: bool) -> Result<()> {
        let shared = &self.shared;
        match &shared.way {
            Way::Record(recorder) if held => shared.save(recorder),
            // What was recorded before stays: it is of a time when the rule held.
            Way::Record(_) => Ok(()),
            Way::Replay(player) => lock(player).end(held, &shared.again()),
        }
    }
}

impl Shared {
    fn again(&self) -> String {
        again(self.dialect, self.rule)
    }

    async fn handle(&self, service: &'static str, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = match server::read(body, LARGEST).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match &self.way {
            Way::Record(recorder) => self.pass_on(recorder, service, parts, body).await,
            Way::Replay(player) => self.play(player, service, parts, body).await,
        }
    }

    async fn pass_on(&self, recorder: &Recorder, service: &'static str, parts: Parts, body: Bytes) -> Answer {
        let place = {
            let mut taken = lock(&recorder.taken);
            taken.exchanges.push(None);
            taken.exchanges.len() - 1
        };
        let begun = Instant::now();
        match recorder.ask(service, &parts, body.clone()).await {
            Ok((status, headers, answer)) => {
                let took = begun.elapsed();
                let hidden = lock(&self.hidden).clone();
                let request = self.dialect.asked(service, &parts, &body, &hidden);
                let is_held = took >= HELD && self.dialect.may_wait(&request);
                let mut taken = lock(&recorder.taken);
                let exchange = Exchange {
                    took_ms: if is_held { millis(took) } else { 0 },
                    meanwhile: taken.exchanges.len() - place - 1,
                    request,
                    answer: Answered {
                        status: status.as_u16(),
                        headers: self.dialect.answered(&headers, &hidden),
                        body: Body::of(&hidden.hide(&answer)),
                    },
                };
                taken.exchanges[place] = Some(exchange);
                drop(taken);
                told(status, &headers, answer, &parts.method)
            }
            Err(problem) => {
                lock(&recorder.taken)
                    .broken
                    .get_or_insert_with(|| format!("{} {}: {problem}", parts.method, parts.uri));
                server::answer(StatusCode::BAD_GATEWAY, problem)
            }
        }
    }

    async fn play(&self, player: &Mutex<Player>, service: &'static str, parts: Parts, body: Bytes) -> Answer {
        let begun = tokio::time::Instant::now();
        let hidden = lock(&self.hidden).clone();
        let asked = self.dialect.asked(service, &parts, &body, &hidden);
        let found = lock(player).find(&asked);
        self.found.notify_waiters();
        let (found, took) = match found {
            Ok(found) => found,
            // No status that a client tries again after.
            Err(difference) => return server::answer(StatusCode::BAD_REQUEST, difference),
        };
        tokio::time::sleep_until(begun + took).await;
        // What does not come is told as it was recorded, and the rule says what it makes of it.
        let _ = tokio::time::timeout(PATIENCE, self.ready(player, found)).await;
        let answer = lock(player).answer(found);
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            let value = HeaderValue::from_str(&hidden.show_text(value));
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                headers.append(name, value);
            }
        }
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        told(
            status,
            &headers,
            hidden.show(&answer.body.bytes()).into(),
            &parts.method,
        )
    }

    async fn ready(&self, player: &Mutex<Player>, found: usize) {
        loop {
            let next = self.found.notified();
            if lock(player).is_ready(found) {
                return;
            }
            next.await;
        }
    }

    fn save(&self, recorder: &Recorder) -> Result<()> {
        let refused = |message: &'static str| {
            Error::new(ErrorKind::Internal, OPERATION, message).with("rule", self.rule)
        };
        let taken = lock(&recorder.taken);
        if let Some(broken) = &taken.broken {
            return Err(refused("what was recorded lacks an answer; record again").with("request", broken));
        }
        let recording = Recording {
            rule: self.rule.to_owned(),
            with: recorder.source.with.clone(),
            at: recorder.at,
            nephos: env!("CARGO_PKG_VERSION").to_owned(),
            exchanges: taken.answered(),
        };
        if recording.exchanges.is_empty() {
            return remove(&self.file);
        }
        let text = recording.text()?;
        if let Some(leak) = lock(&self.hidden).leak(&text) {
            return Err(
                refused("the recording would have a secret in it, and is not written").with("secret", leak),
            );
        }
        write(&self.file, &text)
    }
}

impl Recorder {
    /// Passes a request on.
    async fn ask(
        &self,
        service: &str,
        parts: &Parts,
        body: Bytes,
    ) -> std::result::Result<(StatusCode, HeaderMap, Bytes), String> {
        let base = self
            .source
            .services
            .iter()
            .find(|(name, _)| *name == service)
            .map(|(_, url)| url.trim_end_matches('/'))
            .ok_or_else(|| format!("there is nothing to record of the service {service}"))?;
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::builder()
            .method(parts.method.clone())
            .uri(format!("{base}{target}"))
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        // The host too: it is signed.
        *request.headers_mut() = of_message(&parts.headers);
        let failed = |error: &dyn std::error::Error| format!("no answer: {error}");
        let (answered, body) = self
            .client
            .request(request)
            .await
            .map_err(|error| failed(&error))?
            .into_parts();
        let body = body.collect().await.map_err(|error| failed(&error))?.to_bytes();
        // The length of what a HEAD does not send is all that there is of it.
        let mut headers = of_message(&answered.headers);
        if parts.method == Method::HEAD
            && let Some(length) = answered.headers.get(header::CONTENT_LENGTH)
        {
            headers.insert(header::CONTENT_LENGTH, length.clone());
        }
        Ok((answered.status, headers, body))
    }
}

const OPERATION: &str = "replay.tape";

/// The command that records a rule.
fn again(dialect: Dialect, rule: &str) -> String {
    format!("{} {rule}", dialect.command)
}

fn endpoint_name(service: &str) -> String {
    match service {
        "" => "endpoint".to_owned(),
        service => format!("endpoint-{service}"),
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn of_message(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    headers
}

fn told(status: StatusCode, headers: &HeaderMap, body: Bytes, method: &Method) -> Answer {
    let mut answer = server::answer(status, body);
    *answer.headers_mut() = headers.clone();
    if *method != Method::HEAD {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
    }
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means that another thread panicked: what is noted so far is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
