//! An order's way through a queue, a table, its changes and a topic.

use nephos::http::{Json, StatusCode};
use nephos::prelude::*;
use serde::{Deserialize, Serialize};

/// What a customer sends.
#[derive(Debug, Serialize, Deserialize)]
struct NewOrder {
    id: String,
    article: String,
    quantity: u32,
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: String,
    article: String,
    quantity: u32,
    status: String,
}

/// Takes an order and answers at once; the queue keeps it safe.
#[nephos::function]
async fn place(request: http::Request, cx: Context) -> Result<(StatusCode, Json<NewOrder>)> {
    let order: NewOrder = http::json(request).await?;
    if order.id.is_empty() || order.quantity == 0 {
        return Err(Error::reject("an order needs an id and a quantity of at least 1"));
    }
    cx.queue("incoming")?.send_json(&order).await?;
    Ok((StatusCode::ACCEPTED, Json(order)))
}

/// Tells where an order is.
#[nephos::function]
async fn status(request: http::Request, cx: Context) -> Result<Json<Order>> {
    let id = http::path(&request, "id")?;
    let order = cx.table("orders")?.get(id).await?;
    order
        .map(Json)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "orders.status", "no such order").with("id", id))
}

/// Writes an order to the table. The same message may come twice; the order is written once.
#[nephos::function]
async fn fulfil(message: Message<NewOrder>, cx: Context) -> Result<()> {
    let NewOrder {
        id,
        article,
        quantity,
    } = message.body;
    if quantity > 1_000 {
        return Err(Error::reject(format!(
            "{quantity} is more than the warehouse holds"
        )));
    }
    let order = Order {
        id,
        article,
        quantity,
        status: "accepted".to_owned(),
    };
    match cx.table("orders")?.put_if_absent(&order).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Announces what changed in the table.
#[nephos::function]
async fn announce(change: Change<Order>, cx: Context) -> Result<()> {
    if let Some(order) = change.new {
        let notification = Publication::json(&order)?.attribute("status", &order.status);
        cx.topic("order-events")?.publish(notification).await?;
    }
    Ok(())
}

/// Writes the customer's receipt.
#[nephos::function]
async fn receipt(accepted: Notification<Order>, cx: Context) -> Result<()> {
    let order = accepted.body;
    let text = format!("Order {}: {} × {}\n", order.id, order.quantity, order.article);
    cx.bucket("receipts")?
        .put(&format!("{}.txt", order.id), text)
        .await?;
    Ok(())
}

/// What the report says.
#[derive(Debug, Default, Serialize)]
struct Report {
    orders: u64,
    articles: u64,
}

/// Counts the orders.
#[nephos::function]
async fn report(_tick: Tick, cx: Context) -> Result<()> {
    let orders = cx.table("orders")?;
    let mut report = Report::default();
    let mut cursor = None;
    loop {
        let page = orders.scan::<Order>(100, cursor.as_deref()).await?;
        for stored in &page.items {
            report.orders += 1;
            report.articles += u64::from(stored.item.quantity);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    cx.bucket("receipts")?
        .put("report.json", Payload::json(&report)?.bytes)
        .await?;
    Ok(())
}

nephos::main!(place, status, fulfil, announce, receipt, report);
