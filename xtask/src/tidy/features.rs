//! Rules about features and manifests: what an adapter turns on for whom, and what every member inherits.

use super::Offence;
use super::graph::{Dependency, Metadata, Package, Role, manifest, ours};

/// The features that every adapter has.
const ADAPTER_FEATURES: [&str; 3] = ["host", "deploy", "harness"];

/// Adapters whose features are not the three of the layout, or that turn one on by default. One that the command does not name yet needs no `deploy`.
#[must_use]
pub fn adapter_features(metadata: &Metadata) -> Vec<Offence> {
    let mut offences = Vec::new();
    let named = |adapter: &Package| {
        linked_adapters(metadata, Role::Cli).any(|(_, dependency)| dependency.name == adapter.name)
    };
    for package in adapters(metadata) {
        for feature in ADAPTER_FEATURES
            .iter()
            .filter(|f| !package.features.contains_key(**f) && (**f != "deploy" || named(package)))
        {
            offences.push(Offence::new(
                manifest(package),
                format!("`{}` has no feature `{feature}`", package.name),
                "every adapter has host, deploy and harness",
            ));
        }
        if package.features.get("default").is_some_and(|on| !on.is_empty()) {
            offences.push(Offence::new(
                manifest(package),
                format!("`{}` has default features", package.name),
                "leave `default` empty, so that a function links only what it asks for",
            ));
        }
    }
    offences
}

/// Adapters whose suite is linked by more than the feature `harness`.
#[must_use]
pub fn suite_only_under_harness(metadata: &Metadata) -> Vec<Offence> {
    let mut offences = Vec::new();
    for package in adapters(metadata) {
        for (dependency, _) in ours(metadata, package).filter(|(_, role)| *role == Role::Conformance) {
            if dependency.kind.is_none() && !dependency.optional {
                offences.push(Offence::new(
                    manifest(package),
                    format!("`{}` always links `{}`", package.name, dependency.name),
                    "make it optional and turn it on in `harness`",
                ));
            }
            let by_name = format!("dep:{}", dependency.name);
            for (feature, on) in &package.features {
                if on
                    .iter()
                    .any(|o| *o == by_name || o == "harness" || *o == dependency.name)
                    && feature != "harness"
                {
                    offences.push(Offence::new(
                        manifest(package),
                        format!("feature `{feature}` of `{}` links the suite", package.name),
                        "only `harness` may",
                    ));
                }
            }
        }
    }
    offences
}

/// Adapters linked into functions with more than `host`. Defaults need no look: an adapter has none.
#[must_use]
pub fn functions_link_only_hosts(metadata: &Metadata) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (package, dependency) in linked_adapters(metadata, Role::Facade) {
        for feature in dependency.features.iter().filter(|f| *f != "host") {
            offences.push(Offence::new(
                manifest(package),
                format!("`{}` links `{}` with `{feature}`", package.name, dependency.name),
                "a function links only `host`",
            ));
        }
    }
    offences
}

/// Adapters that the command links without `deploy`.
#[must_use]
pub fn command_links_deploy(metadata: &Metadata) -> Vec<Offence> {
    linked_adapters(metadata, Role::Cli)
        .filter(|(_, dependency)| !dependency.features.iter().any(|f| f == "deploy"))
        .map(|(package, dependency)| {
            Offence::new(
                manifest(package),
                format!("`{}` links `{}` without `deploy`", package.name, dependency.name),
                "the command needs each adapter's deploy port",
            )
        })
        .collect()
}

/// A member whose `Cargo.toml` (its text) does not take the workspace's lints.
#[must_use]
pub fn without_lints(name: &str, manifest_text: &str) -> Option<Offence> {
    let inherits = toml::from_str::<toml::Table>(manifest_text)
        .ok()
        .and_then(|table| table.get("lints")?.get("workspace")?.as_bool())
        .unwrap_or(false);
    (!inherits).then(|| {
        Offence::new(
            format!("{name}/Cargo.toml"),
            "the workspace's lints are not inherited",
            "add `[lints]` with `workspace = true`",
        )
    })
}

/// Crates in the lines of `cargo tree --prefix none` that a function must not link.
#[must_use]
pub fn banned_in_functions(tree: &str) -> Vec<Offence> {
    const BANNED: [(&str, &str); 9] = [
        ("rusqlite", "the embedded resources belong to the host"),
        ("libsqlite3-sys", "the embedded resources belong to the host"),
        ("clap", "command lines belong to the command"),
        ("miette", "diagnostics belong to the command"),
        ("rustls", "a function without a remote resource needs no TLS"),
        ("aws-lc-sys", "a function without a remote resource needs no TLS"),
        ("native-tls", "a function without a remote resource needs no TLS"),
        ("openssl-sys", "a function without a remote resource needs no TLS"),
        ("ring", "a function without a remote resource needs no TLS"),
    ];
    let linked = |name: &str| {
        tree.lines()
            .any(|line| line.split_whitespace().next() == Some(name))
    };
    BANNED
        .iter()
        .filter(|(name, _)| linked(name))
        .map(|(name, why)| {
            let fix = format!(
                "find the way with `cargo tree -e normal -i {name}` and put it behind a feature: {why}"
            );
            Offence::new(
                format!("cargo tree -e normal, crate {name}"),
                format!("a function links `{name}`"),
                fix,
            )
        })
        .collect()
}

