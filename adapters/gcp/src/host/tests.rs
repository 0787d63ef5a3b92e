//! Whole requests against drivers of the test: tries, dead letters, tokens, those who wait.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use nephos_conformance::fake::Fake;
use nephos_core::adapter::Launch;
use nephos_core::app::{Retry, Trigger};
use nephos_core::env::Environment;
use nephos_core::event::{
    AuthDecision, AuthEvent, AuthStage, Body, Message, Request, Response, Tick, VoiceRequest, VoiceResponse,
    read_body,
};
use nephos_core::handler::{Handler, PathParams};
use nephos_core::resource::NoExternalBuckets;
use nephos_core::route::RouteSpec;
use nephos_core::wiring::Wiring;
use nephos_core::{Context, Error, Function, Result, dead_letter};
use serde_json::{Value, json};

use super::callers::Callers;
use super::keys::KeyRing;
use super::keys::tests::Known;
use super::site::Site;
use crate::events::token::tests::{claims, header, sign};
use crate::wiring::{self, AuthCaller, Caller, Form, Service, Source};

const LETTERS: &str = "projects/p-1/topics/letters";

fn service(trigger: Trigger, by: Form) -> Service {
    let retry = Retry {
        attempts: 3,
        ..Retry::default()
    };
    let source = Source {
        trigger,
        by,
        caller: Caller::Platform,
    };
    Service {
        wiring: Wiring {
            dead_letter: Some(LETTERS.to_owned()),
            timeout: Some(Duration::from_secs(5)),
            retry: Some(retry),
            ..Wiring::default()
        },
        triggers: [("it".to_owned(), source)].into(),
        ..Service::default()
    }
}

fn site<Args, H: Handler<Args>>(handler: H, fake: &Fake, service: Service) -> Arc<Site> {
    let launch = Launch {
        function: Function::new("fulfil", handler),
        environment: Environment::default(),
        external: Arc::new(NoExternalBuckets),
    };
    let callers = Callers::by(KeyRing::of(Arc::new(Known::default())));
    Arc::new(Site::with(launch, service, Arc::new(fake.clone()), callers).unwrap())
}

