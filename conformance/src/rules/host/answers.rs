//! Rules of what a caller over HTTP is answered, whatever the handler does; each shows that the next is answered too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nephos_core::app::{App, FunctionSpec, Trigger};

use crate::harness::{Capabilities, Harness};
use crate::http::{self, Answer};
use crate::probe::{self, CHUNKS, INIT_FAILS, INIT_MS, PAUSE};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::rules::semantics::scene::{Scene, play};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

fn streams(capabilities: &Capabilities) -> bool {
    capabilities.host.streams_answers
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "host.error.is-that-invocations-own",
        "one request's failure must cost no other its process",
        "AWS Lambda Runtime API, invocation error",
        ErrorEndsProcess,
        error
    ),
    rule!(
        "host.exit.is-an-error-and-the-next-is-fine",
        "a process that ends must not leave its caller waiting, nor the next without one",
        "AWS Lambda Runtime API; Cloud Run container contract",
        ExitIgnored,
        exit
    ),
    rule!(
        "host.timeout.is-an-error-and-the-next-is-fine",
        "a handler that hangs must not hold its caller, nor those behind it",
        "AWS Lambda, function time-out; Cloud Run, request time-out",
        TimeoutIgnored,
        timeout
    ),
    rule!(
        "host.http.bytes-and-cookies-both-ways",
        "a download must arrive as the bytes it was, and each cookie as one",
        "AWS Lambda function URL payload; RFC 6265, section 3",
        CookiesJoined,
        bytes
    ),
    rule!("host.http.first-chunk-before-the-end", "who waits for a long answer must see it grow; where the provider buffers, it must arrive whole", "AWS Lambda response streaming; functions-framework-conformance", ChunkHeld, chunks, needs streams, chunks_whole, kills ChunkLost),
    rule!(
        "host.start.no-event-before-it-is-ready",
        "an event that comes while the process starts must wait for it, not fail",
        "AWS Lambda, init phase; Knative, readiness",
        InitFails,
        start
    ),
    rule!(
        "host.start.failure-is-an-error",
        "a process that never becomes ready must not leave its caller waiting",
        "AWS Lambda Runtime API, initialization error",
        FailureShared,
        start_fails
    ),
];

fn app(adjust: impl FnOnce(&mut FunctionSpec)) -> App {
    let mut app = probe::app();
    let on = Trigger::Http {
        method: None,
        path: "/{*rest}".to_owned(),
    };
    let mut function = probe::function([on]);
    function.max_instances = 1;
    adjust(&mut function);
    app.functions.insert("teller".to_owned(), function);
    app
}

fn url(scene: &Scene, path: &str) -> Result<String, Violation> {
    let gateway = scene
        .deployment
        .gateway()
        .ok_or_else(|| Violation::new("the deployment has HTTP triggers but no gateway"))?;
    Ok(format!("{}{path}", gateway.trim_end_matches('/')))
}

async fn get(scene: &Scene, path: &str) -> Result<Answer, Violation> {
    http::call("GET", &url(scene, path)?, "").await
}

/// The process that answers.
async fn process(scene: &Scene) -> Result<String, Violation> {
    let answer = get(scene, "/process").await?;
    ensure_eq!(
        answer.status,
        200,
        "the status of a request that nothing is wrong with; {}",
        answer.text()
    );
    Ok(answer.text())
}

fn ensure_server_error(answer: &Answer, what: &str) -> Verdict {
    ensure!(
        (500..600).contains(&answer.status),
        "{what} is answered {}: {}",
        answer.status,
        answer.text()
    );
    Ok(())
}

async fn error(harness: Subject) -> Verdict {
    play(&harness, app(|_| {}), |scene| {
        Box::pin(async move {
            let before = process(scene).await?;
            ensure_server_error(&get(scene, "/fail").await?, "a handler's error")?;
            ensure_eq!(
                process(scene).await?,
                before,
                "the process after an error of its handler"
            );
            Ok(())
        })
    })
    .await
}

async fn exit(harness: Subject) -> Verdict {
    play(&harness, app(|_| {}), |scene| {
        Box::pin(async move {
            let before = process(scene).await?;
            ensure_server_error(&get(scene, "/exit").await?, "the end of the process")?;
            ensure!(
                process(scene).await? != before,
                "the process {before} answers after its end"
            );
            Ok(())
        })
    })
    .await
}

async fn timeout(harness: Subject) -> Verdict {
    let limit = Duration::from_secs(1);
    play(&harness, app(|function| function.timeout = limit), move |scene| {
        Box::pin(async move {
            process(scene).await?;
            let asked = Instant::now();
            ensure_server_error(&get(scene, "/slow").await?, "a handler that is not in time")?;
            let waited = asked.elapsed();
            ensure!(
                waited < limit + Duration::from_secs(2),
                "the caller of a function with a time-out of {limit:?} waits {waited:?}"
            );
            process(scene).await.map(drop)
        })
    })
    .await
}

async fn bytes(harness: Subject) -> Verdict {
    play(&harness, app(|_| {}), |scene| {
        Box::pin(async move {
            let sent: Vec<u8> = (0..=255).collect();
            let octets = [("content-type", "application/octet-stream")];
            let answer = http::call_with("POST", &url(scene, "/echo")?, &sent, &octets).await?;
            ensure_eq!(answer.status, 202, "the status; {}", answer.text());
            ensure_eq!(
                answer.body.to_vec(),
                sent,
                "bytes that are no text, there and back"
            );
            let cookies: Vec<_> = answer
                .headers
                .get_all("set-cookie")
                .iter()
                .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
                .collect();
            ensure_eq!(cookies, ["a=1", "b=2"], "the cookies of an answer with two");
            Ok(())
        })
    })
    .await
}

async fn chunked(scene: &Scene) -> Result<Duration, Violation> {
    process(scene).await?;
    let (answer, grew) = http::timed("GET", &url(scene, "/chunks")?, b"", &[]).await?;
    ensure_eq!(answer.status, 200, "the status; {}", answer.text());
    ensure_eq!(answer.text(), CHUNKS.concat(), "an answer of two chunks");
    Ok(grew)
}

async fn chunks(harness: Subject) -> Verdict {
    play(&harness, app(|_| {}), |scene| {
        Box::pin(async move {
            let grew = chunked(scene).await?;
            ensure!(
                grew > PAUSE / 2,
                "the first chunk comes {grew:?} before the end of an answer that takes {PAUSE:?}"
            );
            Ok(())
        })
    })
    .await
}

async fn chunks_whole(harness: Subject) -> Verdict {
    play(&harness, app(|_| {}), |scene| {
        Box::pin(async move {
            let grew = chunked(scene).await?;
            ensure!(
                grew < PAUSE / 2,
                "an answer grows for {grew:?} although that is not declared"
            );
            Ok(())
        })
    })
    .await
}

fn told(name: &str, value: &str) -> App {
    app(|function| {
        function.env.insert(name.to_owned(), value.to_owned());
    })
}

async fn start(harness: Subject) -> Verdict {
    play(&harness, told(INIT_MS, "1500"), |scene| {
        Box::pin(async move { process(scene).await.map(drop) })
    })
    .await
}

async fn start_fails(harness: Subject) -> Verdict {
    play(&harness, told(INIT_FAILS, "1"), |scene| {
        Box::pin(
            async move { ensure_server_error(&get(scene, "/process").await?, "a process that never starts") },
        )
    })
    .await
}
