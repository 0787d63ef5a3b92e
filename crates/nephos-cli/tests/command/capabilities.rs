//! The documentation's table of capabilities.

use std::path::Path;

use nephos_conformance::report::capabilities;

#[test]
fn the_table_of_capabilities_is_what_the_adapters_declare() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents = Vec::new();
    for adapter in std::fs::read_dir(root.join("adapters")).unwrap() {
        let file = adapter.unwrap().path().join("tests/declared.json");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        documents.push(serde_json::from_str(&text).unwrap());
    }
    let page = capabilities::page(&documents).unwrap();
    let file = root.join("docs/src/capabilities.md");
    if std::env::var_os("NEPHOS_UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == page,
        "docs/src/capabilities.md is not made of what the adapters declare; run this test again with NEPHOS_UPDATE_GOLDEN=1"
    );
}
