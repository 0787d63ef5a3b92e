//! Whole invocations against drivers of the test: dead letters, stored mails, and notifications of several records.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use lambda_runtime::{Diagnostic, FunctionResponse};
use nephos_conformance::fake::Fake;
use nephos_core::adapter::Launch;
use nephos_core::env::Environment;
use nephos_core::event::{Batch, Change, Email, Message, Notification, ObjectEvent};
use nephos_core::handler::Handler;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::resource::queue::Outgoing;
use nephos_core::{BatchOutcome, Error, Function, Result};
use object_store::ObjectStoreExt as _;
use serde_json::{Value, json};

use super::invocation::Invocations;
use nephos_core::wiring::Wiring;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-dead-letter";

fn invocations<Args, H: Handler<Args>>(handler: H, fake: &Fake, told: Wiring) -> Invocations {
    let launch = Launch {
        function: Function::new("fulfil", handler),
        environment: Environment::default(),
        external: Arc::new(NoExternalBuckets),
    };
    Invocations::with_drivers(launch, told, Arc::new(fake.clone())).unwrap()
}

/// A function with a dead-letter queue.
fn with_letters() -> Wiring {
    Wiring {
        dead_letter: Some(QUEUE.to_owned()),
        ..Wiring::default()
    }
}

async fn invoke(invocations: &Invocations, document: &Value) -> Result<Value, Diagnostic> {
    let document = Bytes::from(document.to_string());
    match invocations
        .handle(document, lambda_runtime::Context::default())
        .await?
    {
        FunctionResponse::BufferedResponse(reply) => Ok(serde_json::to_value(&reply).unwrap()),
        FunctionResponse::StreamingResponse(_) => panic!("nobody asked for a stream"),
    }
}

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn messages(bodies: &[&str]) -> Value {
    let mut document = recorded(include_str!("../../tests/payloads/queue/ministack-sqs.json"));
    let record = document["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(number, body)| {
        let mut record = record.clone();
        record["messageId"] = number.to_string().into();
        record["body"] = (*body).into();
        record
    });
    document["Records"] = records.collect();
    document
}

fn failed(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}

fn letters(fake: &Fake) -> Vec<Outgoing> {
    fake.sent()
}

