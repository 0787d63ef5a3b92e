//! Warnings: what works, and is likely not what was meant.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{FunctionSpec, Resource, Trigger};

use super::reader::Checker;
use crate::diagnostic::{Problem, ProblemKind};
use crate::spans::{Part, Path};

/// Adds warnings about functions that nothing calls, resources that nothing uses, queues that two functions share, and triggers that never fire.
pub(super) fn check(
    checker: &mut Checker<'_>,
    functions: &BTreeMap<String, FunctionSpec>,
    resources: &BTreeMap<String, Resource>,
) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut receivers: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let root = Path::Key(&Path::Root, "function");
    for (name, function) in functions {
        used.extend(function.uses.keys().map(String::as_str));
        used.extend(function.on.iter().filter_map(Trigger::resource));
        used.insert(&function.dead_letter);
        if function.on.is_empty() {
            let problem = Problem::new(ProblemKind::NoEffect, format!("nothing calls function `{name}`"))
                .help("give it a trigger, such as on = [{ http = \"GET /\" }], or call it by `nephos invoke` only".to_owned())
                .warning();
            checker.key(&Path::Key(&root, name), "no `on`", problem);
        }
        for (index, trigger) in function.on.iter().enumerate() {
            if let Trigger::Bucket { bucket, .. } = trigger
                && let Some(Resource::Bucket(spec)) = resources.get(bucket)
                && spec.url.is_some()
            {
                outside(checker, bucket, (name, index));
            }
            let Trigger::Queue { queue, .. } = trigger else {
                continue;
            };
            match receivers.get(queue.as_str()) {
                None => {
                    receivers.insert(queue, (name, index));
                }
                Some(first) => shared(checker, queue, *first, (name, index)),
            }
        }
    }
    for resource in resources.values() {
        if let Resource::Bucket(bucket) = resource {
            used.extend(bucket.credentials.as_deref());
        }
    }
    for (name, resource) in resources {
        if !used.contains(name.as_str()) {
            let kind = resource.kind();
            let problem = Problem::new(ProblemKind::NoEffect, format!("nothing uses {kind} `{name}`"))
                .help("name it in a function's `uses` or `on`, or remove it".to_owned())
                .warning();
            let kinds = Path::Key(&Path::Root, kind.name());
            checker.key(&Path::Key(&kinds, name), "not used", problem);
        }
    }
}

/// A store outside every target tells no target what happens in it.
fn outside(checker: &mut Checker<'_>, bucket: &str, (function, index): (&str, usize)) {
    let functions = Path::Key(&Path::Root, "function");
    let function_path = Path::Key(&functions, function);
    let on = Path::Key(&function_path, "on");
    let message = format!(
        "bucket `{bucket}` lies outside every target, so what happens in it does not call function `{function}`"
    );
    let problem = Problem::new(ProblemKind::NoEffect, message)
        .help(format!(
            "leave out the bucket's `url`, or let whoever writes there announce it: nephos emit bucket {bucket} KEY --announce"
        ))
        .warning()
        .at(checker.locate(&Path::Index(&on, index), Part::Value), "never fires by itself");
    checker.add(problem);
}

fn shared(checker: &mut Checker<'_>, queue: &str, first: (&str, usize), second: (&str, usize)) {
    let functions = Path::Key(&Path::Root, "function");
    let locate = |(name, index): (&str, usize)| {
        let function = Path::Key(&functions, name);
        let on = Path::Key(&function, "on");
        checker.locate(&Path::Index(&on, index), Part::Value)
    };
    let message = if first.0 == second.0 {
        format!("function `{}` receives from queue `{queue}` twice", first.0)
    } else {
        format!(
            "functions `{}` and `{}` share queue `{queue}`: each message goes to one of them only",
            first.0, second.0
        )
    };
    let problem = Problem::new(ProblemKind::SharedQueue, message)
        .help("for a copy each, publish to a topic that both listen to".to_owned())
        .warning()
        .at(locate(second), "here")
        .at(locate(first), "and here");
    checker.add(problem);
}
