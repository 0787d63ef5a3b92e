//! The project's own rules on the real tree, one test a rule, so that one broken rule hides no other.

#![expect(clippy::unwrap_used, reason = "a rule that cannot be checked has failed")]

use std::sync::LazyLock;

use xtask::shell;
use xtask::tidy::graph::{Metadata, Role};
use xtask::tidy::names::Allowed;
use xtask::tidy::source::SourceFile;
use xtask::tidy::{Offence, features, graph, links, names, report, source};

/// Where the core may name a provider, and why.
const NAMES_IN_CORE: &[Allowed] = &[
    Allowed {
        file: ".rs",
        text: "s3://",
        reason: "the URL scheme of a protocol that many stores speak; the manifest uses it for stores outside every target",
    },
    Allowed {
        file: "resource/mod.rs",
        text: "scheme (`s3`)",
        reason: "the feature that is named after that URL scheme",
    },
];

static METADATA: LazyLock<Metadata> = LazyLock::new(|| shell::metadata().unwrap());

static SOURCES: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let folders = ["crates", "adapters", "conformance", "examples", "fuzz", "xtask"];
    let files = source::rust_files(&shell::root(), &folders).unwrap();
    for folder in folders {
        let found = files.iter().any(|file| file.path.starts_with(folder));
        assert!(
            found,
            "no source file below {folder}/: the rules would pass for the wrong reason"
        );
    }
    files
});

#[track_caller]
fn assert_none(offences: &[Offence]) {
    assert!(offences.is_empty(), "{}", report(offences));
}

#[track_caller]
fn assert_imports(role: Role) {
    let members = METADATA
        .packages
        .iter()
        .filter(|p| Role::of(p) == Some(role))
        .count();
    assert!(
        members > 0,
        "the workspace has no {role:?}: the rule would pass for the wrong reason"
    );
    assert_none(&graph::forbidden_imports(&METADATA, role));
}

#[test]
fn every_member_has_a_place_in_the_layout() {
    assert_none(&graph::without_role(&METADATA));
}

#[test]
fn core_imports_none_of_ours() {
    assert_imports(Role::Core);
}

#[test]
fn macros_import_none_of_ours() {
    assert_imports(Role::Macros);
}

#[test]
fn manifest_imports_only_core() {
    assert_imports(Role::Manifest);
}

#[test]
fn conformance_imports_only_core_and_no_adapter() {
    assert_imports(Role::Conformance);
}

#[test]
fn shared_crates_import_only_core() {
    assert_imports(Role::Shared);
}

#[test]
fn adapters_import_only_core_shared_crates_and_the_suite() {
    assert_imports(Role::Adapter);
}

#[test]
fn the_facade_imports_core_macros_and_adapters() {
    assert_imports(Role::Facade);
}

#[test]
fn the_command_imports_what_it_deploys_with() {
    assert_imports(Role::Cli);
}

#[test]
fn examples_import_only_the_facade() {
    assert_imports(Role::Example);
}

#[test]
fn an_adapter_by_somebody_else_imports_only_core_and_its_tests_the_suite() {
    assert_imports(Role::OutsideAdapter);
}

#[test]
fn xtask_imports_none_of_ours() {
    assert_imports(Role::Xtask);
}

#[test]
fn every_adapter_has_the_same_three_features_and_no_default() {
    assert_none(&features::adapter_features(&METADATA));
}

#[test]
fn an_adapter_links_the_suite_only_under_harness() {
    assert_none(&features::suite_only_under_harness(&METADATA));
}

#[test]
fn functions_link_only_the_host_side_of_an_adapter() {
    assert_none(&features::functions_link_only_hosts(&METADATA));
}

#[test]
fn the_command_links_the_deploy_side_of_every_adapter_it_names() {
    assert_none(&features::command_links_deploy(&METADATA));
}

#[test]
fn every_member_inherits_the_lints() {
    let offences: Vec<Offence> = METADATA
        .packages
        .iter()
        .filter_map(|package| {
            let text = std::fs::read_to_string(&package.manifest_path).unwrap();
            features::without_lints(&package.name, &text)
        })
        .collect();
    assert_none(&offences);
}

#[test]
fn a_function_links_no_database_no_command_line_and_no_tls() {
    let mut tree = shell::cargo();
    tree.args([
        "tree",
        "--package",
        "hello-http",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    let tree = shell::output(&mut tree, "the rule about a function's size").unwrap();
    assert!(tree.starts_with("hello-http "), "unexpected `cargo tree`: {tree}");
    assert_none(&features::banned_in_functions(&tree));
}

#[test]
fn core_names_no_provider() {
    let core: Vec<SourceFile> = SOURCES
        .iter()
        .filter(|file| file.path.starts_with("crates/nephos-core/src/"))
        .cloned()
        .collect();
    assert!(!core.is_empty(), "crates/nephos-core/src holds no source");
    assert_none(&names::provider_names(&core, NAMES_IN_CORE));
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_none(&source::without_purpose(&SOURCES));
}

#[test]
fn no_file_is_too_long() {
    assert_none(&source::too_long(&SOURCES));
}

#[test]
fn no_test_is_ignored_and_no_code_is_left_out() {
    assert_none(&source::unfinished(&SOURCES));
}

#[test]
fn no_comment_is_a_note_to_self() {
    assert_none(&source::notes_to_self(&SOURCES));
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let root = shell::root();
    let pages = links::pages(&root).unwrap();
    assert!(
        pages.iter().any(|page| page.path == "README.md"),
        "the repository has no README.md"
    );
    assert_none(&links::broken(&root, &pages));
}
