//! Resources as the command shows them: an overview, and what is in one.

use nephos_core::app::App;
use nephos_core::resource::queue::Depth;
use nephos_core::resource::{Binding, ResourceKind, Resources};

use crate::fail::Fail;
use crate::output;

/// The binding of this name, or what could have been meant.
pub(crate) fn find<'a>(resources: &'a Resources, name: &str) -> miette::Result<&'a Binding> {
    let found = resources.bindings().find(|binding| binding.name == name);
    found.ok_or_else(|| {
        let names = resources.bindings().map(|binding| binding.name.as_str());
        unknown("resource", name, names).into()
    })
}

/// Refuses a name that is no resource of this kind.
pub(crate) fn expect(app: &App, kind: ResourceKind, name: &str) -> Result<(), Fail> {
    match app.resources.get(name) {
        Some(resource) if resource.kind() == kind => Ok(()),
        Some(resource) => Err(Fail::usage(format!(
            "`{name}` is a {}, not a {kind}",
            resource.kind()
        ))),
        None => {
            let names = app
                .resources
                .iter()
                .filter(|(_, resource)| resource.kind() == kind);
            Err(unknown(
                kind.name(),
                name,
                names.map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ))
        }
    }
}

/// Refuses a name that is no function.
pub(crate) fn no_function(app: &App, name: &str) -> Fail {
    unknown(
        "function",
        name,
        app.functions.keys().map(String::as_str).collect::<Vec<_>>(),
    )
}

/// There is no such thing; what could have been meant, or what there is.
pub(crate) fn unknown<'a>(what: &str, name: &str, names: impl IntoIterator<Item = &'a str>) -> Fail {
    let names: Vec<&str> = names.into_iter().collect();
    let fail = Fail::usage(format!("the app has no {what} `{name}`"));
    match nephos_manifest::suggestion(name, "it has", names) {
        Some(help) => fail.help(help),
        None => fail.help("nephos.toml declares none"),
    }
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
        ResourceKind::Queue => waiting(&resources.queue(name)?.depth().await?),
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

/// How much waits in a queue, in the words of what its target tells apart.
fn waiting(depth: &Depth) -> String {
    let rest = match (depth.leased, depth.delayed) {
        (Some(_), Some(_)) => "visible",
        (None, Some(_)) => "visible or leased",
        (Some(_), None) => "visible or delayed",
        (None, None) => "message(s)",
    };
    let mut text = format!("{} {rest}", depth.visible);
    for (count, what) in [(depth.leased, "leased"), (depth.delayed, "delayed")] {
        if let Some(count) = count {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_said_in_the_words_of_what_is_told() {
        let depth = |leased, delayed| {
            waiting(&Depth {
                visible: 3,
                leased,
                delayed,
            })
        };
        assert_eq!(depth(Some(0), Some(2)), "3 visible, 0 leased, 2 delayed");
        assert_eq!(depth(None, Some(2)), "3 visible or leased, 2 delayed");
        assert_eq!(depth(Some(1), None), "3 visible or delayed, 1 leased");
        assert_eq!(depth(None, None), "3 message(s)");
    }
}
