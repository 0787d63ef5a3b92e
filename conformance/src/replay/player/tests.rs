//! Recorded exchanges played to clients over real sockets.

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

const THEN: i64 = 1_764_370_000;
const NOW: i64 = THEN + 86_400 * 100;
const AGAIN: &str = "record a rule";

fn id(n: u128) -> String {
    uuid::Uuid::from_u128(n).to_string()
}

fn asked(line: &str, body: &str) -> Asked {
    Asked {
        service: String::new(),
        line: line.to_owned(),
        body: Body::of(body.as_bytes()),
        headers: BTreeMap::new(),
    }
}

fn exchange(line: &str, body: &str, answer: &str) -> Exchange {
    Exchange {
        took_ms: 0,
        meanwhile: 0,
        request: asked(line, body),
        answer: Answered {
            status: 200,
            body: Body::of(answer.as_bytes()),
            headers: BTreeMap::new(),
        },
    }
}

fn player(exchanges: Vec<Exchange>) -> Player {
    let recording = Recording {
        rule: "queue.send.then-receive".to_owned(),
        with: "a test 1.0".to_owned(),
        at: DateTime::from_timestamp_secs(THEN).unwrap(),
        nephos: "0.1.0".to_owned(),
        exchanges,
    };
    Player::new(recording, NOW)
}

fn answer(player: &mut Player, line: &str, body: &str) -> std::result::Result<String, String> {
    let (found, _) = player.find(&asked(line, body))?;
    Ok(player.answer(found).body.shown())
}

#[test]
fn equal_requests_are_answered_once_each_in_the_recorded_order() {
    let mut player = player(vec![
        exchange("GET /a", "", "not yet"),
        exchange("GET /b", "", "b"),
        exchange("GET /a", "", "now"),
    ]);
    for (line, expected) in [("GET /b", "b"), ("GET /a", "not yet"), ("GET /a", "now")] {
        assert_eq!(answer(&mut player, line, "").unwrap(), expected);
    }
    player.end(true, AGAIN).unwrap();
    let once_more = answer(&mut player, "GET /a", "").unwrap_err();
    assert!(once_more.contains("recorded fewer times"), "{once_more}");
    assert!(player.end(true, AGAIN).is_err());
}

#[test]
fn what_the_client_makes_up_is_told_back_as_in_this_run() {
    let mut player = player(vec![
        exchange(
            "PUT /item",
            &format!(r#"{{"version":"{}","expires":{}}}"#, id(1), THEN + 2),
            "",
        ),
        exchange(
            "GET /item",
            "",
            &format!(r#"{{"version":"{}","expires":{}}}"#, id(1), THEN + 2),
        ),
        exchange("DELETE /item", &id(1), "gone"),
        exchange("DELETE /item", &id(9), "another version"),
    ]);
    let put = |version: u128| format!(r#"{{"version":"{}","expires":{}}}"#, id(version), NOW + 2);
    answer(&mut player, "PUT /item", &put(5)).unwrap();
    assert_eq!(answer(&mut player, "GET /item", "").unwrap(), put(5));
    // By its version, the second of two requests that look alike is not taken for the first.
    assert_eq!(
        answer(&mut player, "DELETE /item", &id(6)).unwrap(),
        "another version"
    );
    assert_eq!(answer(&mut player, "DELETE /item", &id(5)).unwrap(), "gone");
}

#[test]
fn an_id_of_the_server_must_be_given_back_as_it_was_told() {
    let exchanges = vec![
        exchange("POST /receive", "", &id(1)),
        exchange("POST /ack", &id(1), "done"),
    ];
    let mut right = player(exchanges.clone());
    let handle = answer(&mut right, "POST /receive", "").unwrap();
    assert_eq!(answer(&mut right, "POST /ack", &handle).unwrap(), "done");
    let mut wrong = player(exchanges);
    answer(&mut wrong, "POST /receive", "").unwrap();
    let error = answer(&mut wrong, "POST /ack", &id(2)).unwrap_err();
    assert!(error.contains("other ids or times"), "{error}");
}

#[test]
fn an_answer_that_tells_of_a_write_is_not_ready_before_the_write_is_asked_for() {
    let mut player = player(vec![
        exchange("PUT /item", &id(1), ""),
        exchange("GET /item", "", &id(1)),
    ]);
    let (read, _) = player.find(&asked("GET /item", "")).unwrap();
    assert!(!player.is_ready(read));
    let (write, _) = player.find(&asked("PUT /item", &id(2))).unwrap();
    assert!(player.is_ready(write) && player.is_ready(read));
    assert_eq!(player.answer(read).body.shown(), id(2));
}

#[test]
fn an_id_is_the_clients_if_an_answer_told_it_only_after_it_was_asked() {
    // The read came first, and was answered after the write had come.
    let mut read = exchange("GET /item", "", &id(1));
    read.meanwhile = 1;
    let mut player = player(vec![read, exchange("PUT /item", &id(1), "")]);
    let (read, _) = player.find(&asked("GET /item", "")).unwrap();
    assert!(!player.is_ready(read));
    player.find(&asked("PUT /item", &id(2))).unwrap();
    assert!(player.is_ready(read));
    assert_eq!(player.answer(read).body.shown(), id(2));
}

#[test]
fn a_request_that_is_not_recorded_is_told_beside_the_nearest_and_fails_the_rule() {
    let mut player = player(vec![
        exchange("POST /other", "{}", ""),
        exchange("POST /send", r#"{"body":"hello","delay":1}"#, ""),
    ]);
    let told = answer(&mut player, "POST /send", r#"{"body":"hello","delay":2}"#).unwrap_err();
    for part in [r#""delay":2"#, r#""delay":1"#, "is not recorded"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    // Whatever the rule made of the answer.
    for held in [true, false] {
        let error = player.end(held, AGAIN).unwrap_err().to_string();
        for part in ["queue.send.then-receive", AGAIN, "is not in the recording"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}

#[test]
fn what_nobody_asked_for_fails_a_rule_that_held_only() {
    let player = player(vec![exchange("GET /a", "", "")]);
    let error = player.end(true, AGAIN).unwrap_err().to_string();
    assert!(error.contains("not all that is recorded was asked"), "{error}");
    assert!(error.contains("GET /a"), "{error}");
    player.end(false, AGAIN).unwrap();
}

proptest! {
    #[test]
    fn requests_in_any_order_find_their_own_answers(
        bodies in proptest::collection::vec("[a-c]{1,2}", 1..12).prop_flat_map(|bodies| (Just(bodies.clone()), Just(bodies).prop_shuffle()))
    ) {
        let (recorded, order) = bodies;
        let exchanges = recorded.iter().enumerate().map(|(n, body)| exchange("POST /", body, &format!("{body} {n}")));
        let mut player = player(exchanges.collect());
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for body in &order {
            let answer = answer(&mut player, "POST /", body).unwrap();
            let (of, number) = answer.split_once(' ').unwrap();
            prop_assert_eq!(of, body);
            let number: usize = number.parse().unwrap();
            prop_assert!(last.insert(body.clone(), number).is_none_or(|before| before < number));
        }
        player.end(true, AGAIN).unwrap();
    }
}
