//! A response's body in pieces of bounded size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::event::Body;

/// The longest piece, in bytes.
const PIECE: usize = 64 << 10;

/// A body whose longer pieces are cut. The connection copies each piece behind what it has not sent yet, and sends both by one call of the system, which costs less than to hand over two
/// places; a large body as one piece would be copied whole.
#[derive(Debug)]
pub(super) struct Pieces {
    body: Body,
    /// What is left of a long piece.
    rest: Bytes,
}

impl Pieces {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            rest: Bytes::new(),
        }
    }

    fn cut(&mut self) -> Frame<Bytes> {
        Frame::data(self.rest.split_to(self.rest.len().min(PIECE)))
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(task));
            match frame {
                Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data.len() > PIECE) => {
                    self.rest = frame.into_data().unwrap_or_default();
                }
                other => return Poll::Ready(other),
            }
        }
        Poll::Ready(Some(Ok(self.cut())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (told, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = told.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(told.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_long_piece_is_cut_and_what_is_left_is_told() {
        let whole = Bytes::from((0..PIECE * 2 + 3).map(|n| (n % 251) as u8).collect::<Vec<_>>());
        let mut pieces = Pieces::new(Body::from(whole.clone()));
        let (mut read, mut lengths) = (Vec::new(), Vec::new());
        while !pieces.is_end_stream() {
            assert_eq!(
                pieces.size_hint().exact(),
                Some((whole.len() - read.len()) as u64)
            );
            let piece = pieces.frame().await.unwrap().unwrap().into_data().unwrap();
            lengths.push(piece.len());
            read.extend_from_slice(&piece);
        }
        assert_eq!(lengths, [PIECE, PIECE, 3]);
        assert!(read == whole);
        assert!(pieces.frame().await.is_none());
    }

    #[tokio::test]
    async fn shorter_pieces_and_an_error_between_are_passed_on() {
        let parts = [Ok("a"), Ok("bc"), Err("cut off")];
        let mut pieces = Pieces::new(Body::from_stream(stream::iter(parts).boxed()));
        for expected in ["a", "bc"] {
            let piece = pieces.frame().await.unwrap().unwrap();
            assert_eq!(piece.into_data().unwrap(), expected);
        }
        assert!(pieces.frame().await.unwrap().is_err());
        assert!(Pieces::new(Body::empty()).is_end_stream());
    }
}
