//! A change set as a plan. Pure.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{
    Change, ChangeAction, PolicyAction, Replacement, RequiresRecreation, ResourceAttribute, ResourceChange,
};
use nephos_core::plan::{Action, Data, Part, Step};

/// The types that hold data of the app.
pub(super) const HOLD_DATA: &[&str] = &[
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::Kinesis::Stream",
    "AWS::SecretsManager::Secret",
    "AWS::Cognito::UserPool",
];

/// The steps of a change set.
pub(super) fn steps(changes: &[Change], parts: &BTreeMap<String, Part>) -> Vec<Step> {
    changes
        .iter()
        .filter_map(|change| step(change.resource_change()?, parts))
        .collect()
}

fn step(change: &ResourceChange, parts: &BTreeMap<String, Part>) -> Option<Step> {
    let id = change.logical_resource_id.clone().unwrap_or_default();
    let kind = change.resource_type.clone().unwrap_or_default();
    let action = match (change.action.as_ref()?, change.replacement.as_ref()) {
        (ChangeAction::Add | ChangeAction::Import, _) => Action::Create,
        (ChangeAction::Remove, _) => Action::Delete,
        // Whether it is replaced shows only when a value that something else will have is known: the worse is told.
        (_, Some(Replacement::True | Replacement::Conditional)) => Action::Replace,
        _ => Action::Update,
    };
    let goes = matches!(action, Action::Replace | Action::Delete);
    let data = if !goes || !HOLD_DATA.contains(&kind.as_str()) {
        Data::Untouched
    } else if stays(change.policy_action.as_ref()) {
        Data::Kept
    } else {
        Data::Lost
    };
    Some(Step {
        action,
        part: parts.get(&id).cloned().unwrap_or(Part::App),
        why: why(change, action),
        kind,
        id,
        data,
    })
}

/// Whether the old one is kept with its data.
fn stays(policy: Option<&PolicyAction>) -> bool {
    matches!(
        policy,
        Some(
            PolicyAction::Retain
                | PolicyAction::Snapshot
                | PolicyAction::ReplaceAndRetain
                | PolicyAction::ReplaceAndSnapshot
        )
    )
}

/// Looks into the template for what is kept when it is replaced: of a replacement that is not sure, a change set does not tell the policy.
pub(super) fn keep(steps: &mut [Step], template: &serde_json::Value) {
    for step in steps {
        let policy = template
            .pointer(&format!("/Resources/{}/UpdateReplacePolicy", step.id))
            .and_then(serde_json::Value::as_str);
        if step.action == Action::Replace
            && step.data == Data::Lost
            && matches!(policy, Some("Retain" | "Snapshot"))
        {
            step.data = Data::Kept;
        }
    }
}

