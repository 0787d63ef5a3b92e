//! Pushes: <https://cloud.google.com/pubsub/docs/push>. A message is posted, wrapped, to the subscription's endpoint, of one ordering key one at a time; what is not answered with one of
//! the statuses that take it, in time, waits and is pushed again.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Hub;
use super::backlog::Delivery;
use super::messages::told;
use super::settings::Settings;

/// How many messages of a subscription are under way at once: <https://cloud.google.com/pubsub/docs/push#delivery_rate>.
const MOST: usize = 3_000;

/// What says that a message was taken.
const TAKEN: [u16; 5] = [102, 200, 201, 202, 204];

impl Hub {
    /// Begins to push, if there is somewhere to push to; it ends with what is given back.
    pub(super) fn pump(self: &Arc<Self>, name: &str, settings: &Settings) -> Option<DropGuard> {
        let endpoint = settings.endpoint.clone()?;
        let stop = CancellationToken::new();
        let (hub, name, stopped) = (Arc::clone(self), name.to_owned(), stop.clone());
        tokio::spawn(async move {
            let mut changes = hub.changes.subscribe();
            loop {
                changes.mark_unchanged();
                let Some(next) = hub.push_due(&name, &endpoint) else {
                    return;
                };
                let sleep = async {
                    match next {
                        Some(next) => tokio::time::sleep_until(next).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stopped.cancelled() => return,
                    // It ends with what it is a part of.
                    _ = changes.changed() => {}
                    () = sleep => {}
                }
            }
        });
        Some(stop.drop_guard())
    }

    /// Pushes what is due, and tells when something may be next; `None` if this is not where it is pushed to any more.
    fn push_due(self: &Arc<Self>, name: &str, endpoint: &str) -> Option<Option<Instant>> {
        let now = Instant::now();
        let mut state = self.lock();
        state.settle(now);
        let subscription = state.subscriptions.get_mut(name)?;
        let settings = &subscription.settings;
        if settings.endpoint.as_deref() != Some(endpoint) {
            return None;
        }
        let most = MOST.saturating_sub(subscription.backlog.leased());
        let deliveries = subscription.backlog.take(settings, most, true, now);
        for delivery in deliveries {
            let tries = settings.dead.is_some().then_some(delivery.tries);
            let request = request(endpoint, name, &delivery, tries);
            let (hub, name, deadline) = (Arc::clone(self), name.to_owned(), now + settings.deadline);
            tokio::spawn(async move {
                let is_taken = match request {
                    Ok(request) => hub.is_taken(request, deadline).await,
                    Err(_) => false,
                };
                hub.pushed(&name, &delivery.receipt, is_taken);
            });
        }
        Some(subscription.backlog.next(now))
    }

    async fn is_taken(&self, request: Request<Full<Bytes>>, deadline: Instant) -> bool {
        let answered = async {
            let answer = self.client.request(request).await.ok()?;
            let status = answer.status().as_u16();
            // Read to its end, so that the connection serves again.
            answer.into_body().collect().await.ok()?;
            Some(TAKEN.contains(&status))
        };
        let answered = tokio::time::timeout_at(deadline, answered).await;
        answered.ok().flatten().unwrap_or(false)
    }

    /// What became of a push. A lease that ended meanwhile is nobody's any more.
    fn pushed(&self, name: &str, receipt: &str, is_taken: bool) {
        let now = Instant::now();
        let mut state = self.lock();
        if let Ok(subscription) = state.subscription_mut(name) {
            let (backlog, settings) = (&mut subscription.backlog, &subscription.settings);
            if is_taken {
                backlog.acknowledge(receipt, settings);
            } else {
                backlog.extend(receipt, std::time::Duration::ZERO, settings, now);
            }
        }
        state.settle(now);
        drop(state);
        self.changed();
    }
}

/// The request: <https://cloud.google.com/pubsub/docs/payload-unwrapping#wrapped_messages>. Two fields stand in it twice, in both spellings.
fn request(
    endpoint: &str,
    name: &str,
    delivery: &Delivery,
    tries: Option<u32>,
) -> http::Result<Request<Full<Bytes>>> {
    let mut message = told(&delivery.message);
    message["message_id"] = message["messageId"].clone();
    message["publish_time"] = message["publishTime"].clone();
    let mut body = json!({"message": message, "subscription": name});
    if let Some(tries) = tries {
        body["deliveryAttempt"] = tries.into();
    }
    Request::post(endpoint)
        .header(CONTENT_TYPE, "application/json")
        .header("user-agent", "CloudPubSub-Google")
        .header("from", "noreply@google.com")
        .body(Full::new(body.to_string().into()))
}
