//! Greets over HTTP: the smallest whole app.

use nephos::http::{self, IntoResponse as _, Json, Method};
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

/// `GET /hello/{name}` greets in plain text, `POST /hello` in JSON.
#[nephos::function]
async fn hello(request: http::Request) -> Result<http::Response> {
    if request.method() == Method::POST {
        let guest: Guest = http::json(request).await?;
        let greeting = format!("Hello, {}!", guest.name);
        return Ok(Json(Welcome { greeting }).into_response());
    }
    let name = http::path(&request, "name")?;
    Ok(format!("Hello, {name}!\n").into_response())
}

nephos::main!(hello);

#[cfg(test)]
mod tests {
    use nephos::Outcome;
    use nephos::http::{Body, PathParams, StatusCode, header};
    use nephos::testing;

    use super::*;

    async fn answer(request: http::Request) -> (StatusCode, String, String) {
        let Outcome::Http(response) = testing::invoke(hello, testing::request(request)).await else {
            panic!("an HTTP function answers with a response");
        };
        let status = response.status();
        let content_type = response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        (status, content_type, testing::text(response).await)
    }

    fn post(body: &'static str) -> http::Request {
        let mut request = http::Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        request
    }

    #[tokio::test]
    async fn a_path_is_greeted_in_plain_text() {
        let mut request = http::Request::new(Body::empty());
        let params = [("name".to_owned(), "nephos".to_owned())];
        request.extensions_mut().insert(PathParams(params.into()));
        let (status, content_type, body) = answer(request).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "Hello, nephos!\n"));
        assert!(content_type.starts_with("text/plain"), "{content_type}");
    }

    #[tokio::test]
    async fn a_body_is_greeted_in_json() {
        let (status, content_type, body) = answer(post(r#"{"name":"Ann"}"#)).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::OK, r#"{"greeting":"Hello, Ann!"}"#)
        );
        assert_eq!(content_type, "application/json");
    }

    #[tokio::test]
    async fn a_body_without_a_name_is_the_callers_mistake() {
        let (status, content_type, _) = answer(post("{}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(content_type, "application/problem+json");
    }
}
