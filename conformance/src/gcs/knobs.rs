//! What a test has the stand-in do that Cloud Storage does at times of its own: refuse, throttle, break off.

/// What becomes of a request instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// This status (429, 500, 503), with an error body in the form of the interface.
    Status(u16),
    /// The connection is cut, and nothing was done.
    Cut,
    /// What was asked for is done, but the connection is cut before the answer.
    CutAfterwards,
    /// Of a chunk of a resumable upload only so many quanta of 256 KiB are taken, and 308 says so.
    Keep(usize),
}
