//! Files that cannot be read, and texts that nobody would write.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::render;
use nephos_manifest::{Report, load, load_str};
use proptest::prelude::{any, prop, prop_assert, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};

fn fails(path: &Path) -> Report {
    load(path, None, &BTreeMap::new(), &["local"]).expect_err("there is no good manifest")
}

#[test]
fn a_missing_file_says_where_it_was_looked_for_and_how_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let report = fails(folder.path());
    let file = folder.path().join("nephos.toml");
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(
        problem.message(),
        format!("there is no manifest at {}", file.display())
    );
    assert_eq!(
        problem.advice(),
        Some("make a project with `nephos new`, or name the folder of one")
    );
    assert!(render(&report).contains("nephos::manifest::unreadable"));
}

#[test]
fn a_relative_path_is_shown_whole() {
    let report = fails(Path::new("no-such-folder/nephos.toml"));
    let current = std::env::current_dir().unwrap();
    let file = current.join("no-such-folder/nephos.toml");
    assert!(
        report.problems()[0]
            .message()
            .contains(&file.display().to_string())
    );
}

#[test]
fn bytes_that_are_not_utf_8_are_placed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nephos.toml");
    std::fs::write(&file, b"app = \"shop\"\n# caf\xe9\n").unwrap();
    let report = fails(&file);
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(problem.message(), "the manifest is not UTF-8: byte 0xe9");
    let position = problem.position().unwrap();
    assert_eq!((position.line, position.column), (2, 6));
    assert!(render(&report).contains("nephos.toml:2:6"));
}

#[test]
fn an_empty_file_lacks_its_app() {
    let report = load_str("nephos.toml", "", None, &BTreeMap::new(), &["local"]).unwrap_err();
    assert_eq!(report.problems()[0].message(), "the manifest has no `app`");
    assert!(!render(&report).is_empty());
}

#[test]
fn a_report_is_data_for_machines() {
    let report = load_str("nephos.toml", "app = 7", None, &BTreeMap::new(), &["local"]).unwrap_err();
    assert_eq!(
        serde_json::to_value(report.problems()).unwrap(),
        serde_json::json!([{
            "kind": "wrong_type",
            "warning": false,
            "message": "`app` must be text, not a whole number",
            "help": "write \"7\" in quotation marks",
            "line": 1,
            "column": 7,
        }])
    );
}

/// Text of pieces that manifests are made of, so that more than the parser is reached.
fn manifest_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("app = \"a\"\n".to_owned()),
        "\\[(bucket|queue|topic|stream|table|secret|function|target)\\.[a-z]{1,3}\\]\n",
        "\\[target\\.[a-z]{1,2}\\.(function|queue|table)\\.[a-z]{1,2}\\]\n",
        "(url|key|sort|memory|timeout|retention|dead_letter|isolation|env|credentials) = (\"[ -!#-\\[\\]-~é]{0,8}\"|[0-9]{1,20}|true|1979-05-27|-?inf)\n",
        "on = \\[\\{ (http|bucket|queue|schedule|email|auth|table) = \"[a-zA-Z0-9 */{}@.]{0,12}\" \\}\\]\n",
        "(uses|env|retry) = \\{ [a-z]{1,3} = (\\[\"read\"\\]|\"x\"|3) \\}\n",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_gives_an_app_or_a_report_that_can_be_shown(text in manifest_like()) {
        match load_str("nephos.toml", &text, Some("a"), &BTreeMap::new(), &["a", "local"]) {
            Ok(loaded) => prop_assert!(!loaded.app.name.is_empty()),
            Err(report) => {
                prop_assert!(!report.is_empty());
                prop_assert!(render(&report).contains("nephos::manifest::"));
            }
        }
    }

    #[test]
    fn any_variable_gives_an_app_or_a_report(name in "[A-Za-z_]{0,20}", value in any::<String>()) {
        let environment = BTreeMap::from([(format!("NEPHOS__{name}"), value)]);
        let text = "app = \"a\"\n[queue.q]\n[function.f]\non = [{ queue = \"q\" }]\n";
        if let Err(report) = load_str("nephos.toml", text, None, &environment, &["local"]) {
            prop_assert!(report.problems().iter().all(|problem| problem.variable().is_some()));
        }
    }
}
