//! Outcomes against what Lambda expects of each kind.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use nephos_aws::events::{Kind, encode, http as codec};
use nephos_core::event::{AuthDecision, Payload, VoiceResponse};
use nephos_core::{BatchOutcome, Error, ErrorKind, Outcome};
use serde_json::{Value, json};

use crate::read;

fn answer(kind: Kind, document: &[u8], outcome: Outcome) -> Result<Value, Error> {
    encode(kind, document, outcome).map(|reply| serde_json::to_value(&reply).unwrap())
}

fn decide(file: &str, decision: AuthDecision) -> Result<Value, Error> {
    answer(Kind::Auth, &read("auth", file), Outcome::Auth(Box::new(decision)))
}

const PRE_SIGN_UP: &str = "example-cognito-event-userpools-presignup.json";
const PRE_TOKEN: &str = "example-cognito-event-userpools-pretokengen.json";
const DEFINE: &str = "example-cognito-event-userpools-define-auth-challenge-user-not-found.json";
const VERIFY: &str = "example-cognito-event-userpools-verify-auth-challenge.json";
const MIGRATE: &str = "example-cognito-event-userpools-migrateuser.json";

#[test]
fn success_is_what_each_kind_calls_it() {
    for kind in [Kind::Queue, Kind::Stream, Kind::Table] {
        assert_eq!(
            answer(kind, b"{}", Outcome::Ack).unwrap(),
            json!({"batchItemFailures": []})
        );
    }
    for kind in [
        Kind::Bucket,
        Kind::Topic,
        Kind::Schedule,
        Kind::Rule,
        Kind::Email,
        Kind::Raw,
    ] {
        assert_eq!(answer(kind, b"{}", Outcome::Ack).unwrap(), Value::Null);
    }
    assert_eq!(
        answer(Kind::Http, b"{}", Outcome::Ack).unwrap(),
        json!({"statusCode": 204})
    );
    assert_eq!(
        answer(Kind::Voice, b"{}", Outcome::Ack).unwrap(),
        json!({"version": "1.0", "response": {}})
    );
}

#[test]
fn failed_records_are_named_in_order() {
    let mut batch = BatchOutcome::new();
    batch.retry("b", "later");
    batch.reject("a", "never");
    assert_eq!(
        answer(Kind::Queue, b"{}", batch.into()).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]})
    );
}

