//! `cargo xtask docs`: builds the API documentation without a warning and checks the links of every page.

use xtask::shell::{self, Error, Result};
use xtask::tidy::{links, report};

/// Runs both.
///
/// # Errors
/// A warning of rustdoc; a link that leads nowhere, with file and line.
pub(crate) fn run() -> Result<()> {
    let mut doc = shell::cargo();
    doc.args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings");
    shell::run(&mut doc, "the documentation check")?;
    let root = shell::root();
    let pages = links::pages(&root).map_err(|e| Error::Other(e.to_string()))?;
    let broken = links::broken(&root, &pages);
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Other(report(&broken)))
}
