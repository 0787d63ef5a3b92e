use nephos::prelude::*;

#[nephos::function]
async fn fulfil<T: serde::de::DeserializeOwned + Send + 'static>(order: Message<T>) -> Result<()> {
    let _ = order;
    Ok(())
}

fn main() {}
