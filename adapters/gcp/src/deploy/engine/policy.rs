//! Who may do what: policies are read, changed and written with their etag. Of a policy only our own members are touched: the app's accounts, and on the app's own resources those
//! whom a graph may give something, which are everyone and Google's own agents. On the project it is the app's accounts alone.
//!
//! <https://cloud.google.com/iam/docs/policies>, <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::Method;
use nephos_core::plan::Part;
use nephos_core::retry::RetryPolicy;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::Place;
use super::api::escaped;
use super::failure::{is_overtaken, is_too_early};
use super::kinds::last;
use crate::deploy::graph::{Condition, Grant, Kind};

/// What the full name of a project begins with.
pub(super) const PROJECTS: &str = "//cloudresourcemanager.googleapis.com/projects/";
/// How long a new account may be unknown, and how long others may go on to change the same policy.
const PATIENCE: Duration = Duration::from_secs(120);
const BACKOFF: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    base: Duration::from_millis(250),
    max: Duration::from_secs(10),
};
/// Google's agents that a graph may give something: <https://cloud.google.com/iam/docs/service-agents>.
const AGENTS: [&str; 2] = [
    "@gs-project-accounts.iam.gserviceaccount.com",
    "@gcp-sa-pubsub.iam.gserviceaccount.com",
];

/// A policy as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Policy(Value);

/// A role that a member has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) role: String,
    pub(super) member: String,
    pub(super) condition: Option<Condition>,
}

impl Held {
    pub(super) fn of(grant: &Grant) -> Self {
        Self {
            role: grant.role.clone(),
            member: grant.member.clone(),
            condition: grant.condition.clone(),
        }
    }

    fn grant(self, on: &str, part: Part) -> Grant {
        Grant {
            on: on.to_owned(),
            role: self.role,
            member: self.member,
            condition: self.condition,
            part,
        }
    }
}

impl Policy {
    pub(super) const fn of(body: Value) -> Self {
        Self(body)
    }

    /// Everything that it gives.
    pub(super) fn held(&self) -> BTreeSet<Held> {
        let mut all = BTreeSet::new();
        for binding in self.bindings() {
            let condition = condition(binding);
            let members = binding.get("members").and_then(Value::as_array);
            for member in members.into_iter().flatten().filter_map(Value::as_str) {
                all.insert(Held {
                    role: role(binding).to_owned(),
                    member: member.to_owned(),
                    condition: condition.clone(),
                });
            }
        }
        all
    }

    fn bindings(&self) -> impl Iterator<Item = &Value> {
        self.0
            .get("bindings")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// The same with these added and those taken away; `None` if nothing changes.
    fn changed(&self, add: &[Held], remove: &[Held]) -> Option<Value> {
        let mut policy = match &self.0 {
            Value::Object(fields) => fields.clone(),
            _ => serde_json::Map::new(),
        };
        let mut bindings: Vec<Value> = self.bindings().cloned().collect();
        for held in remove {
            for binding in bindings.iter_mut().filter(|binding| fits(binding, held)) {
                if let Some(members) = binding.get_mut("members").and_then(Value::as_array_mut) {
                    members.retain(|member| member != held.member.as_str());
                }
            }
        }
        bindings.retain(|binding| {
            binding
                .get("members")
                .and_then(Value::as_array)
                .is_none_or(|all| !all.is_empty())
        });
        let there = self.held();
        for held in add.iter().filter(|held| !there.contains(held)) {
            let found = bindings.iter_mut().find(|binding| fits(binding, held));
            let members = found.and_then(|binding| binding.get_mut("members")?.as_array_mut());
            match members {
                Some(members) => members.push(held.member.clone().into()),
                None => {
                    let mut binding = json!({"role": held.role, "members": [held.member]});
                    if let Some(condition) = &held.condition {
                        binding["condition"] = json!(condition);
                    }
                    bindings.push(binding);
                }
            }
        }
        let before: Vec<&Value> = self.bindings().collect();
        if before.len() == bindings.len() && before.iter().zip(&bindings).all(|(one, other)| **one == *other)
        {
            return None;
        }
        // Conditions are lost below version 3: <https://cloud.google.com/iam/docs/policies#versions>.
        if bindings.iter().any(|binding| binding.get("condition").is_some()) {
            policy.insert("version".to_owned(), 3.into());
        }
        policy.insert("bindings".to_owned(), bindings.into());
        Some(policy.into())
    }
}

fn role(binding: &Value) -> &str {
    binding.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn condition(binding: &Value) -> Option<Condition> {
    let condition = binding.get("condition")?;
    let text = |name: &str| {
        condition
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Some(Condition {
        title: text("title"),
        expression: text("expression"),
    })
}

fn fits(binding: &Value, held: &Held) -> bool {
    role(binding) == held.role && condition(binding) == held.condition
}

/// The e-mail address of a service account that is, or was, a member.
fn email(member: &str) -> Option<&str> {
    let account = member
        .strip_prefix("deleted:")
        .unwrap_or(member)
        .strip_prefix("serviceAccount:")?;
    account.split('?').next()
}

/// Whether a member is one of those to whom deployment gives something: `accounts` are the addresses of the app's. On what is a stranger's, as the project is, it is those alone.
pub(super) fn is_ours(member: &str, accounts: &BTreeSet<String>, is_strangers: bool) -> bool {
    if email(member).is_some_and(|email| accounts.contains(email)) {
        return true;
    }
    let is_agent = |end: &&str| email(member).is_some_and(|email| email.ends_with(*end));
    !is_strangers && (member == "allUsers" || AGENTS.iter().any(is_agent))
}

/// What is to be given, and what is to be taken away, on something of the app's, or of a stranger's.
pub(super) fn difference(
    on: &str,
    wanted: &[&Grant],
    policy: &Policy,
    accounts: &BTreeSet<String>,
    is_strangers: bool,
    parts: impl Fn(&str) -> Part,
) -> (Vec<Grant>, Vec<Grant>) {
    let there = policy.held();
    let wanted_held: BTreeSet<Held> = wanted.iter().map(|grant| Held::of(grant)).collect();
    let missing = wanted.iter().filter(|grant| !there.contains(&Held::of(grant)));
    let missing = missing.map(|grant| (*grant).clone()).collect();
    let extra = there
        .into_iter()
        .filter(|held| !wanted_held.contains(held) && is_ours(&held.member, accounts, is_strangers))
        .map(|held| {
            let part = parts(&held.member);
            held.grant(on, part)
        })
        .collect();
    (missing, extra)
}

/// What a plan calls a grant: `roles/run.invoker on hello for allUsers`.
pub(super) fn title(grant: &Grant) -> String {
    let member = email(&grant.member).map_or_else(|| grant.member.clone(), account);
    let on = if grant.on.starts_with(PROJECTS) {
        "the project"
    } else {
        last(&grant.on).split('@').next().unwrap_or_default()
    };
    format!("{} on {on} for {member}", grant.role)
}

/// An account as people read it: the app's by their names, and Google's agents by those of their services.
fn account(email: &str) -> String {
    let (name, domain) = email.split_once('@').unwrap_or((email, ""));
    if AGENTS.iter().any(|agent| email.ends_with(agent)) {
        return domain.split('.').next().unwrap_or(domain).to_owned();
    }
    name.to_owned()
}

/// Where the policy of something is asked for and written, and how it is asked for.
struct Way {
    host: String,
    get: String,
    set: String,
    method: Method,
    body: Option<Value>,
    is_bucket: bool,
}

fn way(on: &str, operation: &'static str) -> Result<Way> {
    let (host, name) = on.trim_start_matches('/').split_once('/').ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            operation,
            "a grant is on something without a full name",
        )
        .with("on", on)
    })?;
    let is_bucket = host == Kind::Bucket.host();
    let on_project = on.starts_with(PROJECTS);
    let is_posted = host == Kind::Account.host() || on_project;
    let version = match host {
        "run.googleapis.com" => "v2",
        "cloudresourcemanager.googleapis.com" => "v3",
        _ => "v1",
    };
    let (get, set) = if is_bucket {
        let bucket = format!("/storage/v1/b/{}/iam", escaped(last(name)));
        (format!("{bucket}?optionsRequestedPolicyVersion=3"), bucket)
    } else {
        let path = format!("/{version}/{}", escaped(name));
        // The version that is wanted: of a project in the body, of all else in the query.
        let query = if on_project {
            ""
        } else {
            "?options.requestedPolicyVersion=3"
        };
        (
            format!("{path}:getIamPolicy{query}"),
            format!("{path}:setIamPolicy"),
        )
    };
    Ok(Way {
        host: host.to_owned(),
        get,
        set,
        method: if is_posted { Method::POST } else { Method::GET },
        body: on_project.then(|| json!({"options": {"requestedPolicyVersion": 3}})),
        is_bucket,
    })
}

