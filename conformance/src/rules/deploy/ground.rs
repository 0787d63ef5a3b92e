//! Where a rule deploys: an account, the apps that it deploys there, and what it asks again and again. What it deployed goes when it ends, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use nephos_core::adapter::Deployer;
use nephos_core::app::{App, QueueSpec, Resource, TableSpec, Trigger};
use nephos_core::deploy::{Confirmed, Deployed, Destroyed, FunctionStatus, Keep, Progress, Status};
use nephos_core::plan::{Action, Part, Plan, Step};
use nephos_core::resource::table::TableSchema;
use nephos_core::resource::{Access, ResourceKind};

pub(super) use crate::account::HELLO;
use crate::account::{Account, Inventory};
use crate::harness::Harness;
use crate::probe;
use crate::rule::{Verdict, Violation};
use crate::{ensure, ensure_eq};

/// The function that a queue calls.
pub(super) const WORK: &str = "work";
/// The queue that calls it.
pub(super) const JOBS: &str = "jobs";
/// The table, which holds data.
pub(super) const THINGS: &str = "things";

/// A step of what a rule does.
pub(super) type Outcome<T> = Result<T, Violation>;

/// Where a rule deploys.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) account: Arc<dyn Account>,
    apps: Mutex<Vec<App>>,
}

/// Does what a rule does, and removes what it deployed.
pub(super) async fn on_ground(
    harness: &Arc<dyn Harness>,
    rule: impl for<'g> FnOnce(&'g Ground) -> BoxFuture<'g, Verdict>,
) -> Verdict {
    let ground = Ground {
        account: harness.account().await?,
        apps: Mutex::default(),
    };
    let verdict = rule(&ground).await;
    let apps = std::mem::take(&mut *ground.apps.lock().unwrap_or_else(PoisonError::into_inner));
    let clearing = apps.iter().map(|app| ground.account.clear(app));
    let cleared = futures::future::try_join_all(clearing).await;
    verdict?;
    cleared.map_err(Violation::from).map(drop)
}

/// An app of a name of its own: a function of requests with a table, and one of a queue.
pub(super) fn shop() -> App {
    let mut app = shelf();
    app.resources
        .insert(JOBS.to_owned(), Resource::Queue(QueueSpec::default()));
    let on = Trigger::Queue {
        queue: JOBS.to_owned(),
        batch: 1,
    };
    app.functions.insert(WORK.to_owned(), probe::function([on]));
    app
}

/// An app of a name of its own: a function of requests with a table.
pub(super) fn shelf() -> App {
    let mut app = small();
    let schema = TableSchema {
        key: "id".to_owned(),
        sort: None,
        ttl: None,
    };
    app.resources
        .insert(THINGS.to_owned(), Resource::Table(TableSpec { schema }));
    if let Some(hello) = app.functions.get_mut(HELLO) {
        hello
            .uses
            .insert(THINGS.to_owned(), BTreeSet::from([Access::Read, Access::Write]));
    }
    app
}

/// An app of a name of its own: a function of requests.
pub(super) fn small() -> App {
    let mut app = probe::app();
    let on = Trigger::Http {
        method: Some("GET".to_owned()),
        path: "/hello".to_owned(),
    };
    app.functions.insert(HELLO.to_owned(), probe::function([on]));
    app
}

/// The app with this time-out for a function.
pub(super) fn slower(app: &App, function: &str, timeout: Duration) -> App {
    let mut app = app.clone();
    if let Some(function) = app.functions.get_mut(function) {
        function.timeout = timeout;
    }
    app
}

/// The app whose function of requests has this in its environment: what is around its code is another everywhere.
pub(super) fn with_mode(app: &App, mode: &str) -> App {
    let mut app = app.clone();
    if let Some(function) = app.functions.get_mut(HELLO) {
        function.env.insert("MODE".to_owned(), mode.to_owned());
    }
    app
}

