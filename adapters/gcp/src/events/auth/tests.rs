//! Tests of steps of sign-in.

use super::super::token::tests::{header, keys, sign};
use super::*;

fn claims() -> Value {
    json!({
        "iss": "https://securetoken.google.com/p-1", "aud": "https://f-1.a.run.app/.nephos/auth/before_sign_up",
        "exp": chrono::Utc::now().timestamp() + 600, "iat": 1_770_000_000, "sub": "u-1",
        "event_id": "e-1", "event_type": "beforeCreate", "tenant_id": "t-1", "ip_address": "192.0.2.7",
        "user_agent": "curl", "locale": "de", "sign_in_method": "password",
        "user_record": {"uid": "u-1", "email": "ann@example.net", "email_verified": false, "display_name": "Ann", "metadata": {"creation_time": 7}},
    })
}

#[test]
fn a_verified_event_becomes_a_step() {
    let signed = sign(&header(), &claims());
    let body = Bytes::from(json!({"data": {"jwt": signed}}).to_string());
    let audiences = ["https://f-1.a.run.app/.nephos/auth/before_sign_up".to_owned()];
    let verified = verify(&token(&body).unwrap(), &keys(), "p-1", &audiences).unwrap();
    let event = decode(&AuthStage::BeforeSignUp, verified.clone(), &body).unwrap();
    assert_eq!(event.attributes.id, "e-1");
    assert_eq!(event.attributes.extensions["gcpaddress"], "192.0.2.7");
    let Data::Auth(auth) = event.data else {
        panic!("another kind")
    };
    assert_eq!(auth.directory, "p-1/t-1");
    assert_eq!(
        (auth.user.as_deref(), auth.email.as_deref()),
        (Some("u-1"), Some("ann@example.net"))
    );
    assert_eq!(auth.attributes["display_name"], "Ann");
    assert_eq!(auth.attributes["metadata"], r#"{"creation_time":7}"#);
    let other = decode(&AuthStage::BeforeSignIn, verified, &body).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Decode);
    for (project, audience) in [("p-2", audiences[0].as_str()), ("p-1", "https://g.a.run.app")] {
        let error = verify(&signed, &keys(), project, &[audience.to_owned()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{project} {audience}");
    }
}

#[test]
fn what_an_identity_provider_says_of_a_user_is_told_and_overrides_nothing_of_the_record() {
    let mut told = claims();
    told["sign_in_attributes"] =
        json!({"department": "press", "display_name": "Eve", "uid": "u-2", "groups": ["a", "b"]});
    let event = decode(&AuthStage::BeforeSignUp, told, &Bytes::new()).unwrap();
    let Data::Auth(auth) = event.data else {
        panic!("another kind")
    };
    assert_eq!(auth.user.as_deref(), Some("u-1"));
    let text = |name: &str| auth.attributes.get(name).map(String::as_str);
    assert_eq!(text("department"), Some("press"));
    assert_eq!(text("groups"), Some(r#"["a","b"]"#));
    assert_eq!(text("display_name"), Some("Ann"));
    assert_eq!(text("email"), Some("ann@example.net"));
    assert_eq!(text("uid"), None);
}

fn answer(stage: &AuthStage, decision: &AuthDecision) -> (u16, Value) {
    let (status, body) = encode(stage, decision).unwrap();
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_decision_is_what_identity_platform_understands() {
    let up = AuthStage::BeforeSignUp;
    assert_eq!(answer(&up, &AuthDecision::allow()), (200, json!({})));
    let (status, told) = answer(&up, &AuthDecision::deny("by invitation only"));
    assert_eq!(status, 403);
    assert_eq!(told["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(told["error"]["message"], "by invitation only");
    let decision = AuthDecision::allow()
        .confirmed()
        .claim("plan", "pro")
        .attribute("displayName", "Ann");
    let (_, told) = answer(&up, &decision);
    let record = &told["userRecord"];
    assert_eq!(record["customClaims"], json!({"plan": "pro"}));
    assert_eq!(record["updateMask"], "customClaims,displayName,emailVerified");
    let (_, told) = answer(&AuthStage::BeforeSignIn, &AuthDecision::allow().claim("a", 1));
    assert_eq!(told["userRecord"]["sessionClaims"], json!({"a": 1}));
}

#[test]
fn what_a_step_cannot_do_is_an_error_that_says_so() {
    let up = AuthStage::BeforeSignUp;
    let send = AuthStage::Other("beforeSendSms".to_owned());
    for (stage, decision) in [
        (&up, AuthDecision::allow().attribute("shoe", "43")),
        (&up, AuthDecision::allow().attribute("disabled", "perhaps")),
        (&send, AuthDecision::allow().claim("a", 1)),
    ] {
        let error = encode(stage, &decision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    assert_eq!(name_of(&up), "beforeCreate");
    assert_eq!(name_of(&send), "beforeSendSms");
}
