//! HTTP requests: they travel as themselves, their bodies streaming; only the headers say what the embedded host knows besides.

use std::collections::BTreeMap;

use chrono::Utc;
use http::{HeaderMap, Request};
use nephos_core::event::cloudevents::HTTP_REQUEST;
use nephos_core::event::{Attributes, Body, Data};
use nephos_core::handler::PathParams;
use nephos_core::{Event, Result};

use crate::wire::{DeliveryKind, Meta, PATH_PARAMS, decode_path_params, encode_path_params, strip_reserved};

/// Makes a client's request headers those of a delivery: drops what only the embedded host may say, and says it.
///
/// # Errors
/// As [`encode_path_params`].
pub fn encode_http(headers: &mut HeaderMap, meta: &Meta, params: &PathParams) -> Result<()> {
    strip_reserved(headers);
    meta.write(DeliveryKind::Http, headers);
    if !params.0.is_empty() {
        headers.insert(PATH_PARAMS, encode_path_params(params)?);
    }
    Ok(())
}

/// Reads the delivery of an HTTP request: the client's request as it was, with the route's parameters in its extensions.
///
/// # Errors
/// [`InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if the host's headers are missing or not what they should be.
pub fn decode_http(mut request: Request<Body>) -> Result<(Event, Meta)> {
    let meta = Meta::read(request.headers())?;
    let params = decode_path_params(request.headers())?;
    strip_reserved(request.headers_mut());
    request.extensions_mut().insert(params);
    let attributes = Attributes {
        id: meta.invocation_id.clone(),
        source: "http".into(),
        ty: HTTP_REQUEST.into(),
        subject: None,
        time: Some(Utc::now()),
        extensions: BTreeMap::new(),
    };
    Ok((Event::new(attributes, Data::Http(request)), meta))
}
