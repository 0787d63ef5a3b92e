//! Answers over HTTP: what it was asked, or what it was told to.

use nephos::event::{BufferedRequest, Response};
use nephos::handler::PathParams;
use nephos::prelude::*;
use nephos_conformance::probe::Slip;
use serde_json::json;

/// `/items/{id}` tells the request, `/status/{code}` answers with the code, anything else panics.
#[nephos::function]
pub(crate) async fn web(request: http::Request, cx: Context) -> Result<Response> {
    let params = request
        .extensions()
        .get::<PathParams>()
        .cloned()
        .unwrap_or_default()
        .0;
    let status = match params.get("code") {
        Some(_) if Slip::StatusFlattened.is_made() => 200,
        Some(code) => code.parse().or_reject("the code is no number")?,
        None if params.contains_key("id") => 200,
        None if Slip::PanicTold.is_made() => {
            let mut told = Response::new("told to panic".to_owned().into());
            *told.status_mut() = nephos::http::StatusCode::INTERNAL_SERVER_ERROR;
            return Ok(told);
        }
        None => panic!("told to panic"),
    };
    let request = BufferedRequest::read(request, 1 << 20).await?;
    let query = request.parts.uri.query().filter(|_| !Slip::QueryHidden.is_made());
    let seen = json!({
        "method": request.parts.method.as_str(),
        "path": request.parts.uri.path(),
        "query": query,
        "params": params,
        "body": String::from_utf8_lossy(&request.body),
    });
    let body = if status == 204 {
        String::new()
    } else {
        seen.to_string()
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = nephos::http::StatusCode::from_u16(status).or_reject("no such status")?;
    response
        .headers_mut()
        .insert("x-probe", "answered".parse().or_reject("no header")?);
    if let Some(parent) = cx
        .trace()
        .parent
        .as_ref()
        .filter(|_| !Slip::TraceHidden.is_made())
    {
        response
            .headers_mut()
            .insert("x-probe-trace", parent.parse().or_reject("no header")?);
    }
    Ok(response)
}
