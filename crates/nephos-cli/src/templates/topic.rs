//! Listens to a topic.

use nephos::prelude::*;
use serde::Deserialize;

/// A notification's body.
#[derive(Debug, Deserialize)]
struct News {
    headline: String,
}

/// Runs for each notification.
#[nephos::function]
async fn listen(news: Notification<News>) -> Result<()> {
    println!("{}", news.body.headline);
    Ok(())
}

nephos::main!(listen);
