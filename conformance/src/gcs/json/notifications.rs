//! Configurations of notifications: <https://cloud.google.com/storage/docs/json_api/v1/notifications>.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::buckets::full_name;
use super::reply;
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::notify::Config;
use crate::gcs::project::agent;
use crate::gcs::request::Asked;
use crate::gcs::state::Shared;
use crate::server::{self, Answer};

/// As permissions begin.
const KIND: &str = "storage.notifications";

/// Makes one; a bucket's metageneration counts it.
pub(in crate::gcs) fn create(shared: &Shared, bucket: &str, body: &Map<String, Value>) -> Outcome<Config> {
    let count = shared.lock().bucket(bucket)?.notifications.len();
    // Whether it can be at all is looked at first, as by the rules of its document.
    let topic = Config::read(0, body)?.topic;
    if let Some(project) = &shared.project
        && !project.publishes(&topic)
    {
        let agent = agent(&project.number());
        return Err(Refusal::invalid(format!(
            "The service account '{agent}' does not have permission to publish messages to to the Cloud Pub/Sub topic '//pubsub.googleapis.com/{topic}', or that topic does not exist."
        )));
    }
    shared.permit(KIND, &full_name(bucket), &Method::POST, count)?;
    let mut state = shared.lock();
    let (_, now) = state.tick();
    let found = state.bucket_mut(bucket)?;
    let config = Config::read(found.last_notification + 1, body)?;
    config.check(&found.notifications)?;
    found.last_notification = config.id;
    found.notifications.insert(config.id, config.clone());
    found.changed(now);
    Ok(config)
}

pub(super) fn all(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked.query.only_json(&[])?;
    asked.only_headers(&[])?;
    let document = match asked.method {
        Method::POST => {
            let config = create(shared, bucket, &asked.object()?)?;
            config.view(&shared.lock().url, bucket)
        }
        Method::GET => {
            asked.no_body()?;
            let state = shared.lock();
            let items: Vec<Value> = state
                .bucket(bucket)?
                .notifications
                .values()
                .map(|config| config.view(&state.url, bucket))
                .collect();
            let mut document = json!({"kind": "storage#notifications"});
            if !items.is_empty() {
                document["items"] = items.into();
            }
            document
        }
        _ => return Err(Refusal::method()),
    };
    reply(asked, document)
}

pub(super) fn one(shared: &Shared, asked: &Asked, bucket: &str, id: &str) -> Outcome<Answer> {
    asked.query.only_json(&[])?;
    asked.only_headers(&[])?;
    asked.no_body()?;
    if asked.method == Method::DELETE {
        let name = format!("{}/notificationConfigs/{id}", full_name(bucket));
        shared.permit(KIND, &name, &asked.method, 0)?;
    }
    let mut state = shared.lock();
    let found = state.bucket(bucket)?;
    let config = id
        .parse()
        .ok()
        .and_then(|id: u64| found.notifications.get(&id))
        .cloned()
        .ok_or_else(Refusal::not_found)?;
    match asked.method {
        Method::GET => {
            let view = config.view(&state.url, bucket);
            drop(state);
            reply(asked, view)
        }
        Method::DELETE => {
            let (_, now) = state.tick();
            let found = state.bucket_mut(bucket)?;
            found.notifications.remove(&config.id);
            found.changed(now);
            Ok(server::answer(StatusCode::NO_CONTENT, ""))
        }
        _ => Err(Refusal::method()),
    }
}
