//! What becomes of an event: outcomes by record, deadlines, panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::error::Disposition;
use crate::event::{Batch, Change, ChangeKind, Message, Payload, Record, Tick};
use crate::resource::table::Key;

fn cx() -> Context {
    Context::builder("test").build()
}

fn message(id: &str, body: &str, group: Option<&str>) -> Message<Payload> {
    Message {
        id: id.to_owned(),
        queue: "orders".to_owned(),
        body: Payload::text(body),
        attributes: Default::default(),
        group: group.map(str::to_owned),
        attempt: 1,
        sent_at: None,
    }
}

fn queue(messages: impl IntoIterator<Item = Message<Payload>>) -> Event {
    Event::of(Data::Queue(messages.into_iter().collect()))
}

fn stream(bodies: &[&str]) -> Event {
    let records = bodies.iter().enumerate().map(|(index, body)| Record {
        sequence: index.to_string(),
        stream: "clicks".to_owned(),
        partition_key: body.to_string(),
        body: Payload::text(*body),
        attributes: Default::default(),
        appended_at: None,
    });
    Event::of(Data::Stream(records.collect()))
}

fn tick() -> Event {
    Event::of(Data::Schedule(Tick {
        schedule: "every 1 minute".to_owned(),
        due_at: chrono::Utc::now(),
        past_due: false,
    }))
}

/// The ids of the failures with their kinds.
fn failures(outcome: &Outcome) -> Vec<(&str, ErrorKind)> {
    match outcome {
        Outcome::Ack => Vec::new(),
        Outcome::Batch(batch) => batch
            .failures()
            .iter()
            .map(|failure| (failure.id.as_str(), failure.error.kind()))
            .collect(),
        other => panic!("records have no outcome as a whole: {other:?}"),
    }
}

/// A function that does what the body says, and the bodies that it was called with.
fn obedient() -> (Function, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let function = Function::new("obedient", move |message: Message<String>| {
        log.lock().unwrap().push(message.body.clone());
        async move {
            match message.body.as_str() {
                "retry" => Err(Error::retry("later")),
                "reject" => Err(Error::reject("never")),
                "panic" => panic!("at the disco"),
                _ => Ok(()),
            }
        }
    });
    (function, seen)
}

