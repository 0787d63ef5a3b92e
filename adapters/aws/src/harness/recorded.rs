//! AWS on tapes: the drivers over what the emulator answered once, and no emulator.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use nephos_conformance::replay::{self, Dialect, Recorded, Source, Tape};
use nephos_conformance::{
    Delivered, Deployment, Exception, Happening, Harness, HostCapabilities, Mode, Native, Suite,
};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use super::emulator::{self, Emulator, Service};
use super::events::Events;
use super::resources;
use super::suite::EXCEPTIONS;

const ADAPTER: &str = "aws";

/// Where the recordings are.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");

/// The groups whose rules ask a provider's services and run no functions.
const GROUPS: [&str; 7] = ["events", "bucket", "queue", "topic", "stream", "table", "secret"];

const RUNS_FUNCTIONS: &str =
    "what a subscriber sees is seen by a function that runs, and functions are not recorded";

/// Rules of these groups that need more than a provider's services.
const WITHOUT: [Exception; 3] = [
    Exception {
        rule: "topic.publish.any-number",
        why: RUNS_FUNCTIONS,
    },
    Exception {
        rule: "topic.body.binary-and-media-type",
        why: RUNS_FUNCTIONS,
    },
    Exception {
        rule: "topic.attributes.reach-the-subscriber",
        why: RUNS_FUNCTIONS,
    },
];

/// How many rules run at the same time: in a replay they do little but wait, and the emulator does one thing after the other.
const SIDE_BY_SIDE: (usize, usize) = (16, 8);

/// What matters of the protocols: S3's is told by headers (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonRequestHeaders.html>), the others' by bodies and the
/// name of the operation. Signatures: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
const DIALECT: Dialect = Dialect {
    services: &[""],
    request_headers: &[
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "range",
        "x-amz-copy-source",
        "x-amz-meta-*",
        "x-amz-target",
    ],
    answer_headers: &[
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "x-amz-meta-*",
        "x-amz-version-id",
        "x-amzn-errortype",
        "x-amzn-query-error",
    ],
    proofs: &[
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    ],
    // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
    waits: &["\"WaitTimeSeconds\":"],
    command: "NEPHOS_RECORD=1 cargo test -p nephos-aws --features harness --test replay --",
};

/// The suite over the recordings, which needs no emulator.
#[must_use]
pub fn replay() -> Suite {
    suite(replay::replay(OnTapes::default(), RECORDINGS))
        .without_mutants("a replay")
        .side_by_side(SIDE_BY_SIDE.0)
}

/// The same over the emulator; what it answers is recorded.
#[must_use]
pub fn record() -> Suite {
    suite(replay::record(OnTapes::default(), RECORDINGS))
        .without_mutants("a recording")
        .side_by_side(SIDE_BY_SIDE.1)
}

fn suite(harness: impl Harness) -> Suite {
    let is_here = |exception: &&Exception| {
        exception
            .rule
            .split('.')
            .next()
            .is_some_and(|group| GROUPS.contains(&group))
    };
    let exceptions: Vec<Exception> = EXCEPTIONS.iter().filter(is_here).copied().collect();
    Suite::new(harness)
        .groups(&GROUPS)
        .without(&WITHOUT)
        .exceptions(&exceptions)
}

#[derive(Debug, Default)]
struct OnTapes {
    /// A client for all tapes.
    client: OnceCell<SdkConfig>,
}

#[async_trait]
impl Recorded for OnTapes {
    fn adapter(&self) -> &'static str {
        ADAPTER
    }

    fn host(&self) -> HostCapabilities {
        super::host()
    }

    fn dialect(&self) -> Dialect {
        DIALECT
    }

    async fn source(&self) -> Result<Source> {
        let emulator = Emulator::start_enforcing().await?;
        Ok(Source {
            with: emulator.version().await?,
            services: vec![("", emulator.endpoint().to_owned())],
            // Its account is nobody's, and its keys are in no header and no parameter that is kept.
            secrets: Vec::new(),
            keep: Arc::new(emulator),
        })
    }

    async fn on(&self, tape: &Arc<Tape>) -> Result<Arc<dyn Harness>> {
        let first = tape.url("")?;
        let client = self.client.get_or_init(|| emulator::config(&first)).await;
        Ok(Arc::new(OnTape {
            service: Service::on(tape, client)?,
            events: Events::default(),
        }))
    }
}

/// One rule's tape.
#[derive(Debug)]
struct OnTape {
    service: Service,
    events: Events,
}

#[async_trait]
impl Harness for OnTape {
    fn adapter(&self) -> &'static str {
        ADAPTER
    }

    fn mode(&self) -> Mode {
        Mode::Replay
    }

    fn host(&self) -> HostCapabilities {
        super::host()
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        self.events.native(&self.service, happening).await
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        self.events.decode(native).await
    }

    async fn bucket(&self) -> Result<Bucket> {
        resources::bucket(&self.service).await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        resources::queue(&self.service, &spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(&self.service)
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(&self.service).await
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        resources::stream(&self.service, &spec).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(&self.service, schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(&self.service, value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        resources::rotate(&self.service, secret.name(), value).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, _: App) -> Result<Arc<dyn Deployment>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "harness.deploy",
            "an app runs, and is not recorded",
        ))
    }

    async fn finish(&self) -> Result<()> {
        Ok(())
    }
}
