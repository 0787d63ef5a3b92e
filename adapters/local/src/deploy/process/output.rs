//! A process's output, line by line in bounded memory: long lines are cut, and what comes too fast is counted instead of kept.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest line that is kept, in bytes.
const MAX_LINE: usize = 8 << 10;
/// How much of a stream is kept in each [`WINDOW`], in bytes.
const MAX_WINDOW: usize = 1 << 20;
/// The time over which a stream's volume is bounded.
const WINDOW: Duration = Duration::from_secs(1);

/// Reads `pipe` to its end, and gives each line to `line`. The pipe is always emptied, so that whoever writes never waits.
pub(super) async fn read_lines<R: AsyncRead + Unpin>(mut pipe: R, mut line: impl FnMut(String)) {
    let mut limiter = Limiter::new(Instant::now());
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = if limiter.dropped > 0 {
            match tokio::time::timeout(WINDOW, pipe.read(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => {
                    limiter.push(&[], Instant::now(), &mut line);
                    continue;
                }
            }
        } else {
            pipe.read(&mut buffer).await
        };
        match read {
            Ok(0) | Err(_) => break,
            Ok(read) => limiter.push(&buffer[..read], Instant::now(), &mut line),
        }
    }
    limiter.finish(&mut line);
}

/// Cuts a stream of bytes into lines, and drops what is too much.
#[derive(Debug)]
struct Limiter {
    /// The line that has not ended yet.
    partial: Vec<u8>,
    /// How many bytes of that line were cut off.
    cut: u64,
    window: Instant,
    kept: usize,
    dropped: u64,
}

impl Limiter {
    fn new(now: Instant) -> Self {
        Self {
            partial: Vec::new(),
            cut: 0,
            window: now,
            kept: 0,
            dropped: 0,
        }
    }

    fn push(&mut self, mut bytes: &[u8], now: Instant, line: &mut impl FnMut(String)) {
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            self.kept = 0;
            self.tell_dropped(line);
        }
        while !bytes.is_empty() {
            if self.kept >= MAX_WINDOW {
                self.dropped += bytes.len() as u64;
                return;
            }
            let (piece, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&bytes[..end], true),
                None => (bytes, false),
            };
            let room = MAX_LINE - self.partial.len();
            let (fits, beyond) = piece.split_at(piece.len().min(room));
            self.partial.extend_from_slice(fits);
            self.cut += beyond.len() as u64;
            self.kept += fits.len() + 1;
            bytes = &bytes[piece.len() + usize::from(ended)..];
            if ended {
                self.end_line(line);
            }
        }
    }

    fn end_line(&mut self, line: &mut impl FnMut(String)) {
        let mut text =
            String::from_utf8_lossy(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial)).into_owned();
        if self.cut > 0 {
            text.push_str(&format!(" … {} bytes of the line cut", self.cut));
        }
        self.partial.clear();
        self.cut = 0;
        line(text);
    }

    fn tell_dropped(&mut self, line: &mut impl FnMut(String)) {
        if self.dropped > 0 {
            // What is left of a line in which the loss began is a line of its own.
            if !self.partial.is_empty() {
                self.end_line(line);
            }
            line(format!("… {} bytes of output dropped", self.dropped));
            self.dropped = 0;
        }
    }

    fn finish(mut self, line: &mut impl FnMut(String)) {
        if !self.partial.is_empty() && self.dropped == 0 {
            self.end_line(line);
        }
        self.tell_dropped(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[(&[u8], u64)]) -> Vec<String> {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let mut lines = Vec::new();
        let mut line = |text| lines.push(text);
        for (chunk, at) in chunks {
            limiter.push(chunk, start + Duration::from_millis(*at), &mut line);
        }
        limiter.finish(&mut line);
        lines
    }

    #[test]
    fn lines_are_put_together_over_reads() {
        assert_eq!(
            lines(&[(b"one\r\ntw", 0), (b"o\n\nthree", 1)]),
            ["one", "two", "", "three"]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let mut long = vec![b'x'; MAX_LINE + 5];
        long.extend_from_slice(b"\nnext\n");
        let lines = lines(&[(&long, 0)]);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            format!("{} … 5 bytes of the line cut", "x".repeat(MAX_LINE))
        );
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn what_comes_too_fast_is_counted_and_the_next_second_is_heard_again() {
        let flood = b"y\n".repeat(4 * MAX_WINDOW);
        let lines = lines(&[(&flood, 0), (b"later\n", 1500)]);
        let kept: usize = lines.iter().filter(|line| *line == "y").count();
        assert_eq!(kept, MAX_WINDOW / 2);
        assert_eq!(
            lines[kept],
            format!("… {} bytes of output dropped", flood.len() - kept * 2)
        );
        assert_eq!(lines[kept + 1], "later");
    }

    #[tokio::test]
    async fn a_gigabyte_is_read_to_its_end_in_bounded_memory() {
        let pipe = tokio::io::AsyncReadExt::take(tokio::io::repeat(b'z'), 1 << 30);
        let mut lines = Vec::new();
        read_lines(pipe, |line| lines.push(line)).await;
        let total: usize = lines.iter().map(String::len).sum();
        assert!(total < 64 << 20, "{total}");
        assert!(
            lines.iter().any(|line| line.contains("bytes of")),
            "{} lines",
            lines.len()
        );
    }
}
