//! Documents of one event each, as AWS documents them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use http::header::COOKIE;
use nephos_conformance::happening::{Asked, Happening, ROUTE};
use nephos_core::event::{AuthEvent, AuthStage, Email, Mailbox, Notification, ObjectEvent, Payload, Tick};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::super::emulator::{ACCOUNT, REGION};
use super::physical;
use crate::payload::{encode, subject_fits};

fn millis(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>, under each name that such a thing has:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>
pub(super) fn bucket(happening: &Happening, event: &ObjectEvent) -> Vec<(&'static str, Value)> {
    let names: &[&str] = match event {
        ObjectEvent::Created(_) => &[
            "ObjectCreated:Put",
            "ObjectCreated:Post",
            "ObjectCreated:Copy",
            "ObjectCreated:CompleteMultipartUpload",
        ],
        ObjectEvent::Deleted(_) => &["ObjectRemoved:Delete", "LifecycleExpiration:Delete"],
    };
    let object = event.object();
    // As a form writes it, but for the slashes.
    let key: String = url::form_urlencoded::byte_serialize(object.key.as_bytes()).collect();
    let mut fields = json!({"key": key.replace("%2F", "/"), "sequencer": "0055AED6DCD90281E5"});
    if let Some(size) = object.size {
        fields["size"] = size.into();
    }
    if let Some(etag) = &object.etag {
        fields["eTag"] = etag.as_str().into();
    }
    let bucket = physical(&object.bucket);
    let document = |name: &str| {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION, "eventTime": millis(happening.at), "eventName": name,
            "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"}, "requestParameters": {"sourceIPAddress": "203.0.113.7"},
            "responseElements": {"x-amz-request-id": happening.id, "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"},
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "nephos", "object": fields,
                "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"}, "arn": format!("arn:aws:s3:::{bucket}")},
            },
        }]})
    };
    names.iter().map(|name| (*name, document(name))).collect()
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
pub(super) fn topic(notification: &Notification<Payload>) -> Value {
    let (native, other) = match notification.subject.as_deref() {
        Some(subject) if subject_fits(subject) => (Some(subject), None),
        other => (None, other),
    };
    let wire = encode(&notification.body, &notification.attributes, other);
    let attributes: Map<String, Value> = wire
        .attributes
        .into_iter()
        .map(|(name, value)| (name, json!({"Type": "String", "Value": value})))
        .collect();
    let arn = physical(&notification.topic);
    json!({"Records": [{
        "EventVersion": "1.0", "EventSubscriptionArn": format!("{arn}:21be56ed-a058-49f5-8c98-aedd2564c486"), "EventSource": "aws:sns",
        "Sns": {
            "SignatureVersion": "1", "Timestamp": notification.published_at.map(millis), "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi",
            "SigningCertUrl": format!("https://sns.{REGION}.amazonaws.com/SimpleNotificationService.pem"), "MessageId": notification.id,
            "Message": wire.body, "MessageAttributes": attributes, "Type": "Notification",
            "UnsubscribeUrl": format!("https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe"), "TopicArn": arn, "Subject": native,
        },
    }]})
}

/// EventBridge Scheduler with the input that deployment gives a schedule, and a [rule](https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-event.html).
pub(super) fn schedule(happening: &Happening, tick: &Tick) -> Vec<(&'static str, Value)> {
    let due = tick.due_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let scheduler = json!({"nephos": {"schedule": tick.schedule}, "due_at": due});
    let rule = json!({
        "version": "0", "id": happening.id, "detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT, "time": due, "region": REGION,
        "resources": [physical(&tick.schedule)], "detail": {},
    });
    vec![("EventBridge Scheduler", scheduler), ("EventBridge rule", rule)]
}

