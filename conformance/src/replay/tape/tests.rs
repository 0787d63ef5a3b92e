//! Requests found again among those that were recorded.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::http::{Answer as Answered, call_with};

const RULE: &str = "secret.get.value";
const SECRET: &str = "hunter2-ünïque";
const ACCOUNT: &str = "123456789012";
const NOBODYS: &str = "000000000000";
const TOKEN: &str = "a-token-of-somebody";

const DIALECT: Dialect = Dialect {
    services: &[""],
    request_headers: &["x-target"],
    answer_headers: &["content-length", "etag", "location"],
    proofs: &["signature"],
    waits: &["/slow"],
    command: "record",
};

/// A provider: tells back what it is told, in several forms, and whom it was asked by.
async fn provider(asked: Arc<AtomicUsize>) -> Server {
    Server::start("a provider", move |request: Request<Incoming>| {
        let asked = Arc::clone(&asked);
        async move {
            asked.fetch_add(1, Ordering::Relaxed);
            let (parts, body) = request.into_parts();
            let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
            let host = host.unwrap_or_default().to_owned();
            let Ok(body) = server::read(body, LARGEST).await else {
                return server::answer(StatusCode::BAD_REQUEST, "");
            };
            let body = String::from_utf8_lossy(&body).into_owned();
            let mut answer = match parts.uri.path() {
                "/slow" => {
                    tokio::time::sleep(HELD * 2).await;
                    server::answer(StatusCode::OK, "at last")
                }
                "/head" => server::answer(StatusCode::OK, "four"),
                _ => server::answer(
                    StatusCode::CREATED,
                    format!("{body} for {ACCOUNT} by http://{host}/"),
                ),
            };
            let headers = answer.headers_mut();
            headers.insert("etag", HeaderValue::from_static("\"1\""));
            headers.insert("set-cookie", HeaderValue::from_static(TOKEN));
            if let Ok(location) = HeaderValue::from_str(&format!("http://{host}/x")) {
                headers.insert("location", location);
            }
            answer
        }
    })
    .await
    .unwrap()
}

fn source(provider: &Server) -> Arc<Source> {
    Arc::new(Source {
        with: "a provider 1.0".to_owned(),
        services: vec![("", provider.url())],
        secrets: vec![(ACCOUNT.to_owned(), NOBODYS.to_owned())],
        keep: Arc::new(()),
    })
}

async fn ask(tape: &Tape, method: &str, target: &str, body: &str) -> Answered {
    let url = format!("{}{target}", tape.url("").unwrap());
    let headers = [("authorization", TOKEN), ("x-target", "Get")];
    call_with(method, &url, body.as_bytes(), &headers).await.unwrap()
}

/// What a rule asks, with what it gets.
async fn run(tape: &Tape, secret: &str) -> Vec<String> {
    use base64::Engine as _;
    tape.hide(secret.as_bytes());
    let base64 = base64::engine::general_purpose::STANDARD.encode(format!("a key: {secret}"));
    let url: String =
        percent_encoding::percent_encode(secret.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut told = Vec::new();
    for body in [
        serde_json::json!({"value": secret}).to_string(),
        base64,
        url.clone(),
    ] {
        let answer = ask(tape, "POST", &format!("/secret?signature={TOKEN}"), &body).await;
        told.push(format!(
            "{} {} {:?}",
            answer.status,
            answer.text(),
            answer.headers.get("location")
        ));
    }
    let answer = ask(tape, "GET", &format!("/{url}"), "").await;
    told.push(format!("{} {}", answer.status, answer.text()));
    let head = ask(tape, "HEAD", "/head", "").await;
    told.push(format!("{:?}", head.headers.get("content-length")));
    let own = tape.url("").unwrap();
    let own = own.strip_prefix("http://").unwrap();
    told.iter().map(|text| text.replace(own, "here")).collect()
}

#[tokio::test]
async fn what_is_recorded_is_replayed_without_the_provider_and_without_a_secret_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let times = Arc::new(AtomicUsize::new(0));
    let provider = provider(Arc::clone(&times)).await;
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    let recorded = run(&tape, SECRET).await;
    assert!(
        recorded[0].contains(SECRET) && recorded[0].contains("here"),
        "{recorded:?}"
    );
    tape.end(true).unwrap();
    drop((tape, provider));
    let asked = times.load(Ordering::Relaxed);

    let file = Recording::path(folder.path(), RULE);
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in [
        SECRET,
        "hunter2",
        ACCOUNT,
        TOKEN,
        "aHVudGVyM",
        "h1bnRlcj",
        "odW50ZX",
        "%C3%BCn",
        "\\u00fcn",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("with = \"a provider 1.0\""), "{text}");

    let tape = Tape::replay(RULE, folder.path(), DIALECT).await.unwrap();
    let replayed = run(&tape, SECRET).await;
    let without_account = |told: &[String]| {
        told.iter()
            .map(|text| text.replace(ACCOUNT, NOBODYS))
            .collect::<Vec<_>>()
    };
    assert_eq!(replayed, without_account(&recorded));
    tape.end(true).unwrap();
    assert!(tape.made().unwrap().starts_with("a provider 1.0 on 2"));
    assert_eq!(
        times.load(Ordering::Relaxed),
        asked,
        "the provider was asked in the replay"
    );

    // A replay with another value is the same exchange.
    let other = Tape::replay(RULE, folder.path(), DIALECT).await.unwrap();
    let replayed = run(&other, "another value").await;
    assert!(replayed[0].contains("another value"), "{replayed:?}");
    other.end(true).unwrap();
}

