//! Greets over HTTP: `POST /hello`, in JSON.

use nephos::http::{self, IntoResponse as _, Json};
use nephos::prelude::Result;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Guest {
    name: String,
}

#[derive(Serialize)]
struct Welcome {
    greeting: String,
}

#[nephos::function]
async fn hello(request: http::Request) -> Result<http::Response> {
    let guest: Guest = http::json(request).await?;
    let greeting = format!("Hello, {}!", guest.name);
    Ok(Json(Welcome { greeting }).into_response())
}

nephos::main!(hello);
