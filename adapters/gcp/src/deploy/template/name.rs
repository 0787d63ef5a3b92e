//! Names that Google Cloud takes, and what stands for a part of them that is not known.

pub(super) use nephos_core::deploy::name::{physical, short_hash};

/// What stands for the project's id, as long as nobody has said it.
pub const PROJECT: &str = "{project}";
/// What stands for the project's number, which Google gives it.
pub const NUMBER: &str = "{project-number}";
/// What stands for the image's reference, which follows from the binary.
pub const IMAGE: &str = "{image}";

/// The longest names: of a service <https://cloud.google.com/run/docs/deploying#deploying-new-service>, of an account
/// <https://cloud.google.com/iam/docs/service-accounts-create>, of a bucket <https://cloud.google.com/storage/docs/buckets#naming>, of a database
/// <https://cloud.google.com/firestore/docs/manage-databases#database_id>, of a trigger <https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers/create>, of a
/// repository, as its interface's discovery document says, of a topic or subscription <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>, of a secret
/// <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create>.
pub(super) const MAX_SERVICE: usize = 49;
pub(super) const MAX_ACCOUNT: usize = 30;
pub(super) const MAX_BUCKET: usize = 63;
const MAX_DATABASE: usize = 63;
pub(super) const MAX_TRIGGER: usize = 63;
pub(super) const MAX_REPOSITORY: usize = 63;
pub(super) const MAX_MESSAGES: usize = 255;
pub(super) const MAX_SECRET: usize = 255;
/// A job's may have 500; so long a name helps nobody.
pub(super) const MAX_JOB: usize = 255;
/// The shortest names of an account and of a database, and the longest id of a project, with which a bucket's name ends.
const MIN_ACCOUNT: usize = 6;
const MIN_DATABASE: usize = 4;
const MAX_PROJECT: usize = 30;
/// The longest name of a function's trigger, the last part of its path.
const MAX_CALLED: usize = 60;

/// An account's name.
pub(super) fn account(prefix: &str, name: &str) -> String {
    at_least(prefix, name, MIN_ACCOUNT, MAX_ACCOUNT)
}

/// A database's name.
pub(super) fn database(prefix: &str, name: &str) -> String {
    at_least(prefix, name, MIN_DATABASE, MAX_DATABASE)
}

/// A name that is not so short either that Google refuses it.
fn at_least(prefix: &str, name: &str, least: usize, most: usize) -> String {
    let full = physical(prefix, name, most);
    if full.len() >= least {
        return full;
    }
    format!("{full}-{}", short_hash(&[prefix, name]))
}

/// A bucket's name. All of Google's customers share these, so it ends in the project's id.
pub(super) fn bucket(prefix: &str, name: &str, project: &str) -> String {
    let beginning = physical(prefix, name, MAX_BUCKET - MAX_PROJECT - 1);
    format!("{beginning}-{}", project_end(project))
}

/// A project's id as the end of a name. That of an old organisation has its domain before it, with signs that a bucket's name does not take.
fn project_end(project: &str) -> String {
    match project.split_once(':') {
        None => project.to_owned(),
        Some((_, id)) => {
            let hash = short_hash(&[project]);
            let kept: String = id.chars().take(MAX_PROJECT - hash.len() - 1).collect();
            format!("{}-{hash}", kept.trim_end_matches('-'))
        }
    }
}

/// The same in the e-mail address of an account: `p.iam.gserviceaccount.com`, of `example.com:p` it is `p.example.com.iam.gserviceaccount.com`.
pub(super) fn account_domain(project: &str) -> String {
    match project.split_once(':') {
        None => format!("{project}.iam.gserviceaccount.com"),
        Some((domain, id)) => format!("{id}.{domain}.iam.gserviceaccount.com"),
    }
}

/// `queue-jobs-0a1b2c3d`: a trigger's kind, what it watches, and what tells it from others; it stays when other triggers come and go. Letters, digits and hyphens.
pub(super) fn trigger(kind: &str, about: &str, hash: &str) -> String {
    let mut name = String::with_capacity(MAX_CALLED);
    for letter in format!("{kind}-{about}").chars() {
        if name.len() + hash.len() + 1 >= MAX_CALLED {
            break;
        }
        let letter = match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
            _ => '-',
        };
        if letter != '-' || !name.ends_with('-') {
            name.push(letter);
        }
    }
    format!("{}-{hash}", name.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_neither_too_short_nor_too_long() {
        assert_eq!(account("shop-gcp", "place"), "shop-gcp-place");
        assert_eq!(database("shop", "t"), "shop-t");
        assert!(database("a", "t").len() >= MIN_DATABASE);
        for (prefix, name) in [("a", "f"), ("every-trigger-gcp", "queue-in-order"), ("a-b", "c")] {
            let name = account(prefix, name);
            assert!((MIN_ACCOUNT..=MAX_ACCOUNT).contains(&name.len()), "{name}");
        }
        assert_ne!(account("a", "f"), account("a", "g"));
    }

    #[test]
    fn a_buckets_name_ends_in_the_project_and_fits() {
        assert_eq!(
            bucket("shop-gcp", "receipts", "my-shop"),
            "shop-gcp-receipts-my-shop"
        );
        let long = bucket(&"x".repeat(24), &"y".repeat(63), &"z".repeat(30));
        assert!(long.len() <= MAX_BUCKET, "{long}");
        let old = bucket("shop-gcp", "receipts", "example.com:my-shop");
        assert!(old.starts_with("shop-gcp-receipts-my-shop-"), "{old}");
        assert_ne!(old, bucket("shop-gcp", "receipts", "example.org:my-shop"));
        assert!(!old.contains([':', '.']), "{old}");
    }

    #[test]
    fn an_accounts_address_has_an_old_organisations_domain() {
        assert_eq!(account_domain("my-shop"), "my-shop.iam.gserviceaccount.com");
        assert_eq!(
            account_domain("example.com:my-shop"),
            "my-shop.example.com.iam.gserviceaccount.com"
        );
    }

    #[test]
    fn a_triggers_name_is_short_and_plain() {
        assert_eq!(
            trigger("schedule", "0 6 * * 1-5", "0a1b2c3d"),
            "schedule-0-6-1-5-0a1b2c3d"
        );
        let long = trigger("stream", &"x".repeat(63), "0a1b2c3d");
        assert!(long.len() <= MAX_CALLED && long.ends_with("x-0a1b2c3d"), "{long}");
    }
}
