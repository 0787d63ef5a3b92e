//! What a deployment would change: asked of the manager by a what-if, or, where the template is the one that was deployed last, of the packages alone.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if>

use std::collections::{BTreeMap, BTreeSet};

use azure_core::http::Method;
use nephos_core::deploy::{Progress, mark};
use nephos_core::plan::{Action, Data, Part, Plan, Step};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::arm::DEPLOYMENTS;
use super::failure::Told;
use super::resource::Id;
use super::stack::Found;
use super::{AzureDeployer, Place};
use crate::deploy::template::Template;

const OPERATION: &str = "deploy.preview";
/// How many of the properties that differ are named.
const NAMED: usize = 4;

/// A change of one resource, as the manager foresees it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    resource_id: String,
    change_type: String,
    before: Option<Value>,
    #[serde(default)]
    delta: Option<Vec<Delta>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Delta {
    path: String,
    #[serde(default)]
    children: Option<Vec<Self>>,
}

#[derive(Debug, Deserialize)]
struct Foreseen {
    status: String,
    properties: Option<Changes>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Changes {
    #[serde(default)]
    changes: Vec<Change>,
}

impl AzureDeployer {
    pub(super) async fn plan(&self, progress: &Progress) -> Result<Plan> {
        // What Azure would refuse is refused before it is asked anything.
        self.binary()?;
        super::super::rendered(&self.deployment.app, &self.deployment.target, &self.settings)?;
        let place = self.place(OPERATION).await?;
        let packages = self.packages(&place)?;
        self.check_region(&place.arm, &place.subscription, OPERATION)
            .await?;
        let template = self.template(&place)?;
        for note in &template.notes {
            progress.note(note.clone());
        }
        let stack = place.stack(OPERATION);
        let mut plan = Plan {
            app: self.deployment.app.name.clone(),
            target: self.deployment.target.clone(),
            place: self.place_name(&place),
            deployment: place.stack.clone(),
            steps: Vec::new(),
            prepared: None,
        };
        let found = stack.settled(progress).await?;
        if let Some(found) = &found {
            found.own(&stack, &self.deployment)?;
        }
        plan.prepared = Some(mark_of(found.as_ref()));
        let digest = self.digest(&template);
        if found.as_ref().and_then(Found::digest) == Some(&digest) {
            plan.steps = self.package_steps(&place, &packages, true).await?;
            return Ok(plan);
        }
        let group = self.group(&place.arm, &place.subscription, OPERATION).await?;
        let managed = found.as_ref().map(Found::managed).unwrap_or_default();
        plan.steps = if group.is_none() {
            new_steps(&template)
        } else {
            progress.phase("Azure works out what changes");
            let changes = self.what_if(&place, &template).await?;
            let adopted = self.foreign(&changes, &managed)?;
            if !adopted.is_empty() {
                progress.note(format!(
                    "what an earlier deployment of this app left is taken again, with its data: {}",
                    adopted.join(", ")
                ));
            }
            steps(&changes, &managed, &template.parts)
        };
        let steps = self.package_steps(&place, &packages, found.is_some()).await?;
        plan.steps.extend(steps);
        Ok(plan)
    }

    async fn what_if(&self, place: &Place, template: &Template) -> Result<Vec<Change>> {
        let path = format!(
            "{}/providers/Microsoft.Resources/deployments/{}/whatIf?api-version={DEPLOYMENTS}",
            place.group, place.stack
        );
        let body = json!({"properties": {
            "mode": "Incremental", "template": template.body, "parameters": {}, "whatIfSettings": {"resultFormat": "FullResourcePayloads"},
        }});
        let answer = place
            .arm
            .call(OPERATION, Method::Post, &path, Some(&body))
            .await?;
        let foreseen = place.arm.wait(OPERATION, &answer).await?;
        let foreseen: Foreseen = serde_json::from_value(foreseen).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "Azure's answer of what changes has not the form that its interface has; try again",
            )
            .caused_by(error)
        })?;
        if let Some(told) = foreseen.error.as_ref().and_then(Told::read) {
            return Err(told.error(OPERATION));
        }
        if !foreseen.status.eq_ignore_ascii_case("succeeded") {
            return Err(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                "Azure did not work out what changes; run the same command again",
            )
            .with("state", foreseen.status));
        }
        Ok(foreseen
            .properties
            .map(|properties| properties.changes)
            .unwrap_or_default())
    }

    /// Refuses what is there, is not the stack's, and was not made by an earlier deployment of the app; names what was.
    fn foreign(&self, changes: &[Change], managed: &BTreeSet<String>) -> Result<Vec<String>> {
        let mut ours: BTreeSet<String> = managed.clone();
        let mut adopted = Vec::new();
        let mut there: Vec<&Change> = changes.iter().filter(|change| change.exists()).collect();
        // Parents first.
        there.sort_by_key(|change| change.resource_id.len());
        for change in there {
            let id = change.resource_id.to_ascii_lowercase();
            let read = Id::read(&change.resource_id);
            let parent = read
                .as_ref()
                .and_then(|id| id.parent.as_deref())
                .map(str::to_ascii_lowercase);
            if ours.contains(&id) || parent.is_some_and(|parent| ours.contains(&parent)) {
                ours.insert(id);
                continue;
            }
            let tag = |name: &str| change.before.as_ref()?.get("tags")?.get(name)?.as_str();
            if tag(mark::APP) != Some(&self.deployment.app.name)
                || tag(mark::TARGET) != Some(&self.deployment.target)
            {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    OPERATION,
                    "something of this name is there that deployment has not made, so it is left alone; remove it, or choose another name by the target's `stack` or `resource_group`",
                )
                .with("resource", super::resource::short(&change.resource_id)));
            }
            adopted.push(super::resource::short(&change.resource_id));
            ours.insert(id);
        }
        Ok(adopted)
    }
}

