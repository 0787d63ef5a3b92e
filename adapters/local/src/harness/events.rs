//! Events as the embedded host delivers them, by its own encoder, and as a function's process reads them, by its decoder.

use std::time::Duration;

use bytes::Bytes;
use nephos_conformance::happening::{Delivered, Happening, Native, What};
use nephos_core::event::Body;
use nephos_core::handler::PathParams;
use nephos_core::{Result, TraceContext};

use crate::events::{decode_delivery, decode_http, encode_delivery, encode_http};
use crate::wire::{DeliveryKind, Meta};

/// What the deliveries say of the time that is left.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The one form that there is: the client's own request, or CloudEvents.
pub(super) fn native(happening: &Happening) -> Result<Native> {
    let meta = Meta {
        invocation_id: happening.id.clone(),
        timeout: TIMEOUT,
        attempt: happening.attempt,
        trace: TraceContext::default(),
    };
    if let What::Http(asked) = &happening.what {
        let mut parts = asked.parts.clone();
        encode_http(&mut parts.headers, &meta, &PathParams(asked.params()))?;
        return Ok(Native {
            form: "the client's request",
            message: http::Request::from_parts(parts, asked.body.clone()),
            is_document: false,
        });
    }
    Ok(Native {
        form: "CloudEvents",
        message: encode_delivery(&happening.event(), &meta)?,
        is_document: true,
    })
}

/// As the host of a function reads it.
pub(super) fn decode(native: &Native) -> Result<Delivered> {
    let message = native.message.clone();
    if DeliveryKind::of(message.headers()) == Some(DeliveryKind::Http) {
        let (event, meta) = decode_http(message.map(Body::from))?;
        return Ok(Delivered {
            event,
            attempt: meta.attempt,
        });
    }
    let meta = Meta::read(message.headers())?;
    let (parts, body): (_, Bytes) = message.into_parts();
    Ok(Delivered {
        event: decode_delivery(&parts.headers, body)?,
        attempt: meta.attempt,
    })
}
