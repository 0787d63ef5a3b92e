//! Queues of Service Bus whose messages have sessions, which is how it keeps order: <https://learn.microsoft.com/azure/service-bus-messaging/message-sessions>.
//!
//! Messages are sent by the service's REST interface. That interface [has no receiver of sessions](https://learn.microsoft.com/rest/api/servicebus/introduction), so a
//! function gets these messages by its trigger only.

use std::any::Any;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{Request, Url};
use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use nephos_core::resource::Binding;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::config::Config;
use crate::payload;
use crate::resources::bus;
use crate::resources::rest::{Proof, Rest, TokenForm, last_part};

const SEND: &str = "queue.send";

/// The service that a token is for.
const SCOPE: &str = "https://servicebus.azure.net/.default";

/// The most bytes of a message with all that it carries, in the standard tier: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>.
const MAX_MESSAGE: usize = 256 * 1024;

/// What Service Bus itself adds.
const RESERVED: usize = 4 * 1024;

/// A scheduled message has no longest delay; this is as long as those of other queues on Azure.
const MAX_DELAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// A queue of Service Bus with sessions. A message's session is its group.
#[derive(Debug)]
pub struct ServiceBusQueue {
    rest: Rest,
    url: Url,
    name: String,
}

impl ServiceBusQueue {
    /// Opens the queue whose URL the binding holds (`sb:`).
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a queue.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let address = config.address(wiring::physical(binding)?)?;
        last_part(&address)?;
        let url = bus::messages(&address);
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        Ok(Self {
            rest: Rest::new(config, &url, proof),
            url,
            name: binding.name.clone(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("queue", &self.name)
    }

    fn unsupported<T>(&self, operation: &'static str) -> Result<T> {
        Err(self.of(Error::new(
            ErrorKind::Unsupported,
            operation,
            "messages of an ordered queue on Azure reach a function by its trigger only; give it a `queue` trigger, or use a queue that is not `ordered`",
        )))
    }

    /// The request that sends the message. The form with headers is what other programs expect, as it has the message's own media type.
    fn request(&self, message: &Outgoing, id: &str, now: DateTime<Utc>) -> Result<Request> {
        let session = message.group.clone().unwrap_or_else(payload::ungrouped);
        let mut broker = json!({"MessageId": id, "SessionId": session});
        if !message.delay.is_zero() {
            broker["ScheduledEnqueueTimeUtc"] = scheduled(now, message.delay);
        }
        // The message has its media type itself; names that look like ours are told from ours.
        let plain = payload::to_properties(None, &message.attributes);
        if bus::fits_headers(&plain) {
            return bus::in_headers(SEND, &self.url, &message.body, &broker, &plain);
        }
        let properties = bus::properties(&message.body, &message.attributes);
        match bus::in_json(&message.body, &broker, &properties) {
            Some(message) => Ok(bus::list(&self.url, vec![message])),
            None => bus::in_headers(SEND, &self.url, &message.body, &broker, &plain),
        }
    }
}

/// The time at which a message is to be seen, in whole seconds: what is less would be sooner.
fn scheduled(now: DateTime<Utc>, delay: Duration) -> Value {
    let mut at = now + TimeDelta::from_std(delay).unwrap_or(TimeDelta::days(7));
    if at.nanosecond() > 0 {
        at += TimeDelta::seconds(1);
    }
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string().into()
}

#[async_trait]
impl QueueDriver for ServiceBusQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: MAX_DELAY,
            max_visibility_timeout: Duration::from_secs(300),
            max_message_bytes: MAX_MESSAGE - RESERVED,
            max_receive: 1,
            ordered_groups: true,
            attributes: true,
            exact_depth: false,
            counts_leased: false,
            counts_delayed: false,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let now = Utc::now();
        let prepared = batch
            .iter()
            .map(|message| {
                let id = uuid::Uuid::new_v4().simple().to_string();
                Ok((self.request(message, &id, now)?, id))
            })
            .collect::<Result<Vec<_>>>()
            .map_err(|error| self.of(error))?;
        let mut ids = Vec::with_capacity(prepared.len());
        // One after the other: their order is what the queue is for.
        for (request, id) in prepared {
            self.rest
                .send(SEND, request)
                .await
                .map_err(|error| self.of(error))?;
            ids.push(id);
        }
        Ok(ids)
    }