#[test]
fn a_failure_is_the_invocations_and_what_fits_no_kind_is_one_too() {
    let error = answer(Kind::Queue, b"{}", Outcome::Failed(Error::retry("no luck"))).unwrap_err();
    assert_eq!(error.to_string(), "no luck");
    let mut batch = BatchOutcome::new();
    batch.retry("a", "later");
    let error = answer(Kind::Topic, b"{}", batch.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
}

#[test]
fn data_is_the_documents_answer_as_the_handler_wrote_it() {
    let own = Payload::json(&json!({"b": 1, "a": [null]})).unwrap();
    let reply = encode(Kind::Raw, b"{}", Outcome::Data(own)).unwrap();
    assert_eq!(serde_json::to_string(&reply).unwrap(), r#"{"a":[null],"b":1}"#);
    let data = |payload| answer(Kind::Raw, b"{}", Outcome::Data(payload)).unwrap();
    assert_eq!(data(Payload::text("hi")), json!("hi"));
    assert_eq!(data(Payload::bytes(vec![0, 255])), json!("AP8="));
}

#[test]
fn an_allowed_step_goes_back_as_it_came() {
    for file in [
        PRE_SIGN_UP,
        PRE_TOKEN,
        DEFINE,
        VERIFY,
        MIGRATE,
        "preauthentication.json",
    ] {
        let document: Value = serde_json::from_slice(&read("auth", file)).unwrap();
        assert_eq!(decide(file, AuthDecision::allow()).unwrap(), document, "{file}");
        let ack = answer(Kind::Auth, &read("auth", file), Outcome::Ack).unwrap();
        assert_eq!(ack, document, "{file}");
    }
}

#[test]
fn a_refused_step_is_an_error_with_the_reason_that_the_user_reads() {
    let error = decide(PRE_SIGN_UP, AuthDecision::deny("by invitation only")).unwrap_err();
    assert_eq!(error.to_string(), "by invitation only");
}

#[test]
fn a_challenge_is_passed_only_by_a_decision_that_says_so() {
    let response = |file, decision| decide(file, decision).unwrap()["response"].clone();
    let confirmed = || AuthDecision::allow().confirmed();
    assert_eq!(response(VERIFY, confirmed())["answerCorrect"], true);
    assert_eq!(response(VERIFY, AuthDecision::deny("no"))["answerCorrect"], false);
    let passed = response(DEFINE, confirmed());
    assert_eq!(
        (&passed["issueTokens"], &passed["failAuthentication"]),
        (&json!(true), &json!(false))
    );
    let failed = response(DEFINE, AuthDecision::deny("no"));
    assert_eq!(
        (&failed["issueTokens"], &failed["failAuthentication"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn a_sign_up_is_confirmed_and_verified_and_a_migrated_user_gets_attributes() {
    let decision = AuthDecision::allow()
        .confirmed()
        .attribute("email_verified", "true")
        .attribute("phone_number_verified", "false");
    assert_eq!(
        decide(PRE_SIGN_UP, decision).unwrap()["response"],
        json!({"autoConfirmUser": true, "autoVerifyEmail": true, "autoVerifyPhone": false})
    );
    let decision = AuthDecision::allow()
        .confirmed()
        .attribute("email", "ann@example.net");
    let response = decide(MIGRATE, decision).unwrap()["response"].clone();
    assert_eq!(response["userAttributes"], json!({"email": "ann@example.net"}));
    assert_eq!(response["finalUserStatus"], "CONFIRMED");
    assert_eq!(response["messageAction"], "SUPPRESS");
}

#[test]
fn claims_join_those_that_stand_there_in_the_form_of_the_triggers_version() {
    let decision = || AuthDecision::allow().claim("tenant", "acme").claim("level", 3);
    let first = decide(PRE_TOKEN, decision()).unwrap();
    assert_eq!(
        first["response"]["claimsOverrideDetails"]["claimsToAddOrOverride"],
        json!({"attribute_key": "attribute_value", "attribute_key2": "attribute_value2", "level": "3", "tenant": "acme"})
    );
    let mut document: Value = serde_json::from_slice(&read("auth", PRE_TOKEN)).unwrap();
    document["version"] = json!("2");
    document["response"] = json!({"claimsAndScopeOverrideDetails": null});
    let outcome = Outcome::Auth(Box::new(decision()));
    let second = answer(Kind::Auth, document.to_string().as_bytes(), outcome).unwrap();
    let added = json!({"claimsToAddOrOverride": {"level": 3, "tenant": "acme"}});
    assert_eq!(
        second["response"]["claimsAndScopeOverrideDetails"],
        json!({"idTokenGeneration": added, "accessTokenGeneration": added})
    );
}

#[test]
fn what_a_step_cannot_set_is_refused_instead_of_dropped() {
    let cases = [
        (PRE_SIGN_UP, AuthDecision::allow().claim("a", 1)),
        (PRE_SIGN_UP, AuthDecision::allow().attribute("name", "Ann")),
        (PRE_TOKEN, AuthDecision::allow().confirmed()),
        (PRE_TOKEN, AuthDecision::allow().attribute("name", "Ann")),
        ("postauthentication.json", AuthDecision::allow().confirmed()),
    ];
    for (file, decision) in cases {
        let error = decide(file, decision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{file}: {error}");
    }
}

#[test]
fn what_a_user_hears() {
    let mut spoken = VoiceResponse::ask("Which sign?", "Your sign, please");
    spoken.card_title = Some("Horoscope".to_owned());
    spoken.card_text = Some("Pick one".to_owned());
    spoken.attributes.insert("asked".to_owned(), json!(1));
    assert_eq!(
        answer(Kind::Voice, b"{}", Outcome::Voice(Box::new(spoken))).unwrap(),
        json!({
            "version": "1.0",
            "sessionAttributes": {"asked": 1},
            "response": {
                "outputSpeech": {"type": "PlainText", "text": "Which sign?"},
                "reprompt": {"outputSpeech": {"type": "PlainText", "text": "Your sign, please"}},
                "card": {"type": "Simple", "title": "Horoscope", "content": "Pick one"},
                "shouldEndSession": false,
            },
        })
    );
}

fn http(response: Response<&'static [u8]>) -> Value {
    let (parts, body) = response.into_parts();
    serde_json::to_value(codec::encode(&parts, &Bytes::from_static(body))).unwrap()
}

#[test]
fn a_response_is_text_where_it_is_text_and_its_cookies_stay_apart() {
    let mut response = Response::new("grüße".as_bytes());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    for (name, value) in [
        ("vary", "accept"),
        ("vary", "origin"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2, c"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    assert_eq!(
        http(response),
        json!({"statusCode": 201, "headers": {"vary": "accept, origin"}, "cookies": ["a=1", "b=2, c"],
            "body": "grüße", "isBase64Encoded": false})
    );
    let bytes = http(Response::new(&[0xff, 0x00]));
    assert_eq!(
        bytes,
        json!({"statusCode": 200, "headers": {}, "body": "/wA=", "isBase64Encoded": true})
    );
}
