//! A connection to a function's process, driven by whoever waits for its answer.
//!
//! There is no task behind a connection: the invocation that uses it polls it, so that an invocation costs no wake-up of another task, and
//! dropping the invocation hangs up. Between invocations nobody polls it; whether it is still good shows when it is used again.

use std::fmt;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nephos_core::event::Body;
use tokio::runtime::{self, Handle};

use crate::wire::pipes::{self, Pipes};

/// The body of a delivery.
#[derive(Debug)]
pub enum DeliveryBody {
    /// An event, whole.
    Whole(Option<Bytes>),
    /// A client's request, streaming.
    Client(Incoming),
    /// A request made by hand.
    Made(Body),
}

impl http_body::Body for DeliveryBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Client(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Made(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Client(body) => body.is_end_stream(),
            Self::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Client(body) => body.size_hint(),
            Self::Made(body) => body.size_hint(),
        }
    }
}

type Driver = http1::Connection<TokioIo<Pipes>, DeliveryBody>;

/// A connection.
pub(super) struct Connection {
    sender: http1::SendRequest<DeliveryBody>,
    /// `None` once it has ended. In a box: a connection changes hands several times in an invocation, and this is a kilobyte.
    driver: Option<Box<Driver>>,
    /// Why it ended, if badly.
    broken: Option<hyper::Error>,
    /// The event loop that it belongs to: polled elsewhere, it would wake another thread for each of its steps.
    home: runtime::Id,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("open", &self.driver.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was no longer good; the request is as it was, and can go over another.
    NotSent(Box<Request<DeliveryBody>>),
    /// The exchange broke off.
    Broken(hyper::Error),
}

impl Connection {
    /// Connects to the process that listens on `socket`.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) async fn open(socket: &Path) -> std::io::Result<Self> {
        let stream = pipes::connect(socket).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        Ok(Self {
            sender,
            driver: Some(Box::new(driver)),
            broken: None,
            home: Handle::current().id(),
        })
    }

    /// The event loop that it belongs to.
    pub(super) fn home(&self) -> runtime::Id {
        self.home
    }

    /// Lets the connection do what it can.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && let Poll::Ready(ended) = Pin::new(driver).poll(cx)
        {
            self.driver = None;
            self.broken = ended.err();
        }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// The connection is new, or was [settled](Self::settle) after its last exchange, so it takes the request at once. Before that is written it
    /// looks whether the process has closed it: then the request comes back.
    pub(super) async fn exchange(
        &mut self,
        request: Request<DeliveryBody>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let sent = poll_fn(|cx| {
            if let Some(driver) = &mut self.driver
                && let Poll::Ready(ended) = Pin::new(driver).poll(cx)
            {
                self.driver = None;
                self.broken = ended.err();
            }
            answer.as_mut().poll(cx)
        })
        .await;
        sent.map_err(|mut error| match error.take_message() {
            Some(request) => Failure::NotSent(Box::new(request)),
            None => Failure::Broken(self.broken.take().unwrap_or_else(|| error.into_error())),
        })
    }

    /// The next piece of the answer's body.
    pub(super) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // The first piece most often came with the head.
        let mut polled = Pin::new(&mut *body).poll_frame(cx);
        if polled.is_pending() {
            self.drive(cx);
            polled = Pin::new(&mut *body).poll_frame(cx);
        }
        if let Poll::Ready(Some(Ok(_))) = &polled
            && !body.is_end_stream()
        {
            // Lets it read on while this piece is passed on.
            self.drive(cx);
        }
        polled
    }

    /// Finishes what is left of the last exchange; whether it can take another request.
    pub(super) fn settle(&mut self) -> bool {
        // Nobody waits: whoever uses the connection next polls it anew.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }
}
