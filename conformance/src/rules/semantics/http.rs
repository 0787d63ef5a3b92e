//! Rules of HTTP triggers.

use std::sync::Arc;

use nephos_core::app::{App, Trigger};
use serde_json::{Value, json};

use super::scene::{Scene, play};
use crate::harness::Harness;
use crate::http::{self, Answer};
use crate::probe;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "semantics.http.path-parameters-query-and-body",
        "a request arrives as it was sent",
        "functions-framework-conformance",
        QueryHidden,
        request
    ),
    rule!(
        "semantics.http.status-and-headers",
        "an answer arrives as it was given",
        "functions-framework-conformance",
        StatusFlattened,
        status
    ),
    rule!(
        "semantics.http.trace-reaches-the-handler",
        "one request is followed through all that it calls",
        "W3C Trace Context",
        TraceHidden,
        trace
    ),
    rule!(
        "semantics.http.unknown-route-is-404",
        "a path that no function has must not reach one",
        "functions-framework-conformance",
        RouteForAll,
        unknown
    ),
    rule!(
        "semantics.http.panic-is-500-and-tells-nothing",
        "the reason is for the log, not for strangers; which of the statuses of a server's error it is, is the front's",
        "functions-framework-conformance",
        PanicTold,
        panic
    ),
];

fn app() -> App {
    let mut app = probe::app();
    let route = |method: &str, path: &str| Trigger::Http {
        method: Some(method.to_owned()),
        path: path.to_owned(),
    };
    let on = [
        route("POST", "/items/{id}"),
        route("GET", "/status/{code}"),
        route("GET", "/panic"),
    ];
    app.functions.insert("web".to_owned(), probe::function(on));
    app
}

async fn call(scene: &Scene, method: &str, path: &str, body: &str) -> Result<Answer, Violation> {
    http::call(method, &url(scene, path)?, body).await
}

fn url(scene: &Scene, path: &str) -> Result<String, Violation> {
    let gateway = scene
        .deployment
        .gateway()
        .ok_or_else(|| Violation::new("the deployment has HTTP triggers but no gateway"))?;
    Ok(format!("{}{path}", gateway.trim_end_matches('/')))
}

async fn request(harness: Subject) -> Verdict {
    play(&harness, app(), |scene| {
        Box::pin(async move {
            let answer = call(scene, "POST", "/items/a%20b%2Fc?x=1&y=%C3%A9", "the body").await?;
            ensure_eq!(answer.status, 200, "the status; {}", answer.text());
            let seen: Value = serde_json::from_slice(&answer.body).map_err(Violation::new)?;
            let expected = json!({
                "method": "POST", "path": "/items/a%20b%2Fc", "query": "x=1&y=%C3%A9", "params": {"id": "a b/c"}, "body": "the body",
            });
            ensure_eq!(seen, expected, "the request as the function saw it");
            Ok(())
        })
    })
    .await
}

async fn status(harness: Subject) -> Verdict {
    play(&harness, app(), |scene| {
        Box::pin(async move {
            for code in [200, 201, 404, 418, 503] {
                let answer = call(scene, "GET", &format!("/status/{code}"), "").await?;
                ensure_eq!(answer.status, code, "the status");
                let header = answer
                    .headers
                    .get("x-probe")
                    .and_then(|value| value.to_str().ok());
                ensure_eq!(
                    header,
                    Some("answered"),
                    "a header of the answer with status {code}"
                );
            }
            Ok(())
        })
    })
    .await
}

async fn trace(harness: Subject) -> Verdict {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    play(&harness, app(), |scene| {
        Box::pin(async move {
            let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
            let url = url(scene, "/status/200")?;
            let answer = http::call_with("GET", &url, b"", &[("traceparent", &parent)]).await?;
            ensure_eq!(answer.status, 200, "the status; {}", answer.text());
            let seen = answer
                .headers
                .get("x-probe-trace")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            // A target may put a span of its own between; the trace is the same.
            ensure_eq!(
                seen.split('-').nth(1),
                Some(TRACE),
                "the trace of `{seen}`, which the handler saw"
            );
            Ok(())
        })
    })
    .await
}

async fn unknown(harness: Subject) -> Verdict {
    play(&harness, app(), |scene| {
        Box::pin(async move {
            ensure_eq!(
                call(scene, "GET", "/no/such/route", "").await?.status,
                404,
                "the status of an unknown path"
            );
            ensure_eq!(
                call(scene, "GET", "/status/204", "").await?.status,
                204,
                "the status of a known path"
            );
            let method = call(scene, "DELETE", "/items/1", "").await?.status;
            ensure!(
                matches!(method, 404 | 405),
                "a method that no route has answered {method}"
            );
            Ok(())
        })
    })
    .await
}

async fn panic(harness: Subject) -> Verdict {
    play(&harness, app(), |scene| {
        Box::pin(async move {
            let answer = call(scene, "GET", "/panic", "").await?;
            // A host of ours answers 500, a provider's front of its own another: a function URL 502.
            ensure!(
                (500..600).contains(&answer.status),
                "the status of a panic is {}",
                answer.status
            );
            ensure!(
                !answer.text().contains("told to panic"),
                "the reason is shown to the client: {}",
                answer.text()
            );
            ensure_eq!(
                call(scene, "GET", "/status/200", "").await?.status,
                200,
                "the status of the next request"
            );
            Ok(())
        })
    })
    .await
}
