//! `nephos emit`: makes an event happen, as if its source had sent it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::Utc;
use clap::Subcommand;
use nephos_core::Event;
use nephos_core::app::{App, Trigger};
use nephos_core::event::{
    Attributes, AuthEvent, AuthStage, Change, ChangeKind, Data, Envelope, Message, Notification,
    ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Raw, Record, Tick, VoiceRequest, VoiceRequestKind,
    cloudevents as wire,
};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::table::Key;

use crate::connect::Running;
use crate::fail::Fail;
use crate::input;
use crate::output::Output;
use crate::project::{Place, Project};
use crate::resource;

/// Arguments of `nephos emit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    event: Kind,
}

/// Which event.
#[derive(Debug, Subcommand)]
enum Kind {
    /// Uploads a file, or with --deleted deletes an object: the bucket's triggers fire.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The file to upload; with --deleted the key to delete.
        file: PathBuf,
        /// The object's key; the file's name by default.
        #[arg(long)]
        key: Option<String>,
        /// Only announces the object, which is there already: nothing is uploaded.
        #[arg(long, conflicts_with = "deleted")]
        announce: bool,
        /// The object is deleted.
        #[arg(long)]
        deleted: bool,
    },
    /// Sends a message.
    Queue {
        /// The queue.
        queue: String,
        /// The body: text or JSON, `@file`, or `-` for standard input.
        body: String,
        /// The ordering group.
        #[arg(long)]
        group: Option<String>,
        /// An attribute; may be repeated.
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = input::pair)]
        attributes: Vec<(String, String)>,
    },
    /// Publishes a notification.
    Topic {
        /// The topic.
        topic: String,
        /// The body, as for a queue.
        body: String,
        /// An attribute; may be repeated.
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = input::pair)]
        attributes: Vec<(String, String)>,
    },
    /// Appends a record to a stream.
    Stream {
        /// The stream.
        stream: String,
        /// The body, as for a queue.
        body: String,
        /// The partition key.
        #[arg(long, default_value = "emitted")]
        partition_key: String,
    },
    /// Announces a table's change to its triggers, without changing the table.
    Table {
        /// The table.
        table: String,
        /// The item after the change, as JSON.
        new: Option<String>,
        /// The item before the change, as JSON.
        #[arg(long)]
        old: Option<String>,
    },
    /// Strikes a function's schedule now.
    Schedule {
        /// The function.
        function: String,
    },
    /// Delivers an e-mail.
    Email {
        /// The message (RFC 5322): a file, or `-` for standard input.
        file: PathBuf,
        /// The recipient.
        #[arg(long)]
        to: String,
        /// The sender.
        #[arg(long, default_value = "someone@example.net")]
        from: String,
    },
    /// Runs a step of sign-up or sign-in.
    Auth {
        /// The step (`before_sign_up`).
        stage: String,
        /// The user's e-mail address.
        #[arg(long, default_value = "someone@example.net")]
        email: String,
        /// The user's name or id.
        #[arg(long)]
        user: Option<String>,
    },
    /// Speaks to a voice skill.
    Voice {
        /// The skill.
        skill: String,
        /// The intent; none opens the skill.
        intent: Option<String>,
        /// A slot of the intent; may be repeated.
        #[arg(long = "slot", value_name = "NAME=VALUE", value_parser = input::pair)]
        slots: Vec<(String, String)>,
    },
    /// Sends a CloudEvent, as JSON.
    Raw {
        /// The CloudEvent: a file, or `-` for standard input.
        file: PathBuf,
    },
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(place, Some("local"), *output)?;
    declared(&args.event, project.app())?;
    let running = Running::find(&project)?;
    let made = match &args.event {
        Kind::Bucket {
            bucket,
            file,
            key,
            announce: false,
            deleted,
        } => {
            let resources = running.resources(project.app());
            let bucket = resources.bucket(bucket).map_err(Fail::from)?;
            if *deleted {
                let key = key.clone().unwrap_or_else(|| file.display().to_string());
                bucket.delete(&key).await.map_err(Fail::from)?;
                format!("deleted {key}")
            } else {
                let key = key.clone().map_or_else(|| input::file_name(file), Ok)?;
                crate::cmd::put::upload(&bucket, &key, file, *output).await?;
                format!("uploaded {key}")
            }
        }
        other => {
            let event = event(other, project.app()).await?;
            let fired = running.emit(&event).await?;
            match (fired, kept_anyway(&event)) {
                (0, None) => {
                    return Err(Fail::new(
                        "no trigger of the app fits this event; nothing was called, and nothing was kept",
                    )
                    .help("compare names, filters and addresses in nephos.toml")
                    .into());
                }
                (0, Some(kept)) => format!("{kept}; no trigger of the app fits it"),
                (fired, _) => format!("{fired} trigger(s) fired"),
            }
        }
    };
    if output.json {
        output.line(&serde_json::json!({ "emitted": made }));
    } else {
        output.print(&made);
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses names that nephos.toml does not have, before anything is done.
fn declared(event: &Kind, app: &App) -> Result<(), Fail> {
    match event {
        Kind::Bucket { bucket, .. } => resource::expect(app, ResourceKind::Bucket, bucket),
        Kind::Queue { queue, .. } => resource::expect(app, ResourceKind::Queue, queue),
        Kind::Topic { topic, .. } => resource::expect(app, ResourceKind::Topic, topic),
        Kind::Stream { stream, .. } => resource::expect(app, ResourceKind::Stream, stream),
        Kind::Table { table, .. } => resource::expect(app, ResourceKind::Table, table),
        Kind::Schedule { function } if !app.functions.contains_key(function) => {
            Err(resource::no_function(app, function))
        }
        Kind::Voice { skill, .. } => {
            let skills = triggers(app).filter_map(|trigger| match trigger {
                Trigger::Voice { skill } => Some(skill.as_str()),
                _ => None,
            });
            one_of("voice skill", skill, skills)
        }
        Kind::Auth { stage, .. } => {
            let stages = triggers(app).filter_map(|trigger| match trigger {
                Trigger::Auth { stage } => Some(stage.name()),
                _ => None,
            });
            one_of("trigger on the stage", stage, stages)
        }
        Kind::Schedule { .. } | Kind::Email { .. } | Kind::Raw { .. } => Ok(()),
    }
}

fn triggers(app: &App) -> impl Iterator<Item = &Trigger> {
    app.functions.values().flat_map(|spec| &spec.on)
}

fn one_of<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Fail> {
    let names: Vec<&str> = names.collect();
    if names.contains(&name) {
        Ok(())
    } else {
        Err(resource::unknown(what, name, names))
    }
}

/// What becomes of an event that nobody listens to: some lie in their resource all the same.
fn kept_anyway(event: &Event) -> Option<String> {
    match &event.data {
        Data::Queue(messages) => messages
            .first()
            .map(|message| format!("the message lies in the queue {}", message.queue)),
        Data::Stream(records) => records
            .first()
            .map(|record| format!("the record lies in the stream {}", record.stream)),
        Data::Topic(notification) => Some(format!("published to the topic {}", notification.topic)),
        _ => None,
    }
}

/// A tick of the function's schedule, due now.
pub(crate) fn tick(function: &str, app: &App) -> miette::Result<Event> {
    let spec = app
        .functions
        .get(function)
        .ok_or_else(|| resource::no_function(app, function))?;
    let schedule = spec.on.iter().find_map(|trigger| match trigger {
        Trigger::Schedule { schedule, .. } => Some(schedule.clone()),
        _ => None,
    });
    let schedule = schedule.ok_or_else(|| Fail::usage(format!("function `{function}` has no schedule")))?;
    let tick = Tick {
        schedule,
        due_at: Utc::now(),
        past_due: false,
    };
    let attributes = Attributes::new(format!("schedule/{function}"), wire::SCHEDULE_TICK).subject(function);
    Ok(Event::new(attributes, Data::Schedule(tick)))
}

async fn event(kind: &Kind, app: &App) -> miette::Result<Event> {
    let now = Some(Utc::now());
    let id = || uuid();
    Ok(match kind {
        Kind::Bucket {
            bucket,
            file,
            key,
            deleted,
            ..
        } => {
            let key = key.clone().unwrap_or_else(|| file.display().to_string());
            let info = ObjectInfo::new(bucket, key);
            let event = if *deleted {
                ObjectEvent::Deleted(ObjectDeleted(info))
            } else {
                ObjectEvent::Created(ObjectCreated(info))
            };
            let ty = if *deleted {
                wire::BUCKET_DELETED
            } else {
                wire::BUCKET_CREATED
            };
            Event::new(
                Attributes::new(format!("bucket/{bucket}"), ty),
                Data::Bucket(event),
            )
        }
        Kind::Queue {
            queue,
            body,
            group,
            attributes,
        } => {
            let message = Message {
                id: id(),
                queue: queue.clone(),
                body: input::payload(body).await?,
                attributes: attributes.iter().cloned().collect(),
                group: group.clone(),
                attempt: 1,
                sent_at: now,
            };
            Event::new(
                Attributes::new(format!("queue/{queue}"), wire::QUEUE_MESSAGE),
                Data::Queue(vec![message]),
            )
        }
        Kind::Topic {
            topic,
            body,
            attributes,
        } => {
            let notification = Notification {
                id: id(),
                topic: topic.clone(),
                body: input::payload(body).await?,
                subject: None,
                attributes: attributes.iter().cloned().collect(),
                published_at: now,
            };
            Event::new(
                Attributes::new(format!("topic/{topic}"), wire::TOPIC_NOTIFICATION),
                Data::Topic(notification),
            )
        }
        Kind::Stream {
            stream,
            body,
            partition_key,
        } => {
            let record = Record {
                sequence: id(),
                stream: stream.clone(),
                partition_key: partition_key.clone(),
                body: input::payload(body).await?,
                attributes: BTreeMap::new(),
                appended_at: now,
            };
            Event::new(
                Attributes::new(format!("stream/{stream}"), wire::STREAM_RECORD),
                Data::Stream(vec![record]),
            )
        }
        Kind::Table { table, new, old } => change(app, table, new.as_deref(), old.as_deref())?,
        Kind::Schedule { function } => tick(function, app)?,
        Kind::Email { file, to, from } => {
            let source = input::read(file).await?;
            let envelope = Envelope {
                from: from.clone(),
                to: vec![to.clone()],
            };
            let email = nephos_core::event::Email::parse(envelope, source).map_err(Fail::from)?;
            Event::new(
                Attributes::new("email", wire::EMAIL_RECEIVED).subject(to),
                Data::Email(Box::new(email)),
            )
        }
        Kind::Auth { stage, email, user } => {
            let stage: AuthStage = serde_json::from_value(serde_json::Value::String(stage.clone()))
                .unwrap_or_else(|_| AuthStage::Other(stage.clone()));
            let ty = format!("{}{}", wire::AUTH_PREFIX, stage.name());
            let auth = AuthEvent {
                stage,
                directory: "local".to_owned(),
                client: None,
                user: user.clone(),
                email: Some(email.clone()),
                attributes: BTreeMap::new(),
                client_data: BTreeMap::new(),
            };
            Event::new(Attributes::new("auth", ty), Data::Auth(Box::new(auth)))
        }
        Kind::Voice { skill, intent, slots } => {
            let request = match intent {
                Some(name) => VoiceRequestKind::Intent {
                    name: name.clone(),
                    slots: slots.iter().cloned().collect(),
                },
                None => VoiceRequestKind::Launch,
            };
            let voice = VoiceRequest {
                id: id(),
                skill: skill.clone(),
                request,
                locale: "en-GB".to_owned(),
                user: None,
                session: None,
                new_session: true,
                attributes: BTreeMap::new(),
            };
            Event::new(
                Attributes::new(format!("voice/{skill}"), wire::VOICE_REQUEST),
                Data::Voice(Box::new(voice)),
            )
        }
        Kind::Raw { file } => {
            let bytes = input::read(file).await?;
            let event: cloudevents::Event = serde_json::from_slice(&bytes).map_err(|error| {
                Fail::usage(format!("{} is no CloudEvent in JSON: {error}", file.display()))
            })?;
            wire::from_cloudevents(vec![event])
                .map_err(Fail::from)?
                .with_raw(Raw::json(bytes))
        }
    })
}

fn change(app: &App, table: &str, new: Option<&str>, old: Option<&str>) -> miette::Result<Event> {
    let Some(nephos_core::app::Resource::Table(spec)) = app.resources.get(table) else {
        return Err(Fail::usage(format!("the app has no table `{table}`")).into());
    };
    let item = |text: Option<&str>| -> miette::Result<Option<serde_json::Value>> {
        let parse = |text: &str| {
            serde_json::from_str(text).map_err(|error| Fail::usage(format!("`{text}` is no JSON: {error}")))
        };
        Ok(text.map(parse).transpose()?)
    };
    let (new, old) = (item(new)?, item(old)?);
    let kind = match (&old, &new) {
        (None, Some(_)) => ChangeKind::Inserted,
        (Some(_), Some(_)) => ChangeKind::Modified,
        (Some(_), None) => ChangeKind::Removed,
        (None, None) => {
            return Err(Fail::usage("a change has an item before, after, or both: pass one").into());
        }
    };
    let key: Key = new
        .as_ref()
        .or(old.as_ref())
        .map_or_else(|| Ok(Key::new("")), |item| spec.schema.key_of(item))
        .map_err(Fail::from)?;
    let change = Change {
        sequence: uuid(),
        table: table.to_owned(),
        kind,
        key,
        old,
        new,
        at: Some(Utc::now()),
    };
    let ty = match kind {
        ChangeKind::Inserted => wire::TABLE_INSERTED,
        ChangeKind::Modified => wire::TABLE_MODIFIED,
        ChangeKind::Removed => wire::TABLE_REMOVED,
    };
    Ok(Event::new(
        Attributes::new(format!("table/{table}"), ty),
        Data::Table(vec![change]),
    ))
}

/// A new id; every event has one of its own.
fn uuid() -> String {
    Attributes::new("", "").id
}

#[cfg(test)]
mod tests {
    use nephos_core::event::Payload;

    use super::*;

    #[test]
    fn payload_of_json_text_is_json() {
        assert!(input::payload_of(b"{\"a\":1}".to_vec()).is_json());
        assert_eq!(input::payload_of(b"plain".to_vec()), Payload::text("plain"));
        assert_eq!(input::payload_of(vec![0xff]), Payload::bytes(vec![0xff]));
    }
}
