//! What apps are deployed to: the suite's control plane, its services running, and the emulators behind Google's own host names. All apps share it, each with resources of its own names.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::cloud_run::{self, Pace};
use nephos_conformance::google_cloud::{CloudRun, Control, Options};
use nephos_core::Result;
use nephos_core::env::Environment;

use super::applier::Applier;
use super::emulators::Processes;
use super::operator;
use crate::config::{Config, PROJECT};

/// How soon an event of Eventarc that failed comes again, at first and at last: no rule waits for Google's ten seconds.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// How long a container may take until it listens: no rule waits for Google's four minutes.
const STARTUP: Duration = Duration::from_secs(10);

/// Google Cloud for apps.
#[derive(Debug)]
pub(super) struct Apps {
    pub(super) control: Control,
    pub(super) run: CloudRun,
    pub(super) config: Config,
    pub(super) applier: Applier,
    // Kept, so that they go on to listen.
    _edge: Edge,
    _processes: Arc<Processes>,
}

impl Apps {
    /// Beside running emulators; every container runs this binary.
    pub(super) async fn over(processes: Arc<Processes>, binary: &Path) -> Result<Self> {
        let documents = Arc::new(Documents::installed()?);
        let options = Options {
            // What takes no time here is there at once.
            looks: 0,
            ..Options::default()
        };
        let control = Control::start(options, documents).await?;
        let edge = Edge::start().await?;
        control.route(&edge);
        let options = cloud_run::Options {
            binary: Some(binary.to_owned()),
            pubsub: Some(processes.pubsub()),
            firestore: Some(processes.firestore()),
            pace: Pace {
                startup: STARTUP,
                backoff: BACKOFF,
                ..Pace::default()
            },
            ..cloud_run::Options::default()
        };
        let run = CloudRun::start(&control, &edge, options).await?;
        let environment: Environment = [(PROJECT, control.options().project.as_str())]
            .into_iter()
            .collect();
        let config = operator::config(&environment, &control.token(), &edge)?;
        let applier = Applier::new(&config, &control.options().project);
        Ok(Self {
            control,
            run,
            config,
            applier,
            _edge: edge,
            _processes: processes,
        })
    }

    /// The project of all apps.
    pub(super) fn project(&self) -> &str {
        &self.control.options().project
    }

    /// The region of all apps.
    pub(super) fn region(&self) -> &str {
        self.control.options().regions.first().map_or("", String::as_str)
    }
}
