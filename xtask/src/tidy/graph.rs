//! Who may import whom, from `cargo metadata`.

use serde::Deserialize;

use super::Offence;

/// The part of `cargo metadata --no-deps` that the rules read.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Members of the workspace.
    pub packages: Vec<Package>,
    /// Where cargo builds.
    pub target_directory: std::path::PathBuf,
}

/// One member.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its `Cargo.toml`.
    pub manifest_path: std::path::PathBuf,
    /// What it depends on, of every kind.
    pub dependencies: Vec<Dependency>,
    /// Feature → what it turns on.
    #[serde(default)]
    pub features: std::collections::BTreeMap<String, Vec<String>>,
    /// What cargo builds of it.
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// One library, program or test program of a member.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    /// `lib`, `bin`, `test`, …
    pub kind: Vec<String>,
}

/// One dependency of a member.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
    /// Whether a feature must turn it on.
    pub optional: bool,
    /// Features that are asked for.
    pub features: Vec<String>,
}

impl Dependency {
    fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// What a member is, by its name and folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `crates/nephos-core`
    Core,
    /// `crates/nephos-macros`
    Macros,
    /// `crates/nephos-manifest`
    Manifest,
    /// `crates/nephos`
    Facade,
    /// `crates/nephos-cli`
    Cli,
    /// `conformance`
    Conformance,
    /// `conformance/probe`
    Probe,
    /// `crates/nephos-alexa`, `crates/nephos-oci`: what is no provider's, and the same on several
    Shared,
    /// `adapters/*`
    Adapter,
    /// `examples/*`
    Example,
    /// `examples/adapter-*`: an adapter as somebody else writes it
    OutsideAdapter,
    /// `xtask`
    Xtask,
}

impl Role {
    /// The role of a member, or `None` for a member that the layout does not know.
    #[must_use]
    pub fn of(package: &Package) -> Option<Self> {
        let path = package.manifest_path.to_string_lossy().replace('\\', "/");
        let folder = path
            .trim_end_matches("/Cargo.toml")
            .rsplit('/')
            .nth(1)
            .unwrap_or_default();
        match package.name.as_str() {
            "nephos-core" => Some(Self::Core),
            "nephos-alexa" | "nephos-oci" => Some(Self::Shared),
            "nephos-macros" => Some(Self::Macros),
            "nephos-manifest" => Some(Self::Manifest),
            "nephos" => Some(Self::Facade),
            "nephos-cli" => Some(Self::Cli),
            "nephos-conformance" => Some(Self::Conformance),
            "nephos-probe" => Some(Self::Probe),
            "xtask" => Some(Self::Xtask),
            _ if folder == "adapters" => Some(Self::Adapter),
            name if folder == "examples" && name.starts_with("adapter-") => Some(Self::OutsideAdapter),
            _ if folder == "examples" => Some(Self::Example),
            _ => None,
        }
    }

    /// Whom a member of this role may import.
    #[must_use]
    pub fn may_import(self) -> &'static [Self] {
        match self {
            Self::Core | Self::Macros | Self::Xtask => &[],
            Self::Manifest | Self::Conformance | Self::Shared | Self::OutsideAdapter => &[Self::Core],
            Self::Adapter => &[Self::Core, Self::Shared, Self::Conformance],
            Self::Facade => &[Self::Core, Self::Macros, Self::Adapter],
            // The facade opens buckets outside every target; the command must find the same objects as functions do.
            Self::Cli => &[
                Self::Core,
                Self::Manifest,
                Self::Conformance,
                Self::Adapter,
                Self::Facade,
            ],
            Self::Example => &[Self::Facade],
            Self::Probe => &[Self::Facade, Self::Conformance],
        }
    }

    /// Whom its tests may import on top. Core and conformance keep theirs empty, so that a crate outside this
    /// repository can use them without a cycle; a manifest's tests need no adapter.
    #[must_use]
    pub fn tests_may_import(self) -> &'static [Self] {
        match self {
            Self::Core | Self::Shared | Self::Conformance | Self::Manifest | Self::Probe | Self::Xtask => &[],
            Self::Macros => &[Self::Core, Self::Facade],
            Self::Adapter => &[Self::Facade],
            Self::Facade => &[Self::Adapter],
            Self::Cli => &[Self::Facade],
            Self::Example => &[Self::Core, Self::Manifest, Self::Adapter],
            Self::OutsideAdapter => &[Self::Conformance],
        }
    }
}

/// Members that no role fits: the layout has no place for them.
#[must_use]
pub fn without_role(metadata: &Metadata) -> Vec<Offence> {
    metadata
        .packages
        .iter()
        .filter(|package| Role::of(package).is_none())
        .map(|package| {
            Offence::new(
                manifest(package),
                format!("`{}` is no part of the layout", package.name),
                "move it to adapters/ or examples/, or give it a role in xtask/src/tidy/graph.rs",
            )
        })
        .collect()
}

/// Imports among members that the layout forbids.
#[must_use]
pub fn forbidden_imports(metadata: &Metadata, role: Role) -> Vec<Offence> {
    let mut offences = Vec::new();
    for package in metadata.packages.iter().filter(|p| Role::of(p) == Some(role)) {
        for (dependency, target) in ours(metadata, package) {
            let test_only = dependency.is_dev() && role.tests_may_import().contains(&target);
            if !test_only && !role.may_import().contains(&target) {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                offences.push(Offence::new(
                    manifest(package),
                    format!(
                        "`{}` imports `{}` ({kind} dependency)",
                        package.name, dependency.name
                    ),
                    format!(
                        "{role:?} may import only {:?}; move the shared part down to nephos-core",
                        role.may_import()
                    ),
                ));
            }
        }
    }
    offences
}

