//! How the app stands, and which of its functions are deployed: as the services of Cloud Run tell it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use http::Method;
use nephos_core::deploy::{FunctionStatus, Health, Status};
use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::api::all;
use super::kinds::{self, last};
use super::state::Thing;
use super::{GcpDeployer, Place};
use crate::deploy::graph::{Graph, Kind};

const REVISIONS: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";

/// A function's service.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) function: String,
    pub(super) thing: Thing,
}

impl Running {
    /// The revision that takes requests.
    pub(super) fn serving(&self) -> Option<&str> {
        let traffic = self.thing.body.get("traffic").and_then(Value::as_array);
        let most = |target: &&Value| target.get("percent").and_then(Value::as_i64);
        let target = traffic.into_iter().flatten().max_by_key(most);
        match target {
            Some(target) if target.get("type").and_then(Value::as_str) == Some(REVISIONS) => {
                target.get("revision")?.as_str().map(last)
            }
            _ => self.thing.text("latestReadyRevision").map(last),
        }
    }
}

/// What a function's container is, in a template or a revision.
pub(super) fn image(body: &Value) -> Option<&str> {
    body.get("containers")?.get(0)?.get("image")?.as_str()
}

pub(super) fn time(body: &Value, field: &str) -> Option<DateTime<Utc>> {
    let text = body.get(field)?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc))
}

impl GcpDeployer {
    /// The services of the functions that are deployed, by the functions' names.
    pub(super) async fn running(&self, place: &Place) -> Result<Vec<Running>> {
        if !place.is_enabled(Kind::Service.host()) {
            return Ok(Vec::new());
        }
        let graph = self.graph(place, None)?;
        let mut found = place.services(&graph).await?;
        found.sort_by(|one, other| one.function.cmp(&other.function));
        Ok(found)
    }

    /// Those of the deployed functions that are named; all if none is.
    pub(super) async fn chosen(&self, place: &Place, names: &[String]) -> Result<Vec<Running>> {
        let mut all = self.running(place).await?;
        let not_there = |message: &'static str| Error::new(ErrorKind::NotFound, place.api.operation, message);
        if all.is_empty() {
            return Err(not_there("the app is not deployed; run `nephos deploy`")
                .with("app", &place.app)
                .with("place", place.title()));
        }
        if let Some(name) = names
            .iter()
            .find(|name| !all.iter().any(|one| one.function == **name))
        {
            return Err(not_there("the function is not deployed; run `nephos deploy`").with("function", name));
        }
        all.retain(|one| names.is_empty() || names.contains(&one.function));
        Ok(all)
    }

    /// How the app stands.
    pub(super) async fn current(&self, place: &Place) -> Result<Status> {
        let running = self.running(place).await?;
        let mut status = Status {
            place: place.title(),
            deployment: self.name(),
            health: Health::Absent,
            state: None,
            reason: None,
            changed: None,
            functions: BTreeMap::new(),
        };
        for one in &running {
            let thing = &one.thing;
            let fault = thing.fault();
            let health = if thing.is_busy() {
                Health::Changing
            } else if fault.is_some() {
                Health::Failed
            } else {
                Health::Works
            };
            if rank(health) > rank(status.health) {
                status.health = health;
                let condition = thing.body.get("terminalCondition");
                let state = condition.and_then(|condition| condition.get("state")?.as_str());
                status.state = state.map(str::to_owned);
                status.reason = fault.map(|fault| format!("{}: {fault}", one.function));
            }
            status.changed = status.changed.max(time(&thing.body, "updateTime"));
        }
        let functions = running.into_iter().map(|one| place.function(one));
        status.functions = all(functions.collect()).await?.into_iter().collect();
        Ok(status)
    }
}

/// The worst of a whole is what the whole is.
const fn rank(health: Health) -> u8 {
    match health {
        Health::Absent => 0,
        Health::Works => 1,
        Health::Changing => 2,
        Health::Failed => 3,
    }
}

impl Place {
    async fn services(&self, graph: &Graph) -> Result<Vec<Running>> {
        let listed = self.listed(Kind::Service, &self.regional(), graph).await?;
        let ours = listed
            .into_iter()
            .filter(|thing| thing.mark.as_ref().is_some_and(|mark| self.is_mine(mark)));
        let named = ours.filter_map(|thing| {
            let node = graph.nodes.get(&thing.full_name());
            let part = node.map_or_else(|| thing.part(), |node| node.part.clone());
            match part {
                Part::Function { name } => Some(Running {
                    function: name,
                    thing,
                }),
                _ => None,
            }
        });
        Ok(named.collect())
    }

    async fn function(&self, one: Running) -> Result<(String, FunctionStatus)> {
        let body = &one.thing.body;
        let serving = one.serving().map(str::to_owned);
        let newest = one.thing.text("latestCreatedRevision").map(last);
        let (mut changed, mut code) = (
            time(body, "updateTime"),
            body.get("template").and_then(image).map(str::to_owned),
        );
        // After a way back, what the service says is not what takes requests.
        if let Some(serving) = serving.as_deref().filter(|serving| Some(*serving) != newest) {
            let path = format!(
                "{}/revisions/{serving}",
                kinds::path(Kind::Service, &one.thing.name)
            );
            let revision = self
                .api
                .call(Kind::Service.host(), Method::GET, &path, None)
                .await?;
            changed = time(&revision, "createTime");
            code = image(&revision).map(str::to_owned);
        }
        let status = FunctionStatus {
            id: last(&one.thing.name).to_owned(),
            version: serving,
            changed,
            // The digest alone: where the image is pushed to is told by the repository.
            code: code.map(|image| image.split('@').next_back().unwrap_or_default().to_owned()),
            url: one.thing.text("uri").map(str::to_owned),
        };
        Ok((one.function, status))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_serves_is_the_newest_that_is_ready_or_the_one_that_has_the_traffic() {
        let running = |traffic: Value| Running {
            function: "f".to_owned(),
            thing: Thing {
                kind: Kind::Service,
                name: "projects/p/locations/r/services/s".to_owned(),
                mark: None,
                body: json!({"latestReadyRevision": "projects/p/locations/r/services/s/revisions/s-2", "traffic": traffic}),
            },
        };
        let newest = json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]);
        assert_eq!(running(newest).serving(), Some("s-2"));
        let pinned = json!([{"type": REVISIONS, "revision": "s-1", "percent": 100}, {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "tag": "new"}]);
        assert_eq!(running(pinned).serving(), Some("s-1"));
    }
}