impl Place {
    /// The policy of something that is there, with its name.
    pub(super) async fn policy(&self, on: &str) -> Result<(String, Policy)> {
        let way = way(on, self.api.operation)?;
        let policy = self
            .api
            .call(&way.host, way.method, &way.get, way.body.as_ref())
            .await;
        match policy {
            Ok(policy) => Ok((on.to_owned(), Policy::of(policy))),
            Err(error) => Err(error.with("on", last(on))),
        }
    }

    /// Gives and takes away. Whoever else changes the policy at the same time is not lost: it is read again.
    pub(super) async fn regrant(&self, on: &str, add: &[Held], remove: &[Held]) -> Result<()> {
        let way = way(on, self.api.operation)?;
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let Some(policy) = self.policy(on).await?.1.changed(add, remove) else {
                return Ok(());
            };
            let written = if way.is_bucket {
                self.api
                    .call(&way.host, Method::PUT, &way.set, Some(&policy))
                    .await
            } else {
                let body = json!({"policy": policy});
                self.api
                    .call(&way.host, Method::POST, &way.set, Some(&body))
                    .await
            };
            let Err(error) = written else {
                return Ok(());
            };
            attempt += 1;
            let pause = BACKOFF.backoff(attempt);
            let is_unknown = is_too_early(&error);
            if is_unknown && attempt == 2 {
                self.call_agents(add).await?;
            }
            let passes = is_overtaken(&error) || is_unknown;
            if !passes || begun.elapsed() + pause > PATIENCE {
                return Err(error.with("on", last(on)));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Has Google make its own agents among these, which a project does not have before it is asked for them: <https://cloud.google.com/iam/docs/create-service-agents>.
    async fn call_agents(&self, held: &[Held]) -> Result<()> {
        let is_named = |agent: &str| held.iter().any(|held| held.member.ends_with(agent));
        let [storage, pubsub] = AGENTS;
        if is_named(storage) {
            let path = format!("/storage/v1/projects/{}/serviceAccount", self.project);
            self.api
                .call(Kind::Bucket.host(), Method::GET, &path, None)
                .await?;
        }
        if is_named(pubsub) {
            let path = format!(
                "/v1beta1/projects/{}/services/{}:generateServiceIdentity",
                self.project,
                Kind::Topic.host()
            );
            let host = "serviceusage.googleapis.com";
            let answer = self.api.call(host, Method::POST, &path, None).await?;
            self.api.wait(host, "v1beta1", answer).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
