//! All that a function may look like.

use nephos::prelude::*;

#[derive(serde::Deserialize)]
struct Order {
    id: u32,
}

#[nephos::function]
async fn of_event(order: Message<Order>) -> Result<()> {
    assert_ne!(order.body.id, 0);
    Ok(())
}

/// With a context, and nothing to return.
#[nephos::function]
async fn of_event_and_context(_tick: Tick, cx: Context) {
    assert_eq!(cx.attempt(), 1);
}

#[nephos::function(name = "all-readings")]
async fn whole_batch(batch: Batch<Record<String>>) -> Result<BatchOutcome> {
    let mut outcome = BatchOutcome::new();
    if let Some(first) = batch.first() {
        outcome.reject(&first.sequence, "no");
    }
    Ok(outcome)
}

#[nephos::function]
async fn page(request: http::Request) -> impl http::IntoResponse {
    request.uri().to_string()
}

const ABOVE_SITE: u32 = line!();
#[nephos::function]
fn site() -> axum::Router {
    axum::Router::new()
}

mod inner {
    use nephos::prelude::{Email, ErrorContext as _, Result};

    #[nephos::function]
    pub async fn r#match(email: Email) -> Result<(), std::num::ParseIntError> {
        email.subject.parse::<u32>().map(|_| ())
    }

    #[nephos::function]
    pub(crate) async fn context(email: Email) -> Result<()> {
        email.subject.parse::<u32>().or_reject("no number")?;
        Ok(())
    }
}

#[allow(dead_code, reason = "that it compiles is all that counts")]
mod program {
    use super::*;

    nephos::main!(of_event, of_event_and_context, whole_batch, page, site, inner::r#match, inner::context);
}

fn main() {
    let named = |function: nephos::Function| function.info().name.clone();
    assert_eq!(named(__nephos_function_of_event()), "of-event");
    assert_eq!(named(__nephos_function_of_event_and_context()), "of-event-and-context");
    assert_eq!(named(__nephos_function_whole_batch()), "all-readings");
    assert_eq!(named(inner::__nephos_function_match()), "match");
    let site = __nephos_function_site();
    assert_eq!(site.info().trigger, Some(nephos::TriggerKind::Http));
    let location = format!("forms.rs:{}", ABOVE_SITE + 1);
    assert!(site.info().location.as_deref().unwrap().ends_with(&location));
    // A function stays one that can be called.
    let _future = of_event;
}
