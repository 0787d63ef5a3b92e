//! Answers over HTTP in the ways in which a host could go wrong.

use std::convert::Infallible;
use std::time::Duration;

use futures::stream;
use nephos::event::{Body, BufferedRequest, Response};
use nephos::http::{StatusCode, header};
use nephos::prelude::*;
use nephos_conformance::probe::{CHUNKS, PAUSE, SLOW, Slip};

/// Tells its process, unless the path says what else to do.
#[nephos::function]
pub(crate) async fn teller(request: http::Request) -> Result<Response> {
    match request.uri().path() {
        "/fail" if Slip::ErrorEndsProcess.is_made() => std::process::exit(7),
        "/fail" => Err(Error::retry("told to fail")),
        "/exit" if !Slip::ExitIgnored.is_made() => std::process::exit(7),
        "/slow" => {
            tokio::time::sleep(SLOW).await;
            Ok(Response::new("slow".into()))
        }
        "/chunks" => Ok(Response::new(chunks())),
        "/echo" => echo(request).await,
        _ => Ok(Response::new(std::process::id().to_string().into())),
    }
}

/// One chunk at once, the other after a pause.
fn chunks() -> Body {
    let held = Slip::ChunkHeld.is_made();
    let last = if Slip::ChunkLost.is_made() {
        1
    } else {
        CHUNKS.len()
    };
    Body::from_stream(stream::unfold(0, move |at| async move {
        let chunk = *CHUNKS.get(at).filter(|_| at < last)?;
        // All of the pause is before the second chunk, or before both.
        if (at > 0) != held {
            tokio::time::sleep(PAUSE).await;
        }
        Some((Ok::<_, Infallible>(chunk), at + 1))
    }))
}

/// The request's body, and two cookies.
async fn echo(request: http::Request) -> Result<Response> {
    let request = BufferedRequest::read(request, 1 << 20).await?;
    let mut response = Response::new(request.body.into());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        "application/octet-stream".parse().or_reject("no header")?,
    );
    let cookies: &[&str] = match Slip::CookiesJoined.is_made() {
        true => &["a=1; Path=/, b=2; Path=/"],
        false => &["a=1; Path=/", "b=2; Path=/"],
    };
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie.parse().or_reject("no header")?);
    }
    Ok(response)
}

/// What the process does before it is ready, if its environment says so; `false` if it is not to become so.
pub(crate) fn init() -> bool {
    let told = |name: &str| std::env::var(name).ok();
    if told(nephos_conformance::probe::INIT_FAILS).is_some() || Slip::InitFails.is_made() {
        return false;
    }
    if let Some(pause) = told(nephos_conformance::probe::INIT_MS).and_then(|text| text.parse().ok()) {
        std::thread::sleep(Duration::from_millis(pause));
    }
    true
}
