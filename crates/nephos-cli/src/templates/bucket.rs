//! Writes a summary of each uploaded object.

use nephos::prelude::*;

/// Runs for each object created in `uploads`.
#[nephos::function]
async fn summarise(object: ObjectCreated, cx: Context) -> Result<()> {
    let bytes = cx.bucket("uploads")?.get(&object.key).await?;
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let summary = format!("{}: {} bytes, {lines} line(s)\n", object.key, bytes.len());
    print!("{summary}");
    cx.bucket("summaries")?.put(&object.key, summary).await?;
    Ok(())
}

nephos::main!(summarise);
