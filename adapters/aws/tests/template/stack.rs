//! Brings templates to the emulator, by change sets as on AWS.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, StackStatus};

/// How long a stack may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often the emulator is asked.
const PAUSE: Duration = Duration::from_millis(50);
/// The largest template within a request, in bytes.
pub(crate) const MAX_INLINE: usize = 51_200;

/// Where a template is.
pub(crate) enum Source {
    Text(String),
    Url(String),
}

/// Makes the stack and returns its outputs.
pub(crate) async fn create(config: &SdkConfig, name: &str, source: Source) -> BTreeMap<String, String> {
    let client = Client::new(config);
    let deadline = Instant::now() + DEADLINE;
    let request = client
        .create_change_set()
        .stack_name(name)
        .change_set_name("first")
        .change_set_type(ChangeSetType::Create)
        .capabilities(Capability::CapabilityIam);
    let request = match source {
        Source::Text(text) => request.template_body(text),
        Source::Url(url) => request.template_url(url),
    };
    let made = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let id = made.id().unwrap();
    loop {
        let found = client
            .describe_change_set()
            .change_set_name(id)
            .send()
            .await
            .unwrap();
        match found.status() {
            Some(ChangeSetStatus::CreateComplete) => break,
            Some(ChangeSetStatus::Failed) => panic!("{name}: {:?}", found.status_reason()),
            other => assert!(Instant::now() < deadline, "{name}: {other:?}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    client
        .execute_change_set()
        .change_set_name(id)
        .send()
        .await
        .unwrap();
    loop {
        let found = client.describe_stacks().stack_name(name).send().await.unwrap();
        let stack = &found.stacks()[0];
        match stack.stack_status() {
            Some(StackStatus::CreateComplete) => {
                let outputs = stack.outputs().iter();
                return outputs
                    .map(|output| {
                        let text = |text: Option<&str>| text.unwrap().to_owned();
                        (text(output.output_key()), text(output.output_value()))
                    })
                    .collect();
            }
            Some(StackStatus::CreateInProgress | StackStatus::ReviewInProgress) => {
                assert!(Instant::now() < deadline, "{name} takes too long");
            }
            other => {
                let events = client
                    .describe_stack_events()
                    .stack_name(name)
                    .send()
                    .await
                    .unwrap();
                let reasons: Vec<String> = events
                    .stack_events()
                    .iter()
                    .filter_map(|event| {
                        Some(format!(
                            "{:?}: {}",
                            event.logical_resource_id(),
                            event.resource_status_reason()?
                        ))
                    })
                    .collect();
                panic!("{name} is {other:?}:\n{}", reasons.join("\n"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
