//! Checks orders from a queue, one by one.

use nephos::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

#[nephos::function]
async fn fulfil(order: Message<Order>) -> Result<()> {
    if order.body.quantity == 0 || order.body.item.is_empty() {
        return Err(Error::reject("an order of nothing"));
    }
    Ok(())
}

nephos::main!(fulfil);
