//! The rendered text against the one that was agreed to. `NEPHOS_UPDATE_GOLDEN=1` writes it anew, for the next commit's reader to agree to.

use nephos_aws::deploy::template::Output;
use nephos_core::resource::ResourceKind;

use crate::apps::{CASES, case, folder, rendered};

const UPDATE: &str = "NEPHOS_UPDATE_GOLDEN";

#[test]
fn templates_are_what_was_agreed_to() {
    let update = std::env::var(UPDATE).is_ok_and(|value| value == "1");
    let mut different = Vec::new();
    for name in CASES {
        let template = rendered(&case(name));
        let notes: String = template.notes.iter().map(|note| format!("{note}\n")).collect();
        for (ending, text) in [("json", template.to_json()), ("notes", notes)] {
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
        .filter(|name| name.ends_with(".json"))
        .collect();
    found.sort_unstable();
    let mut expected: Vec<String> = CASES.iter().map(|name| format!("{name}.json")).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_same_app_gives_the_same_text() {
    for name in CASES {
        assert_eq!(
            rendered(&case(name)).to_json(),
            rendered(&case(name)).to_json(),
            "{name}"
        );
    }
}

#[test]
fn outputs_tell_urls_and_names() {
    let template = rendered(&case("face-gate"));
    let told = |key: &str| template.outputs.get(key).cloned();
    assert_eq!(
        told("UrlKnown"),
        Some(Output::FunctionUrl {
            function: "known".to_owned()
        })
    );
    assert_eq!(
        told("FunctionRecognise"),
        Some(Output::Function {
            function: "recognise".to_owned()
        })
    );
    assert_eq!(
        told("TableFaces"),
        Some(Output::Resource {
            name: "faces".to_owned(),
            kind: ResourceKind::Table
        })
    );
    assert_eq!(told("BucketArchive"), None, "it is outside the target");
    let in_body: Vec<&String> = template.body["Outputs"].as_object().unwrap().keys().collect();
    let told: Vec<&String> = template.outputs.keys().collect();
    assert_eq!(in_body, told);
    let api = rendered(&case("every-trigger"));
    assert_eq!(api.outputs.get("ApiUrl"), Some(&Output::ApiUrl));
    assert_eq!(
        api.outputs.get("EndpointVoice"),
        Some(&Output::Endpoint {
            function: "voice".to_owned()
        })
    );
}
