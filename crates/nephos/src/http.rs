//! HTTP for functions: the `http` crate's types around the streaming body that axum uses.

pub use axum_core::extract::FromRequest;
pub use axum_core::response::IntoResponse;
pub use nephos_core::event::{Body, BufferedRequest, Request, Response};
pub use nephos_core::handler::PathParams;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
