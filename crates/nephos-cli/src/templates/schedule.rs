//! Runs by the clock.

use nephos::prelude::*;

/// Runs for each tick.
#[nephos::function]
async fn tidy(tick: Tick) -> Result<()> {
    println!("due at {}", tick.due_at);
    Ok(())
}

nephos::main!(tidy);