impl Change {
    fn exists(&self) -> bool {
        matches!(self.change_type.as_str(), "Modify" | "NoChange" | "Deploy")
    }

    /// Which properties differ.
    fn why(&self) -> Option<String> {
        let mut paths = BTreeSet::new();
        for delta in self.delta.iter().flatten() {
            delta.paths("", &mut paths);
        }
        let mut named: Vec<String> = paths.iter().take(NAMED).cloned().collect();
        if paths.len() > NAMED {
            named.push(format!("{} more", paths.len() - NAMED));
        }
        (!named.is_empty()).then(|| named.join(", "))
    }
}

impl Delta {
    fn paths(&self, above: &str, into: &mut BTreeSet<String>) {
        let path = if above.is_empty() {
            self.path.clone()
        } else {
            format!("{above}.{}", self.path)
        };
        match self.children.as_deref() {
            // An element of a list says less than the list.
            Some(children) if children.iter().any(|child| child.path.parse::<usize>().is_err()) => {
                for child in children {
                    child.paths(&path, into);
                }
            }
            _ => {
                into.insert(path.trim_start_matches("properties.").to_owned());
            }
        }
    }
}

/// What a stack was when the plan was made.
pub(super) fn mark_of(found: Option<&Found>) -> String {
    found.map_or_else(
        || "absent".to_owned(),
        |found| match found.modified() {
            Some(modified) => modified.to_rfc3339(),
            None => found.state(),
        },
    )
}

/// The steps of an app whose group is not there yet: what lies upon another resource goes without saying.
fn new_steps(template: &Template) -> Vec<Step> {
    let resources = template.body.get("resources").and_then(Value::as_object);
    resources
        .into_iter()
        .flat_map(|resources| resources.values())
        .filter(|resource| resource.get("scope").is_none())
        .filter_map(|resource| {
            let text = |name: &str| resource.get(name).and_then(Value::as_str);
            let id = Id::of(text("type")?, text("name")?)?;
            Some(step(
                Action::Create,
                id.part(&template.parts),
                &id,
                None,
                Data::Untouched,
            ))
        })
        .collect()
}

/// The steps of the stack.
fn steps(changes: &[Change], managed: &BTreeSet<String>, parts: &BTreeMap<String, Part>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut wanted = BTreeSet::new();
    for change in changes {
        let Some(id) = Id::read(&change.resource_id) else {
            continue;
        };
        let lower = change.resource_id.to_ascii_lowercase();
        let action = match change.change_type.as_str() {
            "Create" => Some(Action::Create),
            "Modify" | "Deploy" => Some(Action::Update),
            // What the manager cannot foresee is new, or as it was.
            "Unsupported" if !managed.contains(&lower) => Some(Action::Create),
            "NoChange" | "Unsupported" => None,
            _ => continue,
        };
        wanted.insert(lower);
        if let Some(action) = action {
            steps.push(step(action, id.part(parts), &id, change.why(), Data::Untouched));
        }
    }
    for gone in managed.difference(&wanted) {
        if let Some(id) = Id::read(gone) {
            let data = if id.holds_data() {
                Data::Kept
            } else {
                Data::Untouched
            };
            steps.push(step(Action::Delete, id.part(parts), &id, None, data));
        }
    }
    steps
}

fn step(action: Action, part: Part, id: &Id, why: Option<String>, data: Data) -> Step {
    Step {
        action,
        part,
        kind: id.kind.clone(),
        id: id.name.clone(),
        why,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers";

    fn changes() -> Vec<Change> {
        serde_json::from_value(json!([
            {"resourceId": format!("{GROUP}/Microsoft.Web/sites/f"), "changeType": "Modify", "before": {}, "delta": [
                {"path": "properties.siteConfig", "propertyChangeType": "Modify", "children": [{"path": "minTlsVersion", "propertyChangeType": "Modify"}]},
                {"path": "properties.list", "propertyChangeType": "Array", "children": [{"path": "0", "propertyChangeType": "Modify"}]},
            ]},
            {"resourceId": format!("{GROUP}/Microsoft.Web/serverfarms/f"), "changeType": "NoChange"},
            {"resourceId": format!("{GROUP}/Microsoft.Web/sites/new"), "changeType": "Create"},
            {"resourceId": format!("{GROUP}/Microsoft.Web/sites/other"), "changeType": "Ignore"},
            {"resourceId": format!("{GROUP}/Microsoft.Web/sites/odd"), "changeType": "Unsupported"},
        ]))
        .unwrap()
    }

    #[test]
    fn steps_are_what_the_manager_foresees_and_what_leaves_the_stack() {
        let managed: BTreeSet<String> = [
            "Microsoft.Web/sites/f",
            "Microsoft.Web/serverfarms/f",
            "Microsoft.Web/sites/gone",
            "Microsoft.Storage/storageAccounts/a/queueServices/default/queues/jobs",
        ]
        .iter()
        .map(|place| format!("{GROUP}/{place}").to_ascii_lowercase())
        .collect();
        let steps = steps(&changes(), &managed, &BTreeMap::new());
        let told: Vec<(Action, &str, Data)> = steps
            .iter()
            .map(|step| (step.action, step.id.as_str(), step.data))
            .collect();
        assert_eq!(
            told,
            [
                (Action::Update, "f", Data::Untouched),
                (Action::Create, "new", Data::Untouched),
                (Action::Create, "odd", Data::Untouched),
                (Action::Delete, "a/default/jobs", Data::Kept),
                (Action::Delete, "gone", Data::Untouched),
            ]
        );
        assert_eq!(steps[0].why.as_deref(), Some("list, siteConfig.minTlsVersion"));
    }
}
