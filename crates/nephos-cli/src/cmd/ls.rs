//! `nephos ls`: the app's resources, or what is in one.

use std::process::ExitCode;

use nephos_core::resource::ResourceKind;
use nephos_core::resource::stream::Position;

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

    /// Only objects whose key begins with this.
    #[arg(default_value = "")]
    prefix: String,

    /// At most this many.
    #[arg(long, short = 'n', default_value_t = 1_000)]
    limit: usize,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(place, Some("local"), *output)?;
    let opened = connect::open(&project).await?;
    let resources = opened.resources();
    let Some(name) = &args.resource else {
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
        opened.close().await;
        return Ok(ExitCode::SUCCESS);
    };
    match resource::find(resources, name)?.kind {
        ResourceKind::Bucket => {
            let bucket = resources.bucket(name).map_err(Fail::from)?;
            let listing = bucket
                .list(&args.prefix, None, args.limit)
                .await
                .map_err(Fail::from)?;
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
        }
        ResourceKind::Table => {
            let table = resources.table(name).map_err(Fail::from)?;
            let page = table
                .scan::<serde_json::Value>(args.limit, None)
                .await
                .map_err(Fail::from)?;
            for stored in page.items {
                output.line(&stored.item);
            }
        }
        ResourceKind::Stream => {
            let stream = resources.stream(name).map_err(Fail::from)?;
            let page = stream
                .read(&Position::Oldest, args.limit)
                .await
                .map_err(Fail::from)?;
            for record in page.records {
                let body = String::from_utf8_lossy(&record.body.bytes).into_owned();
                output.line(&serde_json::json!({
                    "sequence": record.sequence, "partition_key": record.partition_key, "at": record.appended_at, "body": body,
                }));
            }
        }
        ResourceKind::Queue => {
            for message in opened.peek(name, args.limit).await? {
                let body = String::from_utf8_lossy(&message.body.bytes).into_owned();
                output.line(&serde_json::json!({
                    "id": message.id, "attempt": message.attempt, "sent_at": message.sent_at, "group": message.group,
                    "attributes": message.attributes, "body": body,
                }));
            }
        }
        ResourceKind::Topic | ResourceKind::Secret => {
            let binding = resource::find(resources, name)?;
            let content = resource::summary(resources, binding).await.map_err(Fail::from)?;
            output.print(&format!("{} {name} {content}", binding.kind));
        }
    }
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}
