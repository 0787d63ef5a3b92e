//! Requests of those who call over HTTP with an event: mail services, Entra, Alexa. They are forwarded as they are.

use nephos_conformance::alexa;
use nephos_conformance::happening::{Happening, Native};
use nephos_core::Result;
use nephos_core::event::{AuthEvent, AuthStage, Email, VoiceRequest};
use serde_json::{Map, Value, json};

use super::{posted, unsupported};
use crate::package::{AUTH_PATH, MAIL_PATH, VOICE_PATH};

const BOUNDARY: &str = "xYzZY";

/// The message itself, with its envelope in headers, and the forms of
/// [SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook) and
/// [Mailgun](https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store).
pub(super) fn email(email: &Email) -> Result<Vec<Native>> {
    let envelope = &email.envelope;
    let recipients = envelope.to.join(", ");
    let message = posted(
        MAIL_PATH,
        &[
            ("content-type", "message/rfc822"),
            ("x-envelope-from", &envelope.from),
            ("x-envelope-to", &recipients),
        ],
        email.source.clone(),
    )?;
    let json = json!({"to": envelope.to, "from": envelope.from}).to_string();
    let source = String::from_utf8_lossy(&email.source).into_owned();
    let sendgrid = form(&[
        ("headers", ""),
        ("email", &source),
        ("envelope", &json),
        ("spam_score", "0.1"),
    ])?;
    let mailgun = form(&[
        ("recipient", &recipients),
        ("sender", &envelope.from),
        ("body-mime", &source),
    ])?;
    let native = |form, message| Native {
        form,
        message,
        // Only the transport knows whether it is whole.
        is_document: false,
    };
    Ok(vec![
        native("the message", message),
        native("SendGrid", sendgrid),
        native("Mailgun", mailgun),
    ])
}

fn form(fields: &[(&str, &str)]) -> Result<http::Request<bytes::Bytes>> {
    let mut body = String::new();
    for (name, value) in fields {
        body +=
            &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += &format!("--{BOUNDARY}--\r\n");
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    posted(MAIL_PATH, &[("content-type", &content_type)], body)
}

/// <https://learn.microsoft.com/entra/identity-platform/custom-extension-onattributecollectionsubmit-retrieve-return-data> and
/// <https://learn.microsoft.com/entra/identity-platform/custom-claims-provider-reference>
pub(super) fn auth(happening: &Happening, step: &AuthEvent) -> Result<Native> {
    let (event, callout) = match step.stage {
        AuthStage::BeforeSignUp => ("attributeCollectionSubmit", "onAttributeCollectionSubmit"),
        AuthStage::BeforeToken => ("tokenIssuanceStart", "onTokenIssuanceStart"),
        _ => {
            return Err(unsupported(
                "Entra asks before a sign-up and before a token, and at no other of these steps",
            ));
        }
    };
    let principal =
        json!({"id": "1", "appId": step.client, "appDisplayName": "An app", "displayName": "An app"});
    let mut context = json!({
        "correlationId": happening.id, "protocol": "OAUTH2.0", "requestType": "signUp",
        "client": {"ip": "203.0.113.7", "locale": "en-us", "market": "en-us"},
        "clientServicePrincipal": principal, "resourceServicePrincipal": principal,
    });
    let mut data = json!({
        "@odata.type": format!("microsoft.graph.{callout}CalloutData"), "tenantId": step.directory,
        "authenticationEventListenerId": "2", "customAuthenticationExtensionId": "3",
    });
    if step.stage == AuthStage::BeforeToken {
        context["user"] = json!(step.attributes);
        for (name, value) in [("id", &step.user), ("mail", &step.email)] {
            context["user"][name] = json!(value);
        }
    } else {
        let attributes: Map<String, Value> = (step.attributes.iter())
            .map(|(name, value)| {
                let ty = "microsoft.graph.stringDirectoryAttributeValue";
                let value = json!({"@odata.type": ty, "value": value, "attributeType": "builtIn"});
                (name.clone(), value)
            })
            .collect();
        let identity =
            json!({"signInType": "email", "issuer": "example.com", "issuerAssignedId": step.email});
        data["userSignUpInfo"] = json!({"attributes": attributes, "identities": [identity]});
    }
    data["authenticationContext"] = context;
    let document = json!({
        "type": format!("microsoft.graph.authenticationEvent.{event}"),
        "source": format!("/tenants/{}/applications/an-app", step.directory), "data": data,
    });
    Ok(Native {
        form: "Entra",
        message: posted(
            &format!("{AUTH_PATH}{}", step.stage.name()),
            &[("content-type", "application/json")],
            document.to_string(),
        )?,
        is_document: true,
    })
}

/// The same as everywhere: <https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html>
pub(super) fn voice(happening: &Happening, request: &VoiceRequest, skill: &str) -> Result<Native> {
    let document = alexa::document(happening, request, skill)?;
    Ok(Native {
        form: "Alexa Skills Kit",
        message: posted(
            &format!("{VOICE_PATH}{}", request.skill),
            &[("content-type", "application/json")],
            document.to_string(),
        )?,
        is_document: true,
    })
}