/// The properties that differ; those that make another of it first.
fn why(change: &ResourceChange, action: Action) -> Option<String> {
    let mut names: Vec<(bool, String)> = Vec::new();
    for target in change.details().iter().filter_map(|detail| detail.target()) {
        let name = match (target.attribute(), target.name()) {
            (Some(ResourceAttribute::Properties) | None, Some(name)) => name.to_owned(),
            (Some(attribute), _) => attribute.as_str().to_owned(),
            (None, None) => continue,
        };
        let recreates = matches!(
            target.requires_recreation(),
            Some(RequiresRecreation::Always | RequiresRecreation::Conditionally)
        );
        match names.iter_mut().find(|(_, known)| *known == name) {
            Some((known, _)) => *known |= recreates,
            None => names.push((recreates, name)),
        }
    }
    if matches!(change.action, Some(ChangeAction::Import)) {
        return Some("it is there already, and taken in".to_owned());
    }
    names.sort_by_key(|(recreates, _)| !recreates);
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    let mut why = names.join(", ");
    if action == Action::Replace && change.replacement == Some(Replacement::Conditional) {
        why = format!("perhaps, for {why}");
    }
    (!why.is_empty()).then_some(why)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{ChangeType, ResourceChangeDetail, ResourceTargetDefinition};
    use nephos_core::resource::ResourceKind;

    use super::*;

    fn detail(name: &str, recreation: RequiresRecreation) -> ResourceChangeDetail {
        let target = ResourceTargetDefinition::builder()
            .attribute(ResourceAttribute::Properties)
            .name(name)
            .requires_recreation(recreation)
            .build();
        ResourceChangeDetail::builder().target(target).build()
    }

    fn change(id: &str, kind: &str, action: ChangeAction) -> ResourceChange {
        ResourceChange::builder()
            .logical_resource_id(id)
            .resource_type(kind)
            .action(action)
            .build()
    }

    fn step_of(change: ResourceChange) -> Step {
        let parts = BTreeMap::from([(
            "Jobs".to_owned(),
            Part::Resource {
                kind: ResourceKind::Queue,
                name: "jobs".to_owned(),
            },
        )]);
        let change = Change::builder()
            .r#type(ChangeType::Resource)
            .resource_change(change)
            .build();
        steps(&[change], &parts).remove(0)
    }

    #[test]
    fn a_replacement_is_told_with_what_causes_it_and_with_its_data() {
        let mut replaced = change("Jobs", "AWS::SQS::Queue", ChangeAction::Modify);
        replaced.replacement = Some(Replacement::True);
        replaced.policy_action = Some(PolicyAction::ReplaceAndDelete);
        replaced.details = Some(vec![
            detail("VisibilityTimeout", RequiresRecreation::Never),
            detail("FifoQueue", RequiresRecreation::Always),
            detail("FifoQueue", RequiresRecreation::Never),
        ]);
        let step = step_of(replaced.clone());
        assert_eq!(
            (step.action, step.why.as_deref(), step.data),
            (Action::Replace, Some("FifoQueue, VisibilityTimeout"), Data::Lost)
        );
        assert_eq!(step.part.to_string(), "queue jobs");
        replaced.replacement = Some(Replacement::Conditional);
        replaced.policy_action = Some(PolicyAction::ReplaceAndRetain);
        let step = step_of(replaced);
        assert_eq!(
            (step.action, step.why.as_deref(), step.data),
            (
                Action::Replace,
                Some("perhaps, for FifoQueue, VisibilityTimeout"),
                Data::Kept
            )
        );
    }

    #[test]
    fn a_replacement_that_is_not_sure_keeps_its_data_where_the_template_says_so() {
        let mut perhaps = change("Photos", "AWS::S3::Bucket", ChangeAction::Modify);
        perhaps.replacement = Some(Replacement::Conditional);
        perhaps.details = Some(vec![detail(
            "NotificationConfiguration",
            RequiresRecreation::Conditionally,
        )]);
        let told = |policy: serde_json::Value| {
            let mut steps = [step_of(perhaps.clone())];
            keep(&mut steps, &serde_json::json!({"Resources": {"Photos": policy}}));
            steps[0].data
        };
        assert_eq!(told(serde_json::json!({})), Data::Lost);
        assert_eq!(
            told(serde_json::json!({"UpdateReplacePolicy": "Delete"})),
            Data::Lost
        );
        assert_eq!(
            told(serde_json::json!({"UpdateReplacePolicy": "Retain"})),
            Data::Kept
        );
    }

    #[test]
    fn what_is_added_changed_and_removed_is_told_as_such() {
        let add = step_of(change("Role", "AWS::IAM::Role", ChangeAction::Add));
        assert_eq!(
            (add.action, add.part, add.data),
            (Action::Create, Part::App, Data::Untouched)
        );
        let mut modify = change("F", "AWS::Lambda::Function", ChangeAction::Modify);
        modify.replacement = Some(Replacement::False);
        modify.details = Some(vec![detail("Timeout", RequiresRecreation::Never)]);
        let modify = step_of(modify);
        assert_eq!(
            (modify.action, modify.why.as_deref()),
            (Action::Update, Some("Timeout"))
        );
        let mut remove = change("T", "AWS::DynamoDB::Table", ChangeAction::Remove);
        assert_eq!(step_of(remove.clone()).data, Data::Lost);
        remove.policy_action = Some(PolicyAction::Retain);
        let kept = step_of(remove);
        assert_eq!((kept.action, kept.data), (Action::Delete, Data::Kept));
        let taken = step_of(change("T", "AWS::DynamoDB::Table", ChangeAction::Import));
        assert_eq!(taken.action, Action::Create);
        assert!(taken.why.unwrap().contains("taken in"));
        let role = step_of(change("Role", "AWS::IAM::Role", ChangeAction::Remove));
        assert_eq!(role.data, Data::Untouched);
    }
}
