//! What one project can hold. Limits are refused; quotas, which Google raises when it is asked, are told.

use std::collections::BTreeMap;

use nephos_core::{ErrorKind, Result};

use super::body::Body;
use super::layout::Layout;
use crate::deploy::graph::Kind;
use crate::deploy::refused;

/// The most conditions of one role for one account, and the most members, each as often as it is named, in one policy: <https://cloud.google.com/iam/quotas#limits>.
pub const MAX_CONDITIONS: usize = 20;
/// See [`MAX_CONDITIONS`].
pub const MAX_MEMBERS: usize = 1_500;
/// How many of a kind a project, or one region of it, has as long as nobody asked for more: <https://cloud.google.com/run/quotas>, <https://cloud.google.com/iam/quotas>,
/// <https://cloud.google.com/firestore/quotas>.
const QUOTAS: [(Kind, usize); 3] = [
    (Kind::Service, 1_000),
    (Kind::Account, 100),
    (Kind::Database, 100),
];

/// Refuses an app that the project's policy cannot hold.
pub(super) fn check(layout: &Layout<'_>, body: &Body) -> Result<()> {
    let project = layout.project_name();
    let mut conditions: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut members = 0;
    for grant in body.graph().grants.iter().filter(|grant| grant.on == project) {
        members += 1;
        let count = conditions.entry((&grant.role, &grant.member)).or_default();
        *count += usize::from(grant.condition.is_some());
        if *count > MAX_CONDITIONS {
            return Err(refused(
                ErrorKind::ResourceExhausted,
                "the function uses more tables than a project's policy can name for one account; split it into several functions",
            )
            .with("of", &grant.part)
            .with("role", &grant.role)
            .with("max_tables", MAX_CONDITIONS));
        }
    }
    if members > MAX_MEMBERS {
        return Err(refused(
            ErrorKind::ResourceExhausted,
            "the app's functions use more tables than a project's policy can name; split the app into several, in projects of their own",
        )
        .with("grants", members)
        .with("max_grants", MAX_MEMBERS)
        .with("functions", layout.app.functions.len()));
    }
    Ok(())
}

/// Tells what a project has not by itself.
pub(super) fn notes(body: &mut Body) {
    for (kind, quota) in QUOTAS {
        let count = body
            .graph()
            .nodes
            .values()
            .filter(|node| node.kind == kind)
            .count();
        if count > quota {
            body.note(format!(
                "the app has {count} of what Google Cloud calls a {}, and a project has room for {quota} as long as nobody has asked for more: ask for a higher quota before",
                kind.title()
            ));
        }
    }
}
