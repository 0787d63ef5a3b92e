//! Accounts made wrong: the engine in them is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nephos_core::adapter::Deployer;
use nephos_core::app::App;
use nephos_core::deploy::{
    Confirmed, Deployed, Destroyed, Health, Invoked, InvokedResult, Keep, LogLine, LogQuery, Moved, Progress,
    Rendered, Requirements, Status,
};
use nephos_core::event::Payload;
use nephos_core::plan::{Action, Data, Part, Plan, Step};
use nephos_core::{Error, ErrorKind, Result};

use super::Fault;
use crate::account::{Account, Inventory, Meddling};

/// What a build is numbered from that is another each time.
const OTHER_BUILDS: u32 = 1000;

#[derive(Debug)]
pub(super) struct Wrong {
    inner: Arc<dyn Account>,
    fault: Fault,
    memory: Arc<Memory>,
}

/// What a wrong engine keeps, beside the provider.
#[derive(Debug, Default)]
struct Memory {
    opened: AtomicU32,
    /// The apps by name, with all the functions that they ever had.
    apps: Mutex<BTreeMap<String, App>>,
    /// Those whose deployment has begun and not ended.
    locked: Mutex<BTreeSet<String>>,
    /// The apps and builds that were planned.
    planned: Mutex<BTreeSet<(String, u32)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wrong {
    pub(super) fn new(inner: Arc<dyn Account>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            memory: Arc::default(),
        }
    }
}

#[async_trait]
impl Account for Wrong {
    async fn deployer(&self, app: &App, build: u32) -> Result<Box<dyn Deployer>> {
        let opened = self.memory.opened.fetch_add(1, Ordering::Relaxed);
        let app = {
            let mut apps = lock(&self.memory.apps);
            let known = apps.entry(app.name.clone()).or_insert_with(|| app.clone());
            for (name, function) in &app.functions {
                known.functions.insert(name.clone(), function.clone());
            }
            match self.fault {
                Fault::LeftoversStay => App {
                    functions: known.functions.clone(),
                    ..app.clone()
                },
                _ => app.clone(),
            }
        };
        let build = match self.fault {
            Fault::BuildsDiffer => OTHER_BUILDS + opened,
            _ => build,
        };
        let inner = self.inner.deployer(&app, build).await?;
        Ok(Box::new(WrongDeployer {
            inner,
            account: Arc::clone(&self.inner),
            fault: self.fault,
            memory: Arc::clone(&self.memory),
            app: app.name,
            build,
        }))
    }

    async fn inventory(&self, app: &App) -> Result<Inventory> {
        self.inner.inventory(app).await
    }

    async fn meddle(&self, app: &App, how: Meddling) -> Result<()> {
        self.inner.meddle(app, how).await
    }

    fn namesake(&self, app: &App) -> App {
        if self.fault == Fault::MarkIgnored {
            return app.clone();
        }
        self.inner.namesake(app)
    }

    async fn breaking(&self, app: &App) -> Result<App> {
        self.inner.breaking(app).await
    }

    async fn clear(&self, app: &App) -> Result<()> {
        self.inner.clear(app).await
    }
}

#[derive(Debug)]
struct WrongDeployer {
    inner: Box<dyn Deployer>,
    account: Arc<dyn Account>,
    fault: Fault,
    memory: Arc<Memory>,
    app: String,
    build: u32,
}

impl WrongDeployer {
    /// Nothing goes on while a lock is there that nobody will take away.
    fn unlocked(&self) -> Result<()> {
        if lock(&self.memory.locked).contains(&self.app) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "mutant.deploy",
                "the app is locked by another deployment",
            ));
        }
        Ok(())
    }

    /// What is missing is there.
    fn pretended<T>(&self, result: Result<T>, there: T) -> Result<T> {
        match result {
            Err(error) if self.fault == Fault::MissingWorks && error.kind() == ErrorKind::NotFound => {
                Ok(there)
            }
            result => result,
        }
    }
}

