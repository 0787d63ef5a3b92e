use nephos::prelude::*;

struct Gate;

impl Gate {
    #[nephos::function]
    async fn recognise(&self, photo: ObjectCreated) -> Result<()> {
        let _ = photo;
        Ok(())
    }
}

fn main() {}
