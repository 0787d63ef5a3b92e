//! Every kind of trigger of the example `every-trigger`, fired as it is on Azure, and what the functions wrote down.

use nephos_conformance::azure_functions::storage::Account;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::examples::{binary, example};
use crate::python::python;
use crate::voice::spoken;

struct Running {
    cloud: Cloud,
    account: Account,
    cosmos: String,
}

impl Running {
    /// What a function wrote down under this name; the test fails if it does not in time.
    async fn seen(&self, what: &str) -> Value {
        let item = python(json!([
            "item",
            self.cosmos,
            "every-trigger",
            "seen",
            "what",
            what
        ]))
        .await;
        assert!(
            !item.is_null(),
            "{what} was not written down\n{}",
            self.cloud.logs()
        );
        item
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_trigger_fires_and_its_effect_is_read_back_by_azures_own_sdk() {
    let binary = the_same_binary("every-trigger");
    let cloud = Cloud::start(&example("every-trigger"), &binary).await;
    let account = cloud.cloud.account().clone();
    let cosmos = cloud.cloud.cosmos();
    let running = Running {
        cloud,
        account,
        cosmos,
    };
    web(&running).await;
    stored(&running).await;
    worker(&running).await;
    heard(&running).await;
    changed(&running).await;
    clock(&running).await;
    sent_over_rest(&running).await;
    callers(&running).await;
    proven(&running).await;
    spoken(&running.cloud).await;
    let horoscope = running.seen("skill/GetHoroscope").await;
    assert_eq!(horoscope["seen"]["slots"], json!({"ZodiacSign": "Virgo"}));
}

/// What is built for one target is, byte for byte, what is built for the other.
fn the_same_binary(example: &str) -> std::path::PathBuf {
    let path = binary(example, "azure");
    let bytes = std::fs::read(&path).unwrap();
    let other = binary(example, "aws");
    assert!(std::fs::read(other).unwrap() == bytes, "the binaries differ");
    path
}

async fn web(running: &Running) {
    let url = running.cloud.site("web").url();
    let answer = python(
        json!(["post", format!("{url}/notes/hello"), {"content-type": "application/json"}, r#"{"a": 1}"#]),
    )
    .await;
    assert_eq!(answer[0], 201, "{answer}\n{}", running.cloud.logs());
    assert_eq!(running.seen("web/hello").await["seen"], json!({"a": 1}));
    let answer = python(json!(["get", format!("{url}/notes/web/hello")])).await;
    assert_eq!(answer[0], 200, "{answer}");
    let answer = python(json!(["get", format!("{url}/nothing")])).await;
    assert_eq!(answer[0], 404, "{answer}");
}

async fn stored(running: &Running) {
    let connection = running.account.connection_string();
    python(json!(["put_blob", connection, "uploads", "in/a b.txt", "hello"])).await;
    let item = running.seen("stored/created/in/a b.txt").await;
    assert_eq!(
        item["seen"],
        json!({"bucket": "uploads", "key": "in/a b.txt", "size": 5})
    );
    python(json!(["delete_blob", connection, "uploads", "in/a b.txt"])).await;
    running.seen("stored/deleted/in/a b.txt").await;
}

async fn worker(running: &Running) {
    let connection = running.account.connection_string();
    let send = async |text: Value| python(json!(["send", connection, "tasks", text.to_string()])).await;
    send(json!({"name": "a", "fail": 1})).await;
    assert_eq!(running.seen("worker/a#1").await["attempt"], 1);
    assert_eq!(running.seen("worker/a#2").await["attempt"], 2);
    send(json!({"name": "b", "fail": 9})).await;
    send(json!({"name": "c", "reject": "too old"})).await;
    running.seen("worker/b#3").await;
    let letters = python(json!(["messages", connection, "given-up", 2])).await;
    let letters: Vec<Value> = (letters.as_array().unwrap().iter())
        .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(letters.len(), 2, "{letters:?}\n{}", running.cloud.logs());
    let text = json!(letters).to_string();
    assert!(
        text.contains("too old") && text.contains("nephos-attempts"),
        "{text}"
    );
}

async fn heard(running: &Running) {
    let (_, url) = running.cloud.cloud.topics().iter().next().unwrap();
    for (id, kind, body) in [("1", "politics", "nobody hears this"), ("2", "sport", "goal")] {
        let event = json!([{
            "specversion": "1.0", "id": id, "type": "com.example.news", "source": "/desk", "time": "2026-02-03T12:00:00Z",
            "datacontenttype": "text/plain", "data": body, "kind": kind,
        }]);
        let headers = json!({"content-type": "application/cloudevents-batch+json; charset=utf-8", "aeg-sas-key": "key"});
        let answer = python(json!(["post", url, headers, event.to_string()])).await;
        assert_eq!(answer[0], 200, "{answer}");
    }
    running.seen("heard/goal").await;
}

async fn changed(running: &Running) {
    python(json!(["upsert", running.cosmos, "every-trigger", "things", {"id": "t1", "colour": "red"}])).await;
    running.seen("changed/modified/t1").await;
}

/// Event Hubs and ordered queues, as programs without Nephos send to them.
async fn sent_over_rest(running: &Running) {
    let send = async |url: String, properties: Value, task: Value| {
        let headers = json!({"content-type": "application/json", "BrokerProperties": properties.to_string(), "authorization": "SharedAccessSignature sr=test"});
        let answer = python(json!(["post", url, headers, task.to_string()])).await;
        assert_eq!(answer[0], 201, "{answer}");
    };
    let hub = format!("{}/readings/messages", running.cloud.cloud.hubs().url());
    send(hub, json!({"PartitionKey": "k"}), json!({"name": "r1"})).await;
    assert_eq!(running.seen("reader/r1").await["seen"]["stream"], "readings");
    let queue = format!("{}/tasks-in-order/messages", running.cloud.cloud.bus().url());
    send(queue, json!({"SessionId": "g1"}), json!({"name": "o1"})).await;
    running.seen("in-order/o1").await;
}

async fn clock(running: &Running) {
    running
        .cloud
        .site("clock")
        .fire_timer(&timer(running))
        .await
        .unwrap();
    running.seen("clock/tick").await;
}

fn timer(running: &Running) -> String {
    let clock = running.cloud.site("clock");
    let mut names = clock.functions().map(|function| function.name.clone());
    names.next().unwrap()
}

/// Those who call with an event and prove nothing get nowhere.
async fn callers(running: &Running) {
    for (function, path) in [
        ("mail", "/.nephos/mail"),
        ("sign-up", "/.nephos/auth/before_sign_up"),
        ("skill", "/.nephos/voice/horoscope"),
    ] {
        let url = format!("{}{path}", running.cloud.site(function).url());
        let answer = python(json!(["post", url, {}, "{}"])).await;
        assert_eq!(answer[0], 401, "{function}: {answer}");
    }
}

/// What the site's own authentication tells of a token of Entra's, for the app registration and the tenant of the example's manifest:
/// {"auth_typ":"aad","claims":[{"typ":"azp","val":"99045fe1-…"},{"typ":"aud","val":"6f1c8d3a-…03"},{"typ":"tid","val":"6f1c8d3a-…02"}]}
const ENTRA: &str = "eyJhdXRoX3R5cCI6ImFhZCIsImNsYWltcyI6W3sidHlwIjoiYXpwIiwidmFsIjoiOTkwNDVmZTEtNzYzOS00YTc1LTlkNGEtNTc3YjZjYTM4MTBmIn0seyJ0eXAiOiJhdWQiLCJ2YWwiOiI2ZjFjOGQzYS0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDMifSx7InR5cCI6InRpZCIsInZhbCI6IjZmMWM4ZDNhLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMiJ9XX0=";
/// `post:sesame`
const MAILER: &str = "Basic cG9zdDpzZXNhbWU=";

/// Those who prove who they are come to the handler: a mail service by its secret in the vault, Entra by what the site's authentication tells.
async fn proven(running: &Running) {
    running.cloud.cloud.vault().set("mail", "sesame");
    let url = format!("{}/.nephos/mail", running.cloud.site("mail").url());
    let message = "From: Ann <ann@example.net>\r\nTo: notes@example.com\r\nSubject: hello\r\nDate: Sat, 28 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nhi there\r\n";
    let headers = json!({"content-type": "message/rfc822", "authorization": MAILER});
    let answer = python(json!(["post", url, headers, message])).await;
    assert!(
        (200..300).contains(&answer[0].as_u64().unwrap()),
        "{answer}\n{}",
        running.cloud.logs()
    );
    let mail = running.seen("mail/hello").await;
    assert_eq!(mail["seen"]["from"], "ann@example.net", "{mail}");
    assert_eq!(mail["seen"]["to"], json!(["notes@example.com"]), "{mail}");

    let url = format!(
        "{}/.nephos/auth/before_sign_up",
        running.cloud.site("sign-up").url()
    );
    let step =
        include_str!("../../../../adapters/azure/tests/payloads/auth/attribute-collection-submit.json");
    let headers = json!({"content-type": "application/json", "x-ms-client-principal": ENTRA});
    let answer = python(json!(["post", url, headers, step])).await;
    assert_eq!(answer[0], 200, "{answer}\n{}", running.cloud.logs());
    assert!(
        answer[1]
            .as_str()
            .unwrap()
            .contains("attributeCollectionSubmit.continueWithDefaultBehavior"),
        "{answer}"
    );
    assert_eq!(running.seen("sign-up/").await["seen"]["email"], "ann@example.net");
}
