//! Every kind of trigger of the example `every-trigger`, fired as it is on Google Cloud, and what the functions wrote down.

use serde_json::{Value, json};

use crate::account::done;
use crate::cloud::{Cloud, PROJECT};
use crate::examples::binary;

/// What a function wrote down under this name; the test fails if it does not in time.
async fn seen(cloud: &Cloud, what: &str) -> Value {
    let item = cloud
        .ask(json!(["item", cloud.name("seen"), "seen", "what", what]))
        .await;
    assert!(!item.is_null(), "{what} was not written down\n{}", cloud.logs());
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_trigger_fires_and_its_effect_is_read_back_by_googles_own_sdk() {
    let binary = tokio::task::spawn_blocking(|| binary("every-trigger", "gcp"))
        .await
        .unwrap();
    let cloud = Cloud::start("every-trigger", "", &binary).await;
    // The mail service's secret is somebody else's, and there before.
    cloud.ask(json!(["make_secret", "mail"])).await;
    cloud.deploy().await;
    web(&cloud).await;
    stored(&cloud).await;
    worker(&cloud).await;
    in_order(&cloud).await;
    heard(&cloud).await;
    changed(&cloud).await;
    cloud.fire().await;
    seen(&cloud, "clock/tick").await;
    callers(&cloud).await;
    mail(&cloud).await;
    sign_up(&cloud).await;
    cloud.was_understood();
}

async fn web(cloud: &Cloud) {
    let url = cloud.url("web").await;
    let headers = json!({"content-type": "application/json"});
    let answer = cloud
        .ask(json!([
            "post",
            format!("{url}/notes/hello"),
            headers,
            r#"{"a": 1}"#
        ]))
        .await;
    assert_eq!(answer[0], 201, "{answer}\n{}", cloud.logs());
    assert_eq!(seen(cloud, "web/hello").await["seen"], json!({"a": 1}));
    let answer = cloud.ask(json!(["get", format!("{url}/notes/web/hello")])).await;
    assert_eq!(answer[0], 200, "{answer}");
    let answer = cloud.ask(json!(["get", format!("{url}/nothing")])).await;
    assert_eq!(answer[0], 404, "{answer}");
    let logs = done(
        &cloud
            .google
            .run(&cloud.project, &["logs", "web", "--since", "1h"])
            .await,
    );
    assert!(logs.contains("web was told hello"), "{logs}");
}

async fn stored(cloud: &Cloud) {
    let bucket = cloud.bucket("uploads");
    // What begins otherwise is nobody's.
    cloud.ask(json!(["put_text", bucket, "out/b.txt", "hello"])).await;
    cloud
        .ask(json!(["put_text", bucket, "in/a b.txt", "hello"]))
        .await;
    let item = seen(cloud, "stored/created/in/a b.txt").await;
    assert_eq!(
        item["seen"],
        json!({"bucket": "uploads", "key": "in/a b.txt", "size": 5})
    );
    cloud.ask(json!(["delete", bucket, "in/a b.txt"])).await;
    seen(cloud, "stored/deleted/in/a b.txt").await;
    let all = json!(cloud.items("seen").await).to_string();
    assert!(!all.contains("out/b.txt"), "{all}");
}

async fn publish(cloud: &Cloud, topic: &str, body: Value, key: &str, attributes: Value) {
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    cloud
        .ask(json!(["publish", cloud.name(topic), text, key, attributes]))
        .await;
}

/// A message that fails comes again, and one that always fails, or is refused, ends in the dead-letter queue.
async fn worker(cloud: &Cloud) {
    let send = async |task: Value| publish(cloud, "tasks", task, "", json!({})).await;
    send(json!({"name": "a", "fail": 1})).await;
    assert_eq!(seen(cloud, "worker/a#1").await["attempt"], 1);
    assert_eq!(seen(cloud, "worker/a#2").await["attempt"], 2);
    send(json!({"name": "b", "fail": 9})).await;
    send(json!({"name": "c", "reject": "too old"})).await;
    seen(cloud, "worker/b#3").await;
    let letters = json!(cloud.messages("given-up", 2).await).to_string();
    assert!(
        letters.contains("too old") && letters.contains("nephos-attempts"),
        "{letters}"
    );
    let tries: Vec<String> = cloud
        .items("seen")
        .await
        .iter()
        .filter_map(|item| item["what"].as_str()?.strip_prefix("worker/").map(str::to_owned))
        .collect();
    for once in ["a#3", "b#4", "c#2"] {
        assert!(!tries.iter().any(|what| what == once), "{once} of {tries:?}");
    }
}

/// Messages of one key come one after the other, also where one of them fails, and those of another key do not wait for them.
async fn in_order(cloud: &Cloud) {
    const MANY: usize = 4;
    for number in 0..MANY {
        let task = json!({"name": format!("o{number}"), "fail": u32::from(number == 1)});
        publish(cloud, "tasks-in-order", task, "g1", json!({})).await;
    }
    publish(cloud, "tasks-in-order", json!({"name": "other"}), "g2", json!({})).await;
    let mut times = Vec::new();
    for number in 0..MANY {
        let item = seen(cloud, &format!("in-order/o{number}")).await;
        assert_eq!(item["seen"]["group"], "g1", "{item}");
        times.push(item["at_us"].as_i64().unwrap());
    }
    // The last is there, so all tries are done with.
    let failed = seen(cloud, "in-order/o1").await;
    assert_eq!(failed["attempt"], 2, "{failed}\n{}", cloud.logs());
    times[1] = failed["at_us"].as_i64().unwrap();
    assert!(times.is_sorted(), "{times:?}\n{}", cloud.logs());
    assert_eq!(seen(cloud, "in-order/other").await["seen"]["group"], "g2");
}

async fn heard(cloud: &Cloud) {
    let text = json!({"nephos-content-type": "text/plain"});
    for (kind, body) in [("politics", "nobody hears this"), ("sport", "goal")] {
        let mut attributes = text.clone();
        attributes["kind"] = kind.into();
        publish(cloud, "news", body.into(), "", attributes).await;
    }
    seen(cloud, "heard/goal").await;
    let all = json!(cloud.items("seen").await).to_string();
    assert!(!all.contains("nobody hears this"), "{all}");
    publish(cloud, "readings", json!({"name": "r1"}), "k", json!({})).await;
    let record = seen(cloud, "reader/r1").await;
    assert_eq!(
        (&record["seen"]["stream"], &record["seen"]["key"]),
        (&json!("readings"), &json!("k")),
        "{record}"
    );
}

async fn changed(cloud: &Cloud) {
    for colour in ["red", "blue"] {
        let fields = json!({"id": "t1", "colour": colour});
        cloud
            .ask(json!(["set_item", cloud.name("things"), "things", "t1", fields]))
            .await;
        let kind = if colour == "red" { "inserted" } else { "modified" };
        let change = seen(cloud, &format!("changed/{kind}/t1")).await;
        assert_eq!(change["seen"]["new"]["colour"], colour, "{change}");
    }
}

/// Those who call with an event and prove nothing get nowhere.
async fn callers(cloud: &Cloud) {
    let token = r#"{"data": {"jwt": "a.b.c"}}"#;
    for (function, path, body, status) in [
        ("mail", "/.nephos/mail", "{}", 401),
        ("sign-up", "/.nephos/auth/before_sign_up", token, 401),
        ("skill", "/.nephos/voice/horoscope", "{}", 401),
        // Google itself asks who calls where nobody else does.
        ("clock", "/", "{}", 403),
    ] {
        let url = format!("{}{path}", cloud.url(function).await);
        let answer = cloud.ask(json!(["post", url, {}, body])).await;
        assert_eq!(answer[0], status, "{function}: {answer}");
    }
}

/// `post:sesame`
const MAILER: &str = "Basic cG9zdDpzZXNhbWU=";

/// A mail service proves itself by the secret.
async fn mail(cloud: &Cloud) {
    cloud.ask(json!(["set_secret", "mail", "sesame"])).await;
    // A secret that is not the app's is for its owner to open.
    let service = cloud.google.body(&format!("/services/{}", cloud.name("mail")));
    let account = &service["template"]["serviceAccount"];
    cloud.ask(json!(["let_read", "mail", account])).await;
    let url = format!("{}/.nephos/mail", cloud.url("mail").await);
    let message = "From: Ann <ann@example.net>\r\nTo: notes@example.com\r\nSubject: hello\r\nDate: Sat, 28 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nhi there\r\n";
    let headers = json!({"content-type": "message/rfc822", "authorization": MAILER});
    let answer = cloud.ask(json!(["post", url, headers, message])).await;
    assert!(
        (200..300).contains(&answer[0].as_u64().unwrap()),
        "{answer}\n{}",
        cloud.logs()
    );
    let mail = seen(cloud, "mail/hello").await;
    assert_eq!(mail["seen"]["from"], "ann@example.net", "{mail}");
    assert_eq!(mail["seen"]["to"], json!(["notes@example.com"]), "{mail}");
}

/// Identity Platform's request is a token that it has signed.
async fn sign_up(cloud: &Cloud) {
    let keys = cloud.ask(json!(["signer"])).await;
    let own = "/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    let answer = cloud
        .ask(json!(["get", format!("{}{own}", keys.as_str().unwrap())]))
        .await;
    assert_eq!(answer[0], 200, "{answer}");
    cloud
        .google
        .edge
        .route("www.googleapis.com", keys.as_str().unwrap());
    let url = cloud.url("sign-up").await;
    let mut claims: Value = serde_json::from_str(include_str!(
        "../../../../adapters/gcp/tests/payloads/auth/before-create.json"
    ))
    .unwrap();
    let now = chrono::Utc::now().timestamp();
    claims["iss"] = format!("https://securetoken.google.com/{PROJECT}").into();
    claims["aud"] = format!("{url}/.nephos/auth/before_sign_up").into();
    claims["iat"] = now.into();
    claims["exp"] = (now + 600).into();
    let headers = json!({"content-type": "application/json"});
    let call = async |token: String| {
        let body = json!({"data": {"jwt": token}}).to_string();
        let url = format!("{url}/.nephos/auth/before_sign_up");
        cloud.ask(json!(["post", url, headers, body])).await
    };
    let token = cloud.ask(json!(["signed", claims])).await;
    let token = token.as_str().unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let forged = call(format!("{signed}.AAAA")).await;
    assert_eq!(forged[0], 401, "{forged}");
    let answer = call(token.to_owned()).await;
    assert_eq!(answer[0], 200, "{answer}\n{}", cloud.logs());
    let user = seen(cloud, "sign-up/u-1").await;
    assert_eq!(user["seen"]["email"], "ann@example.net", "{user}");
}
