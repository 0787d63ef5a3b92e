use nephos::prelude::*;

#[nephos::function(memory = "512 MiB")]
async fn recognise(_photo: ObjectCreated) -> Result<()> {
    Ok(())
}

fn main() {}
