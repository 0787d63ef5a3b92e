//! What must hold for any bytes that a stranger, a function or a manifest's author may hand to Nephos: one module a fuzz target.
//!
//! A `check` returns for input that is refused as it should be, and panics for anything that is a finding. The fuzz targets
//! only call it, so that an input can also be replayed without a fuzzer.

#![forbid(unsafe_code)]

pub mod aws;
pub mod azure;
pub mod cloudevents;
pub mod delivery;
pub mod email;
pub mod gcp;
pub mod key;
pub mod manifest;
pub mod outcome;
pub mod request;
pub mod schedule;
pub mod table;
pub mod units;
pub mod wire;

/// The first line of the input and what follows it, for inputs that say first what they are.
pub(crate) fn first_line(data: &[u8]) -> Option<(&str, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = data.split_at(end);
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}

/// An error is for a person: one line, one sentence without its full stop.
pub(crate) fn check_error(error: &nephos_core::Error) {
    assert!(!error.message().is_empty(), "an error without a message");
    assert!(
        !error.message().contains('\n'),
        "{error}: a message of several lines"
    );
    assert!(
        !error.operation().is_empty(),
        "{error}: an error without an operation"
    );
}
