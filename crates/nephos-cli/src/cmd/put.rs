//! `nephos put`: a file into a bucket, an item into a table, a message into a queue, topic or stream.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures::StreamExt as _;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::bucket::{Bucket, PutOptionsExt};
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::stream::Append;
use nephos_core::resource::topic::Publication;

use crate::connect;
use crate::fail::Fail;
use crate::input;
use crate::output::Output;
use crate::project::{Place, Project};
use crate::resource;

/// Arguments of `nephos put`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The resource.
    resource: String,

    /// For a bucket a file, or `-`; for all else the content: text or JSON, `@file`, or `-`.
    content: String,

    /// The object's key (the file's name by default), the stream's partition key, or the queue's ordering group.
    #[arg(long)]
    key: Option<String>,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(place, Some("local"), *output)?;
    let opened = connect::open(&project).await?;
    let resources = opened.resources();
    let name = &args.resource;
    let kind = resource::find(resources, name)?.kind;
    if args.key.is_some() && matches!(kind, ResourceKind::Table | ResourceKind::Topic) {
        let help = match kind {
            ResourceKind::Table => "an item's key is among its attributes",
            _ => "a notification has no key; leave it out",
        };
        return Err(Fail::usage(format!("--key is not for a {kind}"))
            .help(help)
            .into());
    }
    let done = match kind {
        ResourceKind::Bucket => {
            let file = PathBuf::from(&args.content);
            let key = args.key.clone().map_or_else(|| input::file_name(&file), Ok)?;
            let etag = upload(&resources.bucket(name).map_err(Fail::from)?, &key, &file, *output).await?;
            serde_json::json!({ "key": key, "etag": etag })
        }
        ResourceKind::Table => {
            let payload = input::payload(&args.content).await?;
            let item: serde_json::Value = serde_json::from_slice(&payload.bytes)
                .map_err(|error| Fail::usage(format!("an item is a JSON object: {error}")))?;
            let version = resources
                .table(name)
                .map_err(Fail::from)?
                .put(&item)
                .await
                .map_err(Fail::from)?;
            serde_json::json!({ "version": version })
        }
        ResourceKind::Queue => {
            let message = Outgoing {
                group: args.key.clone(),
                ..Outgoing::new(input::payload(&args.content).await?)
            };
            let id = resources
                .queue(name)
                .map_err(Fail::from)?
                .send(message)
                .await
                .map_err(Fail::from)?;
            serde_json::json!({ "id": id })
        }
        ResourceKind::Topic => {
            let notification = Publication::new(input::payload(&args.content).await?);
            let id = resources
                .topic(name)
                .map_err(Fail::from)?
                .publish(notification)
                .await
                .map_err(Fail::from)?;
            serde_json::json!({ "id": id })
        }
        ResourceKind::Stream => {
            let key = args.key.as_deref().unwrap_or("put");
            let record = Append::new(key, input::payload(&args.content).await?);
            let sequence = resources
                .stream(name)
                .map_err(Fail::from)?
                .append(record)
                .await
                .map_err(Fail::from)?;
            serde_json::json!({ "sequence": sequence })
        }
        ResourceKind::Secret => {
            return Err(Fail::usage(format!("`{name}` is a secret"))
                .help("set it in .nephos/secrets.toml, or in the variable that its `env` names")
                .into());
        }
    };
    if output.json {
        output.line(&done);
    } else {
        output.print(&format!("{name}: {done}"));
    }
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Streams a file into a bucket, with a progress bar; returns the etag.
pub(crate) async fn upload(
    bucket: &Bucket,
    key: &str,
    file: &Path,
    output: Output,
) -> miette::Result<Option<String>> {
    if file == Path::new("-") {
        return Ok(bucket
            .put(key, input::read(file).await?)
            .await
            .map_err(Fail::from)?);
    }
    let opened = tokio::fs::File::open(file).await;
    let opened =
        opened.map_err(|error| Fail::from_io(&format!("{} cannot be read", file.display()), &error))?;
    let length = opened.metadata().await.map_or(0, |metadata| metadata.len());
    let bar = output.progress(key, length);
    let progress = bar.clone();
    let stream = tokio_util::io::ReaderStream::with_capacity(opened, 1 << 20).inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            progress.inc(chunk.len() as u64);
        }
    });
    let etag = bucket
        .put_stream(key, stream, PutOptionsExt::default())
        .await
        .map_err(Fail::from)?;
    bar.finish_and_clear();
    Ok(etag)
}
