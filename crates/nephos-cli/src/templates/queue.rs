//! Works on the messages of a queue.

use nephos::prelude::*;
use serde::Deserialize;

/// A message's body.
#[derive(Debug, Deserialize)]
struct Order {
    article: String,
    quantity: u32,
}

/// Runs for each message. An `Err` brings it back later; `Error::reject` sends it to the dead-letter queue.
#[nephos::function]
async fn fulfil(order: Message<Order>) -> Result<()> {
    if order.body.quantity == 0 {
        return Err(Error::reject("an order of nothing"));
    }
    println!("{} × {} (attempt {})", order.body.quantity, order.body.article, order.attempt);
    Ok(())
}

nephos::main!(fulfil);
