use nephos::prelude::*;

#[nephos::function]
async fn recognise(photo: ObjectCreated) -> Result<()> {
    let count = std::rc::Rc::new(photo.size);
    std::future::ready(()).await;
    let _ = count;
    Ok(())
}

nephos::main!(recognise);
