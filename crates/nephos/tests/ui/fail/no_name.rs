use nephos::prelude::*;

#[nephos::function]
async fn __(_photo: ObjectCreated) -> Result<()> {
    Ok(())
}

fn main() {}
