//! `nephos ls`: the app's resources, or what is in one.

use std::process::ExitCode;

use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::stream::{Position, Stream};
use nephos_core::resource::table::Table;
use nephos_core::resource::{ResourceKind, Resources};

use crate::connect;
use crate::fail::Fail;
use crate::output::{self, Output};
use crate::project::{Place, Project};
use crate::resource;

/// Arguments of `nephos ls`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The resource; all of them if none is named.
    resource: Option<String>,

    /// Only objects of a bucket whose key begins with this.
    #[arg(default_value = "")]
    prefix: String,

    /// At most this many.
    #[arg(long, short = 'n', default_value_t = 1_000)]
    limit: usize,
}

/// The most that is asked for at once: what a resource gives at most is its own affair, and it is asked until there is no more, or enough.
const PAGE: usize = 1_000;

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(place, Some("local"), *output)?;
    let opened = connect::open(&project).await?;
    let resources = opened.resources();
    let Some(name) = &args.resource else {
        overview(resources, *output).await;
        opened.close().await;
        return Ok(ExitCode::SUCCESS);
    };
    let binding = resource::find(resources, name)?;
    let kind = binding.kind;
    if !args.prefix.is_empty() && kind != ResourceKind::Bucket {
        return Err(Fail::usage(format!("a {kind} is not listed by prefix"))
            .help("leave it out; only the objects of a bucket have keys with prefixes")
            .into());
    }
    match kind {
        ResourceKind::Bucket => objects(&resources.bucket(name).map_err(Fail::from)?, args, *output).await,
        ResourceKind::Table => items(&resources.table(name).map_err(Fail::from)?, args.limit, *output).await,
        ResourceKind::Stream => records(&resources.stream(name).map_err(Fail::from)?, args.limit, *output).await,
        ResourceKind::Queue => {
            for message in opened.peek(name, args.limit).await? {
                let body = String::from_utf8_lossy(&message.body.bytes).into_owned();
                output.line(&serde_json::json!({
                    "id": message.id, "attempt": message.attempt, "sent_at": message.sent_at, "group": message.group,
                    "attributes": message.attributes, "body": body,
                }));
            }
            Ok(())
        }
        ResourceKind::Topic | ResourceKind::Secret => resource::summary(resources, binding)
            .await
            .map(|content| output.print(&format!("{kind} {name} {content}"))),
    }
    .map_err(Fail::from)?;
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}

/// A line for each resource, with how much is in it.
async fn overview(resources: &Resources, output: Output) {
    for binding in resources.bindings() {
        let content = resource::summary(resources, binding)
            .await
            .map_err(|error| error.to_string());
        if output.json {
            let (content, error) = (content.as_ref().ok(), content.as_ref().err());
            output.line(&serde_json::json!({ "kind": binding.kind, "name": binding.name, "content": content, "error": error }));
        } else {
            let content = content.unwrap_or_else(|error| format!("({error})"));
            output.print(&format!(
                "{:<7} {:<28} {content}",
                binding.kind.name(),
                binding.name
            ));
        }
    }
}

async fn objects(bucket: &Bucket, args: &Args, output: Output) -> nephos_core::Result<()> {
    let mut left = args.limit;
    let mut after: Option<String> = None;
    while left > 0 {
        let listing = bucket
            .list(&args.prefix, after.as_deref(), left.min(PAGE))
            .await?;
        left = left.saturating_sub(listing.objects.len());
        for object in listing.objects {
            if output.json {
                output.line(&object);
            } else {
                let time = object.modified.format("%Y-%m-%d %H:%M:%S");
                output.print(&format!(
                    "{time}  {:>10}  {}",
                    output::size(object.size),
                    object.key
                ));
            }
        }
        after = listing.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

async fn items(table: &Table, limit: usize, output: Output) -> nephos_core::Result<()> {
    let mut left = limit;
    let mut cursor: Option<String> = None;
    while left > 0 {
        let page = table
            .scan::<serde_json::Value>(left.min(PAGE), cursor.as_deref())
            .await?;
        left = left.saturating_sub(page.items.len());
        for stored in page.items {
            output.line(&stored.item);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

async fn records(stream: &Stream, limit: usize, output: Output) -> nephos_core::Result<()> {
    let mut left = limit;
    let mut from = Position::Oldest;
    while left > 0 {
        let page = stream.read(&from, left.min(PAGE)).await?;
        if page.records.is_empty() {
            break;
        }
        left = left.saturating_sub(page.records.len());
        for record in page.records {
            let body = String::from_utf8_lossy(&record.body.bytes).into_owned();
            output.line(&serde_json::json!({
                "sequence": record.sequence, "partition_key": record.partition_key, "at": record.appended_at, "body": body,
            }));
        }
        from = page.next;
    }
    Ok(())
}