#[tokio::test]
async fn of_several_messages_only_the_failed_ones_are_reported() {
    let (function, seen) = obedient();
    let event = queue([
        message("1", "fine", None),
        message("2", "retry", None),
        message("3", "reject", None),
        message("4", "panic", None),
        message("5", "fine", None),
    ]);
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(
        failures(&outcome),
        [
            ("2", ErrorKind::Handler),
            ("3", ErrorKind::Rejected),
            ("4", ErrorKind::Panicked)
        ]
    );
    assert_eq!(seen.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn behind_a_failed_message_its_group_waits_and_other_groups_go_on() {
    let (function, seen) = obedient();
    let event = queue([
        message("1", "retry", Some("a")),
        message("2", "a2", Some("a")),
        message("3", "b1", Some("b")),
        message("4", "none", None),
    ]);
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(
        failures(&outcome),
        [("1", ErrorKind::Handler), ("2", ErrorKind::Cancelled)]
    );
    assert_eq!(*seen.lock().unwrap(), ["retry", "b1", "none"]);
}

#[tokio::test]
async fn a_rejected_message_does_not_hold_its_group() {
    let (function, seen) = obedient();
    let event = queue([message("1", "reject", Some("a")), message("2", "a2", Some("a"))]);
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(failures(&outcome), [("1", ErrorKind::Rejected)]);
    assert_eq!(*seen.lock().unwrap(), ["reject", "a2"]);
}

#[tokio::test]
async fn a_stream_stops_at_its_first_failure_whatever_the_key() {
    let function = Function::new("records", |record: Record<String>| async move {
        match record.body.as_str() {
            "retry" => Err(Error::retry("later")),
            "reject" => Err(Error::reject("never")),
            _ => Ok(()),
        }
    });
    let outcome = function
        .dispatch(stream(&["reject", "ok", "retry", "ok"]), cx())
        .await;
    assert_eq!(
        failures(&outcome),
        [
            ("0", ErrorKind::Rejected),
            ("2", ErrorKind::Handler),
            ("3", ErrorKind::Cancelled)
        ]
    );
}

#[tokio::test]
async fn changes_of_a_table_stop_at_the_first_failure() {
    let change = |sequence: &str| Change {
        sequence: sequence.to_owned(),
        table: "faces".to_owned(),
        kind: ChangeKind::Inserted,
        key: Key::new(sequence),
        old: None,
        new: Some(serde_json::json!({ "id": sequence })),
        at: None,
    };
    let function = Function::new("changes", |change: Change<serde_json::Value>| async move {
        if change.sequence == "1" {
            return Err(Error::retry("later"));
        }
        Ok(())
    });
    let event = Event::of(Data::Table(vec![change("1"), change("2")]));
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(
        failures(&outcome),
        [("1", ErrorKind::Handler), ("2", ErrorKind::Cancelled)]
    );
}

#[tokio::test]
async fn each_message_has_its_own_attempt() {
    let attempts: Arc<Mutex<Vec<u32>>> = Arc::default();
    let log = Arc::clone(&attempts);
    let function = Function::new("attempts", move |_message: Message<String>, cx: Context| {
        log.lock().unwrap().push(cx.attempt());
        async {}
    });
    let mut second = message("2", "", None);
    second.attempt = 7;
    let cx = Context::builder("attempts").attempt(3).build();
    function
        .dispatch(queue([message("1", "", None), second]), cx)
        .await;
    assert_eq!(*attempts.lock().unwrap(), [1, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_the_deadline_is_ended() {
    let function = Function::new("slow", |_tick: Tick| std::future::pending::<()>());
    let deadline = Instant::now() + Duration::from_secs(30);
    let cx = Context::builder("slow").deadline(Some(deadline)).build();
    let outcome = function.dispatch(tick(), cx).await;
    let error = outcome.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.disposition(), Disposition::Retry);
    assert_eq!(Instant::now(), deadline);
}

#[tokio::test]
async fn a_handler_that_uses_up_every_turn_is_ended_at_its_deadline() {
    let function = Function::new("greedy", |_: Tick| async {
        // It is never done, and never waits for anything but its next turn.
        while !std::hint::black_box(false) {
            tokio::task::consume_budget().await;
        }
    });
    let deadline = Instant::now() + Duration::from_millis(50);
    let cx = Context::builder("greedy").deadline(Some(deadline)).build();
    let outcome = function.dispatch(tick(), cx).await;
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::DeadlineExceeded);
    assert!(Instant::now() >= deadline);
}

#[tokio::test(start_paused = true)]
async fn records_behind_the_deadline_are_not_begun() {
    let function = Function::new("slow", |message: Message<String>| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_ne!(message.body, "third");
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    let cx = Context::builder("slow").deadline(Some(deadline)).build();
    let event = queue([
        message("1", "", None),
        message("2", "", None),
        message("3", "third", None),
    ]);
    let outcome = function.dispatch(event, cx).await;
    assert_eq!(
        failures(&outcome),
        [
            ("2", ErrorKind::DeadlineExceeded),
            // It was not to blame, and is not charged with it.
            ("3", ErrorKind::Cancelled)
        ]
    );
    assert_eq!(Instant::now(), deadline);
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_invocation_before_and_after_the_first_await() {
    let early = Function::new("early", |_tick: Tick| -> std::future::Ready<()> {
        panic!("early")
    });
    let late = Function::new("late", |tick: Tick| async move {
        tokio::task::yield_now().await;
        assert!(tick.past_due, "late {}", 1);
    });
    for (function, text) in [
        (early, "the handler panicked: early"),
        (late, "the handler panicked: late 1"),
    ] {
        let outcome = function.dispatch(tick(), cx()).await;
        let error = outcome.error().unwrap();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Panicked, text));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_late_handler_is_dropped_is_caught() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on the way out");
        }
    }
    let function = Function::new("bomb", |_tick: Tick| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    let cx = Context::builder("bomb")
        .deadline(Some(Instant::now() + Duration::from_secs(1)))
        .build();
    let outcome = function.dispatch(tick(), cx).await;
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::Panicked);
}

#[tokio::test]
async fn a_batch_reports_some_and_a_record_reported_twice_counts_once() {
    let function = Function::new("batch", |batch: Batch<Message<String>>| async move {
        let mut outcome = BatchOutcome::new();
        outcome.reject(&batch[1].id, "no");
        outcome.retry(&batch[1].id, "yes");
        Ok::<_, Error>(outcome)
    });
    let event = queue([message("1", "a", None), message("2", "b", None)]);
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(failures(&outcome), [("2", ErrorKind::Rejected)]);
}

#[tokio::test]
async fn a_failure_of_a_record_that_is_not_in_the_batch_fails_all() {
    let function = Function::new("batch", |_batch: Batch<Message<String>>| async move {
        let mut outcome = BatchOutcome::new();
        outcome.retry("stranger", "yes");
        Ok::<_, Error>(outcome)
    });
    let outcome = function.dispatch(queue([message("1", "a", None)]), cx()).await;
    let error = outcome.error().unwrap();
    assert!(error.to_string().contains("id=stranger"), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_left_out_of_the_batch_and_rejected_alone() {
    let function = Function::new("batch", |batch: Batch<Message<u32>>| async move {
        assert_eq!(batch.iter().map(|message| message.body).sum::<u32>(), 5);
    });
    let event = queue([
        message("1", "2", None),
        message("2", "two", None),
        message("3", "3", None),
    ]);
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(failures(&outcome), [("2", ErrorKind::Decode)]);
}

#[tokio::test]
async fn a_handler_is_never_called_with_an_empty_batch() {
    let function = Function::new("batch", |batch: Batch<Message<u32>>| async move {
        assert!(!batch.is_empty());
    });
    let outcome = function.dispatch(queue([message("1", "one", None)]), cx()).await;
    assert_eq!(failures(&outcome), [("1", ErrorKind::Decode)]);

    let mut event = queue([]);
    event.undecodable = vec![undecodable("9")];
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(failures(&outcome), [("9", ErrorKind::Decode)]);
}

fn undecodable(id: &str) -> RecordFailure {
    RecordFailure {
        id: id.to_owned(),
        error: Error::new(ErrorKind::Decode, "test.decode", "not a record"),
    }
}

#[tokio::test]
async fn records_that_the_adapter_could_not_decode_fail_beside_the_others() {
    let (function, _) = obedient();
    for (body, expected) in [
        ("fine", vec![("9", ErrorKind::Decode)]),
        ("retry", vec![("1", ErrorKind::Handler), ("9", ErrorKind::Decode)]),
    ] {
        let mut event = queue([message("1", body, None)]);
        event.undecodable = vec![undecodable("9")];
        let outcome = function.dispatch(event, cx()).await;
        assert_eq!(failures(&outcome), expected);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_hears_does_not_acknowledge_what_could_not_be_decoded() {
    let function = Function::new("any", |_event: Event| async { Ok::<_, Error>("data") });
    let mut event = queue([message("1", "", None)]);
    event.undecodable = vec![undecodable("9")];
    let outcome = function.dispatch(event, cx()).await;
    assert_eq!(failures(&outcome), [("9", ErrorKind::Decode)]);
}

#[tokio::test]
async fn an_event_of_another_kind_is_rejected_with_both_names() {
    let (function, _) = obedient();
    let outcome = function.dispatch(tick(), cx()).await;
    let error = outcome.error().unwrap();
    assert_eq!(error.disposition(), Disposition::Reject);
    let text = error.to_string();
    assert!(text.contains("event=dev.nephos.schedule.tick"), "{text}");
    assert!(text.contains("Message<alloc::string::String>"), "{text}");
}
