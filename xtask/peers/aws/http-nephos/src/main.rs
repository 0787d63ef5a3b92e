//! Greets over HTTP: `GET /hello/{name}`.

use nephos::http::{self, IntoResponse as _};
use nephos::prelude::Result;

#[nephos::function]
async fn hello(request: http::Request) -> Result<http::Response> {
    let name = http::path(&request, "name")?;
    Ok(format!("Hello, {name}!\n").into_response())
}

nephos::main!(hello);
