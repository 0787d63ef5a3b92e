use nephos::prelude::*;

#[nephos::function]
async fn recognise(photo: u32) -> Result<()> {
    let _ = photo;
    Ok(())
}

nephos::main!(recognise);
