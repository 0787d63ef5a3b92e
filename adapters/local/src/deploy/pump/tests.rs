//! Pumps over a real store and a scripted function.

mod blame;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nephos_core::app::{
    App, FunctionSpec, Isolation, ObjectEventKind, QueueSpec, Retry, StreamSpec, TableSpec, Trigger,
};
use nephos_core::event::{
    Attributes, ChangeKind, Data, Event, ObjectCreated, ObjectEvent, ObjectInfo, Payload, TriggerKind,
};
use nephos_core::resource::queue::{Outgoing, QueueDriver as _, Received};
use nephos_core::resource::stream::{Append, StreamDriver as _};
use nephos_core::resource::table::{Condition, Key, TableDriver as _, TableSchema, Write};
use nephos_core::resource::topic::{Publication, TopicDriver as _};
use nephos_core::{BatchOutcome, Error, Outcome, Result, dead_letter};

use super::source::{self, Router};
use super::{Feed, Invoker, LogPump, MessagePump, MessageSource};
use crate::deploy::activity::Activities;
use crate::deploy::store::Store;

const DEAD: &str = "dead";

/// What the function was given: the ids of the records (or the event's id), and the attempt.
type Seen = (Vec<String>, u32);
type Script = dyn Fn(&Event, u32) -> Result<Outcome> + Send + Sync;

/// The sequences of all that was appended.
fn told(sequences: Vec<Option<String>>) -> Vec<String> {
    sequences
        .into_iter()
        .map(|sequence| sequence.expect("the embedded stream tells each"))
        .collect()
}

struct Scripted {
    seen: Mutex<VecDeque<Seen>>,
    script: Box<Script>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Invoker for Scripted {
    // As `async_trait` would write it, but that it would keep the event over a wait, and an event cannot be shared between threads.
    fn invoke<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        _function: &'life1 str,
        event: &'life2 Event,
        attempt: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        let mut ids: Vec<String> = event.record_ids().into_iter().map(str::to_owned).collect();
        if ids.is_empty() {
            ids.push(event.attributes.id.clone());
        }
        self.seen.lock().unwrap().push_back((ids, attempt));
        Box::pin(std::future::ready((self.script)(event, attempt)))
    }

    fn capacity(&self, _function: &str) -> usize {
        4
    }
}

struct Stage {
    store: Store,
    function: Arc<Scripted>,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn new(script: impl Fn(&Event, u32) -> Result<Outcome> + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db")).await.unwrap();
        let function = Arc::new(Scripted {
            seen: Mutex::default(),
            script: Box::new(script),
        });
        Self {
            store,
            function,
            _dir: dir,
        }
    }