    async fn receive(
        &self,
        _max: usize,
        _visibility_timeout: Duration,
        _wait: Duration,
    ) -> Result<Vec<Received>> {
        self.unsupported("queue.receive")
    }

    async fn ack(&self, _receipts: &[Receipt]) -> Result<()> {
        self.unsupported("queue.ack")
    }

    async fn nack(&self, _receipt: &Receipt, _delay: Duration) -> Result<()> {
        self.unsupported("queue.nack")
    }

    async fn extend(&self, _receipt: &Receipt, _visibility_timeout: Duration) -> Result<Receipt> {
        self.unsupported("queue.extend")
    }

    async fn depth(&self) -> Result<Depth> {
        Err(self.of(Error::new(
            ErrorKind::Unsupported,
            "queue.depth",
            "how many messages an ordered queue holds, Azure tells its managers only; look at the queue's metrics",
        )))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Azure's underneath; this one sends what it is given.
        &self.rest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use azure_core::http::headers::HeaderName;
    use nephos_core::resource::ResourceKind;

    use super::*;

    fn queue() -> ServiceBusQueue {
        let binding = Binding {
            name: "jobs".to_owned(),
            kind: ResourceKind::Queue,
            access: BTreeSet::new(),
            url: None,
            properties: BTreeMap::from([(
                wiring::PHYSICAL.to_owned(),
                "sb://ns.servicebus.windows.net/jobs".to_owned(),
            )]),
        };
        let config = Config::load(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        ServiceBusQueue::open(&config, &binding).unwrap()
    }

    fn broker(request: &Request) -> Value {
        let header = request
            .headers()
            .get_optional_str(&HeaderName::from_static("brokerproperties"))
            .unwrap();
        serde_json::from_str(header).unwrap()
    }

    #[test]
    fn a_messages_session_is_its_group_and_one_without_has_its_own() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let grouped = queue()
            .request(&Outgoing::new("x").group("a/ü"), "1", now)
            .unwrap();
        assert_eq!(broker(&grouped), json!({"MessageId": "1", "SessionId": "a/ü"}));
        let alone = || broker(&queue().request(&Outgoing::new("x"), "1", now).unwrap())["SessionId"].clone();
        assert_ne!(alone(), alone());
        assert_eq!(payload::group(alone().as_str().unwrap()), None);
    }

    #[test]
    fn a_delay_is_rounded_up_to_whole_seconds() {
        let now = DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap();
        assert_eq!(
            scheduled(now, Duration::from_secs(1)),
            "Tue, 14 Nov 2023 22:13:22 GMT"
        );
        let request = queue()
            .request(&Outgoing::new("x").delay(Duration::from_secs(1)), "1", now)
            .unwrap();
        assert_eq!(
            broker(&request)["ScheduledEnqueueTimeUtc"],
            "Tue, 14 Nov 2023 22:13:22 GMT"
        );
    }

    #[test]
    fn attributes_that_fit_no_header_are_in_json_if_the_body_is_text() {
        let now = Utc::now();
        let text = queue()
            .request(&Outgoing::new("x").attribute("Tenant", "blü"), "1", now)
            .unwrap();
        let header = text
            .headers()
            .get_optional_str(&HeaderName::from_static("content-type"));
        assert_eq!(header, Some("application/vnd.microsoft.servicebus.json"));
        let error = queue()
            .request(&Outgoing::new(vec![0xff]).attribute("Tenant", "x"), "1", now)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[tokio::test]
    async fn what_sessions_do_not_allow_says_what_does() {
        let queue = queue();
        let error = queue
            .receive(1, Duration::ZERO, Duration::ZERO)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("trigger"), "{error}");
        assert_eq!(queue.depth().await.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
