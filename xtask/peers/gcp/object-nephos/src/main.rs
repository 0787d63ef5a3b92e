//! Looks at the objects that come into a bucket.

use nephos::prelude::*;

#[nephos::function]
async fn look(object: ObjectCreated) -> Result<()> {
    if object.size == Some(0) || !object.key.ends_with(".jpg") {
        return Err(Error::reject("no picture"));
    }
    Ok(())
}

nephos::main!(look);