/// The app without its table.
pub(super) fn without_things(app: &App) -> App {
    let mut app = app.clone();
    app.resources.remove(THINGS);
    for function in app.functions.values_mut() {
        function.uses.remove(THINGS);
    }
    app
}

/// The table, as plans name it.
pub(super) fn things() -> Part {
    Part::Resource {
        kind: ResourceKind::Table,
        name: THINGS.to_owned(),
    }
}

/// A function, as plans name it.
pub(super) fn function(name: &str) -> Part {
    Part::Function {
        name: name.to_owned(),
    }
}

impl Ground {
    /// An app that is removed when the rule ends.
    pub(super) fn has(&self, app: App) -> App {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.push(app.clone());
        app
    }

    pub(super) async fn deployer(&self, app: &App, build: u32) -> Outcome<Box<dyn Deployer>> {
        Ok(self.account.deployer(app, build).await?)
    }

    /// What would change, of which nothing is left.
    pub(super) async fn plan(&self, app: &App, build: u32) -> Outcome<Plan> {
        let deployer = self.deployer(app, build).await?;
        let plan = deployer.preview(&Progress::silent()).await?;
        deployer.discard(plan.clone()).await?;
        Ok(plan)
    }

    /// Plans and carries out, as the command does.
    pub(super) async fn deploy(&self, app: &App, build: u32) -> Outcome<Deployed> {
        let deployer = self.deployer(app, build).await?;
        let plan = deployer.preview(&Progress::silent()).await?;
        Ok(deployer.apply(plan, &Progress::silent()).await?)
    }

    pub(super) async fn destroy(&self, app: &App, keep: Keep) -> Outcome<Destroyed> {
        let deployer = self.deployer(app, 1).await?;
        Ok(deployer.destroy(Confirmed, keep, &Progress::silent()).await?)
    }

    pub(super) async fn status(&self, app: &App) -> Outcome<Status> {
        Ok(self.deployer(app, 1).await?.status().await?)
    }

    pub(super) async fn inventory(&self, app: &App) -> Outcome<Inventory> {
        Ok(self.account.inventory(app).await?)
    }

    /// What tells the code of each function from others.
    pub(super) async fn codes(&self, app: &App) -> Outcome<BTreeMap<String, String>> {
        let functions = self.status(app).await?.functions.into_iter();
        let told = functions.map(|(name, status)| match status.code {
            Some(code) => Ok((name, code)),
            None => Err(Violation::new(format!(
                "the status tells no code of the function {name}"
            ))),
        });
        told.collect()
    }

    /// How a function is deployed.
    pub(super) async fn function(&self, app: &App, name: &str) -> Outcome<FunctionStatus> {
        let found = self.status(app).await?.functions.remove(name);
        found.ok_or_else(|| Violation::new(format!("the function {name} is not deployed")))
    }

    /// Holds that the app is deployed as it is to be: nothing is left to do.
    pub(super) async fn is_deployed(&self, app: &App, build: u32, when: &str) -> Verdict {
        let plan = self.plan(app, build).await?;
        ensure!(plan.is_empty(), "{when}, something is left to do: {plan}");
        let status = self.status(app).await?;
        ensure_eq!(
            status.health,
            nephos_core::deploy::Health::Works,
            "{when}, how the app stands"
        );
        let there: Vec<&String> = status.functions.keys().collect();
        let wanted: Vec<&String> = app.functions.keys().collect();
        ensure_eq!(there, wanted, "{when}, the functions that are deployed");
        Ok(())
    }
}

/// Whether a step removes this: it says so by what of the manifest it is for, or where a provider does not tell that of what leaves, by its name.
pub(super) fn removes(step: &Step, part: &Part) -> bool {
    let name = match part {
        Part::Function { name } | Part::Resource { name, .. } => name,
        Part::App => return false,
    };
    step.action == Action::Delete
        && (step.part == *part || (step.part == Part::App && step.id.contains(name.as_str())))
}

/// The names of what there is.
pub(super) fn names(inventory: &Inventory) -> BTreeSet<&str> {
    inventory.keys().map(String::as_str).collect()
}
