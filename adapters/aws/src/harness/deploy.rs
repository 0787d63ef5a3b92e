//! A deployed app: brought to the emulator by the deployer that `nephos deploy` uses, and reached by its stack's outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nephos_conformance::Deployment;
use nephos_conformance::probe::binary;
use nephos_core::app::{App, FunctionSpec, Resource, Trigger};
use nephos_core::deploy::{Confirmed, Deployment as Order, Keep, Progress};
use nephos_core::resource::{Binding, Resources};
use nephos_core::{Error, ErrorKind, Result, env};
use serde_json::{Map, Value, json};

use super::emulator::Emulator;
use super::gateway::Gateway;
use crate::deploy::engine;
use crate::deploy::settings::Settings;
use crate::deploy::template::{Code, Output, queue_id, queue_mapping_id, render};
use crate::error::failed;
use crate::resources::AwsDrivers;
use nephos_core::wiring::PHYSICAL;

const OPERATION: &str = "harness.deploy";
/// The target's name.
const TARGET: &str = "aws";
/// How long a queue hides what a function was given, where no rule waits for the function's time-out. A message that failed comes again when it
/// ends; deployment makes it six times the time-out, as AWS asks, which is a minute for the probe: no rule waits so long.
const VISIBILITY: Duration = Duration::from_secs(2);
/// Time-outs up to this one are waited for by rules: a message must be hidden for longer.
const AWAITED: Duration = Duration::from_secs(3);

/// An app on the emulator.
#[derive(Debug)]
pub(super) struct AwsDeployment {
    emulator: Arc<Emulator>,
    app: App,
    binary: PathBuf,
    /// How often it was deployed: each time is another artifact.
    builds: AtomicU32,
    resources: Arc<Resources>,
    gateway: Option<Gateway>,
}

impl AwsDeployment {
    /// Deploys. The triggers of a stack that is there fire: the emulator has no mapping that is still being made.
    pub(super) async fn start(emulator: Arc<Emulator>, mut app: App, binary: PathBuf) -> Result<Self> {
        order_dead_letters(&mut app);
        app.targets.insert(TARGET.to_owned(), settings(&app));
        bring(&emulator, &app, &binary, 1).await?;
        let outputs = outputs(&emulator, &app).await?;
        let gateway = match outputs.urls.as_slice() {
            [] => None,
            [url] => Some(Gateway::open(emulator.endpoint(), url).await?),
            urls => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "each function has a URL of its own, and the suite asks for one gateway",
                )
                .with("functions", urls.len()));
            }
        };
        let bindings: Vec<Binding> = app
            .all_bindings()
            .into_iter()
            .map(|mut binding| {
                let physical = outputs.names.get(&binding.name).cloned();
                binding
                    .properties
                    .extend(physical.map(|name| (PHYSICAL.to_owned(), name)));
                binding
            })
            .collect();
        Ok(Self {
            resources: Arc::new(Resources::new(
                Arc::new(AwsDrivers::new(&emulator.config())),
                bindings,
            )),
            emulator,
            app,
            binary,
            builds: AtomicU32::new(1),
            gateway,
        })
    }
}

/// What fails in an ordered queue is dead-lettered to an ordered one, because SQS moves messages only between queues of one type. Deployment refuses another,
/// and tells the author to write what is written here.
fn order_dead_letters(app: &mut App) {
    let is_ordered =
        |name: &str| matches!(app.resources.get(name), Some(Resource::Queue(queue)) if queue.ordered);
    let on_ordered = |function: &&FunctionSpec| function.on.iter().filter_map(queue_of).any(is_ordered);
    let functions = app.functions.values().filter(on_ordered);
    let letters: Vec<String> = functions.map(|function| function.dead_letter.clone()).collect();
    for name in letters {
        if let Some(Resource::Queue(queue)) = app.resources.get_mut(&name) {
            queue.ordered = true;
        }
    }
}

