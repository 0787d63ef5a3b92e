//! A request from its first byte to its answer: who asks, whether the interface is enabled, what the document says, and then what is asked for.

use std::sync::Arc;

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds;
use super::knobs::Interruption;
use super::request::Asked;
use super::state::{Exchange, Shared, nothing};
use super::tokens::Token;
use super::{
    accounts, credentials, firestore, jobs, logging, operation, policy, projects, pubsub, registry, resource,
    rights, secrets, storage,
};
use crate::discovery::Call;
use crate::gcs::Door;
use crate::server::{self, Answer, Cut};

/// More than any body of these interfaces has.
const LARGEST: usize = 10 * 1024 * 1024;
/// More than any object that is sent at once in tests, and any layer of an image.
const LARGEST_OBJECT: usize = 512 * 1024 * 1024;

/// Answers one request.
pub(super) async fn handle(shared: Arc<Shared>, door: Door, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let method = parts.method.to_string();
    let host = server::header(&parts.headers, "host").unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let (path, query) = (
        parts.uri.path().to_owned(),
        parts.uri.query().unwrap_or_default().to_owned(),
    );
    let whole = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let (is_storage, is_registry) = (host == storage::HOST, host.ends_with(registry::HOSTS));
    // What these two get is looked at where it is.
    let is_elsewhere = is_storage || is_registry;
    let limit = if is_elsewhere { LARGEST_OBJECT } else { LARGEST };
    let bytes = match server::read(body, limit).await {
        Ok(bytes) => bytes,
        Err(answer) => return answer,
    };
    let sent = if bytes.is_empty() || is_elsewhere {
        Ok(None)
    } else {
        serde_json::from_slice::<Value>(&bytes).map(Some)
    };
    let kept = match is_elsewhere {
        true => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        false => sent.as_ref().ok().cloned().flatten().unwrap_or(Value::Null),
    };
    let world = shared.world();
    if let Some(world) = &world
        && let Some(answer) = world.pass_on(&parts, &host, &bytes).await
    {
        return answer;
    }
    let interruption = shared
        .lock()
        .knobs
        .interruptions
        .next(method.as_str(), &format!("{host}{whole}"));
    let mut is_cut = false;
    let reply = || {
        if is_storage {
            return Ok(door.answer(parts, bytes));
        }
        if is_registry {
            return Ok(registry::answer(&shared, &host, &parts, bytes));
        }
        let sent = sent.map_err(|error| {
            let message = format!("Invalid JSON payload received. {error}");
            Refusal::new(Code::InvalidArgument, message)
        })?;
        answer(&shared, &parts.headers, (&host, &method, &path, &query), sent)
            .map(|value| server::json(StatusCode::OK, &value))
    };
    let outcome = match interruption {
        Some(Interruption::Throttled(seconds)) => Err(Refusal::throttled(seconds, &host)),
        Some(Interruption::Broken(code)) => Err(Refusal::new(code, "Internal error encountered.")),
        Some(Interruption::Cut) => {
            is_cut = true;
            Ok(server::answer(StatusCode::OK, ""))
        }
        Some(Interruption::CutAfterwards) => {
            is_cut = true;
            reply()
        }
        None => reply(),
    };
    if let Some(world) = &world {
        // What was asked for is there when the answer is.
        world.follow().await;
    }
    let mut answer = outcome.unwrap_or_else(|refusal| match is_registry {
        true => registry::refused(&refusal),
        false => refusal.answer(),
    });
    if is_cut {
        answer.extensions_mut().insert(Cut);
    }
    shared.lock().requests.push(Exchange {
        method,
        host,
        path: whole,
        body: kept,
        status: if is_cut { 0 } else { answer.status().as_u16() },
    });
    answer
}

fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    (host, method, path, query): (&str, &str, &str, &str),
    sent: Option<Value>,
) -> Outcome<Value> {
    authenticate(shared, headers)?;
    let call = shared.documents.find(host, method, path).map_err(|finding| {
        let refusal = Refusal::new(Code::NotFound, format!("Method not found: {}.", finding.what));
        shared.lock().findings.push(finding);
        refusal
    })?;
    in_place(shared, &call)?;
    enabled(shared, host, &call)?;
    let mut sent = sent;
    if let Some(sent) = &mut sent {
        logging::complete(call.id(), sent);
    }
    let asked = Asked::new(call, query, sent.clone().unwrap_or_else(nothing));
    // What has no name of its own is the project's.
    let name = match asked.name(shared) {
        name if name.is_empty() => format!("projects/{}", shared.options.project),
        name => name,
    };
    {
        let mut state = shared.lock();
        let former = state.resources.get(&name).cloned();
        if let Some(former) = &former {
            // What was read before somebody else's change is refused for that, and not for what the service has set since.
            resource::same_etag(former.kind, &name, &former.body, asked.text("/etag"))?;
        }
        let former = former.map(|former| former.body);
        let findings = asked.call.check(query, sent.as_ref(), former.as_ref());
        state.findings.extend(findings.iter().cloned());
        if let Some(refusal) = Refusal::found(&findings) {
            return Err(refusal);
        }
        let permission = rights::permission(asked.call.id());
        if state.knobs.is_denied(&permission, &name) {
            return Err(Refusal::denied(&permission, &name));
        }
        rights::check(&state, shared, headers, &permission, &name)?;
    }
    dispatch(shared, &asked)
}

