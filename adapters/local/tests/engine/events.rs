//! Durable sources: queue, bucket, stream, schedule, e-mail; retry and dead letters.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use nephos_core::app::{BucketSpec, ObjectEventKind, Resource, StreamSpec, Trigger};
use nephos_core::resource::queue::Received;
use nephos_core::resource::stream::Append;
use nephos_local::deploy::engine::Engine;

use crate::support::{Fixture, PATIENCE, exchange, trial, until};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_failing_message_is_retried_or_dead_lettered_and_the_others_are_not",
            queue,
        ),
        trial("a_crash_in_an_invocation_is_a_retry", crash),
        trial("objects_written_and_files_copied_in_fire", bucket),
        trial(
            "a_stream_stops_at_a_record_that_fails_and_goes_on_when_it_is_given_up",
            stream,
        ),
        trial("a_schedule_ticks", schedule),
        trial("mail_for_a_trigger_is_taken_and_other_mail_refused", mail),
    ]
}

fn queue_trigger(batch: u32) -> Trigger {
    Trigger::Queue {
        queue: "orders".to_owned(),
        batch,
    }
}

async fn dead(engine: &Engine, queue: &str) -> Vec<Received> {
    let queue = engine.resources().queue(queue).unwrap();
    queue
        .receive(10, Duration::from_secs(30), Duration::ZERO)
        .await
        .unwrap()
}

async fn queue() -> Result<(), Failed> {
    let fixture = Fixture::new()
        .queue("orders")
        .function("work", queue_trigger(10), |_| {});
    let engine = fixture.start().await;
    let queue = engine.resources().queue("orders")?;
    for text in ["good", "bad", "flaky", "fine"] {
        queue.send(text).await?;
    }
    assert!(engine.settled(PATIENCE).await);
    let mut lines = fixture.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "bad attempt 1",
            "fine attempt 1",
            "flaky attempt 1",
            "flaky attempt 2",
            "good attempt 1"
        ]
    );
    let letters = dead(&engine, "work-dead-letter").await;
    assert_eq!(letters.len(), 1);
    let message = &letters[0].message;
    assert_eq!(message.body.bytes.as_ref(), b"bad");
    assert!(
        message.attributes["nephos-reason"].contains("no such article"),
        "{:?}",
        message.attributes
    );
    engine.stop().await;
    Ok(())
}

async fn crash() -> Result<(), Failed> {
    let fixture = Fixture::new()
        .queue("orders")
        .function("abort", queue_trigger(1), |_| {});
    let engine = fixture.start().await;
    engine.resources().queue("orders")?.send("once").await?;
    assert!(engine.settled(PATIENCE).await);
    assert_eq!(fixture.lines(), ["once attempt 1", "once attempt 2"]);
    assert!(dead(&engine, "abort-dead-letter").await.is_empty());
    engine.stop().await;
    Ok(())
}

async fn bucket() -> Result<(), Failed> {
    let on = Trigger::Bucket {
        bucket: "photos".to_owned(),
        event: ObjectEventKind::Created,
        prefix: String::new(),
        suffix: ".jpg".to_owned(),
    };
    let fixture = Fixture::new()
        .resource("photos", Resource::Bucket(BucketSpec::default()))
        .function("photo", on, |_| {});
    let engine = fixture.start().await;
    let bucket = engine.resources().bucket("photos")?;
    bucket.put("über 100% a/b.jpg", "x").await?;
    bucket.put("notes.txt", "x").await?;
    assert!(engine.settled(PATIENCE).await);
    assert_eq!(fixture.lines(), ["über 100% a/b.jpg"]);
    assert!(bucket.put("../outside.jpg", "x").await.is_err());
    std::fs::write(fixture.state().join("buckets/photos/by-hand.jpg"), "x")?;
    until("the file that was copied in", || fixture.lines().len() == 2).await?;
    assert_eq!(fixture.lines()[1], "by-hand.jpg");
    engine.stop().await;
    // What happens while nothing runs fires at the next start.
    std::fs::write(fixture.state().join("buckets/photos/later.jpg"), "x")?;
    let engine = fixture.start().await;
    until("the file of the meantime", || fixture.lines().len() == 3).await?;
    assert_eq!(fixture.lines()[2], "later.jpg");
    engine.stop().await;
    Ok(())
}

async fn stream() -> Result<(), Failed> {
    let on = Trigger::Stream {
        stream: "clicks".to_owned(),
        batch: 10,
    };
    let fixture = Fixture::new()
        .resource("clicks", Resource::Stream(StreamSpec::default()))
        .function("follow", on, |_| {});
    let engine = fixture.start().await;
    let stream = engine.resources().stream("clicks")?;
    for text in ["one", "bad", "two"] {
        stream.append(Append::new("key", text)).await?;
    }
    assert!(engine.settled(PATIENCE).await);
    let lines = fixture.lines();
    let last = lines
        .iter()
        .position(|line| line == "two attempt 1")
        .expect("the record behind the bad one");
    let tries = lines.iter().filter(|line| line.starts_with("bad")).count();
    assert_eq!(tries, 3, "{lines:?}");
    assert!(
        lines[..last]
            .iter()
            .filter(|line| line.starts_with("bad"))
            .count()
            == 3,
        "{lines:?}"
    );
    let letters = dead(&engine, "follow-dead-letter").await;
    assert_eq!(letters[0].message.body.bytes.as_ref(), b"bad");
    engine.stop().await;
    Ok(())
}

async fn schedule() -> Result<(), Failed> {
    let on = Trigger::Schedule {
        schedule: "every 1 seconds".to_owned(),
        every: Some(Duration::from_secs(1)),
        timezone: String::new(),
    };
    let fixture = Fixture::new().function("tick", on, |_| {});
    let engine = fixture.start().await;
    until("two ticks", || fixture.lines().len() >= 2).await?;
    engine.stop().await;
    let ticked = fixture.lines().len();
    assert!(
        fixture
            .lines()
            .iter()
            .all(|line| line.starts_with("every 1 seconds past_due="))
    );
    let begun = std::time::Instant::now();
    until("a while without an engine", || {
        begun.elapsed() > Duration::from_millis(2500)
    })
    .await?;
    let engine = fixture.start().await;
    until("the missed tick", || fixture.lines().len() > ticked).await?;
    assert_eq!(fixture.lines()[ticked], "every 1 seconds past_due=true");
    engine.stop().await;
    Ok(())
}

async fn mail() -> Result<(), Failed> {
    let on = Trigger::Email {
        address: "*@example.net".to_owned(),
    };
    let fixture = Fixture::new().function("mail", on, |_| {});
    let engine = fixture.start().await;
    let address = engine
        .addresses()
        .smtp
        .expect("a listener, as there is a trigger");
    let text = "EHLO me\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<eve@elsewhere.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n\
                From: ann@example.org\r\nSubject: lunch\r\n\r\nat one?\r\n.\r\nQUIT\r\n";
    let answer = exchange(address, text).await;
    let codes: Vec<_> = answer
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(
        codes,
        ["220", "250", "250", "550", "250", "354", "250", "221"],
        "{answer}"
    );
    assert!(engine.settled(PATIENCE).await);
    assert_eq!(fixture.lines(), ["lunch to bob@example.net"]);
    engine.stop().await;
    Ok(())
}
