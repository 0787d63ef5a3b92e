//! A function for each kind of trigger, which writes down what it was given.

use nephos::http::{self, IntoResponse as _, Json, Method, StatusCode};
use nephos::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// Writes down what a function was given.
async fn note(cx: &Context, what: &str, attempt: u32, seen: Value) -> Result<()> {
    let item = json!({
        "what": format!("{}/{what}", cx.function()),
        "attempt": attempt,
        "at_us": chrono::Utc::now().timestamp_micros(),
        "seen": seen,
    });
    cx.table("seen")?.put(&item).await.map(drop)
}

/// Writes down, and tells what was written down.
#[nephos::function]
async fn web(request: http::Request, cx: Context) -> Result<http::Response> {
    let what = http::path(&request, "what")?.to_owned();
    if request.method() == Method::POST {
        let body: Value = http::json(request).await?;
        println!("web was told {what}");
        note(&cx, &what, cx.attempt(), body).await?;
        return Ok((StatusCode::CREATED, Json(what)).into_response());
    }
    let what = format!("{}/{what}", http::path(&request, "function")?);
    match cx.table("seen")?.get::<Value>(what.as_str()).await? {
        Some(seen) => Ok(Json(seen).into_response()),
        None => Err(Error::new(ErrorKind::NotFound, "web.get", "nothing was seen").with("what", what)),
    }
}

/// Objects that come and go.
#[nephos::function]
async fn stored(event: ObjectEvent, cx: Context) -> Result<()> {
    let object = event.object();
    let kind = match event {
        ObjectEvent::Created(_) => "created",
        ObjectEvent::Deleted(_) => "deleted",
    };
    let seen = json!({"bucket": object.bucket, "key": object.key, "size": object.size});
    note(&cx, &format!("{kind}/{}", object.key), cx.attempt(), seen).await
}

/// What a message or record asks for.
#[derive(Debug, Deserialize)]
struct Task {
    name: String,
    /// How many times it fails before it is done.
    #[serde(default)]
    fail: u32,
    /// Why it is given up at once.
    #[serde(default)]
    reject: Option<String>,
}

impl Task {
    fn done(self, attempt: u32) -> Result<()> {
        match self.reject {
            Some(reason) => Err(Error::reject(reason)),
            None if attempt <= self.fail => Err(Error::retry("not yet")),
            None => Ok(()),
        }
    }
}

/// Messages; each try is written down by its number.
#[nephos::function]
async fn worker(message: Message<Task>, cx: Context) -> Result<()> {
    let (task, message) = message.split();
    let what = format!("{}#{}", task.name, message.attempt);
    let seen = json!({"queue": message.queue, "id": message.id, "attributes": message.attributes});
    note(&cx, &what, message.attempt, seen).await?;
    task.done(message.attempt)
}

/// Messages of an ordered queue.
#[nephos::function]
async fn in_order(message: Message<Task>, cx: Context) -> Result<()> {
    let (task, message) = message.split();
    let seen = json!({"queue": message.queue, "group": message.group});
    note(&cx, &task.name, message.attempt, seen).await?;
    task.done(message.attempt)
}

/// Notifications of what the filter lets through.
#[nephos::function]
async fn heard(notification: Notification<String>, cx: Context) -> Result<()> {
    let seen = json!({
        "topic": notification.topic, "subject": notification.subject, "attributes": notification.attributes,
    });
    note(&cx, &notification.body, cx.attempt(), seen).await
}

/// Records of a stream.
#[nephos::function]
async fn reader(record: Record<Task>, cx: Context) -> Result<()> {
    let seen = json!({"stream": record.stream, "key": record.partition_key, "sequence": record.sequence});
    note(&cx, &record.body.name, cx.attempt(), seen).await?;
    record.body.done(cx.attempt())
}

/// Changes of a table.
#[nephos::function]
async fn changed(change: Change<Value>, cx: Context) -> Result<()> {
    let kind = change.kind.name();
    let seen = json!({"table": change.table, "old": change.old, "new": change.new});
    note(&cx, &format!("{kind}/{}", change.key), cx.attempt(), seen).await
}

/// Ticks.
#[nephos::function]
async fn clock(tick: Tick, cx: Context) -> Result<()> {
    let seen = json!({"schedule": tick.schedule, "due_at": tick.due_at});
    note(&cx, "tick", cx.attempt(), seen).await
}

/// E-mails, by their subject.
#[nephos::function]
async fn mail(email: Email, cx: Context) -> Result<()> {
    let seen = json!({"to": email.envelope.to, "from": email.from[0].address, "text": email.text});
    note(&cx, &email.subject, cx.attempt(), seen).await
}

/// Confirms whoever signs up, but for those who say that they are robots.
#[nephos::function]
async fn sign_up(event: AuthEvent, cx: Context) -> Result<AuthDecision> {
    let user = event.user.clone().unwrap_or_default();
    let seen = json!({"stage": event.stage.name(), "directory": event.directory, "email": event.email});
    note(&cx, &user, cx.attempt(), seen).await?;
    if user == "robot" {
        return Ok(AuthDecision::deny("robots may not sign up"));
    }
    Ok(AuthDecision::allow().confirmed())
}

/// Answers what it was asked.
#[nephos::function]
async fn skill(request: VoiceRequest, cx: Context) -> Result<VoiceResponse> {
    let VoiceRequestKind::Intent { name, slots } = request.request else {
        return Ok(VoiceResponse::ask("Which sign?", "Say your sign."));
    };
    note(
        &cx,
        &name,
        cx.attempt(),
        json!({"skill": request.skill, "slots": slots}),
    )
    .await?;
    let sign = slots.get("ZodiacSign").map_or("everybody", String::as_str);
    Ok(VoiceResponse::tell(format!("A good day for {sign}.")))
}

/// Any document, as it came.
#[nephos::function]
async fn raw(document: Raw, cx: Context) -> Result<Value> {
    let document: Value = document.decode()?;
    let id = document["id"].as_str().unwrap_or("document").to_owned();
    note(&cx, &id, cx.attempt(), document.clone()).await?;
    Ok(json!({"seen": id}))
}

nephos::main!(
    web, stored, worker, in_order, heard, reader, changed, clock, mail, sign_up, skill, raw
);
