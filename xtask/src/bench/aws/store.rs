//! A store that speaks as much S3 as putting and getting an object takes: it answers from memory and looks at no signature, so that the clients are
//! what is measured. Stores that are more than that spend several times a client's own time, on disk.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use xtask::shell::{Error, Result};

use super::wire::Connection;

type Objects = Mutex<HashMap<String, Arc<Vec<u8>>>>;

/// Serves on a free port until the benchmark ends.
///
/// # Errors
/// A machine without a free port.
pub(super) fn start() -> Result<SocketAddr> {
    let failed = |e: io::Error| Error::Other(format!("the store cannot listen: {e}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let objects = Arc::new(Objects::default());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(io::Result::ok) {
            let objects = Arc::clone(&objects);
            // A client that breaks off tells of it itself.
            std::thread::spawn(move || serve(stream, &objects));
        }
    });
    Ok(at)
}

fn serve(stream: TcpStream, objects: &Objects) -> io::Result<()> {
    const HEADERS: &str =
        "etag: \"0123456789abcdef0123456789abcdef\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.next()? {
        let path = request.path().to_owned();
        let found = match request.method() {
            "PUT" => {
                let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
                objects.insert(path, Arc::new(request.body));
                Some(Arc::default())
            }
            "GET" => objects
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&path)
                .cloned(),
            _ => None,
        };
        let (status, body) = match &found {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &[][..]),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\n{HEADERS}content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        // One packet where it fits, and no copy where it is long.
        if body.len() <= 16 * 1024 {
            answer.extend_from_slice(body);
            connection.stream.write_all(&answer)?;
        } else {
            connection.stream.write_all(&answer)?;
            connection.stream.write_all(body)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn ask(at: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn what_was_put_can_be_got() {
        let at = start().unwrap();
        assert!(ask(at, "GET /b/k HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask(at, "PUT /b/k HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi").starts_with("HTTP/1.1 200"));
        assert!(ask(at, "GET /b/k HTTP/1.1\r\n\r\n").ends_with("content-length: 2\r\n\r\nhi"));
    }
}
