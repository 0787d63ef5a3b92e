//! Says hello over HTTP.

use nephos::prelude::*;

/// Answers `GET /hello/{name}`.
#[nephos::function]
async fn hello(request: http::Request) -> Result<String> {
    let name = http::path(&request, "name")?;
    Ok(format!("Hello, {name}!\n"))
}

nephos::main!(hello);
