//! The manager's errors in the forms that its documentation and its answers have.

use serde_json::json;

use super::*;

fn answer(status: u16, body: &Value) -> Error {
    refused(
        "deploy.apply",
        status,
        &Headers::new(),
        body.to_string().as_bytes(),
    )
}

#[test]
fn codes_are_sentences_with_what_to_do() {
    for (status, code, message, kind, said) in [
        (
            401,
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer 'https://sts.windows.net/a/'. It must match the tenant 'https://sts.windows.net/b/' associated with this subscription.",
            ErrorKind::Unauthenticated,
            "az login --tenant",
        ),
        (
            403,
            "AuthorizationFailed",
            "The client 'x' with object id 'y' does not have authorization to perform action 'Microsoft.Resources/deploymentStacks/manageDenySetting/action' over scope '/subscriptions/s'.",
            ErrorKind::PermissionDenied,
            "protect = false",
        ),
        (
            403,
            "AuthorizationFailed",
            "The client 'x' does not have authorization to perform action 'Microsoft.Web/sites/write' over scope '/subscriptions/s'.",
            ErrorKind::PermissionDenied,
            "have a role given",
        ),
        (
            409,
            "StorageAccountAlreadyTaken",
            "The storage account named shop is already taken.",
            ErrorKind::AlreadyExists,
            "another name",
        ),
        (
            409,
            "Conflict",
            "Website with given name shop already exists.",
            ErrorKind::AlreadyExists,
            "another name",
        ),
        (
            400,
            "SubscriptionIsOverQuotaForSku",
            "This region has quota of 0 instances for your subscription.",
            ErrorKind::ResourceExhausted,
            "Usage + quotas",
        ),
        (
            409,
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.App'.",
            ErrorKind::PermissionDenied,
            "az provider register",
        ),
        (
            409,
            "DeploymentStackInNonTerminalState",
            "The deployment stack 'shop' is in non-terminal state 'deploying'.",
            ErrorKind::Conflict,
            "somebody else is changing",
        ),
    ] {
        let error = answer(status, &json!({"error": {"code": code, "message": message}}));
        assert_eq!(error.kind(), kind, "{code}");
        let chain = error.chain().to_string();
        assert!(chain.contains(said) && chain.contains(code), "{chain}");
    }
}

#[test]
fn the_cause_is_within_what_wraps_it_and_not_what_it_led_to() {
    let told = Told::read(&json!({"error": {
        "code": "DeploymentStackDeploymentFailed", "message": "One or more resources could not be deployed.",
        "details": [{"code": "DeploymentFailed", "message": "At least one resource deployment operation failed.", "details": [
            {"code": "Conflict", "message": "Another operation is in progress.", "details": []},
            {"code": "ResourceDeploymentFailure", "message": "…", "details": [
                {"code": "QuotaExceeded", "message": "no more of that", "target": "plan"},
            ]},
        ]}],
    }}))
    .unwrap();
    assert_eq!(told.cause().code, "QuotaExceeded");
    let error = told.error("deploy.apply");
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.chain().to_string().contains("no more of that"), "{error}");
    // Where there is nothing else, what it led to is told.
    let only = Told::read(
        &json!({"code": "DeploymentFailed", "message": "", "details": [{"code": "Conflict", "message": "busy"}]}),
    );
    assert_eq!(only.unwrap().cause().code, "Conflict");
}

#[test]
fn an_error_may_be_text_within_text_and_an_unknown_one_is_told_as_it_is() {
    let told = Told::read(&json!({"error": "{\"error\": {\"code\": \"Odd\", \"message\": \"never seen\"}}"}))
        .unwrap();
    assert_eq!(told.code, "Odd");
    let error = told.error("deploy.apply");
    assert!(error.chain().to_string().contains("never seen"));
    assert!(error.message().contains("run the same command again"));
    assert_eq!(Told::read(&json!({"value": []})), None);
}

#[test]
fn waiting_that_was_cut_off_says_what_goes_on() {
    let lost = Error::new(ErrorKind::Unavailable, "deploy.apply", "no answer");
    assert_eq!(cut_off(lost, "it goes on alone").message(), "it goes on alone");
    let refused = Error::new(ErrorKind::Conflict, "deploy.apply", "busy");
    assert_eq!(cut_off(refused, "it goes on alone").message(), "busy");
}