async fn answered(site: &Arc<Site>, request: Request) -> (StatusCode, Value) {
    let (parts, body) = site.handle(request).await.into_parts();
    let bytes = read_body(body, 1 << 20, None).await.unwrap();
    (parts.status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn post(path: &str, headers: &[(&'static str, &str)], document: &Value) -> Request {
    let mut request = Request::new(Body::from(document.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn posted(site: &Arc<Site>, path: &str, document: Value) -> StatusCode {
    answered(site, post(path, &[], &document)).await.0
}

fn queue() -> Service {
    let trigger = Trigger::Queue {
        queue: "jobs".to_owned(),
        batch: 1,
    };
    service(trigger, Form::Push)
}

/// A message as Pub/Sub pushes it; of tries that its subscription does not count, `None`.
fn message(text: &str, tries: Option<u32>) -> Value {
    let mut push = json!({
        "message": {"messageId": "m-1", "data": STANDARD.encode(text), "attributes": {"nephos-content-type": "text/plain"}},
        "subscription": "projects/p-1/subscriptions/jobs",
    });
    if let Some(tries) = tries {
        push["deliveryAttempt"] = tries.into();
    }
    push
}

const JOBS: &str = "/.nephos/queue/it";

async fn fulfil(message: Message<String>, cx: Context) -> Result<()> {
    assert_eq!(message.attempt, cx.attempt());
    match message.body.as_str() {
        "reject" => Err(Error::reject("no such article")),
        "retry" => Err(Error::retry("later")),
        "panic" => panic!("oh"),
        _ => Ok(()),
    }
}

fn fact(fake: &Fake, name: &str) -> Vec<String> {
    fake.sent()
        .iter()
        .map(|letter| letter.attributes[name].clone())
        .collect()
}

#[tokio::test]
async fn a_message_is_done_with_or_comes_again() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    assert_eq!(fake.opened(), [LETTERS]);
    assert_eq!(
        posted(&site, JOBS, message("a", Some(1))).await,
        StatusCode::NO_CONTENT
    );
    for text in ["retry", "panic"] {
        let status = posted(&site, JOBS, message(text, Some(2))).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    }
    assert!(fake.sent().is_empty());
    assert_eq!(posted(&site, JOBS, json!([1])).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_rejected_or_failed_for_the_last_time_is_a_dead_letter_and_done_with() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    for (text, tries) in [("reject", 1), ("retry", 3)] {
        let status = posted(&site, JOBS, message(text, Some(tries))).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    }
    assert_eq!(fact(&fake, dead_letter::KIND), ["rejected", "handler"]);
    assert_eq!(fact(&fake, dead_letter::ATTEMPTS), ["1", "3"]);
    assert_eq!(fake.sent()[1].body.bytes, "retry");
}

#[tokio::test]
async fn tries_that_nobody_tells_are_counted_here() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    for _ in 0..2 {
        let status = posted(&site, JOBS, message("retry", None)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(
        posted(&site, JOBS, message("retry", None)).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(fact(&fake, dead_letter::ATTEMPTS), ["3"]);
    // It was done with: what comes by its id is counted anew.
    let status = posted(&site, JOBS, message("retry", None)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_message_whose_last_try_nobody_settled_is_given_up_without_another() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    assert_eq!(
        posted(&site, JOBS, message("a", Some(4))).await,
        StatusCode::NO_CONTENT
    );
    // The handler would have succeeded.
    assert_eq!(fact(&fake, dead_letter::KIND), ["crashed"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_done_with() {
    let fake = Fake::down();
    let site = site(fulfil, &fake, queue());
    let status = posted(&site, JOBS, message("reject", Some(3))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn what_the_trigger_does_not_want_is_done_with() {
    async fn never(_note: nephos_core::event::Notification<String>) -> Result<()> {
        Err(Error::retry("it was called"))
    }
    let trigger = Trigger::Topic {
        topic: "news".to_owned(),
        filter: [("lang".to_owned(), "de".to_owned())].into(),
    };
    let site = site(never, &Fake::default(), service(trigger, Form::Push));
    let path = "/.nephos/topic/it";
    assert_eq!(
        posted(&site, path, message("a", None)).await,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_tick_that_fails_comes_again_as_often_as_the_function_says() {
    async fn tick(_tick: Tick) -> Result<()> {
        Err(Error::retry("later"))
    }
    let trigger = Trigger::Schedule {
        schedule: "every minute".to_owned(),
        every: None,
        timezone: "UTC".to_owned(),
    };
    let fake = Fake::default();
    let site = site(tick, &fake, service(trigger, Form::Scheduler));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let headers = [("x-cloudscheduler-scheduletime", "2026-02-03T12:00:00Z")];
        let request = post("/.nephos/schedule/it", &headers, &json!({}));
        statuses.push(answered(&site, request).await.0.as_u16());
    }
    assert_eq!(statuses, [500, 500, 204]);
    assert_eq!(fact(&fake, dead_letter::EVENT_TYPE), ["dev.nephos.schedule.tick"]);
}

#[tokio::test]
async fn where_anyone_may_call_only_the_service_with_its_token_is_heard() {
    let mut service = queue();
    if let Some(source) = service.triggers.get_mut("it") {
        source.caller = Caller::Token {
            audience: "https://f.example".to_owned(),
            email: "push@p.iam.gserviceaccount.com".to_owned(),
        };
    }
    let site = site(fulfil, &Fake::default(), service);
    let status = async |token: Option<String>| {
        let token = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = (token.iter())
            .map(|token| ("authorization", token.as_str()))
            .collect();
        answered(&site, post(JOBS, &headers, &message("a", None))).await.0
    };
    assert_eq!(status(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        status(Some("no.token.atall".to_owned())).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        status(Some(sign(&header(), &claims()))).await,
        StatusCode::NO_CONTENT
    );
    let mut other = claims();
    other["email"] = "other@p.iam.gserviceaccount.com".into();
    assert_eq!(
        status(Some(sign(&header(), &other))).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_path_that_names_no_trigger_of_its_kind_is_none() {
    let site = site(fulfil, &Fake::default(), queue());
    for path in [
        "/.nephos/topic/it",
        "/.nephos/queue/other",
        "/.nephos/",
        "/.nephos/mail",
        "/.nephos/auth/x",
        "/.nephos/voice/x",
    ] {
        assert_eq!(
            posted(&site, path, message("a", None)).await,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let mut request = post(JOBS, &[], &json!({}));
    *request.method_mut() = Method::GET;
    assert_eq!(answered(&site, request).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

async fn web(request: Request, cx: Context) -> Response {
    let id = PathParams::of(&request, "id").unwrap_or_default().to_owned();
    let said = json!({"id": id, "trace": cx.trace().parent, "invocation": cx.invocation_id(), "target": cx.target()});
    Response::new(Body::from(said.to_string()))
}

#[tokio::test]
async fn a_clients_request_is_matched_by_the_functions_own_routes() {
    let service = Service {
        wiring: Wiring {
            routes: vec![RouteSpec {
                method: Some("POST".to_owned()),
                path: "/orders/{id}".to_owned(),
            }],
            ..Wiring::default()
        },
        ..Service::default()
    };
    let site = site(web, &Fake::default(), service);
    let trace = [("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1;o=1")];
    let (status, said) = answered(&site, post("/orders/a%20b", &trace, &json!({}))).await;
    assert_eq!((status, &said["id"]), (StatusCode::OK, &json!("a b")));
    assert_eq!(
        said["trace"],
        "00-105445aa7843bc8bf206b12000100000-0000000000000001-01"
    );
    assert_eq!(said["target"], "gcp");
    assert!(said["invocation"].as_str().is_some_and(|id| !id.is_empty()));
    // Nobody else calls this function: such a path is a client's as all others.
    let (status, _) = answered(&site, post(JOBS, &[], &json!({}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let mut request = post("/orders/7", &[], &json!({}));
    *request.method_mut() = Method::GET;
    assert_eq!(answered(&site, request).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_step_of_sign_in_is_answered_if_identity_platform_signed_it() {
    async fn invited(event: AuthEvent) -> Result<AuthDecision> {
        match event.email.as_deref() {
            Some("ann@example.net") => Ok(AuthDecision::allow().claim("plan", "pro")),
            _ => Ok(AuthDecision::deny("by invitation only")),
        }
    }
    let callers = wiring::Callers {
        auth: Some(AuthCaller {
            project: "p-1".to_owned(),
            audiences: vec!["https://f-1.a.run.app".to_owned()],
            stages: vec![AuthStage::BeforeSignUp],
        }),
        ..wiring::Callers::default()
    };
    let service = Service {
        callers,
        ..Service::default()
    };
    let site = site(invited, &Fake::default(), service);
    let step = |email: &str, audience: &str| {
        let claims = json!({
            "iss": "https://securetoken.google.com/p-1", "aud": audience, "event_type": "beforeCreate",
            "exp": chrono::Utc::now().timestamp() + 600, "user_record": {"uid": "u", "email": email},
        });
        post(
            "/.nephos/auth/before_sign_up",
            &[],
            &json!({"data": {"jwt": sign(&header(), &claims)}}),
        )
    };
    let ours = "https://f-1.a.run.app";
    let (status, answer) = answered(&site, step("ann@example.net", ours)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["userRecord"]["customClaims"], json!({"plan": "pro"}));
    let (status, answer) = answered(&site, step("bob@example.net", ours)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(answer["error"]["message"], "by invitation only");
    let (status, _) = answered(&site, step("ann@example.net", "https://g.a.run.app")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unsigned_voice_request_and_mail_without_the_secret_are_refused() {
    async fn say(_request: VoiceRequest) -> Result<VoiceResponse> {
        Ok(VoiceResponse::tell("hi"))
    }
    let callers = wiring::Callers {
        skills: vec!["kitchen".to_owned()],
        addresses: vec!["*".to_owned()],
        ..wiring::Callers::default()
    };
    let service = Service {
        callers,
        ..Service::default()
    };
    let site = site(say, &Fake::default(), service);
    for path in ["/.nephos/voice/kitchen", "/.nephos/mail"] {
        assert_eq!(
            posted(&site, path, json!({})).await,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
}
