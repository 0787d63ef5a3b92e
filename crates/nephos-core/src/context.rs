//! What a handler knows besides its event: deadline, attempt, trace, names, and the resources that it may use.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Result;
use crate::event::{Raw, random_id};
use crate::resource::Resources;
use crate::resource::bucket::Bucket;
use crate::resource::queue::Queue;
use crate::resource::secret::Secret;
use crate::resource::stream::Stream;
use crate::resource::table::Table;
use crate::resource::topic::Topic;

/// [W3C trace context](https://www.w3.org/TR/trace-context/), as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceContext {
    /// `traceparent`.
    pub parent: Option<String>,
    /// `tracestate`.
    pub state: Option<String>,
}

impl TraceContext {
    /// The trace that a request's headers tell; empty if they tell none.
    #[must_use]
    pub fn of_headers(headers: &http::HeaderMap) -> Self {
        // Names that are made once: one of text is read, letter by letter, at each request.
        static PARENT: http::HeaderName = http::HeaderName::from_static("traceparent");
        static STATE: http::HeaderName = http::HeaderName::from_static("tracestate");
        let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self::new(text(&PARENT), || text(&STATE))
    }

    /// A trace of its headers' values; the second is asked for only where there is the first.
    #[must_use]
    pub fn new(parent: Option<String>, state: impl FnOnce() -> Option<String>) -> Self {
        Self {
            // Half a trace context is not one.
            state: parent.as_ref().and_then(|_| state()),
            parent,
        }
    }
}

/// What a handler knows besides its event. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    /// What is the same for all invocations.
    launched: Arc<Launched>,
    /// Made when it is asked for, where nobody told one.
    invocation_id: OnceLock<String>,
    attempt: u32,
    deadline: Option<Instant>,
    trace: TraceContext,
    raw: Option<Raw>,
}

#[derive(Debug, Clone)]
struct Launched {
    function: Arc<str>,
    app: Arc<str>,
    target: Arc<str>,
    resources: Arc<Resources>,
}

macro_rules! resource {
    ($($(#[$doc:meta])* $method:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) if the function's `uses` does not name it,
        /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if nephos.toml declares it as another kind.
        pub fn $method(&self, name: &str) -> Result<$type> {
            self.0.launched.resources.$method(name)
        }
    )*};
}

impl Context {
    /// A context for `function`, with the rest by the builder's methods. Hosts make one for each invocation; tests may make their own.
    #[must_use]
    pub fn builder(function: &str) -> ContextBuilder {
        let launched = Launched {
            function: function.into(),
            app: "".into(),
            target: "".into(),
            resources: Arc::new(Resources::none()),
        };
        ContextBuilder(Inner {
            launched: Arc::new(launched),
            invocation_id: OnceLock::new(),
            attempt: 1,
            deadline: None,
            trace: TraceContext::default(),
            raw: None,
        })
    }

    /// The invocation's id, unique on this target.
    #[must_use]
    pub fn invocation_id(&self) -> &str {
        self.0.invocation_id.get_or_init(random_id)
    }

    /// The function's name in the manifest.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.0.launched.function
    }

    /// The app's name.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.0.launched.app
    }

    /// The target's name in the manifest.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.0.launched.target
    }

    /// Which delivery of the event this is, from 1. In a batch each message has its own.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When the invocation is ended by force; `None` where the target sets no limit.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The time left; `None` where the target sets no limit.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The trace that the event belongs to.
    #[must_use]
    pub fn trace(&self) -> &TraceContext {
        &self.0.trace
    }

    /// The provider's bytes as they came; `None` for HTTP, whose request is the raw form already.
    #[must_use]
    pub fn raw(&self) -> Option<&Raw> {
        self.0.raw.as_ref()
    }

    /// All resources that the function may use.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.0.launched.resources
    }

    resource! {
        /// The bucket of this name.
        bucket -> Bucket;
        /// The queue of this name.
        queue -> Queue;
        /// The topic of this name.
        topic -> Topic;
        /// The stream of this name.
        stream -> Stream;
        /// The table of this name.
        table -> Table;
        /// The secret of this name.
        secret -> Secret;
    }

    /// The same context with another attempt number: for one record, which counts its own deliveries.
    pub(crate) fn for_record(&self, attempt: Option<u32>) -> Self {
        match attempt {
            Some(attempt) if attempt != self.0.attempt => {
                // All records are of the one invocation.
                let _ = self.invocation_id();
                let mut inner = (*self.0).clone();
                inner.attempt = attempt;
                Self(Arc::new(inner))
            }
            _ => self.clone(),
        }
    }

    pub(crate) fn with_raw(self, raw: Option<Raw>) -> Self {
        if raw.is_none() {
            return self;
        }
        let Self(mut inner) = self;
        // Nobody else has it yet, so that it stays where it is.
        Arc::make_mut(&mut inner).raw = raw;
        Self(inner)
    }
}

/// Builds a [`Context`]; a clone is a cheap start for the next one.
#[derive(Debug, Clone)]
pub struct ContextBuilder(Inner);

impl ContextBuilder {
    /// Sets the invocation's id; a random one by default.
    #[must_use]
    pub fn invocation_id(mut self, id: impl Into<String>) -> Self {
        self.0.invocation_id = OnceLock::from(id.into());
        self
    }

    /// Sets the app's name.
    #[must_use]
    pub fn app(mut self, app: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0.launched).app = app.into();
        self
    }

    /// Sets the target's name.
    #[must_use]
    pub fn target(mut self, target: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0.launched).target = target.into();
        self
    }

    /// Sets the attempt, from 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt.max(1);
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// Sets the trace context.
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.0.trace = trace;
        self
    }

    /// Sets the resources.
    #[must_use]
    pub fn resources(mut self, resources: Arc<Resources>) -> Self {
        Arc::make_mut(&mut self.0.launched).resources = resources;
        self
    }

    /// Makes the context.
    #[must_use]
    pub fn build(self) -> Context {
        let Inner {
            invocation_id,
            attempt,
            deadline,
            trace,
            ..
        } = &self.0;
        let id = invocation_id.get().cloned().unwrap_or_default();
        self.invocation(id, *attempt, *deadline, trace.clone())
    }

    /// Makes the context of one invocation among others: with its own id (a random one if it is empty), attempt (from 1), deadline and trace, and all else as the builder has
    /// it.
    #[must_use]
    pub fn invocation(
        &self,
        id: impl Into<String>,
        attempt: u32,
        deadline: Option<Instant>,
        trace: TraceContext,
    ) -> Context {
        let told: String = id.into();
        Context(Arc::new(Inner {
            launched: Arc::clone(&self.0.launched),
            invocation_id: if told.is_empty() {
                OnceLock::new()
            } else {
                OnceLock::from(told)
            },
            attempt: attempt.max(1),
            deadline,
            trace,
            raw: None,
        }))
    }
}
