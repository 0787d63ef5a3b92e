//! The order in which a template's resources are made.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::{Outcome, Refusal};
use super::Planned;

/// The resources so that each comes after what it depends on, with all that it depends on filled in.
pub(super) fn sorted(mut planned: Vec<Planned>) -> Outcome<Vec<Planned>> {
    let mut sorted: Vec<Planned> = Vec::with_capacity(planned.len());
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while !planned.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = planned
            .into_iter()
            .partition(|one| one.depends.iter().all(|other| known.contains_key(other)));
        if ready.is_empty() {
            return Err(Refusal::template(format!(
                "Circular dependency detected on resource: '{}'. Please see https://aka.ms/arm-syntax-resources for usage details.",
                waiting.first().map_or("", |one| one.id.text.as_str())
            )));
        }
        for mut one in ready {
            one.all_depends = one.depends.clone();
            for other in &one.depends {
                one.all_depends
                    .extend(known.get(other).into_iter().flatten().cloned());
            }
            sorted.push(one);
        }
        for one in sorted.iter().skip(known.len()) {
            known.insert(one.symbol.clone(), one.all_depends.clone());
        }
        planned = waiting;
    }
    Ok(sorted)
}
