//! `nephos cat`: an object, an item, a message or a record.

use std::process::ExitCode;

use futures::StreamExt as _;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::stream::Position;
use nephos_core::resource::table::Key;

use crate::connect;
use crate::fail::Fail;
use crate::output::Output;
use crate::project::{Place, Project};
use crate::resource;

/// Arguments of `nephos cat`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The resource.
    resource: String,

    /// The object's key, the item's partition key, the message's id, or the record's sequence.
    key: String,

    /// The item's sort key.
    sort: Option<String>,
}

/// How many records are read at once.
const PAGE: usize = 1_000;

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(place, Some("local"), *output)?;
    let opened = connect::open(&project).await?;
    let resources = opened.resources();
    let Args {
        resource: name,
        key,
        sort,
    } = args;
    let missing = |what: &str| {
        Fail::new(format!("`{name}` holds no {what} `{key}`"))
            .help(format!("`nephos ls {name}` lists what it holds"))
    };
    match resource::find(resources, name)?.kind {
        ResourceKind::Bucket => {
            let object = resources
                .bucket(name)
                .map_err(Fail::from)?
                .open(key)
                .await
                .map_err(Fail::from)?;
            let mut stream = std::pin::pin!(object.into_stream());
            while let Some(chunk) = stream.next().await {
                output.bytes(&chunk.map_err(Fail::from)?);
            }
        }
        ResourceKind::Table => {
            let key = Key {
                partition: key.clone(),
                sort: sort.clone(),
            };
            let item = resources
                .table(name)
                .map_err(Fail::from)?
                .get::<serde_json::Value>(key)
                .await
                .map_err(Fail::from)?;
            output.bytes(format!("{:#}\n", item.ok_or_else(|| missing("item"))?).as_bytes());
        }
        ResourceKind::Queue => {
            let message = opened
                .peek(name, usize::MAX)
                .await?
                .into_iter()
                .find(|message| &message.id == key);
            output.bytes(&message.ok_or_else(|| missing("message"))?.body.bytes);
        }
        ResourceKind::Stream => {
            let stream = resources.stream(name).map_err(Fail::from)?;
            let mut from = Position::Oldest;
            let record = loop {
                let page = stream.read(&from, PAGE).await.map_err(Fail::from)?;
                if page.records.is_empty() {
                    return Err(missing("record").into());
                }
                if let Some(record) = page.records.into_iter().find(|record| &record.sequence == key) {
                    break record;
                }
                from = page.next;
            };
            output.bytes(&record.body.bytes);
        }
        kind @ (ResourceKind::Topic | ResourceKind::Secret) => {
            return Err(Fail::usage(format!("the content of a {kind} cannot be shown")).into());
        }
    }
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}
