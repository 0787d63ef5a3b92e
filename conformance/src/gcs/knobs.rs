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

#[derive(Debug)]
struct Interrupted {
    method: Option<String>,
    path: String,
    left: u32,
    how: Interruption,
}

/// All knobs.
#[derive(Debug, Default)]
pub(super) struct Knobs(Vec<Interrupted>);

impl Knobs {
    pub(super) fn interrupt(&mut self, pattern: &str, times: u32, how: Interruption) {
        let (method, path) = match pattern.split_once(' ') {
            Some((method, path)) => (Some(method.to_owned()), path),
            None => (None, pattern),
        };
        self.0.push(Interrupted {
            method,
            path: path.to_owned(),
            left: times,
            how,
        });
    }

    /// What becomes of this request, if it is one of those.
    pub(super) fn interrupted(&mut self, method: &str, path: &str) -> Option<Interruption> {
        let found = self.0.iter_mut().find(|one| {
            one.left > 0
                && one.method.as_deref().is_none_or(|other| other == method)
                && path.contains(&one.path)
        })?;
        found.left -= 1;
        Some(found.how)
    }
}
