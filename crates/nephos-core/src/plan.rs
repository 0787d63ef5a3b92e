//! What a deployment is going to change: data and how it reads, no I/O.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::resource::ResourceKind;

/// All changes of one deployment. `Display` is a tree: what the manifest names, and below each what the provider makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The app.
    pub app: String,
    /// The target.
    pub target: String,
    /// Where on the provider: its account or project and its region, as the provider writes them.
    pub place: String,
    /// What the provider's engine calls the whole (a stack's name, the value of a label).
    pub deployment: String,
    /// The changes; none if all is as the app wants it.
    pub steps: Vec<Step>,
    /// The provider's name of the change as it was prepared, where its engine can carry out exactly that; `None` where it computes the change again.
    #[serde(skip)]
    pub prepared: Option<String>,
}

/// One change of one thing at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// What of the manifest it is for.
    pub part: Part,
    /// The provider's kind.
    pub kind: String,
    /// The provider's name.
    pub id: String,
    /// Why, in a few words: which properties differ.
    pub why: Option<String>,
    /// What becomes of the data in it.
    pub data: Data,
}

/// What is done to a thing at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed where it is.
    Update,
    /// Another is made, and this one removed: its name or identity changes.
    Replace,
    /// It is removed.
    Delete,
}

impl Action {
    /// The action's stable name (`create`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    /// The sign before it in a tree.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Replace => '!',
            Self::Delete => '-',
        }
    }
}

/// What of the manifest a thing at the provider is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// A function, with its triggers and permissions.
    Function {
        /// Its name in the manifest.
        name: String,
    },
    /// A resource.
    Resource {
        /// Its kind.
        #[serde(rename = "resource")]
        kind: ResourceKind,
        /// Its name in the manifest.
        name: String,
    },
    /// The app as a whole.
    App,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function { name } => write!(f, "function {name}"),
            Self::Resource { kind, name } => write!(f, "{kind} {name}"),
            Self::App => f.write_str("the app"),
        }
    }
}

/// What becomes of the data in what changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// It holds none, or the change leaves it alone.
    Untouched,
    /// It stays with the provider, outside the deployment.
    Kept,
    /// It is lost.
    Lost,
}

impl Plan {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps that lose data.
    pub fn losses(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.data == Data::Lost)
    }

    /// How many steps there are of each action, most harmless first; actions without a step are left out.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Action, usize> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.action).or_default() += 1;
        }
        counts
    }

    /// The counts in words (`2 to create, 1 to update`).
    #[must_use]
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "no changes".to_owned();
        }
        let count = |(action, count): (Action, usize)| format!("{count} to {}", action.name());
        self.counts()
            .into_iter()
            .map(count)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {} ({}): {}",
            self.app, self.target, self.place, self.deployment
        )?;
        let mut parts: BTreeMap<&Part, Vec<&Step>> = BTreeMap::new();
        for step in &self.steps {
            parts.entry(&step.part).or_default().push(step);
        }
        let width = self.steps.iter().map(|step| step.kind.chars().count()).max();
        let width = width.unwrap_or_default();
        for (part, steps) in parts {
            // A part whose things all go the same way goes that way; otherwise it changes.
            let first = steps.first().map_or(Action::Update, |step| step.action);
            let same = steps.iter().all(|step| step.action == first);
            let sign = if same { first } else { Action::Update }.sign();
            writeln!(f, "  {sign} {part}")?;
            for step in steps {
                writeln!(f, "    {step:width$}")?;
            }
        }
        write!(f, "  {}", self.summary())
    }
}

impl fmt::Display for Step {
    /// One line. A width is that of the provider's kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or_default();
        write!(f, "{} {:width$}  {}", self.action.sign(), self.kind, self.id)?;
        if let Some(why) = &self.why {
            write!(f, " ({why})")?;
        }
        match self.data {
            Data::Untouched => Ok(()),
            Data::Kept => f.write_str("  its data is kept"),
            Data::Lost => f.write_str("  ITS DATA IS LOST"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action, part: Part, kind: &str, id: &str) -> Step {
        Step {
            action,
            part,
            kind: kind.to_owned(),
            id: id.to_owned(),
            why: None,
            data: Data::Untouched,
        }
    }

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            app: "shop".to_owned(),
            target: "cloud".to_owned(),
            place: "1234, here".to_owned(),
            deployment: "shop-cloud".to_owned(),
            steps,
            prepared: None,
        }
    }

    #[test]
    fn a_plan_reads_as_a_tree_of_what_the_manifest_names() {
        let function = Part::Function {
            name: "sell".to_owned(),
        };
        let jobs = Part::Resource {
            kind: ResourceKind::Queue,
            name: "jobs".to_owned(),
        };
        let mut replaced = step(Action::Replace, jobs, "Queue", "JobsQueue");
        replaced.why = Some("FifoQueue".to_owned());
        replaced.data = Data::Lost;
        let plan = plan(vec![
            step(Action::Create, Part::App, "Policy", "Shared"),
            replaced,
            step(Action::Create, function.clone(), "Function", "Sell"),
            step(Action::Update, function, "Role", "SellRole"),
        ]);
        assert_eq!(
            plan.to_string(),
            "shop on cloud (1234, here): shop-cloud\n\
             \u{20} ~ function sell\n\
             \u{20}   + Function  Sell\n\
             \u{20}   ~ Role      SellRole\n\
             \u{20} ! queue jobs\n\
             \u{20}   ! Queue     JobsQueue (FifoQueue)  ITS DATA IS LOST\n\
             \u{20} + the app\n\
             \u{20}   + Policy    Shared\n\
             \u{20} 2 to create, 1 to update, 1 to replace"
        );
        assert_eq!(
            plan.losses().map(|step| step.id.as_str()).collect::<Vec<_>>(),
            ["JobsQueue"]
        );
    }

    #[test]
    fn an_empty_plan_says_that_nothing_changes() {
        let plan = plan(Vec::new());
        assert!(plan.is_empty());
        assert_eq!(
            plan.to_string(),
            "shop on cloud (1234, here): shop-cloud\n  no changes"
        );
    }
}
