//! Unit tests of functions, without a host: make an event, call the function, look at the outcome.
//!
//! A function with `#[nephos::function]` can be called as what it is; [`invoke`] calls it as a host does, with arguments extracted, panics caught and
//! records one by one.
//!
//! ```
//! use nephos::prelude::*;
//! use nephos::testing;
//!
//! #[nephos::function]
//! async fn fulfil(order: Message<u32>) -> Result<()> {
//!     if order.body == 0 { Err(Error::reject("an order of nothing")) } else { Ok(()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let outcome = testing::invoke(fulfil, testing::messages("orders", [Payload::json(&0)?])).await;
//! assert!(matches!(outcome, nephos::Outcome::Batch(failed) if failed.failures().len() == 1));
//! # Ok(())
//! # }
//! ```

use chrono::Utc;
use nephos_core::event::{
    BufferedRequest, Data, Message, Notification, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo,
    Payload, Request, Response, Tick,
};
use nephos_core::handler::Handler;
use nephos_core::{Context, Event, Function, Outcome};

/// Handles one event as a host does, with a context that has no resources.
pub async fn invoke<Args, H: Handler<Args>>(function: H, event: Event) -> Outcome {
    invoke_with(function, event, context().build()).await
}

/// Handles one event as a host does, with this context.
pub async fn invoke_with<Args, H: Handler<Args>>(function: H, event: Event, cx: Context) -> Outcome {
    Function::new("test", function).dispatch(event, cx).await
}

/// A context to add resources, a deadline or a trace to.
#[must_use]
pub fn context() -> nephos_core::context::ContextBuilder {
    Context::builder("test").app("test").target("test")
}

/// Messages of a queue, with the ids `1`, `2`, … and on their first delivery.
pub fn messages(queue: &str, bodies: impl IntoIterator<Item = Payload>) -> Event {
    let messages = bodies.into_iter().zip(1_u32..).map(|(body, number)| Message {
        id: number.to_string(),
        queue: queue.to_owned(),
        body,
        attributes: Default::default(),
        group: None,
        attempt: 1,
        sent_at: Some(Utc::now()),
    });
    Event::of(Data::Queue(messages.collect()))
}

/// A notification of a topic.
#[must_use]
pub fn notification(topic: &str, body: Payload) -> Event {
    Event::of(Data::Topic(Notification {
        id: "1".to_owned(),
        topic: topic.to_owned(),
        body,
        subject: None,
        attributes: Default::default(),
        published_at: Some(Utc::now()),
    }))
}

/// An object was created.
#[must_use]
pub fn object_created(bucket: &str, key: &str) -> Event {
    let object = ObjectInfo::new(bucket, key);
    Event::of(Data::Bucket(ObjectEvent::Created(ObjectCreated(object))))
}

/// An object was deleted.
#[must_use]
pub fn object_deleted(bucket: &str, key: &str) -> Event {
    let object = ObjectInfo::new(bucket, key);
    Event::of(Data::Bucket(ObjectEvent::Deleted(ObjectDeleted(object))))
}

/// A schedule's tick, due now.
#[must_use]
pub fn tick(schedule: &str) -> Event {
    Event::of(Data::Schedule(Tick {
        schedule: schedule.to_owned(),
        due_at: Utc::now(),
        past_due: false,
    }))
}

/// An HTTP request.
#[must_use]
pub fn request(request: Request) -> Event {
    Event::of(Data::Http(request))
}

/// The body of a response as text, up to a mebibyte; what is not UTF-8 is replaced.
pub async fn text(response: Response) -> String {
    const LIMIT: usize = 1 << 20;
    let request = Request::new(response.into_body());
    match BufferedRequest::read(request, LIMIT).await {
        Ok(read) => String::from_utf8_lossy(&read.body).into_owned(),
        Err(error) => error.chain(),
    }
}
