//! Batches that fail as a whole: only what is to blame is given up, and nothing is lost.

use nephos_core::ErrorKind;

use super::*;

fn bodies(event: &Event) -> Vec<String> {
    let payloads: Vec<&Payload> = match &event.data {
        Data::Queue(messages) => messages.iter().map(|message| &message.body).collect(),
        Data::Stream(records) => records.iter().map(|record| &record.body).collect(),
        other => panic!("no bodies: {other:?}"),
    };
    payloads
        .iter()
        .map(|payload| String::from_utf8(payload.bytes.to_vec()).unwrap())
        .collect()
}

/// A process that crashes whenever `bad` is among what it is given, and notes what it handled.
async fn crashes_on_bad(handled: Arc<Mutex<Vec<String>>>) -> Stage {
    Stage::new(move |event, _| {
        let bodies = bodies(event);
        if bodies.iter().any(|body| body == "bad") {
            return Err(Error::new(ErrorKind::Crashed, "process", "killed by signal 11"));
        }
        handled.lock().unwrap().extend(bodies);
        Ok(Outcome::Ack)
    })
    .await
}

fn feed(stage: &Stage, attempts: u32) -> Feed {
    let mut feed = stage.feed();
    let mut spec = (*feed.spec).clone();
    spec.retry.attempts = attempts;
    feed.spec = Arc::new(spec);
    feed
}

const BODIES: [&str; 5] = ["1", "2", "bad", "4", "5"];

#[tokio::test]
async fn a_message_that_crashes_the_process_is_given_up_without_its_neighbours() {
    for attempts in [1, 3] {
        let handled = Arc::new(Mutex::new(Vec::new()));
        let stage = crashes_on_bad(Arc::clone(&handled)).await;
        let queue = stage.store.queue("jobs", &QueueSpec::default());
        let ids = queue.send_batch(&BODIES.map(Outgoing::from)).await.unwrap();
        let source = MessageSource::Queue { batch: 10 };
        let running = MessagePump::new(feed(&stage, attempts), queue.clone(), source).start();
        until("all are settled", async || {
            queue.depth().await.unwrap().total() == 0
        })
        .await;
        running.stop().await;
        let mut handled = handled.lock().unwrap().clone();
        handled.sort();
        assert_eq!(handled, ["1", "2", "4", "5"], "attempts = {attempts}");
        let letters = stage.letters().await;
        let dead: Vec<_> = letters
            .iter()
            .map(|letter| letter.message.attributes[dead_letter::EVENT_ID].clone())
            .collect();
        assert_eq!(dead, [ids[2].clone()], "attempts = {attempts}");
    }
}

#[tokio::test]
async fn a_record_that_crashes_the_process_is_given_up_and_no_other_is_passed_over() {
    for attempts in [1, 3] {
        let handled = Arc::new(Mutex::new(Vec::new()));
        let stage = crashes_on_bad(Arc::clone(&handled)).await;
        let stream = stage.store.stream("s", &StreamSpec::default());
        let records: Vec<_> = BODIES.map(|body| Append::new("key", body)).into();
        let sequences = told(stream.append_batch(&records).await.unwrap());
        let running = LogPump::stream(feed(&stage, attempts), "s", 10, "work".to_owned()).start();
        until("the last is handled", async || {
            handled.lock().unwrap().last().is_some_and(|last| last == "5")
        })
        .await;
        running.stop().await;
        assert_eq!(
            *handled.lock().unwrap(),
            ["1", "2", "4", "5"],
            "attempts = {attempts}"
        );
        let letters = stage.letters().await;
        assert_eq!(letters.len(), 1, "attempts = {attempts}");
        assert_eq!(letters[0].message.attributes[dead_letter::EVENT_ID], sequences[2]);
    }
}

#[tokio::test]
async fn what_only_waited_behind_a_failure_is_tried_before_it_is_given_up() {
    let handled = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&handled);
    // As a function does that takes one record at a time: it fails at `bad` and does not begin those behind it.
    let stage = Stage::new(move |event, _| {
        let Data::Stream(records) = &event.data else {
            panic!("{event:?}")
        };
        let mut outcome = BatchOutcome::new();
        let mut failed = false;
        for record in records {
            if failed {
                outcome.fail(
                    &record.sequence,
                    Error::new(ErrorKind::Cancelled, "handler", "a record before it failed"),
                );
            } else if record.body.bytes == "bad" {
                failed = true;
                outcome.retry(&record.sequence, "does not parse");
            } else {
                seen.lock().unwrap().push(record.sequence.clone());
            }
        }
        Ok(outcome.into())
    })
    .await;
    let stream = stage.store.stream("s", &StreamSpec::default());
    let records: Vec<_> = BODIES.map(|body| Append::new("key", body)).into();
    let sequences = told(stream.append_batch(&records).await.unwrap());
    let running = LogPump::stream(feed(&stage, 1), "s", 10, "work".to_owned()).start();
    until("the last is handled", async || {
        handled.lock().unwrap().last() == sequences.last()
    })
    .await;
    running.stop().await;
    let expected: Vec<_> = [0, 1, 3, 4].map(|index| sequences[index].clone()).into();
    assert_eq!(*handled.lock().unwrap(), expected);
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message.attributes[dead_letter::EVENT_ID], sequences[2]);
}
