//! The probe: each function reports what it was given into the queue `observed`, and then does what the event tells it.

mod access;
mod act;
mod teller;
mod web;

use nephos::prelude::*;
use nephos_conformance::probe::{AFTER, Act, Command, Slip};
use serde_json::{Value, json};

use self::act::{act, observe};

/// Messages one by one.
#[nephos::function]
async fn worker(message: Message<Command>, cx: Context) -> Result<()> {
    observe(&cx, &message.body.tag, message.attempt, &message.id, Value::Null).await?;
    act(&message.body, message.attempt).await?;
    if message.body.act == Act::Tell {
        let tag = format!("{}{AFTER}", message.body.tag);
        observe(&cx, &tag, message.attempt, &message.id, Value::Null).await?;
    }
    Ok(())
}

/// Messages together: each has its own outcome.
#[nephos::function]
async fn batcher(batch: Batch<Message<Command>>, cx: Context) -> Result<BatchOutcome> {
    let mut outcome = BatchOutcome::new();
    for message in &batch {
        observe(&cx, &message.body.tag, message.attempt, &message.id, Value::Null).await?;
        if message.body.act_on(message.attempt) == Act::Unknown {
            let id = match Slip::UnknownIsOwn.is_made() {
                true => message.id.as_str(),
                false => "no-such-id",
            };
            outcome.retry(id, "told to report a record that is not in the batch");
        } else if let Err(error) = act(&message.body, message.attempt).await {
            outcome.fail(&message.id, error);
        }
    }
    Ok(outcome)
}

/// Messages together, with one outcome: a wrong worker, for mutants.
#[nephos::function]
async fn together(event: Event, cx: Context) -> Result<()> {
    let nephos::event::Data::Queue(messages) = &event.data else {
        return Err(Error::reject("not an event of a queue"));
    };
    let mut outcome = Ok(());
    for message in messages {
        let handled = match serde_json::from_slice::<Command>(&message.body.bytes) {
            Ok(command) => {
                observe(&cx, &command.tag, message.attempt, &message.id, Value::Null).await?;
                act(&command, message.attempt).await
            }
            Err(error) => Err(Error::reject(format!("not a command: {error}"))),
        };
        outcome = outcome.and(handled);
    }
    outcome
}

/// Records of a stream.
#[nephos::function]
async fn reader(record: Record<Command>, cx: Context) -> Result<()> {
    observe(&cx, &record.body.tag, cx.attempt(), &record.sequence, Value::Null).await?;
    act(&record.body, cx.attempt()).await
}

/// Notifications of a topic.
#[nephos::function]
async fn notified(notification: Notification<Command>, cx: Context) -> Result<()> {
    observe(
        &cx,
        &notification.body.tag,
        cx.attempt(),
        &notification.id,
        Value::Null,
    )
    .await?;
    if std::env::var_os("PROBE_IGNORES_ACT").is_some() {
        return Ok(());
    }
    act(&notification.body, cx.attempt()).await
}

/// A second subscriber.
#[nephos::function]
async fn notified_too(notification: Notification<Command>, cx: Context) -> Result<()> {
    observe(
        &cx,
        &notification.body.tag,
        cx.attempt(),
        &notification.id,
        Value::Null,
    )
    .await?;
    act(&notification.body, cx.attempt()).await
}

/// Notifications of any kind: tells all that it was given.
#[nephos::function]
async fn hearer(event: Event, cx: Context) -> Result<()> {
    let nephos::event::Data::Topic(heard) = &event.data else {
        return Err(Error::reject("not an event of a topic"));
    };
    let note = json!({
        "content_type": heard.body.content_type, "bytes": heard.body.bytes.to_vec(), "attributes": heard.attributes,
    });
    observe(&cx, "heard", cx.attempt(), &heard.id, note).await
}

/// Changes of a table; the item's attribute `command` tells what to do.
#[nephos::function]
async fn changed(change: Change<Value>, cx: Context) -> Result<()> {
    let told = change.new.as_ref().and_then(|item| item.get("command"));
    let command = told
        .and_then(|told| serde_json::from_value(told.clone()).ok())
        .unwrap_or_else(|| Command::ok(change.key.to_string()));
    let note = json!({
        "kind": change.kind.name(), "key": change.key.to_string(), "old": change.old, "new": change.new,
    });
    observe(&cx, &command.tag, cx.attempt(), &change.sequence, note).await?;
    act(&command, cx.attempt()).await
}

/// Objects of a bucket; the key `fail-once` fails once.
#[nephos::function]
async fn stored(event: Event, cx: Context) -> Result<()> {
    let nephos::event::Data::Bucket(stored) = &event.data else {
        return Err(Error::reject("not an event of a bucket"));
    };
    let object = stored.object();
    let kind = match stored {
        ObjectEvent::Created(_) => "created",
        ObjectEvent::Deleted(_) => "deleted",
    };
    let note = json!({"kind": kind, "bucket": object.bucket, "size": object.size});
    observe(&cx, &object.key, cx.attempt(), &event.attributes.id, note).await?;
    if object.key == "fail-once" && cx.attempt() == 1 {
        return Err(Error::retry("told to fail"));
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    nephos::main!(
        worker,
        batcher,
        together,
        reader,
        notified,
        notified_too,
        hearer,
        changed,
        stored,
        access::prober,
        teller::teller,
        web::web
    );
    if teller::init() {
        main()
    } else {
        std::process::ExitCode::FAILURE
    }
}
