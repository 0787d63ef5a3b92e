//! The rendered text against the one that was agreed to. `NEPHOS_UPDATE_GOLDEN=1` writes it anew, for the next commit's reader to agree to.

use nephos_gcp::deploy::settings::Settings;
use nephos_gcp::deploy::{GRAPH, rendered};

use crate::apps::{CASES, TARGET, case, folder, known};

const UPDATE: &str = "NEPHOS_UPDATE_GOLDEN";

/// The graph and the notes.
fn texts(name: &str) -> [(&'static str, String); 2] {
    let app = case(name);
    let rendered = rendered(&app, TARGET, &Settings::of(&app, TARGET).unwrap(), &known(&app)).unwrap();
    let [graph] = rendered.documents.as_slice() else {
        panic!("{} documents", rendered.documents.len());
    };
    assert_eq!(graph.name, GRAPH);
    let notes = rendered.notes.iter().map(|note| format!("{note}\n")).collect();
    [("json", graph.text.clone()), ("notes", notes)]
}

#[test]
fn graphs_are_what_was_agreed_to() {
    let update = std::env::var(UPDATE).is_ok_and(|value| value == "1");
    let mut different = Vec::new();
    for name in CASES {
        for (ending, text) in texts(name) {
            let path = folder().join(format!("{name}.{ending}"));
            if update {
                std::fs::write(&path, &text).unwrap();
            }
            let agreed = std::fs::read_to_string(&path).unwrap_or_default();
            if agreed != text {
                let line = agreed
                    .lines()
                    .zip(text.lines())
                    .position(|(one, other)| one != other);
                let line = line.unwrap_or_else(|| agreed.lines().count().min(text.lines().count()));
                different.push(format!(
                    "{}: line {}: {:?} is now {:?}",
                    path.display(),
                    line + 1,
                    agreed.lines().nth(line).unwrap_or_default(),
                    text.lines().nth(line).unwrap_or_default()
                ));
            }
        }
    }
    assert!(
        different.is_empty(),
        "if that is meant, run this test with {UPDATE}=1 and read the difference:\n{}",
        different.join("\n")
    );
}

#[test]
fn every_golden_file_belongs_to_a_case() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "apps")
        .collect();
    found.sort_unstable();
    let endings = ["json", "notes"];
    let mut expected: Vec<String> = CASES
        .iter()
        .flat_map(|name| endings.map(|ending| format!("{name}.{ending}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_same_app_gives_the_same_text() {
    for name in CASES {
        assert_eq!(texts(name), texts(name), "{name}");
    }
}
