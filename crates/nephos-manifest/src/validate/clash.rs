//! Two triggers on what only one function can answer: a step of sign-up or sign-in, a voice skill; a route, by way of [`report`].

use std::collections::{BTreeMap, HashMap};

use nephos_core::app::{FunctionSpec, Trigger};

use super::reader::Checker;
use crate::diagnostic::{Problem, ProblemKind};
use crate::spans::{Part, Path};

/// A trigger's place: the function and the index in its `on`.
pub(super) type Place<'f> = (&'f str, usize);

/// What two triggers are both on.
pub(super) struct Clash<'c> {
    pub(super) kind: ProblemKind,
    /// The trigger's key (`auth`).
    pub(super) key: &'c str,
    /// What it is, in words (``the voice skill `kitchen` ``).
    pub(super) what: String,
    pub(super) help: &'c str,
}

/// Reports two triggers on one step or skill: the caller waits for an answer, and there can be only one.
pub(super) fn check(checker: &mut Checker<'_>, functions: &BTreeMap<String, FunctionSpec>) {
    let mut taken: HashMap<(&str, &str), Place<'_>> = HashMap::new();
    for (name, function) in functions {
        for (index, trigger) in function.on.iter().enumerate() {
            let (key, what, help) = match trigger {
                Trigger::Auth { stage } => (
                    ("auth", stage.name()),
                    format!("the step `{}` of sign-up or sign-in", stage.name()),
                    "one function decides a step: put both decisions into one, or change one step",
                ),
                Trigger::Voice { skill } => (
                    ("voice", skill.as_str()),
                    format!("the voice skill `{skill}`"),
                    "one function answers a skill: let it match on the intent, or change one skill",
                ),
                _ => continue,
            };
            crate::work::step(1);
            let place = (name.as_str(), index);
            let Some(first) = taken.get(&key).copied() else {
                taken.insert(key, place);
                continue;
            };
            let clash = Clash {
                kind: ProblemKind::TriggerClash,
                key: key.0,
                what,
                help,
            };
            report(checker, first, place, clash);
        }
    }
}

/// Adds the problem, with both places.
pub(super) fn report(checker: &mut Checker<'_>, first: Place<'_>, second: Place<'_>, clash: Clash<'_>) {
    let functions = Path::Key(&Path::Root, "function");
    let locate = |(name, index): Place<'_>| {
        let function = Path::Key(&functions, name);
        let on = Path::Key(&function, "on");
        let trigger = Path::Index(&on, index);
        checker.locate(&Path::Key(&trigger, clash.key), Part::Value)
    };
    let what = clash.what;
    let message = if first.0 == second.0 {
        format!("function `{}` has {what} twice", first.0)
    } else {
        format!("functions `{}` and `{}` are both on {what}", first.0, second.0)
    };
    let problem = Problem::new(clash.kind, message)
        .help(clash.help.to_owned())
        .at(locate(second), format!("`{}` here", second.0))
        .at(locate(first), format!("`{}` here", first.0));
    checker.add(problem);
}
