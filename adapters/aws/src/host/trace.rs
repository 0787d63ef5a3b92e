//! X-Ray's trace header as a W3C trace context.

use nephos_core::TraceContext;

/// The trace of an [`X-Amzn-Trace-Id`](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader) header:
/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1` is
/// `00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01`. Empty if root or parent is missing or none, as
/// [OpenTelemetry](https://opentelemetry.io/docs/specs/otel/context/api-propagators/) has it: half a trace context is not one.
#[must_use]
pub fn from_xray(header: &str) -> TraceContext {
    let mut trace = None;
    let mut parent = None;
    let mut sampled = false;
    for part in header.split(';') {
        match part.trim().split_once('=') {
            Some(("Root", root)) => trace = trace_id(root),
            Some(("Parent", id)) => parent = hex(id, 16).map(str::to_ascii_lowercase),
            Some(("Sampled", value)) => sampled = value == "1",
            // Lineage and whoever else adds his own.
            _ => {}
        }
    }
    let (Some(trace), Some(parent)) = (trace, parent) else {
        return TraceContext::default();
    };
    TraceContext {
        parent: Some(format!("00-{trace}-{parent}-{:02x}", u8::from(sampled))),
        state: None,
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`: version, seconds, random.
fn trace_id(root: &str) -> Option<String> {
    let (seconds, random) = root.strip_prefix("1-")?.split_once('-')?;
    let id = format!("{}{}", hex(seconds, 8)?, hex(random, 24)?);
    id.bytes()
        .any(|byte| byte != b'0')
        .then(|| id.to_ascii_lowercase())
}

/// `text` if it is so many hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<&str> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(header: &str) -> Option<String> {
        from_xray(header).parent
    }

    #[test]
    fn root_parent_and_sampling_become_a_traceparent() {
        let root = "Root=1-5759e988-BD862e3fe1be46a994272793";
        let expected = |flags: &str| {
            Some(format!(
                "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-{flags}"
            ))
        };
        assert_eq!(
            parent(&format!("{root};Parent=53995c3f42cd8ad8;Sampled=1")),
            expected("01")
        );
        assert_eq!(
            parent(&format!(
                "{root}; Parent=53995c3f42cd8ad8; Sampled=0;Lineage=1:a87bd80c:0"
            )),
            expected("00")
        );
        assert_eq!(
            parent(&format!("Parent=53995c3f42cd8ad8;{root};Sampled=?")),
            expected("00")
        );
    }

    #[test]
    fn half_a_trace_context_is_none() {
        for header in [
            "",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
            "Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=1-5759e988-bd862e3fe1be46a99427279;Parent=53995c3f42cd8ad8",
            "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8adz",
        ] {
            assert_eq!(parent(header), None, "{header}");
        }
    }
}
