use nephos::prelude::*;

#[nephos::function]
async fn recognise(photo: ObjectCreated) -> u32 {
    let _ = photo;
    7
}

nephos::main!(recognise);
