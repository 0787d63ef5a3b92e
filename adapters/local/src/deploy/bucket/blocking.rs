//! File work off the async threads.

use nephos_core::{Error, ErrorKind, Result};

/// Runs file work on a thread that may block.
pub(super) async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_cancelled() => Err(Error::new(
            ErrorKind::Cancelled,
            "bucket",
            "the host is shutting down",
        )),
        Err(error) => {
            Err(Error::new(ErrorKind::Internal, "bucket", "the bucket's file work panicked").caused_by(error))
        }
    }
}
