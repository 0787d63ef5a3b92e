//! A connection's two pipes: what the embedded host and a function's process speak HTTP over.
//!
//! The host connects to the process's socket and hands two pipes over it, one for each way ([unix(7)], `SCM_RIGHTS`); the socket has done its work
//! then. A message through a pipe costs the system less than half of one through the socket, and reading it does not wake its writer.
//!
//! [unix(7)]: https://man7.org/linux/man-pages/man7/unix.7.html

use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::{Interest, Join};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};

/// Both ways of a connection.
pub type Pipes = Join<Receiver, Sender>;

/// The one byte that the pipes travel with: a message must have one.
const HANDED: [u8; 1] = [0];

/// Programs that a handler starts must not keep a connection open. Some systems cannot be told so in the call itself.
#[cfg(not(target_vendor = "apple"))]
const FLAGS: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const FLAGS: RecvFlags = RecvFlags::empty();

/// Connects to the process that listens on `socket`.
///
/// # Errors
/// The process has ended, or too many files are open.
pub async fn connect(socket: &Path) -> io::Result<Pipes> {
    let socket = UnixStream::connect(socket).await?;
    let (reader, writer) = hand_over(&socket)?;
    join(reader, writer)
}

/// Takes the connection whose caller [connected](connect) to a socket.
///
/// # Errors
/// As [`take_over`].
pub async fn accept(socket: UnixStream) -> io::Result<Pipes> {
    let (reader, writer) = socket.async_io(Interest::READABLE, || take_over(&socket)).await?;
    join(reader, writer)
}

/// Makes two pipes and hands their far ends over the socket; returns the near ends, which block.
///
/// # Errors
/// Too many open files, or a socket whose other side is gone.
pub fn hand_over(socket: impl AsFd) -> io::Result<(PipeReader, PipeWriter)> {
    let (near_reader, far_writer) = io::pipe()?;
    let (far_reader, near_writer) = io::pipe()?;
    let ends = [far_reader.as_fd(), far_writer.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let fits = message.push(SendAncillaryMessage::ScmRights(&ends));
    debug_assert!(fits, "the space is made for two");
    sendmsg(socket, &[IoSlice::new(&HANDED)], &mut message, SendFlags::empty())?;
    Ok((near_reader, near_writer))
}

/// Takes what [`hand_over`] handed over; what is returned blocks.
///
/// # Errors
/// [`InvalidData`](io::ErrorKind::InvalidData) if the caller handed over something else; [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing has
/// come yet and the socket does not wait.
pub fn take_over(socket: impl AsFd) -> io::Result<(PipeReader, PipeWriter)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut message, FLAGS)?;
    let mut handed = message.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(ends) => Some(ends),
        _ => None,
    });
    let ends: Option<[OwnedFd; 2]> = handed
        .next()
        .and_then(|mut ends| Some([ends.next()?, ends.next()?]));
    let [reader, writer] = ends.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the caller handed over no pipes; functions are called through the gateway or with `nephos invoke`",
        )
    })?;
    #[cfg(target_vendor = "apple")]
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((reader.into(), writer.into()))
}

fn join(reader: PipeReader, writer: PipeWriter) -> io::Result<Pipes> {
    Ok(tokio::io::join(
        Receiver::from_owned_fd(reader.into())?,
        Sender::from_owned_fd(writer.into())?,
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream as Socket;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_until_either_side_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let (near, far) = tokio::join!(connect(&path), async {
            let (socket, _) = listener.accept().await.unwrap();
            accept(socket).await
        });
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        near.write_all(b"ping").await.unwrap();
        far.write_all(b"pong").await.unwrap();
        let (mut there, mut back) = ([0; 4], [0; 4]);
        far.read_exact(&mut there).await.unwrap();
        near.read_exact(&mut back).await.unwrap();
        assert_eq!((&there, &back), (b"ping", b"pong"));

        drop(near);
        assert_eq!(far.read(&mut there).await.unwrap(), 0, "the end is seen");
        let error = far.write_all(b"late").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn pipes_outlive_the_socket_that_they_came_over() {
        let (caller, called) = Socket::pair().unwrap();
        let (mut reader, mut writer) = hand_over(&caller).unwrap();
        drop(caller);
        writer.write_all(b"question").unwrap();
        drop(writer);
        let (mut far_reader, mut far_writer) = take_over(&called).unwrap();
        drop(called);
        let (mut there, mut back) = (String::new(), String::new());
        far_reader.read_to_string(&mut there).unwrap();
        far_writer.write_all(b"answer").unwrap();
        drop(far_writer);
        reader.read_to_string(&mut back).unwrap();
        assert_eq!((there.as_str(), back.as_str()), ("question", "answer"));
    }

    #[test]
    fn a_process_that_never_takes_its_pipes_hangs_up_when_it_ends() {
        let (caller, called) = Socket::pair().unwrap();
        let (mut reader, _writer) = hand_over(&caller).unwrap();
        drop(called);
        let mut nothing = String::new();
        assert_eq!(reader.read_to_string(&mut nothing).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_caller_that_hands_over_no_pipes_is_told_so() {
        let (mut caller, called) = Socket::pair().unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let error = take_over(&called).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("nephos invoke"), "{error}");

        let (caller, called) = Socket::pair().unwrap();
        drop(caller);
        assert!(take_over(&called).is_err(), "a caller that is gone");

        // Two descriptors that are no pipes.
        let (caller, called) = UnixStream::pair().unwrap();
        let files = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let ends = files.each_ref().map(AsFd::as_fd);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        assert!(message.push(SendAncillaryMessage::ScmRights(&ends)));
        sendmsg(
            &caller,
            &[IoSlice::new(&HANDED)],
            &mut message,
            SendFlags::empty(),
        )
        .unwrap();
        let error = accept(called).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}