/// <https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html>
pub(super) fn email(happening: &Happening, email: &Email) -> Value {
    let at = millis(happening.at);
    let headers: Vec<Value> = email
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let texts = |mailboxes: &[Mailbox]| -> Vec<String> {
        let text = |mailbox: &Mailbox| match &mailbox.name {
            Some(name) => format!("{name} <{}>", mailbox.address),
            None => mailbox.address.clone(),
        };
        mailboxes.iter().map(text).collect()
    };
    let verdict = json!({"status": "PASS"});
    json!({"Records": [{
        "eventVersion": "1.0", "eventSource": "aws:ses",
        "ses": {
            "mail": {
                "timestamp": at, "source": email.envelope.from, "messageId": happening.id, "destination": email.envelope.to,
                "headersTruncated": false, "headers": headers,
                "commonHeaders": {
                    "returnPath": email.envelope.from, "from": texts(&email.from), "to": texts(&email.to), "cc": texts(&email.cc),
                    "date": email.date.map(|date| date.to_rfc2822()), "messageId": email.message_id.as_ref().map(|id| format!("<{id}>")),
                    "subject": email.subject,
                },
            },
            "receipt": {
                "timestamp": at, "processingTimeMillis": 574, "recipients": email.envelope.to, "spamVerdict": verdict, "virusVerdict": verdict,
                "spfVerdict": verdict, "dkimVerdict": verdict, "dmarcVerdict": verdict, "dmarcPolicy": "reject",
                "action": {
                    "type": "Lambda", "invocationType": "Event", "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe"),
                },
            },
        },
    }]})
}

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html>: what the client sent along has another name
/// in each step.
pub(super) fn auth(step: &AuthEvent) -> Result<Value> {
    let (source, sent_along, response) = match step.stage {
        AuthStage::BeforeSignUp => (
            "PreSignUp_SignUp",
            "validationData",
            json!({"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false}),
        ),
        AuthStage::AfterSignUp => ("PostConfirmation_ConfirmSignUp", "clientMetadata", json!({})),
        AuthStage::BeforeSignIn => ("PreAuthentication_Authentication", "validationData", json!({})),
        AuthStage::AfterSignIn => ("PostAuthentication_Authentication", "clientMetadata", json!({})),
        AuthStage::BeforeToken => (
            "TokenGeneration_Authentication",
            "clientMetadata",
            json!({"claimsOverrideDetails": null}),
        ),
        _ => return Err(unknown("step", step.stage.name())),
    };
    Ok(json!({
        "version": "1", "triggerSource": source, "region": REGION, "userPoolId": step.directory, "userName": step.user,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": step.client},
        "request": {"userAttributes": step.attributes, sent_along: step.client_data}, "response": response,
    }))
}

/// A [function URL](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload), which knows no routes.
pub(super) fn function_url(happening: &Happening, asked: &Asked, base64: bool) -> Value {
    let mut document = request(happening, asked, base64);
    document["routeKey"] = "$default".into();
    document["requestContext"]["routeKey"] = "$default".into();
    document["pathParameters"] = Value::Null;
    document
}

/// An [HTTP API](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html), which has matched the route.
pub(super) fn http_api(happening: &Happening, asked: &Asked, base64: bool) -> Value {
    let (method, path) = ROUTE;
    let mut document = request(happening, asked, base64);
    document["routeKey"] = format!("{method} {path}").into();
    document["requestContext"]["routeKey"] = format!("{method} {path}").into();
    document["pathParameters"] = json!(asked.params());
    document
}

/// Payload format 2.0: values of one header are joined by commas, and cookies are apart.
fn request(happening: &Happening, asked: &Asked, base64: bool) -> Value {
    let parts = &asked.parts;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Map<String, Value> = Map::new();
    for name in parts.headers.keys().filter(|name| **name != COOKIE) {
        let values: Vec<String> = parts.headers.get_all(name).iter().map(text).collect();
        headers.insert(name.to_string(), values.join(",").into());
    }
    headers.insert("host".to_owned(), "abc.lambda-url.on.aws".into());
    headers.insert("x-forwarded-proto".to_owned(), "https".into());
    let cookies: Vec<String> = parts
        .headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| {
            text(value)
                .split(';')
                .map(|cookie| cookie.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let body = match base64 {
        true => STANDARD.encode(&asked.body),
        false => String::from_utf8_lossy(&asked.body).into_owned(),
    };
    let path = parts.uri.path();
    let mut document = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": parts.uri.query().unwrap_or_default(), "cookies": cookies, "headers": headers,
        "requestContext": {
            "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.on.aws", "domainPrefix": "abc", "requestId": happening.id,
            "http": {"method": parts.method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "suite"},
            "stage": "$default", "time": "25/Nov/2026:12:00:00 +0000", "timeEpoch": happening.at.timestamp_millis(),
        },
        "isBase64Encoded": base64, "stageVariables": null,
    });
    // A request without a body has none.
    if !asked.body.is_empty() {
        document["body"] = body.into();
    }
    document
}

fn unknown(what: &'static str, name: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "harness.events",
        "AWS has no document of it",
    )
    .with(what, name)
}
