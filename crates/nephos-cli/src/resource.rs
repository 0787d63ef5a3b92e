//! Resources as the command shows them: an overview, and what is in one.

use nephos_core::resource::{Binding, ResourceKind, Resources};

use crate::fail::Fail;
use crate::output;

/// The binding of this name, or what could have been meant.
pub(crate) fn find<'a>(resources: &'a Resources, name: &str) -> miette::Result<&'a Binding> {
    let found = resources.bindings().find(|binding| binding.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = resources
            .bindings()
            .map(|binding| binding.name.as_str())
            .collect();
        let fail = Fail::usage(format!("the app has no resource `{name}`"));
        match names.is_empty() {
            true => fail.help("nephos.toml declares none"),
            false => fail.help(format!("it has {}", names.join(", "))),
        }
        .into()
    })
}

/// One line for each resource: kind, name, and how much is in it.
pub(crate) async fn overview(resources: &Resources) -> miette::Result<Vec<String>> {
    let mut lines = Vec::new();
    for binding in resources.bindings() {
        let content = summary(resources, binding)
            .await
            .unwrap_or_else(|error| format!("({error})"));
        lines.push(format!(
            "{:<7} {:<28} {content}",
            binding.kind.name(),
            binding.name
        ));
    }
    Ok(lines)
}

/// How much is in a resource.
pub(crate) async fn summary(resources: &Resources, binding: &Binding) -> nephos_core::Result<String> {
    const MOST: usize = 1_000;
    let name = &binding.name;
    let count =
        |count: usize, more: bool, what: &str| format!("{count}{} {what}", if more { "+" } else { "" });
    Ok(match binding.kind {
        ResourceKind::Bucket => {
            let listing = resources.bucket(name)?.list("", None, MOST).await?;
            let bytes = listing.objects.iter().map(|object| object.size).sum();
            format!(
                "{}, {}",
                count(listing.objects.len(), listing.next.is_some(), "object(s)"),
                output::size(bytes)
            )
        }
        ResourceKind::Queue => {
            let depth = resources.queue(name)?.depth().await?;
            format!(
                "{} visible, {} leased, {} delayed",
                depth.visible, depth.leased, depth.delayed
            )
        }
        ResourceKind::Table => {
            let page = resources
                .table(name)?
                .scan::<serde_json::Value>(MOST, None)
                .await?;
            count(page.items.len(), page.next.is_some(), "item(s)")
        }
        ResourceKind::Stream => {
            let page = resources
                .stream(name)?
                .read(&nephos_core::resource::stream::Position::Oldest, MOST)
                .await?;
            count(page.records.len(), page.records.len() == MOST, "record(s)")
        }
        ResourceKind::Topic => String::new(),
        ResourceKind::Secret => match resources.secret(name)?.get().await {
            Ok(_) => "set".to_owned(),
            Err(error) if error.kind() == nephos_core::ErrorKind::NotFound => "not set".to_owned(),
            Err(error) => return Err(error),
        },
    })
}
