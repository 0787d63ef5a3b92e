//! The trace that a request belongs to: W3C's, or, of older callers, [Google's own header](https://cloud.google.com/trace/docs/trace-context#legacy-http-header).

use http::HeaderMap;
use nephos_core::TraceContext;

const LEGACY: &str = "x-cloud-trace-context";

pub(super) fn of_headers(headers: &HeaderMap) -> TraceContext {
    let told = TraceContext::of_headers(headers);
    if told.parent.is_some() {
        return told;
    }
    let legacy = headers.get(LEGACY).and_then(|value| value.to_str().ok());
    TraceContext {
        parent: legacy.and_then(translated),
        state: None,
    }
}

/// `TRACE/SPAN;o=OPTIONS` as `traceparent`: the span is a decimal number there.
fn translated(text: &str) -> Option<String> {
    let (ids, options) = text.split_once(';').unwrap_or((text, ""));
    let (trace, span) = ids.split_once('/')?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if trace.len() != 32 || !is_hex(trace) || trace.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let span: u64 = span.parse().ok().filter(|span| *span > 0)?;
    let sampled = u8::from(options.trim() == "o=1");
    Some(format!(
        "00-{}-{span:016x}-{sampled:02x}",
        trace.to_ascii_lowercase()
    ))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_older_header_counts_where_there_is_no_other() {
        let parent = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(LEGACY, HeaderValue::from_static(text));
            of_headers(&headers).parent
        };
        assert_eq!(
            parent("105445AA7843BC8BF206B12000100000/1;o=1").as_deref(),
            Some("00-105445aa7843bc8bf206b12000100000-0000000000000001-01")
        );
        assert_eq!(
            parent("105445aa7843bc8bf206b12000100000/18446744073709551615").as_deref(),
            Some("00-105445aa7843bc8bf206b12000100000-ffffffffffffffff-00")
        );
        for none in [
            "",
            "1/1",
            "105445aa7843bc8bf206b12000100000",
            "105445aa7843bc8bf206b12000100000/0",
            "00000000000000000000000000000000/1",
        ] {
            assert_eq!(parent(none), None, "{none}");
        }
        let mut both = HeaderMap::new();
        both.insert(
            LEGACY,
            HeaderValue::from_static("105445aa7843bc8bf206b12000100000/1"),
        );
        let w3c = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        both.insert("traceparent", HeaderValue::from_static(w3c));
        assert_eq!(of_headers(&both).parent.as_deref(), Some(w3c));
    }
}
