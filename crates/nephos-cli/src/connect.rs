//! Reaches an app's resources: through the `nephos dev` that runs, or, when none does, straight from the state folder.

use std::path::Path;
use std::sync::Arc;

use nephos::S3Buckets;
use nephos_core::app::App;
use nephos_core::event::{Message, Payload};
use nephos_core::resource::Resources;
use nephos_core::{Event, Outcome};
use nephos_local::deploy::api::Remote;
use nephos_local::deploy::engine::{EngineFile, Offline};
use nephos_local::deploy::store::EmbeddedQueue;

use crate::fail::Fail;
use crate::project::Project;

/// A running engine.
#[derive(Debug)]
pub(crate) struct Running {
    remote: Remote,
    pub(crate) file: EngineFile,
}

impl Running {
    /// The engine that runs on this state folder, if one does.
    pub(crate) fn look(state: &Path) -> miette::Result<Option<Self>> {
        let Some(file) = EngineFile::read(state).map_err(Fail::from)? else {
            return Ok(None);
        };
        let base = format!("http://{}", file.addresses.api);
        let remote = Remote::new(&base, &file.addresses.token).map_err(Fail::from)?;
        Ok(Some(Self { remote, file }))
    }

    /// The engine that runs for this project.
    pub(crate) fn find(project: &Project) -> miette::Result<Self> {
        Self::look(&project.state())?.ok_or_else(|| {
            Fail::new(format!("no `nephos dev` runs for {}", project.dir.display()))
                .help("start it in another terminal; this command talks to it")
                .into()
        })
    }

    /// Handles to the app's resources, through the engine.
    pub(crate) fn resources(&self, app: &App) -> Resources {
        Resources::new(Arc::new(self.remote.drivers()), self.file.bindings(app))
            .with_external(Arc::new(S3Buckets))
    }

    /// Gives an event to every trigger that it fits; returns how many those are.
    pub(crate) async fn emit(&self, event: &Event) -> miette::Result<usize> {
        Ok(self.remote.emit(event).await.map_err(Fail::from)?)
    }

    /// Calls a function with an event.
    pub(crate) async fn invoke(&self, function: &str, event: &Event) -> miette::Result<Outcome> {
        Ok(self.remote.invoke(function, event).await.map_err(Fail::from)?)
    }
}

/// An app's resources, however they are reached.
#[derive(Debug)]
pub(crate) enum Opened {
    Running(Box<Running>, Resources),
    Offline(Box<Offline>),
}

/// Opens the project's resources.
pub(crate) async fn open(project: &Project) -> miette::Result<Opened> {
    if let Some(running) = Running::look(&project.state())? {
        let resources = running.resources(project.app());
        return Ok(Opened::Running(Box::new(running), resources));
    }
    let secrets = project.secrets();
    let offline = Offline::open(
        project.app().clone(),
        &project.state(),
        Some(&secrets),
        Arc::new(S3Buckets),
    )
    .await;
    Ok(Opened::Offline(Box::new(offline.map_err(Fail::from)?)))
}

impl Opened {
    /// Handles with every access.
    pub(crate) fn resources(&self) -> &Resources {
        match self {
            Self::Running(_, resources) => resources,
            Self::Offline(offline) => offline.resources(),
        }
    }

    /// A queue's messages, without receiving them.
    pub(crate) async fn peek(&self, queue: &str, max: usize) -> miette::Result<Vec<Message<Payload>>> {
        let messages = match self {
            Self::Running(running, _) => running.remote.peek(queue, max).await,
            Self::Offline(offline) => {
                let queue = offline.resources().queue(queue).map_err(Fail::from)?;
                match queue.driver().as_any().downcast_ref::<EmbeddedQueue>() {
                    Some(embedded) => embedded.peek(max).await,
                    None => {
                        return Err(
                            Fail::new("this queue cannot be looked into without receiving from it").into(),
                        );
                    }
                }
            }
        };
        Ok(messages.map_err(Fail::from)?)
    }

    /// Closes what was opened.
    pub(crate) async fn close(self) {
        if let Self::Offline(offline) = self {
            offline.close().await;
        }
    }
}