async fn fulfil(message: Message<String>) -> Result<()> {
    match message.body.as_str() {
        "reject" => Err(Error::reject("no such article")),
        "retry" => Err(Error::retry("later")),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn a_rejected_message_goes_to_the_dead_letter_queue_at_once_and_is_done_with() {
    let fake = Fake::default();
    let invocations = invocations(fulfil, &fake, with_letters());
    assert_eq!(fake.opened(), [QUEUE]);
    let answer = invoke(&invocations, &messages(&["a", "reject", "retry"]))
        .await
        .unwrap();
    assert_eq!(answer, failed(&["2"]));
    let [letter] = letters(&fake).try_into().unwrap();
    assert_eq!(letter.body.bytes, "reject");
    let attributes: Vec<(&str, &str)> = letter
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("b", "AP8="),
            ("colour", "red"),
            ("n", "7"),
            ("nephos-attempts", "1"),
            ("nephos-event-id", "1"),
            ("nephos-event-type", "dev.nephos.queue.message"),
            ("nephos-function", "fulfil"),
            ("nephos-kind", "rejected"),
            ("nephos-reason", "no such article"),
            ("nephos-source", "queue/jobs"),
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_done_with() {
    let fake = Fake::down();
    let down = invocations(fulfil, &fake, with_letters());
    let without = invocations(fulfil, &Fake::default(), Wiring::default());
    for invocations in [down, without] {
        let answer = invoke(&invocations, &messages(&["a", "reject"])).await.unwrap();
        assert_eq!(answer, failed(&["1"]));
    }
}

#[tokio::test]
async fn a_group_goes_on_behind_a_dead_letter_and_stops_behind_a_failure() {
    let fake = Fake::ordered();
    let mut document = messages(&["reject", "b", "retry", "d"]);
    for record in document["Records"].as_array_mut().unwrap() {
        record["attributes"]["MessageGroupId"] = "g".into();
    }
    let invocations = invocations(fulfil, &fake, with_letters());
    assert_eq!(
        invoke(&invocations, &document).await.unwrap(),
        failed(&["2", "3"])
    );
    let [letter] = letters(&fake).try_into().unwrap();
    assert_eq!(letter.group.as_deref(), Some("g"));
}

#[tokio::test]
async fn a_batch_that_fails_one_of_a_group_fails_those_behind_it() {
    async fn first_fails(batch: Batch<Message<String>>) -> BatchOutcome {
        let mut outcome = BatchOutcome::new();
        outcome.retry(&batch[0].id, "later");
        outcome
    }
    let mut document = messages(&["a", "b", "c"]);
    for (number, group) in [(0, "g"), (1, "h"), (2, "g")] {
        document["Records"][number]["attributes"]["MessageGroupId"] = group.into();
    }
    let invocations = invocations(first_fails, &Fake::default(), Wiring::default());
    assert_eq!(
        invoke(&invocations, &document).await.unwrap(),
        failed(&["0", "2"])
    );
}

#[tokio::test]
async fn a_batch_that_is_rejected_is_dead_lettered_message_by_message() {
    async fn reject(_: Batch<Message<String>>) -> Result<()> {
        Err(Error::reject("not today"))
    }
    let fake = Fake::default();
    let invocations = invocations(reject, &fake, with_letters());
    assert_eq!(
        invoke(&invocations, &messages(&["a", "b"])).await.unwrap(),
        failed(&[])
    );
    assert_eq!(letters(&fake).len(), 2);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_dead_letter_as_it_came() {
    let fake = Fake::default();
    let mut document = messages(&["a", "b"]);
    document["Records"][1]["body"] = json!({"not": "text"});
    let invocations = invocations(fulfil, &fake, with_letters());
    assert_eq!(invoke(&invocations, &document).await.unwrap(), failed(&[]));
    let [letter] = letters(&fake).try_into().unwrap();
    let held: Value = letter.body.decode().unwrap();
    assert_eq!(held, document["Records"][1]);
    assert_eq!(letter.attributes["nephos-kind"], "decode");
}

#[tokio::test]
async fn a_change_and_a_notification_are_dead_letters_as_cloudevents() {
    async fn change(_: Change<Value>) -> Result<()> {
        Err(Error::reject("no"))
    }
    async fn note(_: Notification<String>) -> Result<()> {
        Err(Error::reject("no"))
    }
    let fake = Fake::default();
    let table = recorded(include_str!("../../tests/payloads/table/ministack-insert.json"));
    let on_change = invocations(change, &fake, with_letters());
    assert_eq!(invoke(&on_change, &table).await.unwrap(), failed(&[]));
    let topic = recorded(include_str!("../../tests/payloads/topic/ministack-sns.json"));
    let on_note = invocations(note, &fake, with_letters());
    // Lambda would try it again, and its on-failure destination knows nothing of a rejection.
    assert_eq!(invoke(&on_note, &topic).await.unwrap(), Value::Null);
    let letters = letters(&fake);
    let read = |letter: &Outgoing| -> Value { letter.body.decode().unwrap() };
    assert_eq!(read(&letters[0])[0]["type"], "dev.nephos.table.item.inserted");
    assert_eq!(read(&letters[1])["type"], "dev.nephos.topic.notification");
    let json = Some("application/cloudevents+json");
    assert_eq!(letters[1].body.content_type.as_deref(), json);
}

#[tokio::test]
async fn a_mail_is_a_dead_letter_as_its_receipt() {
    async fn reject(_: Email) -> Result<()> {
        Err(Error::reject("spam"))
    }
    let fake = Fake::default();
    let invocations = invocations(reject, &fake, with_letters());
    let receipt = recorded(include_str!("../../tests/payloads/email/example-ses-event.json"));
    assert_eq!(invoke(&invocations, &receipt).await.unwrap(), Value::Null);
    let [letter] = letters(&fake).try_into().unwrap();
    assert_eq!(letter.body.decode::<Value>().unwrap(), receipt);
}

#[tokio::test]
async fn a_caller_who_waits_is_told_of_a_rejection_instead() {
    async fn raw(_: nephos_core::event::Raw) -> Result<Value> {
        Err(Error::reject("no"))
    }
    let fake = Fake::default();
    let invocations = invocations(raw, &fake, with_letters());
    let error = invoke(&invocations, &json!({"a": 1})).await.unwrap_err();
    assert_eq!(
        (error.error_type.as_str(), error.error_message.as_str()),
        ("rejected", "no")
    );
    assert!(letters(&fake).is_empty());
}

#[tokio::test]
async fn each_record_of_a_notification_is_an_event_and_all_come_again_if_one_fails() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let handler = move |event: ObjectEvent| {
        let keep = Arc::clone(&keep);
        async move {
            let key = event.object().key.clone();
            let failed = key == "bad";
            keep.lock().unwrap().push(key);
            if failed {
                Err(Error::retry("later"))
            } else {
                Ok(())
            }
        }
    };
    let mut document = recorded(include_str!("../../tests/payloads/bucket/ministack-created.json"));
    let record = document["Records"][0].clone();
    let records = ["a", "bad", "c"].into_iter().map(|key| {
        let mut record = record.clone();
        record["s3"]["object"]["key"] = key.into();
        record
    });
    document["Records"] = records.collect();
    let invocations = invocations(handler, &Fake::default(), Wiring::default());
    let error = invoke(&invocations, &document).await.unwrap_err();
    assert_eq!(error.error_message, "later");
    assert_eq!(*seen.lock().unwrap(), ["a", "bad", "c"]);
}

const MESSAGE: &[u8] = b"From: Ann <ann@example.net>\r\nSubject: stored\r\n\r\nthe body\r\n";

async fn read(email: Email) -> Result<()> {
    let text = email.text.unwrap_or_default();
    let from = email.envelope.from;
    // The outcome of an e-mail has no words: an error has.
    Err(Error::retry(format!("{from}|{}|{}", email.subject, text.trim())))
}

#[tokio::test]
async fn a_stored_mail_is_fetched_and_read() {
    let fake = Fake::default();
    fake.store
        .put(
            &"in/6n4thuhcbhpfiuf25gshf70rss364fuejrvmqko1".into(),
            MESSAGE.into(),
        )
        .await
        .unwrap();
    fake.store.put(&"email".into(), MESSAGE.into()).await.unwrap();
    let launch = Launch {
        function: Function::new("read", read),
        environment: [("NEPHOS_AWS_MAIL", "shop-mail/in/")].into_iter().collect(),
        external: Arc::new(NoExternalBuckets),
    };
    let invocations = Invocations::with_drivers(launch, Wiring::default(), Arc::new(fake.clone())).unwrap();
    let by_deployment = recorded(include_str!("../../tests/payloads/email/example-ses-event.json"));
    let error = invoke(&invocations, &by_deployment).await.unwrap_err();
    assert_eq!(error.error_message, "aws@amazon.com|stored|the body");
    let by_receipt = recorded(include_str!(
        "../../tests/payloads/email/example-ses-s3-event.json"
    ));
    let error = invoke(&invocations, &by_receipt).await.unwrap_err();
    assert!(error.error_message.ends_with("|stored|the body"), "{error:?}");
    assert_eq!(fake.opened(), ["shop-mail", "my-S3-bucket"]);
}

#[tokio::test]
async fn a_mail_that_is_stored_nowhere_has_its_headers() {
    let invocations = invocations(read, &Fake::default(), Wiring::default());
    let document = recorded(include_str!("../../tests/payloads/email/example-ses-event.json"));
    let error = invoke(&invocations, &document).await.unwrap_err();
    assert_eq!(error.error_message, "aws@amazon.com|Test Subject|");
}

#[tokio::test]
async fn a_stored_mail_that_is_gone_or_cannot_be_read_is_an_error() {
    let fake = Fake::default();
    let invocations = invocations(read, &fake, Wiring::default());
    let document = recorded(include_str!(
        "../../tests/payloads/email/example-ses-s3-event.json"
    ));
    let error = invoke(&invocations, &document).await.unwrap_err();
    assert!(error.error_message.contains("not in its bucket"), "{error:?}");
    assert_eq!(error.error_type, "rejected");
    fake.store.put(&"email".into(), MESSAGE.into()).await.unwrap();
    let error = invoke(&invocations, &document).await.unwrap_err();
    assert!(error.error_message.contains("stored"), "{error:?}");
}

#[tokio::test]
async fn a_stored_mail_in_a_function_without_buckets_names_the_feature() {
    let launch = Launch {
        function: Function::new("read", read),
        environment: Environment::default(),
        external: Arc::new(NoExternalBuckets),
    };
    let refuse = Arc::new(super::resources::REFUSE);
    let invocations = Invocations::with_drivers(launch, Wiring::default(), refuse).unwrap();
    let document = recorded(include_str!(
        "../../tests/payloads/email/example-ses-s3-event.json"
    ));
    let error = invoke(&invocations, &document).await.unwrap_err();
    assert_eq!(error.error_type, "unsupported");
    assert!(error.error_message.contains("`bucket`"), "{error:?}");
}
