//! Decisions as the extensions' actions.

use super::*;

fn asked(step: &str) -> Bytes {
    json!({"type": format!("{PREFIX}{step}"), "source": "/tenants/t/applications/a", "data": {"tenantId": "t",
        "userSignUpInfo": {"attributes": {
            "city": {"@odata.type": "microsoft.graph.stringDirectoryAttributeValue", "value": "Ulm"},
            "year": {"@odata.Type": "microsoft.graph.int64DirectoryAttributeValue", "value": 2010},
            "news": {"@odata.type": "microsoft.graph.booleanDirectoryAttributeValue", "value": false}}}}})
    .to_string()
    .into()
}

fn answer(step: &str, decision: &AuthDecision) -> Result<Value> {
    encode(&asked(step), decision).map(|json| serde_json::from_slice(&json).unwrap())
}

#[test]
fn an_allowed_step_goes_on_and_a_refused_one_shows_the_reason() {
    for (step, data) in [
        (SUBMIT, "AttributeCollectionSubmit"),
        (START, "AttributeCollectionStart"),
    ] {
        let allowed = answer(step, &AuthDecision::allow()).unwrap();
        let named = |action: &str| format!("microsoft.graph.{step}.{action}");
        assert_eq!(
            allowed,
            json!({"data": {"@odata.type": format!("microsoft.graph.on{data}ResponseData"),
                "actions": [{"@odata.type": named("continueWithDefaultBehavior")}]}})
        );
        let refused = answer(step, &AuthDecision::deny("by invitation only")).unwrap();
        assert_eq!(
            refused["data"]["actions"],
            json!([{"@odata.type": named("showBlockPage"), "message": "by invitation only"}])
        );
    }
}

#[test]
fn attributes_keep_the_types_of_the_request() {
    let decision = AuthDecision::allow()
        .attribute("city", "Bonn")
        .attribute("year", "2011")
        .attribute("news", "true");
    let set = json!({"city": "Bonn", "year": 2011, "news": true});
    assert_eq!(
        answer(SUBMIT, &decision).unwrap()["data"]["actions"][0]["attributes"],
        set
    );
    assert_eq!(
        answer(START, &decision).unwrap()["data"]["actions"][0]["inputs"],
        set
    );
    let wrong = AuthDecision::allow().attribute("year", "soon");
    assert_eq!(
        answer(SUBMIT, &wrong).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn claims_are_text_and_a_refused_token_is_an_error() {
    let decision = AuthDecision::allow()
        .claim("level", 3)
        .claim("roles", json!(["a", 1]));
    assert_eq!(
        answer(TOKEN, &decision).unwrap(),
        json!({"data": {"@odata.type": "microsoft.graph.onTokenIssuanceStartResponseData", "actions": [
            {"@odata.type": "microsoft.graph.tokenIssuanceStart.provideClaimsForToken",
             "claims": {"level": "3", "roles": ["a", "1"]}}]}})
    );
    let error = answer(TOKEN, &AuthDecision::deny("no")).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Rejected, "no")
    );
}

#[test]
fn what_a_step_cannot_set_is_refused_instead_of_dropped() {
    for (step, decision) in [
        (SUBMIT, AuthDecision::allow().claim("a", 1)),
        (TOKEN, AuthDecision::allow().attribute("a", "b")),
        (TOKEN, AuthDecision::allow().confirmed()),
        ("emailOtpSend", AuthDecision::allow()),
    ] {
        assert_eq!(
            answer(step, &decision).unwrap_err().kind(),
            ErrorKind::Unsupported,
            "{step}"
        );
    }
}

#[test]
fn a_new_account_is_confirmed_by_then() {
    let plain = answer(SUBMIT, &AuthDecision::allow()).unwrap();
    assert_eq!(answer(SUBMIT, &AuthDecision::allow().confirmed()).unwrap(), plain);
}

#[test]
fn a_step_of_another_url_is_refused() {
    assert!(decode(&AuthStage::BeforeSignUp, &asked(SUBMIT)).is_ok());
    let error = decode(&AuthStage::BeforeToken, &asked(SUBMIT)).unwrap_err();
    assert!(error.to_string().contains("its own stage"), "{error}");
    let other = AuthStage::Other("emailOtpSend".to_owned());
    assert!(decode(&other, &asked("emailOtpSend")).is_ok());
    assert!(decode(&other, &Bytes::from_static(b"{}")).is_err());
}
