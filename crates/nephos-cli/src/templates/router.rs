//! A whole axum router as one function.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// What `POST /echo` takes and gives.
#[derive(Serialize, Deserialize)]
struct Echo {
    text: String,
}

/// All routes of the API.
#[nephos::function]
fn api() -> Router {
    Router::new()
        .route("/hello/{name}", get(|Path(name): Path<String>| async move { format!("Hello, {name}!\n") }))
        .route("/echo", post(|Json(echo): Json<Echo>| async move { Json(echo) }))
}

nephos::main!(api);
