use nephos::prelude::*;

#[nephos::function]
async fn recognise() -> Result<()> {
    Ok(())
}

fn main() {}