/// The target's settings: what the manifest has no word for, and deployment would make too slow for a test.
fn settings(app: &App) -> Value {
    let mut overrides = Map::new();
    for (name, function) in &app.functions {
        for queue in function.on.iter().filter_map(queue_of) {
            let seconds = visibility(function).as_secs();
            overrides.insert(
                queue_id(queue),
                json!({"Properties": {"VisibilityTimeout": seconds}}),
            );
            if function.max_instances == 1 {
                // Deployment reserves it, for AWS takes no mapping below 2; the emulator's CloudFormation forgets reservations, and its mappings take 1.
                let limit = json!({"Properties": {"ScalingConfig": {"MaximumConcurrency": 1}}});
                overrides.insert(queue_mapping_id(name, queue), limit);
            }
        }
    }
    json!({"overrides": {"Resources": overrides}})
}

fn queue_of(trigger: &Trigger) -> Option<&str> {
    match trigger {
        Trigger::Queue { queue, .. } => Some(queue),
        _ => None,
    }
}

fn visibility(function: &FunctionSpec) -> Duration {
    if function.timeout <= AWAITED {
        function.timeout + Duration::from_secs(1)
    } else {
        VISIBILITY
    }
}

/// Deploys this build of the app, as the command does.
async fn bring(emulator: &Emulator, app: &App, binary: &Path, build: u32) -> Result<()> {
    let order = Order {
        app: app.clone(),
        target: TARGET.to_owned(),
        binary: Some(binary::bootstrap(binary, build)?),
    };
    let deployer = engine::open_with(order, emulator.config())?;
    let plan = deployer.preview(&Progress::silent()).await?;
    deployer.apply(plan, &Progress::silent()).await?;
    Ok(())
}

/// What the stack says of itself.
#[derive(Debug, Default)]
struct Outputs {
    /// Physical names by the manifest's.
    names: BTreeMap<String, String>,
    urls: Vec<String>,
}

async fn outputs(emulator: &Emulator, app: &App) -> Result<Outputs> {
    let settings = Settings::of(app, TARGET)?;
    let anywhere = Code {
        bucket: "artifacts".to_owned(),
        key: "artifact".to_owned(),
    };
    let told = render(app, TARGET, &settings, &anywhere)?.outputs;
    let stack = settings.stack_name(app, TARGET);
    let described = aws_sdk_cloudformation::Client::new(&emulator.config())
        .describe_stacks()
        .stack_name(&stack)
        .send()
        .await
        .map_err(|error| failed(OPERATION, error))?;
    let found = described
        .stacks()
        .iter()
        .flat_map(aws_sdk_cloudformation::types::Stack::outputs);
    let mut outputs = Outputs::default();
    for output in found {
        let (Some(key), Some(value)) = (output.output_key(), output.output_value()) else {
            continue;
        };
        match told.get(key) {
            Some(Output::Resource { name, .. }) => {
                outputs.names.insert(name.clone(), value.to_owned());
            }
            Some(Output::FunctionUrl { .. }) => outputs.urls.push(value.to_owned()),
            _ => {}
        }
    }
    Ok(outputs)
}

#[async_trait]
impl Deployment for AwsDeployment {
    fn resources(&self) -> Arc<Resources> {
        Arc::clone(&self.resources)
    }

    fn gateway(&self) -> Option<String> {
        self.gateway.as_ref().map(Gateway::url)
    }

    /// Kills the processes of the app's functions. What is around them (queues, mappings, Lambda itself) is the provider's, and does not end; Lambda
    /// starts new processes by itself.
    async fn crash_and_restart(&self) -> Result<()> {
        self.emulator
            .kill_functions(&format!("{}={}", env::APP, self.app.name))
            .await
    }

    /// Deploys another build: the update that ends processes in order.
    async fn stop_and_restart(&self) -> Result<()> {
        let build = self.builds.fetch_add(1, Ordering::Relaxed) + 1;
        bring(&self.emulator, &self.app, &self.binary, build).await
    }

    async fn remove(&self) -> Result<()> {
        let order = Order {
            app: self.app.clone(),
            target: TARGET.to_owned(),
            binary: None,
        };
        engine::open_with(order, self.emulator.config())?
            .destroy(Confirmed, Keep::Nothing, &Progress::silent())
            .await?;
        Ok(())
    }
}
