//! The golden templates on the emulator: they deploy, and what the functions are told is what was made.

use std::sync::Arc;

use nephos_aws::deploy::template::{ALIAS, Output};
use nephos_aws::events::Wiring;
use nephos_aws::harness::emulator::Emulator;
use nephos_aws::resources::AwsDrivers;
use nephos_core::env::{Environment, WIRING};
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use serde_json::json;

use crate::apps::{CASES, case, rendered};
use crate::stack::{MAX_INLINE, Source, create};

/// What the emulator does not know. On AWS it is deployed; here cfn-lint is all that has looked at it.
const UNKNOWN: [&str; 2] = ["AWS::SES::ReceiptRuleSet", "AWS::SES::ReceiptRule"];

/// A bucket for templates that are too large for a request: what is stored there, and where.
async fn upload(emulator: &Emulator, text: String) -> String {
    let template = json!({"Resources": {"Templates": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "templates"}}}});
    create(
        &emulator.config(),
        "templates",
        Source::Text(template.to_string()),
    )
    .await;
    let binding = Binding {
        name: "templates".to_owned(),
        kind: ResourceKind::Bucket,
        access: ResourceKind::Bucket.access().iter().copied().collect(),
        url: None,
        properties: [(PHYSICAL.to_owned(), "templates".to_owned())].into(),
    };
    let resources = Resources::new(Arc::new(AwsDrivers::new(&emulator.config())), [binding]);
    resources
        .bucket("templates")
        .unwrap()
        .put("template.json", text)
        .await
        .unwrap();
    format!("{}/templates/template.json", emulator.endpoint())
}

#[tokio::test]
async fn every_golden_template_deploys_and_its_functions_are_told_what_was_made() {
    let emulator = Emulator::start().await.unwrap();
    let lambda = aws_sdk_lambda::Client::new(&emulator.config());
    let mut functions = 0;
    for name in CASES {
        let app = case(name);
        let mut template = rendered(&app);
        template.body["Resources"]
            .as_object_mut()
            .unwrap()
            .retain(|_, resource| !UNKNOWN.contains(&resource["Type"].as_str().unwrap()));
        let text = template.to_compact_json();
        let source = if text.len() > MAX_INLINE {
            Source::Url(upload(&emulator, text).await)
        } else {
            Source::Text(text)
        };
        let outputs = create(&emulator.config(), name, source).await;
        let promised: Vec<&String> = template.outputs.keys().collect();
        assert_eq!(promised, outputs.keys().collect::<Vec<_>>(), "{name}");
        for (key, output) in &template.outputs {
            let Output::Function { function } = output else {
                continue;
            };
            let deployed = lambda
                .get_function_configuration()
                .function_name(&outputs[key])
                .qualifier(ALIAS)
                .send()
                .await
                .unwrap();
            let variables = deployed.environment().unwrap().variables().unwrap().clone();
            let environment: Environment = variables.clone().into_iter().collect();
            let told = environment.wiring().unwrap();
            for binding in &told.bindings {
                if binding.url.is_some() {
                    continue;
                }
                let made = outputs
                    .iter()
                    .any(|(_, value)| *value == binding.properties[PHYSICAL]);
                let existing = ["prod/password", "ssm:/prod/flag"].contains(&&*binding.properties[PHYSICAL]);
                assert!(
                    made || existing,
                    "{name}: {function}: {binding:?} is not among {outputs:?}"
                );
            }
            assert!(
                variables.values().all(|value| !value.contains("${AWS::")),
                "{name}: {function}: {variables:?}"
            );
            Wiring::new(&told, &environment).unwrap();
            let sources = &told.sources;
            assert!(
                sources.values().all(|source| app.resources.contains_key(source)),
                "{sources:?}"
            );
            let watches = app.functions[function]
                .on
                .iter()
                .any(|trigger| trigger.resource().is_some());
            assert_eq!(watches, !sources.is_empty(), "{name}: {function}");
            assert_eq!(variables.contains_key(WIRING), told != Default::default());
            functions += 1;
        }
    }
    assert_eq!(functions, 20);
}
