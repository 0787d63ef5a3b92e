//! The end of a function's process, as the target tells it: with a signal.

use std::os::unix::net::UnixStream as Pipe;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

use crate::error::{Error, ErrorKind, Result};

/// Waits until the process is told to end, with SIGTERM or SIGINT. They are listened for from the first poll on; one that comes before ends the process as if nobody listened, when
/// nothing is in flight yet.
///
/// By a pipe that the handlers write to, and not by tokio's own handling of signals: that prepares for every signal there is when the runtime is built, which takes as long as all else
/// that a host starts with.
///
/// # Errors
/// [`ErrorKind::Internal`] if the process cannot listen for signals.
pub async fn told_to_end() -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            "host.start",
            "the process cannot listen for signals",
        )
        .caused_by(error)
    };
    let told = listen().map_err(failed)?;
    told.readable().await.map_err(failed)
}

/// What can be read once a signal has come.
fn listen() -> std::io::Result<UnixStream> {
    let (read, write) = Pipe::pair()?;
    pipe::register(SIGTERM, write.try_clone()?)?;
    pipe::register(SIGINT, write)?;
    read.set_nonblocking(true)?;
    UnixStream::from_std(read)
}
