//! The front of a function app: routes and keys of `httpTrigger`, requests forwarded or wrapped, the webhook of Event Grid, and functions run by hand.

mod admin;
pub(super) mod forward;
pub(super) mod wrap;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::Value;

use super::event_grid;
use super::invoke::Invoker;
use super::package::{AuthLevel, BindingKind, Function, HttpTrigger, Package};
use super::route::Template;
use super::timer;
use crate::server::{Answer, Server, answer, header, json, read};

/// The longest body of a request.
const LIMIT: usize = 104_857_600;

/// The path of the webhook by which Event Grid calls functions.
const WEBHOOK: &str = "/runtime/webhooks/EventGrid";

/// The keys of an app.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Opens everything.
    pub master: String,
    /// Opens all functions.
    pub host: Vec<String>,
    /// Open one function each, by its name.
    pub function: BTreeMap<String, Vec<String>>,
    /// Opens the webhook of Event Grid.
    pub event_grid: String,
}

/// What the front knows.
#[derive(Debug)]
pub(super) struct Gateway {
    routes: Vec<(Template, Arc<Function>, HttpTrigger)>,
    events: BTreeMap<String, Arc<Function>>,
    functions: Vec<Arc<Function>>,
    timers: timer::Statuses,
    forwarding: bool,
    keys: Keys,
    invoker: Arc<Invoker>,
}

/// A request with its body.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) parts: http::request::Parts,
    /// What the host reads of the body: nothing, where the client did not say how long it is.
    pub(super) body: Bytes,
    pub(super) parameters: Vec<(String, Option<String>)>,
}

impl Gateway {
    pub(super) fn new(
        package: &Package,
        functions: &[Arc<Function>],
        keys: Keys,
        timers: timer::Statuses,
        invoker: Arc<Invoker>,
    ) -> Result<Self> {
        let mut routes = Vec::new();
        let mut events = BTreeMap::new();
        for function in functions {
            match &function.trigger.kind {
                BindingKind::Http(http) => {
                    let template = Template::read(&package.host.route_prefix, &http.route)?;
                    routes.push((template, Arc::clone(function), http.clone()));
                }
                BindingKind::EventGrid => {
                    events.insert(function.name.to_lowercase(), Arc::clone(function));
                }
                _ => {}
            }
        }
        routes.sort_by(|(a, _, _), (b, _, _)| a.precedence(b));
        Ok(Self {
            routes,
            events,
            functions: functions.to_vec(),
            timers,
            forwarding: package.host.forwarding,
            keys,
            invoker,
        })
    }

    pub(super) async fn serve(self) -> Result<Server> {
        let gateway = Arc::new(self);
        Server::start("a function app", move |request| {
            let gateway = Arc::clone(&gateway);
            async move { gateway.answer(request).await }
        })
        .await
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.eq_ignore_ascii_case(WEBHOOK) {
            return match read(body, LIMIT).await {
                Ok(body) => self.webhook(&parts, &body).await,
                Err(refusal) => refusal,
            };
        }
        if let Some(name) = path.strip_prefix(admin::PATH) {
            return match read(body, LIMIT).await {
                Ok(body) => self.run(&parts, name, &body),
                Err(refusal) => refusal,
            };
        }
        let route = self.routes.iter().find_map(|(template, function, http)| {
            let fits = http.methods.is_empty() || http.methods.contains(parts.method.as_str());
            let parameters = template.matches(path).filter(|_| fits)?;
            Some((Arc::clone(function), http, parameters))
        });
        let Some((function, http, parameters)) = route else {
            // A route of another method is none: the host says that nothing is there.
            return if path == "/" {
                answer(StatusCode::OK, "Your Azure Function App is up and running.")
            } else {
                answer(StatusCode::NOT_FOUND, "")
            };
        };
        if !self.is_allowed(&parts, &function.name, http.auth_level) {
            return answer(StatusCode::UNAUTHORIZED, "");
        }
        let length: u64 = header(&parts.headers, "content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        if length > LIMIT as u64 {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, "");
        }
        let body = match read(body, LIMIT).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        if length == 0 && !body.is_empty() {
            self.invoker.log.line(format!(
                "function `{}`: a request came in chunks, and the host does not read the body of one without Content-Length",
                function.name
            ));
        }
        let call = Call {
            body: if length == 0 { Bytes::new() } else { body },
            parts,
            parameters,
        };
        // Only functions with one input and one output, both HTTP, are forwarded.
        if self.forwarding && function.http_output.is_some() {
            forward::call(&self.invoker, &function, call).await
        } else {
            wrap::call(&self.invoker, &function, call).await
        }
    }

    fn is_allowed(&self, parts: &http::request::Parts, function: &str, level: AuthLevel) -> bool {
        if level == AuthLevel::Anonymous {
            return true;
        }
        let query = queries(parts.uri.query().unwrap_or_default());
        let sent = header(&parts.headers, "x-functions-key")
            .map(ToOwned::to_owned)
            .or_else(|| {
                query
                    .into_iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("code"))
                    .map(|(_, value)| value)
            });
        let Some(sent) = sent.filter(|key| !key.is_empty()) else {
            return false;
        };
        let own = self.keys.function.get(function).into_iter().flatten();
        let mut keys = own.chain(&self.keys.host);
        sent == self.keys.master || (level == AuthLevel::Function && keys.any(|key| *key == sent))
    }

    /// The webhook: an answer to the handshake, or an invocation for each event.
    async fn webhook(&self, parts: &http::request::Parts, body: &[u8]) -> Answer {
        let query = queries(parts.uri.query().unwrap_or_default());
        let field = |wanted: &str| {
            query
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map_or("", |(_, value)| value.as_str())
        };
        let code = header(&parts.headers, "x-functions-key").unwrap_or_else(|| field("code"));
        if self.keys.event_grid.is_empty() || (code != self.keys.event_grid && code != self.keys.master) {
            return answer(StatusCode::UNAUTHORIZED, "");
        }
        let name = field("functionName");
        let Some(function) = self.events.get(&name.to_lowercase()) else {
            return answer(StatusCode::NOT_FOUND, format!("cannot find function: '{name}'"));
        };
        let Ok(document) = serde_json::from_slice::<Value>(body) else {
            return answer(StatusCode::BAD_REQUEST, "");
        };
        match header(&parts.headers, "aeg-event-type")
            .map(str::to_lowercase)
            .as_deref()
        {
            Some("subscriptionvalidation") => {
                let code = document
                    .pointer("/0/data/validationCode")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                json(StatusCode::OK, &serde_json::json!({"validationResponse": code}))
            }
            Some("notification") => {
                let events = match document {
                    Value::Array(events) => events,
                    event => vec![event],
                };
                for event in events {
                    let input = event_grid::input(&event);
                    if let Err(failure) = self.invoker.invoke(function, input).await {
                        return answer(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string());
                    }
                }
                answer(StatusCode::ACCEPTED, "")
            }
            Some("unsubscribe") => answer(StatusCode::ACCEPTED, ""),
            _ => answer(StatusCode::BAD_REQUEST, ""),
        }
    }
}

/// A query's names and values, decoded, in their order.
fn queries(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// A query as the host has it: one value a name, the first spelling of it, and many values in one with commas.
fn joined(query: &str) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in queries(query) {
        match joined
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(&name))
        {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => joined.push((name, value)),
        }
    }
    joined
}

/// The answer to a failed invocation: the host says no more than that.
fn failed() -> Answer {
    answer(StatusCode::INTERNAL_SERVER_ERROR, "")
}
