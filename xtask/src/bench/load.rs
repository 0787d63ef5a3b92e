//! A load generator that costs little, because it shares the cores with what it measures: one thread for all
//! connections, HTTP/1.1 keep-alive, and no parsing beyond what finds the end of an answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// Longer than any answer that is worth measuring.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What to send, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The server.
    pub(crate) to: SocketAddr,
    /// One whole request, head and body.
    pub(crate) request: Vec<u8>,
    /// The body that every answer must have.
    pub(crate) answer: Vec<u8>,
    /// Connections, each with one request under way at a time.
    pub(crate) connections: usize,
    /// How long to send.
    pub(crate) duration: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Answers a second, over all connections.
    pub(crate) per_second: f64,
    /// Every latency in nanoseconds, sorted.
    latencies: Vec<u64>,
}

impl Sample {
    /// The latency that `share` (0 to 1) of all answers kept, in milliseconds; zero without answers.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a latency fit")]
        self.latencies.get(at).map_or(0.0, |&ns| ns as f64 / 1e6)
    }
}

impl Load {
    /// A `GET` without a body.
    pub(crate) fn get(to: SocketAddr, path: &str, answer: &str) -> Self {
        Self {
            to,
            request: format!("GET {path} HTTP/1.1\r\nhost: {to}\r\n\r\n").into_bytes(),
            answer: answer.as_bytes().to_vec(),
            connections: 1,
            duration: Duration::from_secs(1),
        }
    }

    /// Sends for the duration and measures every answer.
    ///
    /// # Errors
    /// A connection that fails, an answer that is neither 200 nor 204 or has another body: a wrong answer has no speed.
    pub(crate) fn run(&self) -> io::Result<Sample> {
        let started = Instant::now();
        let until = started + self.duration;
        let latencies = within(self.duration + ANSWER_LIMIT, async {
            let mut connections = JoinSet::new();
            for _ in 0..self.connections {
                let load = self.clone();
                connections.spawn(async move { load.one(until).await });
            }
            let mut latencies = Vec::new();
            while let Some(one) = connections.join_next().await {
                latencies.extend(one.map_err(io::Error::other)??);
            }
            Ok(latencies)
        });
        let mut latencies: Vec<u64> = latencies?;
        let elapsed = started.elapsed().as_secs_f64();
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "a count of requests fits")]
        let per_second = latencies.len() as f64 / elapsed;
        Ok(Sample {
            per_second,
            latencies,
        })
    }

    /// Sends one request on a connection of its own and gives the time to the first byte of its answer.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub(crate) fn first_byte(&self) -> io::Result<Duration> {
        within(ANSWER_LIMIT, async {
            let started = Instant::now();
            let mut connection = Connection::open(self.to).await?;
            connection.stream.write_all(&self.request).await?;
            connection.fill().await?;
            let first = started.elapsed();
            connection.answer(&self.answer).await?;
            Ok(first)
        })
    }

    /// Sends one request on a connection of its own and gives the body of its answer, whatever it is.
    ///
    /// # Errors
    /// A connection that fails, an answer that is neither 200 nor 204.
    pub(crate) fn ask(&self) -> io::Result<Vec<u8>> {
        within(ANSWER_LIMIT, async {
            let mut connection = Connection::open(self.to).await?;
            connection.stream.write_all(&self.request).await?;
            connection.body().await
        })
    }

    async fn one(&self, until: Instant) -> io::Result<Vec<u64>> {
        let mut latencies = Vec::with_capacity(64 * 1024);
        let mut connection = Connection::open(self.to).await?;
        let mut now = Instant::now();
        while now < until {
            connection.stream.write_all(&self.request).await?;
            connection.answer(&self.answer).await?;
            let done = Instant::now();
            latencies.push(u64::try_from((done - now).as_nanos()).unwrap_or(u64::MAX));
            now = done;
        }
        Ok(latencies)
    }
}

/// Does the work on this thread; not in time is an error.
fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer came in time")))
    })
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed a connection in use",
            )),
            _ => Ok(()),
        }
    }

    /// Reads one whole answer, which must be the expected one.
    async fn answer(&mut self, expected: &[u8]) -> io::Result<()> {
        let body = self.body().await?;
        if body == expected {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "unexpected answer {:?}",
            String::from_utf8_lossy(&body)
        )))
    }

    /// Reads one whole answer and leaves the buffer empty.
    async fn body(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(body) = whole_answer(&self.buffer)? {
                self.buffer.clear();
                return Ok(body);
            }
            self.fill().await?;
        }
    }
}

/// The body of the one answer in `buffer`, or `None` while it is not whole.
fn whole_answer(buffer: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&buffer[..end], &buffer[end + 4..]);
    // It has no body: https://www.rfc-editor.org/rfc/rfc9110#section-15.3.5
    if head.starts_with(b"HTTP/1.1 204") {
        return Ok(Some(Vec::new()));
    }
    if !head.starts_with(b"HTTP/1.1 200") {
        let status = head.split(|&b| b == b'\r').next().unwrap_or_default();
        return Err(io::Error::other(format!(
            "unexpected status `{}`",
            String::from_utf8_lossy(status)
        )));
    }
    if let Some(length) = header(head, "content-length") {
        let length: usize = length
            .parse()
            .map_err(|_| io::Error::other("content-length is no number"))?;
        return Ok((body.len() >= length).then(|| body[..length].to_vec()));
    }
    if header(head, "transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return chunks(body);
    }
    Err(io::Error::other(
        "an answer has neither content-length nor chunks",
    ))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let head = std::str::from_utf8(head).ok()?;
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn chunks(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|w| w == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|s| usize::from_str_radix(s.trim(), 16).ok());
        let size = size.ok_or_else(|| io::Error::other("a chunk's size is no number"))?;
        rest = &rest[end + 2..];
        if rest.len() < size + 2 {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_only_at_its_last_byte() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ] {
            for cut in 0..answer.len() {
                assert_eq!(
                    whole_answer(&answer.as_bytes()[..cut]).unwrap(),
                    None,
                    "cut at {cut}: {answer}"
                );
            }
            assert_eq!(whole_answer(answer.as_bytes()).unwrap().unwrap(), b"hello");
        }
    }

    #[test]
    fn an_answer_without_content_is_whole_with_its_head() {
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(whole_answer(answer).unwrap().unwrap(), b"");
        assert_eq!(whole_answer(&answer[..20]).unwrap(), None);
    }

    #[test]
    fn an_answer_that_is_not_200_or_has_no_length_is_an_error() {
        let error = whole_answer(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("502"), "{error}");
        assert!(whole_answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(whole_answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").is_err());
    }

    #[test]
    fn percentiles_come_from_the_sorted_latencies() {
        let sample = Sample {
            per_second: 1.0,
            latencies: (1..=101).map(|ms| ms * 1_000_000).collect(),
        };
        assert!((sample.percentile_ms(0.5) - 51.0).abs() < 1e-9);
        assert!((sample.percentile_ms(1.0) - 101.0).abs() < 1e-9);
        let empty = Sample {
            per_second: 0.0,
            latencies: Vec::new(),
        };
        assert!(empty.percentile_ms(0.5).abs() < 1e-9);
    }
}