    fn feed(&self) -> Feed {
        Feed {
            function: "work".into(),
            spec: Arc::new(spec(Vec::new())),
            invoker: Arc::clone(&self.function) as Arc<dyn Invoker>,
            store: self.store.clone(),
            activities: Activities::default(),
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.function.seen.lock().unwrap().iter().cloned().collect()
    }

    async fn letters(&self) -> Vec<Received> {
        let queue = self.store.queue(DEAD, &QueueSpec::default());
        queue
            .receive(10, Duration::from_secs(60), Duration::ZERO)
            .await
            .unwrap()
    }
}

fn spec(on: Vec<Trigger>) -> FunctionSpec {
    FunctionSpec {
        memory: 128 << 20,
        ephemeral_storage: None,
        timeout: Duration::from_secs(5),
        on,
        uses: BTreeMap::new(),
        env: BTreeMap::new(),
        retry: Retry {
            attempts: 3,
            backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(4),
        },
        dead_letter: DEAD.to_owned(),
        concurrency: 4,
        max_instances: 1,
        isolation: Isolation::Process,
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn body(event: &Event) -> String {
    let payload = match &event.data {
        Data::Queue(messages) => &messages[0].body,
        Data::Stream(records) => &records[0].body,
        Data::Topic(notification) => &notification.body,
        other => panic!("no body: {other:?}"),
    };
    String::from_utf8(payload.bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_message_that_fails_comes_again_with_its_attempt_and_the_others_are_done() {
    let stage = Stage::new(|event, attempt| {
        Ok(if body(event) == "bad" && attempt < 3 {
            Outcome::Failed(Error::retry("not yet"))
        } else {
            Outcome::Ack
        })
    })
    .await;
    let queue = stage.store.queue("jobs", &QueueSpec::default());
    queue
        .send_batch(&["good".into(), "bad".into(), "good".into()])
        .await
        .unwrap();
    let running = MessagePump::new(stage.feed(), queue.clone(), MessageSource::Queue { batch: 1 }).start();
    until("all are done", async || queue.depth().await.unwrap().total() == 0).await;
    running.stop().await;
    let attempts: Vec<u32> = stage.seen().into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts.len(), 5);
    assert_eq!(attempts.iter().max(), Some(&3));
    assert!(stage.letters().await.is_empty());
}

#[tokio::test]
async fn what_fails_every_time_is_given_up_with_its_body_attributes_and_reason() {
    let stage = Stage::new(|_, _| Ok(Outcome::Failed(Error::retry("the warehouse is shut")))).await;
    let queue = stage.store.queue("jobs", &QueueSpec::default());
    queue
        .send_batch(&[Outgoing::new("parcel").attribute("to", "Ann")])
        .await
        .unwrap();
    let running = MessagePump::new(stage.feed(), queue.clone(), MessageSource::Queue { batch: 10 }).start();
    until("it is given up", async || {
        queue.depth().await.unwrap().total() == 0
    })
    .await;
    running.stop().await;
    let letters = stage.letters().await;
    let [Received { message, .. }] = letters.as_slice() else {
        panic!("{letters:?}")
    };
    assert_eq!(message.body, Payload::text("parcel"));
    let attribute = |name: &str| message.attributes[name].as_str();
    assert_eq!(attribute("to"), "Ann");
    assert_eq!(attribute(dead_letter::REASON), "the warehouse is shut");
    assert_eq!(attribute(dead_letter::ATTEMPTS), "3");
    assert_eq!(attribute(dead_letter::FUNCTION), "work");
    assert_eq!(attribute(dead_letter::EVENT_ID), stage.seen()[0].0[0]);
}

#[tokio::test]
async fn a_refusal_is_given_up_at_once_and_one_of_a_batch_alone() {
    let stage = Stage::new(|event, _| {
        let mut outcome = BatchOutcome::new();
        outcome.reject(event.record_ids()[1], "not for us");
        Ok(outcome.into())
    })
    .await;
    let queue = stage.store.queue("jobs", &QueueSpec::default());
    let ids = queue
        .send_batch(&["a".into(), "b".into(), "c".into()])
        .await
        .unwrap();
    let running = MessagePump::new(stage.feed(), queue.clone(), MessageSource::Queue { batch: 10 }).start();
    until("all are settled", async || {
        queue.depth().await.unwrap().total() == 0
    })
    .await;
    running.stop().await;
    assert_eq!(stage.seen(), [(ids.clone(), 1)]);
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message.attributes[dead_letter::EVENT_ID], ids[1]);
}

#[tokio::test]
async fn a_crash_is_tried_again() {
    let stage = Stage::new(|_, attempt| {
        if attempt == 1 {
            return Err(Error::new(
                nephos_core::ErrorKind::Crashed,
                "process",
                "killed by signal 9",
            ));
        }
        Ok(Outcome::Ack)
    })
    .await;
    let queue = stage.store.queue("jobs", &QueueSpec::default());
    queue.send_batch(&["a".into()]).await.unwrap();
    let running = MessagePump::new(stage.feed(), queue.clone(), MessageSource::Queue { batch: 1 }).start();
    until("it is done", async || queue.depth().await.unwrap().total() == 0).await;
    running.stop().await;
    assert_eq!(stage.seen().len(), 2);
}

#[tokio::test]
async fn notifications_reach_the_function_with_the_id_of_the_publication() {
    let stage = Stage::new(|event, _| {
        assert_eq!((event.kind(), body(event).as_str()), (TriggerKind::Topic, "news"));
        Ok(Outcome::Ack)
    })
    .await;
    let inbox = stage.store.queue("inbox/work/topic/t/", &QueueSpec::default());
    stage
        .store
        .subscribe("t", "inbox/work/topic/t/", &BTreeMap::new())
        .await
        .unwrap();
    let running = MessagePump::new(stage.feed(), inbox, MessageSource::Topic).start();
    let ids = stage
        .store
        .topic("t")
        .publish_batch(&[Publication::new("news")])
        .await
        .unwrap();
    until("it was seen", async || !stage.seen().is_empty()).await;
    running.stop().await;
    assert_eq!(stage.seen()[0].0, ids);
}

#[tokio::test]
async fn a_stream_stops_at_its_first_failure_gives_that_one_up_and_goes_on_in_order() {
    let stage = Stage::new(|event, _| {
        let Data::Stream(records) = &event.data else {
            panic!("{event:?}")
        };
        let bad = records.iter().find(|record| record.body.bytes == "bad");
        Ok(bad.map_or(Outcome::Ack, |record| {
            let mut outcome = BatchOutcome::new();
            outcome.retry(&record.sequence, "does not parse");
            outcome.into()
        }))
    })
    .await;
    let stream = stage.store.stream("s", &StreamSpec::default());
    let records: Vec<_> = ["1", "2", "bad", "4"]
        .into_iter()
        .map(|body| Append::new("key", body))
        .collect();
    let sequences = told(stream.append_batch(&records).await.unwrap());
    let running = LogPump::stream(stage.feed(), "s", 10, "work".to_owned()).start();
    until("the last was seen", async || {
        stage.seen().last().is_some_and(|(ids, _)| ids == &sequences[3..])
    })
    .await;
    running.stop().await;
    let bad = vec![sequences[2].clone()];
    let expected = [
        (sequences.clone(), 1),
        (bad.clone(), 2),
        (bad.clone(), 3),
        (sequences[3..].to_vec(), 1),
    ];
    assert_eq!(stage.seen(), expected);
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message.attributes[dead_letter::EVENT_ID], sequences[2]);
    assert_eq!(letters[0].message.attributes[dead_letter::ATTEMPTS], "3");
}

#[tokio::test]
async fn a_checkpoint_survives_the_pump_and_nothing_is_delivered_again() {
    let stage = Stage::new(|_, _| Ok(Outcome::Ack)).await;
    let stream = stage.store.stream("s", &StreamSpec::default());
    let first = told(stream.append_batch(&[Append::new("k", "1")]).await.unwrap());
    let running = LogPump::stream(stage.feed(), "s", 10, "work".to_owned()).start();
    until("the first was seen", async || stage.seen().len() == 1).await;
    running.stop().await;
    let second = told(stream.append_batch(&[Append::new("k", "2")]).await.unwrap());
    let running = LogPump::stream(stage.feed(), "s", 10, "work".to_owned()).start();
    until("the second was seen", async || stage.seen().len() == 2).await;
    running.stop().await;
    assert_eq!(stage.seen(), [(first, 1), (second, 1)]);
}

#[tokio::test]
async fn a_table_s_trigger_sees_only_its_kinds_of_change() {
    let stage = Stage::new(|event, _| {
        let Data::Table(changes) = &event.data else {
            panic!("{event:?}")
        };
        assert!(
            changes
                .iter()
                .all(|change| change.kind == ChangeKind::Removed && change.new.is_none())
        );
        Ok(Outcome::Ack)
    })
    .await;
    let schema = TableSchema {
        key: "id".to_owned(),
        sort: None,
        ttl: None,
    };
    let table = stage.store.table("t", &TableSpec { schema });
    let put = |id: &str| Write::Put {
        item: serde_json::json!({ "id": id }),
        condition: Condition::Always,
    };
    table.write(&[put("a"), put("b")]).await.unwrap();
    table
        .write(&[Write::Delete {
            key: Key::new("b"),
            condition: Condition::Always,
        }])
        .await
        .unwrap();
    let kinds = BTreeSet::from([ChangeKind::Removed]);
    let running = LogPump::table(stage.feed(), "t", kinds, 1, "work".to_owned()).start();
    until("the removal was seen", async || stage.seen().len() == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn an_object_goes_to_each_trigger_whose_filter_it_fits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.db")).await.unwrap();
    let on = |event, prefix: &str, suffix: &str| Trigger::Bucket {
        bucket: "b".to_owned(),
        event,
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    let functions = BTreeMap::from([
        (
            "jpg".to_owned(),
            spec(vec![on(ObjectEventKind::Created, "", ".jpg")]),
        ),
        (
            "gone".to_owned(),
            spec(vec![on(ObjectEventKind::Deleted, "", "")]),
        ),
        (
            "gate".to_owned(),
            spec(vec![on(ObjectEventKind::Any, "gate/", "")]),
        ),
    ]);
    let app = App {
        name: "app".to_owned(),
        resources: BTreeMap::new(),
        functions,
        targets: BTreeMap::new(),
    };
    let router = Router::new(Arc::new(app), store.clone());
    let info = ObjectInfo::new("b", "gate/1.jpg");
    let event = Event::new(
        Attributes::new("bucket/b", "dev.nephos.bucket.object.created"),
        Data::Bucket(ObjectEvent::Created(ObjectCreated(info))),
    );
    let inboxes = router.inboxes(&event);
    assert_eq!(
        inboxes,
        [
            "inbox/gate/bucket/b/Any/gate//",
            "inbox/jpg/bucket/b/Created//.jpg"
        ]
    );
    assert_eq!(router.emit(event).await.unwrap(), 2);
    let inbox = store.queue(&inboxes[0], &QueueSpec::default());
    let received = inbox
        .receive(1, Duration::from_secs(5), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        source::read(&received[0].message.body).unwrap().kind(),
        TriggerKind::Bucket
    );
}

#[test]
fn addresses_fit_whole_domain_or_anybody() {
    let fits = source::address_fits;
    assert!(
        fits("a@example.net", "A@Example.NET") && fits("*@example.net", "b@EXAMPLE.net") && fits("*", "x@y")
    );
    assert!(!fits("a@example.net", "ba@example.net") && !fits("*@example.net", "a@sub.example.net"));
}