#[tokio::test]
async fn a_rule_that_did_not_hold_writes_nothing_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(Arc::default()).await;
    let file = Recording::path(folder.path(), RULE);
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    ask(&tape, "GET", "/a", "").await;
    tape.end(false).unwrap();
    assert!(!file.exists());
    tape.end(true).unwrap();
    let before = std::fs::read_to_string(&file).unwrap();
    assert!(before.contains("GET /a"), "{before}");
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    ask(&tape, "GET", "/b", "").await;
    tape.end(false).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    // One that asks for nothing any more has no recording.
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    tape.end(true).unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_recording_that_lacks_an_answer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let gone = provider(Arc::default()).await;
    let source = source(&gone);
    drop(gone);
    let tape = Tape::record(RULE, folder.path(), DIALECT, source).await.unwrap();
    assert_eq!(ask(&tape, "GET", "/a", "").await.status, 502);
    let error = tape.end(true).unwrap_err();
    assert!(error.to_string().contains("lacks an answer"), "{error}");
    assert!(!Recording::path(folder.path(), RULE).exists());
}

#[tokio::test]
async fn a_secret_that_nobody_hid_in_time_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(Arc::default()).await;
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    ask(&tape, "POST", "/a", SECRET).await;
    tape.hide(SECRET.as_bytes());
    let error = tape.end(true).unwrap_err();
    assert!(error.to_string().contains("would have a secret"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(!Recording::path(folder.path(), RULE).exists());
}

#[tokio::test]
async fn an_answer_that_was_held_back_comes_no_sooner_in_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(Arc::default()).await;
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    ask(&tape, "GET", "/slow", "").await;
    tape.end(true).unwrap();
    let tape = Tape::replay(RULE, folder.path(), DIALECT).await.unwrap();
    let begun = Instant::now();
    assert_eq!(ask(&tape, "GET", "/slow", "").await.text(), "at last");
    assert!(
        begun.elapsed() >= HELD * 2 - Duration::from_millis(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_request_that_is_not_recorded_is_refused_for_good_and_says_how_to_record() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Tape::replay(RULE, folder.path(), DIALECT).await.unwrap();
    missing.end(true).unwrap();
    assert_eq!(ask(&missing, "GET", "/a", "").await.status, 400);
    let error = missing.end(true).unwrap_err().to_string();
    for part in ["nothing is recorded", "GET /a", "record secret.get.value"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let provider = provider(Arc::default()).await;
    let tape = Tape::record(RULE, folder.path(), DIALECT, source(&provider))
        .await
        .unwrap();
    ask(&tape, "GET", "/a", "").await;
    tape.end(true).unwrap();
    let tape = Tape::replay(RULE, folder.path(), DIALECT).await.unwrap();
    let unknown = ask(&tape, "GET", "/b", "").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("GET /b"), "{}", unknown.text());
    let error = tape.end(true).unwrap_err().to_string();
    assert!(error.contains("record secret.get.value"), "{error}");
}

#[tokio::test]
async fn names_are_the_same_in_each_run_and_no_other_rules() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(Arc::default()).await;
    let mut names = Vec::new();
    for rule in [RULE, RULE, "secret.get.binary"] {
        let tape = Tape::record(rule, folder.path(), DIALECT, source(&provider))
            .await
            .unwrap();
        names.push([tape.name(), tape.name()]);
    }
    assert_eq!(names[0], ["secret-get-value-1", "secret-get-value-2"]);
    assert_eq!(names[0], names[1]);
    assert_eq!(names[2][0], "secret-get-binary-1");
}
