//! What a function's account may do: what its `uses` and triggers need, each on the very resource.

use std::collections::BTreeSet;

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::resource::Access;
use nephos_core::{ErrorKind, Result};

use super::body::Body;
use super::layout::{self, Layout};
use super::messaging::{PUBLISHER, SUBSCRIBER};
use crate::deploy::graph::{Condition, Kind, full_name};
use crate::deploy::refused;

/// Google's own roles, of those that fit the narrowest: <https://cloud.google.com/iam/docs/understanding-roles>.
const OBJECT_VIEWER: &str = "roles/storage.objectViewer";
/// Makes, replaces and deletes objects, and reads none: no role of Google's does one of these alone, as replacing an object is deleting it too
/// (<https://cloud.google.com/storage/docs/access-control/iam-roles>).
const OBJECT_WRITER: &str = "roles/storage.legacyBucketWriter";
const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";
const TABLE_READER: &str = "roles/datastore.viewer";
/// Reads, writes and deletes: Firestore has no role that writes only (<https://cloud.google.com/firestore/docs/security/iam#roles>).
const TABLE_USER: &str = "roles/datastore.user";
const SECRET_ACCESSOR: &str = "roles/secretmanager.secretAccessor";

/// Grants all that a function may do, and returns what must be there before it starts.
pub(super) fn add(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
) -> Result<BTreeSet<String>> {
    let mut after = BTreeSet::new();
    let mut uses =
        |name: &str, access: &BTreeSet<Access>| uses(layout, body, function, name, access, &mut after);
    for (name, access) in &spec.uses {
        uses(name, access)?;
    }
    if spec.has_dead_letters() {
        uses(&spec.dead_letter, &BTreeSet::from([Access::Send]))?;
    }
    let mail = |trigger: &Trigger| matches!(trigger, Trigger::Email { .. });
    if let Some(secret) = &layout.settings.mail_secret
        && spec.on.iter().any(mail)
        // One that is named in full is none of ours.
        && layout.app.resources.contains_key(secret)
    {
        uses(secret, &BTreeSet::from([Access::Read]))?;
    }
    Ok(after)
}

fn uses(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    name: &str,
    access: &BTreeSet<Access>,
    after: &mut BTreeSet<String>,
) -> Result<()> {
    let member = layout.member(function);
    let part = || layout::function(function);
    after.extend(layout.made_of(name)?);
    match layout.resource(name)? {
        Resource::Bucket(bucket) if bucket.url.is_some() => {
            // A store outside the target has its own keys.
            if let Some(secret) = &bucket.credentials {
                let read = BTreeSet::from([Access::Read]);
                return uses(layout, body, function, secret, &read, after);
            }
        }
        Resource::Bucket(_) => {
            let bucket = full_name(Kind::Bucket, &layout.bucket_name(name)?);
            if access.contains(&Access::Read) {
                body.grant(&bucket, OBJECT_VIEWER, &member, part());
            }
            if access.contains(&Access::Write) || access.contains(&Access::Delete) {
                body.grant(&bucket, OBJECT_WRITER, &member, part());
            }
            // Signs URLs as itself, of what it may itself do.
            let account = layout.account_name(&layout.account(function));
            body.grant(
                &full_name(Kind::Account, &account),
                TOKEN_CREATOR,
                &member,
                part(),
            );
        }
        Resource::Queue(spec) => {
            if access.contains(&Access::Send) {
                let topic = full_name(Kind::Topic, &layout.topic(name));
                body.grant(&topic, PUBLISHER, &member, part());
            }
            if access.contains(&Access::Receive) {
                receives(layout, function, name, spec.ordered)?;
                let subscription = full_name(Kind::Subscription, &layout.subscription(name));
                body.grant(&subscription, SUBSCRIBER, &member, part());
            }
        }
        Resource::Topic(_) => {
            let topic = full_name(Kind::Topic, &layout.topic(name));
            body.grant(&topic, PUBLISHER, &member, part());
        }
        Resource::Stream(_) => {
            if access.contains(&Access::Read) {
                return Err(refused(
                    ErrorKind::Unsupported,
                    "Pub/Sub lets nobody read a stream from a place of their choice; let a function be triggered by the stream, and leave `read` out of this one's `uses`",
                )
                .with("function", function)
                .with("stream", name));
            }
            let topic = full_name(Kind::Topic, &layout.topic(name));
            body.grant(&topic, PUBLISHER, &member, part());
        }
        Resource::Table(_) => table(layout, body, function, name, access),
        Resource::Secret(_) => {
            if !layout.settings.secrets.contains_key(name) {
                let secret = full_name(Kind::Secret, &layout.secret(name));
                body.grant(&secret, SECRET_ACCESSOR, &member, part());
            }
        }
    }
    Ok(())
}

/// A database takes no policy: who may use it, the project's says, under a condition.
/// <https://cloud.google.com/firestore/docs/security/iam#conditions>
fn table(layout: &Layout<'_>, body: &mut Body, function: &str, name: &str, access: &BTreeSet<Access>) {
    let role = match access.iter().all(|access| *access == Access::Read) {
        true => TABLE_READER,
        false => TABLE_USER,
    };
    let condition = Condition {
        title: format!("table {name} of {}", layout.prefix),
        expression: format!("resource.name == \"{}\"", layout.database(name)),
    };
    body.grant_if(
        &layout.project_name(),
        role,
        &layout.member(function),
        layout::function(function),
        Some(condition),
    );
}

/// The table and the database that a condition of ours is of: a database has no mark, so of one that is no more wanted only this says that it was the app's.
pub(crate) fn table_of(condition: &Condition) -> Option<(&str, &str)> {
    let (table, _) = condition.title.strip_prefix("table ")?.split_once(" of ")?;
    let database = condition
        .expression
        .strip_prefix("resource.name == \"")?
        .strip_suffix('"')?;
    Some((table, database))
}

fn receives(layout: &Layout<'_>, function: &str, queue: &str, is_ordered: bool) -> Result<()> {
    if is_ordered {
        return Err(refused(
            ErrorKind::Unsupported,
            "a pull takes several messages of one group at once, so an ordered queue cannot be received from on Google Cloud; let a function be triggered by it, and leave `receive` out of this one's `uses`",
        )
        .with("function", function)
        .with("queue", queue));
    }
    match layout.receivers.get(queue) {
        None => Ok(()),
        Some(receiver) => Err(refused(
            ErrorKind::Unsupported,
            "Pub/Sub pushes the messages of a queue that has a trigger, and gives them to nobody else; leave `receive` out of this function's `uses`, or the trigger out of the other's `on`",
        )
        .with("function", function)
        .with("queue", queue)
        .with("triggers", *receiver)),
    }
}