/// Who asks.
pub(super) fn authenticate(shared: &Shared, headers: &HeaderMap) -> Outcome<()> {
    let refused =
        |reason: &str, message: &str| Refusal::new(Code::Unauthenticated, message).reason(reason, &json!({}));
    let token = server::header(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let invalid = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
    match token.map(|token| shared.lock().tokens.get(token).map(Token::counts)) {
        Some(Some(true)) => Ok(()),
        Some(Some(false)) => Err(refused("ACCESS_TOKEN_EXPIRED", invalid)),
        Some(None) => Err(refused("ACCESS_TOKEN_TYPE_UNSUPPORTED", invalid)),
        None => {
            let message = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
            Err(refused("CREDENTIALS_MISSING", message))
        }
    }
}

/// Whether the project and the region of a name are there.
fn in_place(shared: &Shared, call: &Call<'_>) -> Outcome<()> {
    for name in call.path_parameters().values() {
        let name = shared.key(name);
        let mut parts = name.split('/');
        if parts.next() != Some("projects") {
            continue;
        }
        let project = parts.next().unwrap_or_default();
        if project != shared.options.project {
            let message = format!("Permission denied on resource project {project}.");
            let metadata = json!({"consumer": format!("projects/{project}")});
            return Err(Refusal::new(Code::PermissionDenied, message).reason("CONSUMER_INVALID", &metadata));
        }
        let (Some("locations"), Some(region)) = (parts.next(), parts.next()) else {
            continue;
        };
        if !shared.options.regions.iter().any(|known| known == region) {
            let message = format!("Permission denied on 'locations/{region}' (or it may not exist).");
            return Err(Refusal::new(Code::PermissionDenied, message));
        }
    }
    Ok(())
}

/// Whether the project has the interface enabled: <https://cloud.google.com/service-usage/docs/enabled-service>.
fn enabled(shared: &Shared, host: &str, call: &Call<'_>) -> Outcome<()> {
    if shared.lock().enabled.contains(host) {
        return Ok(());
    }
    Err(disabled(shared, host, call.title()))
}

/// An interface that is not enabled.
pub(super) fn disabled(shared: &Shared, host: &str, title: &str) -> Refusal {
    let number = &shared.options.number;
    let url = format!("https://console.developers.google.com/apis/api/{host}/overview?project={number}");
    let message = format!(
        "{title} has not been used in project {number} before or it is disabled. Enable it by visiting {url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    let metadata = json!({"service": host, "consumer": format!("projects/{number}"), "serviceTitle": title});
    Refusal::new(Code::PermissionDenied, message)
        .reason("SERVICE_DISABLED", &metadata)
        .detail(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console API activation", "url": url}],
        }))
}

/// A method that the stand-in does not have.
pub(super) fn unimplemented(asked: &Asked<'_>) -> Refusal {
    let message = format!("The stand-in does not have {}.", asked.call.id());
    Refusal::new(Code::Unimplemented, message)
}

fn dispatch(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let id = asked.call.id();
    let kind = kinds::of_method(id);
    let collection = id.rsplit('.').nth(1).unwrap_or_default();
    match (id, asked.verb()) {
        ("cloudresourcemanager.projects.get", _) => Ok(projects::project(shared)),
        ("pubsub.projects.topics.subscriptions.list", _) => pubsub::of_topic(shared, asked),
        (_, "getIamPolicy" | "setIamPolicy" | "testIamPermissions")
            if kind.is_some() || id.starts_with("cloudresourcemanager.projects.") =>
        {
            policy::ask(shared, asked)
        }
        _ if id.starts_with("iamcredentials.projects.serviceAccounts.") => credentials::ask(shared, asked),
        _ if id.starts_with("logging.entries.") => logging::ask(shared, asked),
        _ if id.starts_with("serviceusage.") => projects::services(shared, asked),
        _ if collection == "operations"
            && ["run.", "eventarc.", "artifactregistry.", "firestore."]
                .iter()
                .any(|start| id.starts_with(start)) =>
        {
            operation::ask(shared, asked)
        }
        _ => match (kind, asked.verb()) {
            (Some(&kinds::SECRET), "addVersion") => secrets::add(shared, asked),
            (Some(&kinds::VERSION), "get" | "access" | "enable" | "disable" | "destroy") => {
                secrets::version(shared, asked)
            }
            (Some(&kinds::SUBSCRIPTION), "modifyPushConfig") => pubsub::modify_push(shared, asked),
            (Some(&kinds::ACCOUNT), "enable" | "disable") => accounts::switch(shared, asked),
            (Some(&kinds::DATABASE), "list") => firestore::databases(shared, asked),
            (Some(&kinds::FIELD), _) => firestore::field(shared, asked),
            (Some(&kinds::JOB), "pause" | "resume") => jobs::switch(shared, asked),
            (Some(kind), _) => resource::ask(shared, asked, kind),
            (None, _) => Err(unimplemented(asked)),
        },
    }
}
