//! Knows whether an invocation is being handled: it lasts until the Runtime API has its answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_runtime::LambdaInvocation;
use lambda_runtime::tower::{Layer, Service};
use tokio::sync::Mutex;

/// A layer of the runtime. One invocation at a time holds the lock.
#[derive(Debug, Clone, Default)]
pub(super) struct Drain(Arc<Mutex<()>>);

impl Drain {
    /// Waits until no invocation is being handled.
    pub(super) async fn at_rest(&self) {
        drop(self.0.lock().await);
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

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let answered = self.inner.call(invocation);
        let lock = Arc::clone(&self.drain.0);
        Box::pin(async move {
            let _held = lock.lock().await;
            answered.await
        })
    }
}
