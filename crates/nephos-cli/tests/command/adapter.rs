//! `nephos new --adapter`: the crate that it makes passes the conformance suite as it is.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{done, nephos, refused, stderr, stdout};

#[test]
fn a_new_adapter_passes_the_suite_with_what_it_has() {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // At the same place each time, so that cargo has only the crate itself to build again.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apps/adapter-begun");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let made = done(&nephos(&["new", "--adapter", folder.to_str().unwrap()]));
    assert!(made.contains("&& cargo test"), "{made}");

    // The versions that are here already, built as in the Nephos workspace.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let profile = "[profile.dev]\ndebug = \"line-tables-only\"\n[profile.dev.package.\"*\"]\ndebug = false\n";
    fs::write(folder.join("Cargo.toml"), format!("{manifest}\n{profile}")).unwrap();

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tested = Command::new(cargo)
        .args(["test", "--offline"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", built)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (stdout(&tested), stderr(&tested));
    assert!(tested.status.success(), "{out}\n{err}");
    assert!(!err.contains("warning"), "{err}");
    let line = out
        .lines()
        .find(|line| line.starts_with("conformance: adapter=adapter-begun mode=embedded rules: "))
        .unwrap_or_else(|| panic!("the suite's last line is missing:\n{out}"));
    assert!(line.contains(" 0 violated, 0 excepted;"), "{line}");
    assert!(line.ends_with(" 0 survived, 0 unproven"), "{line}");
    assert!(out.contains("test mutant::secret.get.value"), "{out}");
    assert!(
        out.contains("groups that did not run, so that nothing is proven of them"),
        "{out}"
    );
}

#[test]
fn an_adapter_has_no_template_of_an_app() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mine");
    let both = nephos(&["new", "--adapter", folder.to_str().unwrap(), "--template", "http"]);
    refused(&both, 2, &["--adapter", "--template"]);
    assert!(!folder.exists());

    let named = nephos(&["new", "--adapter", dir.path().join("Mine").to_str().unwrap()]);
    refused(&named, 2, &["`Mine` cannot be an adapter's name"]);
}
