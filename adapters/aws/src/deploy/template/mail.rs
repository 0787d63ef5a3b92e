//! E-mail: SES stores each mail in a bucket of the app's own and then calls the function.

use nephos_core::Result;
use nephos_core::app::Trigger;
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::function::alias_id;
use super::layout::{BUCKET_SUFFIX, Layout, MAX_BUCKET_NAME};
use super::resource::private;
use super::trigger::allow;
use super::value::{reference, sub};
use super::{name, value};

/// What the keys of all mails begin with.
pub(super) const PREFIX: &str = "mail/";
/// How long a mail is kept: the time that a dead letter of it can wait.
const KEPT_DAYS: u32 = 14;
/// The longest name of a rule or rule set: <https://docs.aws.amazon.com/ses/latest/APIReference/API_ReceiptRule.html>.
const MAX_NAME: usize = 64;
const BUCKET: &str = "MailBucket";
const POLICY: &str = "MailBucketPolicy";
const RULE_SET: &str = "MailRuleSet";

/// The name of the bucket for mails, as text for `Fn::Sub`.
pub(super) fn bucket_name(layout: &Layout<'_>) -> Result<String> {
    layout.own_bucket_name(&name::physical(
        "mail-of",
        &layout.stack,
        MAX_BUCKET_NAME - BUCKET_SUFFIX,
    ))
}

fn rule_set(layout: &Layout<'_>) -> String {
    match &layout.settings.mail_rule_set {
        Some(existing) => existing.clone(),
        None => name::physical(&layout.stack, "mail", MAX_NAME),
    }
}

/// Adds the bucket for mails and the rule set, if a function has an `email` trigger.
pub(super) fn add_store(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let mut triggers = layout.app.functions.values().flat_map(|function| &function.on);
    if !triggers.any(|trigger| matches!(trigger, Trigger::Email { .. })) {
        return Ok(());
    }
    let mut bucket = private(bucket_name(layout)?);
    if let Value::Object(bucket) = &mut bucket {
        bucket.insert(
            "LifecycleConfiguration".to_owned(),
            json!({"Rules": [{"Id": "expire", "Status": "Enabled", "ExpirationInDays": KEPT_DAYS}]}),
        );
    }
    body.add(
        BUCKET,
        Resource::new("AWS::S3::Bucket", "mail", &layout.app.name, bucket),
    )?;
    // https://docs.aws.amazon.com/ses/latest/dg/receiving-email-permissions.html
    let source = format!(
        "arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:receipt-rule-set/{}:receipt-rule/*",
        value::literal(&rule_set(layout))
    );
    let policy = json!({
        "Bucket": reference(BUCKET),
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "ses.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": sub(format!("${{{BUCKET}.Arn}}/{PREFIX}*")),
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": reference("AWS::AccountId")},
                "ArnLike": {"AWS:SourceArn": sub(source)},
            },
        }]},
    });
    body.add(
        POLICY,
        Resource::new("AWS::S3::BucketPolicy", "mail_policy", &layout.app.name, policy),
    )?;
    let set = rule_set(layout);
    if layout.settings.mail_rule_set.is_none() {
        body.add(
            RULE_SET,
            Resource::new(
                "AWS::SES::ReceiptRuleSet",
                "mail_rules",
                &layout.app.name,
                json!({ "RuleSetName": set }),
            ),
        )?;
        body.note(format!(
            "mail arrives once its rule set is active, and SES has one active set: aws ses set-active-receipt-rule-set --rule-set-name {set}; or name the active one, mail_rule_set = \"…\""
        ));
    }
    Ok(())
}

/// Adds a rule that stores the mails of an address and calls the function.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body, function: &str, address: &str) -> Result<()> {
    let set = rule_set(layout);
    let rule = name::physical(
        &layout.stack,
        &format!("{function}-{}", name::short_hash(&[address])),
        MAX_NAME,
    );
    let permission = name::trigger_id("Allow", function, &["email", address]);
    let source = format!(
        "arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:receipt-rule-set/{}:receipt-rule/{rule}",
        value::literal(&set)
    );
    allow(
        body,
        function,
        &permission,
        "ses.amazonaws.com",
        &[
            ("SourceAccount", reference("AWS::AccountId")),
            ("SourceArn", sub(source)),
        ],
    )?;
    let mut entry = json!({
        "Name": rule,
        "Enabled": true,
        "ScanEnabled": true,
        "Actions": [
            {"S3Action": {"BucketName": reference(BUCKET), "ObjectKeyPrefix": PREFIX}},
            {"LambdaAction": {"FunctionArn": reference(&alias_id(function)), "InvocationType": "Event"}},
        ],
    });
    if let (Some(recipient), Value::Object(entry)) = (recipient(address), &mut entry) {
        entry.insert("Recipients".to_owned(), json!([recipient]));
    }
    let own = layout.settings.mail_rule_set.is_none();
    let set = if own { reference(RULE_SET) } else { set.into() };
    body.add(
        &name::trigger_id("Rule", function, &["email", address]),
        Resource::new(
            "AWS::SES::ReceiptRule",
            "mail_rule",
            function,
            json!({"RuleSetName": set, "Rule": entry}),
        )
        .after([permission, POLICY.to_owned()]),
    )
}

/// SES matches a whole address, or all of a domain; every verified domain's mail if nothing is said:
/// <https://docs.aws.amazon.com/ses/latest/dg/receiving-email-receipt-rules-console-walkthrough.html>.
fn recipient(address: &str) -> Option<&str> {
    match address {
        "*" => None,
        _ => Some(address.strip_prefix("*@").unwrap_or(address)),
    }
}
