//! Runs for each change of a table.

use nephos::prelude::*;
use serde::Deserialize;

/// An item of the table.
#[derive(Debug, Deserialize)]
struct User {
    id: String,
    name: String,
}

/// Runs for each change: `old` is the item before, `new` the item after.
#[nephos::function]
async fn audit(change: Change<User>) -> Result<()> {
    let user = change.new.as_ref().or(change.old.as_ref());
    println!("{} {}: {:?}", change.kind, change.key, user.map(|user| (&user.id, &user.name)));
    Ok(())
}

nephos::main!(audit);