/// The dependencies of `package` on other members, with the role of each.
pub(super) fn ours<'a>(
    metadata: &'a Metadata,
    package: &'a Package,
) -> impl Iterator<Item = (&'a Dependency, Role)> {
    package
        .dependencies
        .iter()
        .filter(|d| d.name != package.name)
        .filter_map(|dependency| {
            let target = metadata.packages.iter().find(|p| p.name == dependency.name)?;
            Some((dependency, Role::of(target)?))
        })
}

pub(super) fn manifest(package: &Package) -> String {
    let path = package.manifest_path.to_string_lossy().replace('\\', "/");
    let parts: Vec<&str> = path.split('/').collect();
    parts[parts.len().saturating_sub(3)..].join("/")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::tidy) fn package(folder: &str, name: &str, dependencies: Vec<Dependency>) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: format!("/w/{folder}/Cargo.toml").into(),
            dependencies,
            features: std::collections::BTreeMap::new(),
            targets: Vec::new(),
        }
    }

    pub(in crate::tidy) fn on(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            kind: None,
            optional: false,
            features: Vec::new(),
        }
    }

    pub(in crate::tidy) fn dev(name: &str) -> Dependency {
        Dependency {
            kind: Some("dev".to_owned()),
            ..on(name)
        }
    }

    pub(in crate::tidy) fn workspace(changed: Package) -> Metadata {
        let mut packages = vec![
            package("crates/nephos-core", "nephos-core", vec![on("serde")]),
            package("crates/nephos-macros", "nephos-macros", vec![dev("nephos-core")]),
            package(
                "crates/nephos-manifest",
                "nephos-manifest",
                vec![on("nephos-core")],
            ),
            package(
                "crates/nephos",
                "nephos",
                vec![on("nephos-core"), on("nephos-macros"), on("nephos-local")],
            ),
            package(
                "crates/nephos-cli",
                "nephos-cli",
                vec![on("nephos-manifest"), on("nephos-local")],
            ),
            package("conformance", "nephos-conformance", vec![on("nephos-core")]),
            package(
                "adapters/local",
                "nephos-local",
                vec![on("nephos-core"), on("nephos-conformance")],
            ),
            package("examples/hello", "hello", vec![on("nephos"), dev("nephos-local")]),
            package(
                "examples/adapter-theirs",
                "adapter-theirs",
                vec![on("nephos-core"), dev("nephos-conformance")],
            ),
        ];
        packages.retain(|p| p.name != changed.name);
        packages.push(changed);
        Metadata {
            packages,
            target_directory: "/w/target".into(),
        }
    }

    #[test]
    fn the_layout_as_designed_has_no_offence() {
        let metadata = workspace(package("xtask", "xtask", vec![on("clap")]));
        for package in &metadata.packages {
            let role = Role::of(package).unwrap();
            assert_eq!(forbidden_imports(&metadata, role), [], "{}", package.name);
        }
        assert_eq!(without_role(&metadata), []);
    }

    #[test]
    fn each_forbidden_import_is_found() {
        let seeded = [
            (
                package("crates/nephos-core", "nephos-core", vec![on("nephos-macros")]),
                Role::Core,
            ),
            (
                package("crates/nephos-core", "nephos-core", vec![dev("nephos-local")]),
                Role::Core,
            ),
            (
                package("crates/nephos-macros", "nephos-macros", vec![on("nephos-core")]),
                Role::Macros,
            ),
            (
                package(
                    "crates/nephos-manifest",
                    "nephos-manifest",
                    vec![on("nephos-local")],
                ),
                Role::Manifest,
            ),
            (
                package("adapters/local", "nephos-local", vec![on("nephos-manifest")]),
                Role::Adapter,
            ),
            (
                package("adapters/other", "nephos-other", vec![on("nephos-local")]),
                Role::Adapter,
            ),
            (
                package("conformance", "nephos-conformance", vec![dev("nephos-local")]),
                Role::Conformance,
            ),
            (
                package("crates/nephos", "nephos", vec![on("nephos-manifest")]),
                Role::Facade,
            ),
            (
                package("crates/nephos-cli", "nephos-cli", vec![on("nephos-macros")]),
                Role::Cli,
            ),
            (
                package("examples/hello", "hello", vec![on("nephos-core")]),
                Role::Example,
            ),
            (
                package("examples/adapter-x", "adapter-x", vec![dev("nephos-local")]),
                Role::OutsideAdapter,
            ),
            (
                package("examples/adapter-x", "adapter-x", vec![on("nephos-conformance")]),
                Role::OutsideAdapter,
            ),
            (package("xtask", "xtask", vec![on("nephos-core")]), Role::Xtask),
        ];
        for (package, role) in seeded {
            let name = package.name.clone();
            let found = forbidden_imports(&workspace(package), role);
            assert_eq!(found.len(), 1, "{name} as {role:?}: {found:?}");
            assert!(found[0].what.contains(&name), "{}", found[0]);
        }
    }

    #[test]
    fn a_member_outside_the_layout_is_found() {
        let found = without_role(&workspace(package(
            "crates/nephos-util",
            "nephos-util",
            Vec::new(),
        )));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].to_string().contains("crates/nephos-util"),
            "{}",
            found[0]
        );
    }
}
