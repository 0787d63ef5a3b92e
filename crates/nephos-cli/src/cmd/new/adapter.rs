//! What `nephos new --adapter` writes: a crate that passes the conformance suite as it is, with secrets in memory.

use std::path::Path;

/// A file of the crate: its place, and its text with `{{name}}` and `{{crate}}` in it.
macro_rules! template {
    ($place:literal, $file:literal) => {
        ($place, include_str!(concat!("../../templates/adapter/", $file)))
    };
}

const FILES: [(&str, &str); 5] = [
    template!("src/lib.rs", "lib.rs"),
    template!("src/secret.rs", "secret.rs"),
    template!("tests/conformance.rs", "conformance.rs"),
    template!("tests/harness/mod.rs", "harness.rs"),
    template!("README.md", "README.md"),
];

/// The files of an adapter of this name.
pub(super) fn files(name: &str) -> Vec<(&'static str, String)> {
    let of = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{crate}}", &name.replace('-', "_"))
    };
    let mut files: Vec<_> = FILES.iter().map(|(place, text)| (*place, of(text))).collect();
    files.push(("Cargo.toml", cargo_toml(name)));
    files.push((".gitignore", "/target\n".to_owned()));
    files
}

fn cargo_toml(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nasync-trait = \"0.1\"\nnephos-core = {{ {} }}\n\n\
         [dev-dependencies]\nnephos-conformance = {{ {} }}\n\n\
         [[test]]\nname = \"conformance\"\nharness = false\n\n\
         # A workspace of its own, wherever the folder lies.\n[workspace]\n",
        source("nephos-core"),
        source("../conformance"),
    )
}

/// Where a crate of ours comes from: a command that was built from a checkout uses that checkout's, as long as it is there.
fn source(folder: &str) -> String {
    let version = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match crates.join(folder).canonicalize() {
        Ok(path) => format!("{version}, path = {:?}", path.display().to_string()),
        Err(_) => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        for (place, text) in files("adapter-of-mine") {
            assert!(!text.contains("{{"), "{place}:\n{text}");
        }
        let harness = files("adapter-of-mine")
            .into_iter()
            .find(|(place, _)| place.ends_with("harness/mod.rs"))
            .unwrap()
            .1;
        assert!(harness.contains("use adapter_of_mine::"), "{harness}");
        assert!(harness.contains("\"adapter-of-mine\""), "{harness}");
    }
}
