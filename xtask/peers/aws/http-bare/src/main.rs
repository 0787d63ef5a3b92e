//! Greets over HTTP, `GET /hello/{name}`, as one writes it without Nephos, with the log of `lambda_runtime` as its template begins.

use aws_lambda_events::lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use lambda_runtime::{Error, LambdaEvent, service_fn};

async fn hello(event: LambdaEvent<LambdaFunctionUrlRequest>) -> Result<LambdaFunctionUrlResponse, Error> {
    let path = event.payload.raw_path.as_deref().unwrap_or_default();
    let name = path
        .strip_prefix("/hello/")
        .filter(|name| !name.is_empty() && !name.contains('/'));
    let mut answer = LambdaFunctionUrlResponse::default();
    let (status, body) = match name {
        Some(name) => (200, format!("Hello, {name}!\n")),
        None => (404, String::new()),
    };
    answer.status_code = status;
    answer.body = Some(body);
    answer.headers = HeaderMap::from_iter([(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    )]);
    Ok(answer)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    lambda_runtime::run(service_fn(hello)).await
}
