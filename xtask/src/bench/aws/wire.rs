//! The little of HTTP/1.1 that the servers of this benchmark need: whole requests of known length, on a connection that stays.

use std::io::{self, Read as _};
use std::net::TcpStream;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The request line and the headers.
    head: String,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// `GET`, `PUT`, …
    pub(super) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The path as it was sent.
    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// How long the body is.
    fn length(&self) -> io::Result<usize> {
        if self.header("transfer-encoding").is_some() {
            return Err(io::Error::other(
                "a request in chunks, where one of known length was expected",
            ));
        }
        match self.header("content-length") {
            Some(length) => length
                .parse()
                .map_err(|_| io::Error::other("content-length is no number")),
            None => Ok(0),
        }
    }
}

/// A connection, and what came of the next request already.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::with_capacity(16 * 1024),
        })
    }

    /// The next request, once it is whole; `None` at the connection's end.
    pub(super) fn next(&mut self) -> io::Result<Option<Request>> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(read) => self.ahead.extend_from_slice(&chunk[..read]),
                // A process that was killed.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let mut request = Request {
            head: String::from_utf8_lossy(&self.ahead[..end]).into_owned(),
            body: Vec::new(),
        };
        let length = request.length()?;
        let here = length.min(self.ahead.len() - end);
        request.body.reserve_exact(length);
        request.body.extend_from_slice(&self.ahead[end..end + here]);
        self.ahead.drain(..end + here);
        let missing = u64::try_from(length - here).unwrap_or(u64::MAX);
        (&self.stream).take(missing).read_to_end(&mut request.body)?;
        if request.body.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(request))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    fn sent(parts: &'static [&'static [u8]]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.set_nodelay(true).unwrap();
            for part in parts {
                stream.write_all(part).unwrap();
            }
        });
        Connection::new(listener.accept().unwrap().0).unwrap()
    }

    #[test]
    fn requests_are_told_apart_wherever_they_are_cut() {
        let mut connection = sent(&[
            b"GET /next HTTP/1.1\r\n\r\nPOST /1/resp",
            b"onse HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe",
            b"llo",
        ]);
        let first = connection.next().unwrap().unwrap();
        assert_eq!(
            (first.method(), first.path(), first.body.len()),
            ("GET", "/next", 0)
        );
        let second = connection.next().unwrap().unwrap();
        assert_eq!((second.method(), second.path()), ("POST", "/1/response"));
        assert_eq!(second.body, b"hello");
        assert!(connection.next().unwrap().is_none());
    }

    #[test]
    fn a_request_without_a_length_that_is_known_is_an_error() {
        assert!(
            sent(&[b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"])
                .next()
                .is_err()
        );
        assert!(
            sent(&[b"PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"])
                .next()
                .is_err()
        );
    }
}
