//! All rules, by group.

mod access;
mod bucket;
mod deploy;
mod events;
mod host;
mod queue;
mod secret;
mod semantics;
mod stream;
mod table;
mod topic;

use std::collections::HashSet;

use crate::harness::Harness;
use crate::rule::Rule;

/// The groups.
pub const GROUPS: [&str; 11] = [
    "events",
    "host",
    "bucket",
    "queue",
    "topic",
    "stream",
    "table",
    "secret",
    "semantics",
    "access",
    "deploy",
];

/// The groups that run over an adapter: without an engine of deployment there is nothing that rules of it could hold.
pub(crate) fn groups_of(harness: &dyn Harness) -> Vec<&'static str> {
    let deploys = harness.deploys().is_some();
    GROUPS
        .into_iter()
        .filter(|group| deploys || *group != "deploy")
        .collect()
}

/// All rules.
pub fn all() -> impl Iterator<Item = Rule> {
    [
        bucket::objects::RULES,
        bucket::conditions::RULES,
        bucket::listing::RULES,
        bucket::keys::RULES,
        bucket::uploads::RULES,
        bucket::signed::RULES,
        queue::sending::RULES,
        queue::receiving::RULES,
        queue::leases::RULES,
        queue::order::RULES,
        topic::RULES,
        stream::RULES,
        table::items::RULES,
        table::conditions::RULES,
        table::batches::RULES,
        table::queries::RULES,
        table::expiry::RULES,
        secret::RULES,
        events::neutral::RULES,
        events::changes::RULES,
        events::told::RULES,
        events::any::RULES,
        host::answers::RULES,
        host::contexts::RULES,
        semantics::outcomes::RULES,
        semantics::batches::RULES,
        semantics::failures::RULES,
        semantics::processes::RULES,
        semantics::ordered::RULES,
        semantics::changes::RULES,
        semantics::triggers::RULES,
        semantics::http::RULES,
        access::RULES,
        deploy::plans::RULES,
        deploy::changes::RULES,
        deploy::trouble::RULES,
        deploy::ends::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// An id that two of the rules have.
#[must_use]
pub fn duplicate(rules: &[Rule]) -> Option<&'static str> {
    let mut seen = HashSet::new();
    rules.iter().map(|rule| rule.id).find(|id| !seen.insert(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_id_of_its_own_in_a_known_group_and_says_why() {
        let rules: Vec<Rule> = all().collect();
        assert_eq!(duplicate(&rules), None);
        for rule in rules {
            assert!(GROUPS.contains(&rule.group()), "{}: unknown group", rule.id);
            assert!(
                (3..=4).contains(&rule.id.split('.').count()),
                "{}: an id is group, what (one word or two), how",
                rule.id
            );
            assert!(rule.why.len() > 20, "{}: say why it matters", rule.id);
            assert!(!rule.source.is_empty(), "{}: say where it is from", rule.id);
        }
    }

    #[test]
    fn every_group_has_rules() {
        for group in GROUPS {
            assert!(all().any(|rule| rule.group() == group), "{group}: no rule");
        }
    }
}
