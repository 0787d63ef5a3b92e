use nephos::prelude::*;

#[nephos::function]
async fn recognise(photo: ObjectCreated, cx: Context, faces: Table) -> Result<()> {
    let _ = (photo, cx, faces);
    Ok(())
}

fn main() {}
