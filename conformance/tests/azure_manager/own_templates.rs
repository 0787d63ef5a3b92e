//! The templates of this project: they deploy whole, and what was taken of them can be checked.

use std::path::Path;

use nephos_conformance::arm_models;
use serde_json::Value;

use crate::client::{Azure, GROUP, stack};

/// The templates that the adapter renders, with a place instead of the placeholders.
fn golden() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root.join("adapters/azure/tests/golden")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("{subscription}", "cba891f5");
        let template: Value = serde_json::from_str(&text).unwrap();
        if template["resources"].is_object() {
            all.push((path.file_stem().unwrap().to_string_lossy().into_owned(), template));
        }
    }
    assert!(all.len() > 2, "the golden templates are somewhere else");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_templates_of_this_project_deploy_whole_twice_and_leave_nothing() {
    for (name, template) in golden() {
        let azure = Azure::start().await;
        for round in 0..2 {
            let made = azure.deploy(&name, stack(template.clone())).await;
            let properties = &made["properties"];
            assert_eq!(
                properties["provisioningState"], "succeeded",
                "{name}, {round}: {properties:#}"
            );
            let count = template["resources"].as_object().unwrap().len();
            assert_eq!(properties["resources"].as_array().unwrap().len(), count);
            assert_eq!(azure.manager.resources(GROUP).len(), count);
            assert_eq!(
                properties["outputs"]["functions"]["value"],
                template["outputs"]["functions"]["value"]
            );
        }
        for one in azure.manager.resources(GROUP).into_values() {
            assert!(
                !one.body.to_string().contains("\"[re"),
                "an expression is left: {:#}",
                one.body
            );
        }
        let url = format!(
            "{}?api-version=2024-03-01&unmanageAction.Resources=delete",
            azure.stack(&name)
        );
        let answer = azure.ask(http::Method::DELETE, &url, None).await;
        azure.ended(answer.header("azure-asyncoperation").unwrap()).await;
        assert_eq!(
            azure.manager.resources(GROUP).keys().collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_kept_evaluated_and_fits_the_models_of_the_interfaces() {
    let azure = Azure::start().await;
    let (name, template) = golden()
        .into_iter()
        .find(|(name, _)| name == "every-trigger")
        .unwrap();
    azure.deploy(&name, stack(template.clone())).await;
    let taken = azure.manager.taken();
    assert_eq!(taken[0].by, "stack");
    assert_eq!(taken[0].sent, template);
    let evaluated = &taken[0].evaluated;
    assert!(!evaluated.to_string().contains("[resourceId("));
    assert!(
        evaluated.to_string().contains("[reference("),
        "what is not known before is left as it was"
    );
    let findings = arm_models::templates([("evaluated", evaluated)]).unwrap();
    let errors: Vec<_> = findings.iter().filter(|one| one.level == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
