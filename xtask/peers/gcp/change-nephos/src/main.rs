//! Looks at changes of a table of orders, one by one.

use nephos::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

#[nephos::function]
async fn watch(change: Change<Order>) -> Result<()> {
    if let Some(order) = change.new
        && (order.quantity == 0 || order.item.is_empty())
    {
        return Err(Error::reject("an order of nothing"));
    }
    Ok(())
}

nephos::main!(watch);
