//! The manifests that the book and the READMEs show: a reader copies them, so each must load.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::render;
use nephos_manifest::load_str;

/// What the command knows.
const TARGETS: [&str; 5] = ["local", "aws", "azure", "gcp", "knative"];

/// A manifest in a page.
#[derive(Debug, PartialEq, Eq)]
struct Sample {
    /// The line at which it begins, from 1.
    line: usize,
    text: String,
}

/// The blocks of TOML that are manifests: those with a line `app = …`.
fn samples(page: &str) -> Vec<Sample> {
    let mut found = Vec::new();
    // Whether the block is TOML, and what it holds. Others are followed too: their ends must not be taken for beginnings.
    let mut open: Option<(bool, Sample)> = None;
    for (index, line) in page.lines().enumerate() {
        // A list indents its blocks.
        let fence = line.trim();
        match &mut open {
            None => {
                if let Some(info) = fence.strip_prefix("```") {
                    let language = info.split([',', ' ']).next();
                    let sample = Sample {
                        line: index + 2,
                        text: String::new(),
                    };
                    open = Some((language == Some("toml"), sample));
                }
            }
            Some(_) if fence == "```" => {
                found.extend(open.take().filter(|(toml, _)| *toml).map(|(_, sample)| sample));
            }
            Some((_, sample)) => {
                sample.text.push_str(line);
                sample.text.push('\n');
            }
        }
    }
    let is_manifest = |line: &str| line.trim_start().starts_with("app = ");
    found.retain(|sample| sample.text.lines().any(is_manifest));
    found
}

/// What is said of a manifest that is refused; its lines are those of the page.
fn refused(page: &str, sample: &Sample) -> Option<String> {
    let text = "\n".repeat(sample.line - 1) + &sample.text;
    let targets = [None].into_iter().chain(TARGETS.map(Some));
    targets
        .filter_map(|target| load_str(page, &text, target, &BTreeMap::new(), &TARGETS).err())
        .map(|report| {
            format!(
                "{page}:{}: the manifest is refused\n{}",
                sample.line,
                render(&report)
            )
        })
        .next()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The book, and every README: of the project, its crates, adapters and examples.
fn pages() -> Vec<PathBuf> {
    let inside = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        entries
            .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
            .collect::<Vec<_>>()
    };
    let book = inside("docs/src")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let readmes = ["crates", "adapters", "examples"]
        .into_iter()
        .flat_map(inside)
        .chain(["", "conformance", "xtask"].map(PathBuf::from))
        .map(|folder| folder.join("README.md"))
        .filter(|path| root().join(path).is_file());
    let mut pages: Vec<_> = book.chain(readmes).collect();
    pages.sort();
    pages
}

#[test]
fn every_manifest_that_a_page_shows_loads() {
    let mut count = 0;
    let mut faults = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let page = page.display().to_string();
        for sample in samples(&text) {
            count += 1;
            faults.extend(refused(&page, &sample));
        }
    }
    assert!(
        count > 0,
        "no page shows a manifest: this test would pass for the wrong reason"
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_refused_manifest_is_told_with_page_and_line() {
    let page = "# Page\n\n```rust\n```\n\n```toml\napp = \"shop\"\n[function.take-order]\ndead_letter = \"broken\"\n```\n\n```toml\n[queue.part]\n```\n";
    let found = samples(page);
    let [sample] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(sample.line, 7);
    let said = refused("docs/src/page.md", sample).expect("the queue is not declared");
    assert!(
        said.contains("docs/src/page.md:7: the manifest is refused"),
        "{said}"
    );
    assert!(said.contains("docs/src/page.md:9:15"), "{said}");
}