fn made_up(app: &str) -> Step {
    Step {
        action: Action::Update,
        part: Part::App,
        kind: "setting".to_owned(),
        id: app.to_owned(),
        why: None,
        data: Data::Untouched,
    }
}

#[async_trait]
impl Deployer for WrongDeployer {
    fn requirements(&self) -> Result<Requirements> {
        self.inner.requirements()
    }

    fn render(&self) -> Result<Rendered> {
        self.inner.render()
    }

    async fn preview(&self, progress: &Progress) -> Result<Plan> {
        self.unlocked()?;
        let mut plan = self.inner.preview(progress).await?;
        let is_first = lock(&self.memory.planned).insert((self.app.clone(), self.build));
        match self.fault {
            Fault::PlanDeploys if is_first => {
                self.inner.apply(plan.clone(), progress).await?;
                plan.prepared = None;
            }
            Fault::PlanMadeUp | Fault::PretendsCapability => plan.steps.push(made_up(&self.app)),
            Fault::PlansNothing if !is_first => {
                self.inner.discard(plan.clone()).await?;
                plan.prepared = None;
                plan.steps.clear();
            }
            Fault::DataUntold => plan.steps.iter_mut().for_each(|step| step.data = Data::Untouched),
            _ => {}
        }
        Ok(plan)
    }

    async fn discard(&self, plan: Plan) -> Result<()> {
        self.inner.discard(plan).await
    }

    async fn apply(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        match self.fault {
            Fault::LockLeft => {
                self.unlocked()?;
                lock(&self.memory.locked).insert(self.app.clone());
                let done = self.inner.apply(plan, progress).await;
                lock(&self.memory.locked).remove(&self.app);
                done
            }
            Fault::StalePlanTaken => {
                let fresh = self.inner.preview(progress).await?;
                self.inner.apply(fresh, progress).await
            }
            Fault::FailureDestroys => {
                let done = self.inner.apply(plan, progress).await;
                if done.is_err() {
                    self.inner.destroy(Confirmed, Keep::Data, progress).await?;
                }
                done
            }
            _ => self.inner.apply(plan, progress).await,
        }
    }

    async fn destroy(&self, confirmed: Confirmed, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        self.unlocked()?;
        let keep = match self.fault {
            Fault::DestroyKeeps => Keep::Data,
            Fault::DestroyKeepsNothing => Keep::Nothing,
            _ => keep,
        };
        if self.fault == Fault::DeleteMissingFails && self.inner.status().await?.health == Health::Absent {
            return Err(Error::new(
                ErrorKind::NotFound,
                "mutant.deploy",
                "there is no such app",
            ));
        }
        if self.fault == Fault::DestroyTakesOthers {
            let others = lock(&self.memory.apps).clone();
            for (_, other) in others.into_iter().filter(|(name, _)| *name != self.app) {
                let deployer = self.account.deployer(&other, self.build).await?;
                deployer.destroy(confirmed, keep, progress).await?;
            }
        }
        self.inner.destroy(confirmed, keep, progress).await
    }

    async fn status(&self) -> Result<Status> {
        self.inner.status().await
    }

    async fn logs(&self, query: &LogQuery, sink: &mut (dyn FnMut(LogLine) + Send)) -> Result<()> {
        let read = self.inner.logs(query, sink).await;
        self.pretended(read, ())
    }

    async fn invoke(&self, function: &str, payload: Payload) -> Result<Invoked> {
        let empty = Invoked {
            result: InvokedResult::Ok,
            payload: bytes::Bytes::new(),
            log: Vec::new(),
            version: None,
        };
        self.pretended(self.inner.invoke(function, payload).await, empty)
    }

    async fn rollback(&self, functions: &[String], progress: &Progress) -> Result<Vec<Moved>> {
        if self.fault == Fault::RollbackIgnored {
            let there = self.inner.status().await?.functions.into_iter();
            let moved = there.map(|(function, status)| Moved {
                function,
                from: status.version.clone().unwrap_or_default(),
                to: status.version.unwrap_or_default(),
            });
            return Ok(moved.collect());
        }
        self.pretended(self.inner.rollback(functions, progress).await, Vec::new())
    }
}
