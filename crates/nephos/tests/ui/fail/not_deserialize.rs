use nephos::prelude::*;

struct Order;

#[nephos::function]
async fn fulfil(order: Message<Order>) -> Result<()> {
    let _ = order;
    Ok(())
}

nephos::main!(fulfil);