fn adapters(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata
        .packages
        .iter()
        .filter(|p| Role::of(p) == Some(Role::Adapter))
}

fn linked_adapters(metadata: &Metadata, by: Role) -> impl Iterator<Item = (&Package, &Dependency)> {
    metadata
        .packages
        .iter()
        .filter(move |p| Role::of(p) == Some(by))
        .flat_map(|package| {
            ours(metadata, package)
                .filter(|(dependency, role)| *role == Role::Adapter && dependency.kind.is_none())
                .map(move |(dependency, _)| (package, dependency))
        })
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::{on, package, workspace};
    use super::*;

    fn adapter(features: &[(&str, &[&str])], optional: bool) -> Package {
        let suite = Dependency {
            optional,
            ..on("nephos-conformance")
        };
        let mut adapter = package("adapters/local", "nephos-local", vec![on("nephos-core"), suite]);
        adapter.features = features
            .iter()
            .map(|(name, on)| ((*name).to_owned(), on.iter().map(|o| (*o).to_owned()).collect()))
            .collect();
        adapter
    }

    const AS_DESIGNED: [(&str, &[&str]); 3] = [
        ("host", &[]),
        ("deploy", &[]),
        ("harness", &["dep:nephos-conformance"]),
    ];

    #[test]
    fn an_adapter_as_designed_has_no_offence() {
        let metadata = workspace(adapter(&AS_DESIGNED, true));
        assert_eq!(adapter_features(&metadata), []);
        assert_eq!(suite_only_under_harness(&metadata), []);
    }

    #[test]
    fn a_missing_or_default_feature_of_an_adapter_is_found() {
        let missing = adapter_features(&workspace(adapter(&AS_DESIGNED[..2], true)));
        assert!(
            missing.len() == 1 && missing[0].what.contains("harness"),
            "{missing:?}"
        );
        let mut features = AS_DESIGNED.to_vec();
        features.push(("default", &["host"]));
        assert_eq!(adapter_features(&workspace(adapter(&features, true))).len(), 1);
    }

    #[test]
    fn only_an_adapter_that_the_command_names_must_deploy() {
        let begun = [AS_DESIGNED[0], AS_DESIGNED[2]];
        let named = adapter_features(&workspace(adapter(&begun, true)));
        assert!(named.len() == 1 && named[0].what.contains("deploy"), "{named:?}");
        let mut other = adapter(&begun, true);
        other.name = "nephos-mars".to_owned();
        other.manifest_path = "/w/adapters/mars/Cargo.toml".into();
        let mut unnamed = adapter_features(&workspace(other));
        unnamed.retain(|offence| offence.at.contains("mars"));
        assert_eq!(unnamed, []);
    }

    #[test]
    fn a_suite_outside_harness_is_found() {
        assert_eq!(
            suite_only_under_harness(&workspace(adapter(&AS_DESIGNED, false))).len(),
            1
        );
        for way in ["harness", "dep:nephos-conformance"] {
            let on = [way];
            let features: [(&str, &[&str]); 3] = [("host", &on), AS_DESIGNED[1], AS_DESIGNED[2]];
            let found = suite_only_under_harness(&workspace(adapter(&features, true)));
            assert!(found.len() == 1 && found[0].what.contains("`host`"), "{found:?}");
        }
    }

    #[test]
    fn deploy_code_in_a_function_is_found() {
        let facade = |features: &[&str]| {
            let features = features.iter().map(|f| (*f).to_owned()).collect();
            let dependency = Dependency {
                features,
                ..on("nephos-local")
            };
            functions_link_only_hosts(&workspace(package("crates/nephos", "nephos", vec![dependency])))
        };
        assert_eq!(facade(&["host"]), []);
        assert_eq!(facade(&["host", "deploy"]).len(), 1);
    }

    #[test]
    fn a_command_without_deploy_is_found() {
        let cli = |feature: &str| {
            let dependency = Dependency {
                features: vec![feature.to_owned()],
                ..on("nephos-local")
            };
            command_links_deploy(&workspace(package(
                "crates/nephos-cli",
                "nephos-cli",
                vec![dependency],
            )))
        };
        assert_eq!(cli("deploy"), []);
        assert_eq!(cli("host").len(), 1);
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert_eq!(without_lints("a", "[lints]\nworkspace = true\n"), None);
        for text in [
            "",
            "[lints]\nworkspace = false\n",
            "[lints.rust]\nunsafe_code = \"forbid\"\n",
            "not toml [",
        ] {
            assert!(without_lints("a", text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_banned_crate_in_a_function_is_found_by_its_whole_name() {
        let clean = "hello v0.1.0\nring-buffer v1.0.0\nclap_lex v1\nserde v1 (*)\n";
        assert_eq!(banned_in_functions(clean), []);
        let found = banned_in_functions(&format!("{clean}ring v0.17.8\nrusqlite v0.43.0\n"));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
