//! Names that Azure takes: of stacks, accounts, containers and queues.

use nephos_core::deploy::name::short_hash;
pub(super) use nephos_core::deploy::name::{id, physical};

/// What names that are ours begin with, among those that are the app's own.
pub(super) const OURS: &str = "nephos-";
/// What names of the Functions host begin with.
const HOSTS: &str = "azure-webjobs";
/// What stands for the end of a name that all of Azure shares, as long as the subscription is not known.
pub const PLACEHOLDER: &str = "{subscription}";

/// The symbolic name of a part of `function` that belongs to one of its triggers; stays when other triggers come and go.
pub(super) fn trigger_id(part: &str, function: &str, trigger: &str) -> String {
    format!("{}{}", id(part, function), short_hash(&[trigger]))
}

/// The name of a container or queue within the app's own account: as the manifest has it, unless Azure would refuse it or it could be taken for one
/// of ours. Letters, digits, single hyphens, three at least:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftstorage>.
pub(super) fn within_account(name: &str, max: usize) -> String {
    let fits =
        (3..=max).contains(&name.len()) && !name.contains("--") && !name.ends_with('-') && !is_reserved(name);
    if fits {
        return name.to_owned();
    }
    apart(name, max)
}

/// Whether a name could be taken for one of ours or of the host.
pub(in crate::deploy) fn is_reserved(name: &str) -> bool {
    name.starts_with(OURS) || name.starts_with(HOSTS)
}

/// The app's own name with a hash. What begins as ours or the host's do begins otherwise: by that deployment knows what holds data.
pub(super) fn apart(name: &str, max: usize) -> String {
    if is_reserved(name) {
        return ours(&format!("app-{name}"), max);
    }
    ours(name, max)
}

/// The same with a hash that tells it from all others.
pub(super) fn ours(name: &str, max: usize) -> String {
    let hash = short_hash(&[name]);
    let mut cut = String::with_capacity(max);
    for letter in name.chars() {
        if cut.len() + hash.len() + 1 >= max {
            break;
        }
        if letter != '-' || !(cut.is_empty() || cut.ends_with('-')) {
            cut.push(letter);
        }
    }
    format!("{}-{hash}", cut.trim_end_matches('-'))
}

/// The beginning of a name that all of Azure shares, in letters and digits only.
pub(super) fn letters(name: &str, max: usize) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(max)
        .collect()
}

/// The same with single hyphens between its words.
pub(super) fn words(name: &str, max: usize) -> String {
    let mut cut = String::with_capacity(max);
    for letter in name.chars() {
        if cut.len() == max {
            break;
        }
        if letter != '-' || !(cut.is_empty() || cut.ends_with('-')) {
            cut.push(letter);
        }
    }
    cut.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_as_it_is_where_azure_takes_it_and_cannot_be_taken_for_ours() {
        assert_eq!(within_account("snapshots", 63), "snapshots");
        for name in [
            "b",
            "a--b",
            "nephos-undelivered",
            "azure-webjobs-hosts",
            &"x".repeat(64),
        ] {
            let changed = within_account(name, 63);
            assert_ne!(changed, name);
            assert!(!is_reserved(&changed), "{changed}");
            assert!((3..=63).contains(&changed.len()), "{changed}");
            assert!(!changed.contains("--"), "{changed}");
            assert_eq!(changed, within_account(name, 63));
        }
        assert_ne!(
            within_account(&"x".repeat(64), 63),
            within_account(&"x".repeat(65), 63)
        );
    }

    #[test]
    fn shared_names_are_cut_to_what_their_service_takes() {
        assert_eq!(letters("shop-prod-2", 6), "shoppr");
        assert_eq!(words("shop--prod-two", 10), "shop-prod");
    }
}
