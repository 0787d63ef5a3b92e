//! What stands around each invocation: it lasts until the Runtime API has its answer, and its document is taken as it came.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use lambda_runtime::LambdaInvocation;
use lambda_runtime::tower::{Layer, Service};
use tokio::sync::Mutex;

/// What `lambda_runtime` reads instead of the document: it would read and copy the whole of it before [`decode`](crate::events::decode) does.
const TAKEN: Bytes = Bytes::from_static(b"null");

/// A layer of the runtime. One invocation at a time holds the lock.
#[derive(Debug, Clone, Default)]
pub(super) struct Drain {
    lock: Arc<Mutex<()>>,
    document: Arc<std::sync::Mutex<Bytes>>,
}

impl Drain {
    /// Waits until no invocation is being handled.
    pub(super) async fn at_rest(&self) {
        drop(self.lock.lock().await);
    }

    /// The document of the invocation that is being handled, once.
    pub(super) fn document(&self) -> Bytes {
        std::mem::take(&mut *self.document.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Layer<S> for Drain {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            drain: self.clone(),
        }
    }
}

/// The runtime's service under a [`Drain`].
#[derive(Debug)]
pub(super) struct Counted<S> {
    inner: S,
    drain: Drain,
}

impl<S> Service<LambdaInvocation> for Counted<S>
where
    S: Service<LambdaInvocation, Response = ()>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        // The runtime handles one invocation after the other: nobody else's document is here.
        *self.drain.document.lock().unwrap_or_else(PoisonError::into_inner) =
            std::mem::replace(&mut invocation.body, TAKEN);
        let answered = self.inner.call(invocation);
        let lock = Arc::clone(&self.drain.lock);
        Box::pin(async move {
            let _held = lock.lock().await;
            answered.await
        })
    }
}
