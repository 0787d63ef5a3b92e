use nephos::prelude::*;

#[nephos::function]
fn recognise(photo: ObjectCreated) -> Result<()> {
    let _ = photo;
    Ok(())
}

fn main() {}
