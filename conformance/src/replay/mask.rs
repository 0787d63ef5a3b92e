//! What differs from one run to the next although the request is the same: ids that a client makes, and times. A request is compared without them; which recorded one stands for which of
//! this run is remembered, and what is answered later has this run's.

use std::collections::{HashMap, HashSet};

use super::body::{Body, Piece};

/// How far a time may be from the recording's begin to be taken for one, in seconds: no rule looks further.
const NEAR: i64 = 2 * 24 * 3600;

/// How much later or earlier in its rule a time may be than the recorded one, in seconds: rules that take longer are ended.
const APART: i64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// With hyphens, or 32 digits.
    Id,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
}

/// One value that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    kind: Kind,
    pub(super) text: String,
}

impl Value {
    pub(super) fn is_id(&self) -> bool {
        self.kind == Kind::Id
    }

    /// Seconds since 1970.
    fn seconds(&self) -> Option<i64> {
        let number: i64 = self.text.parse().ok()?;
        match self.kind {
            Kind::Id => None,
            Kind::Seconds => Some(number),
            Kind::Millis => Some(number / 1000),
        }
    }
}

/// Text without what may differ, and what did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Masked {
    pub(super) shape: Vec<Piece>,
    pub(super) values: Vec<Value>,
}

impl Masked {
    /// Adds what comes next. `begin` is when the rule began, in seconds since 1970.
    pub(super) fn add(&mut self, body: &Body, begin: i64) {
        for piece in &body.0 {
            let literal = match piece {
                Piece::Literal(literal) => literal,
                // What is repeated a thousand times is neither an id nor a time.
                Piece::Repeated { .. } => {
                    self.shape.push(piece.clone());
                    continue;
                }
            };
            let mut shape = Vec::with_capacity(literal.len());
            for part in parts(literal, begin) {
                match part {
                    Part::Plain(plain) => shape.extend_from_slice(plain),
                    Part::Value(value) => {
                        shape.extend_from_slice(match value.kind {
                            Kind::Id => b"\0id\0",
                            Kind::Seconds | Kind::Millis => b"\0time\0",
                        });
                        self.values.push(value);
                    }
                }
            }
            self.shape.push(Piece::Literal(shape));
        }
    }
}

enum Part<'a> {
    Plain(&'a [u8]),
    Value(Value),
}

/// The text as what is the same in each run, and what may differ.
fn parts(text: &[u8], begin: i64) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        if !text[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let (end, kind) = word(text, at, begin);
        if let Some(kind) = kind {
            if from < at {
                parts.push(Part::Plain(&text[from..at]));
            }
            parts.push(Part::Value(Value {
                kind,
                text: String::from_utf8_lossy(&text[at..end]).into_owned(),
            }));
            from = end;
        }
        at = end;
    }
    if from < text.len() {
        parts.push(Part::Plain(&text[from..]));
    }
    parts
}

/// The end of the word that begins here, and what it is. An id with hyphens is one word.
fn word(text: &[u8], at: usize, begin: i64) -> (usize, Option<Kind>) {
    const HYPHENED: usize = 36;
    let is_alone = !text.get(at + HYPHENED).is_some_and(|next| is_of_id(*next));
    if is_alone && text.get(at..at + HYPHENED).is_some_and(is_hyphened) {
        return (at + HYPHENED, Some(Kind::Id));
    }
    let length = text[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    (at + length, kind(&text[at..at + length], begin))
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn is_hyphened(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn kind(word: &[u8], begin: i64) -> Option<Kind> {
    if word.len() == 32 && word.iter().all(u8::is_ascii_hexdigit) {
        return Some(Kind::Id);
    }
    let number: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    let (kind, seconds) = match word.len() {
        10 => (Kind::Seconds, number),
        13 => (Kind::Millis, number / 1000),
        _ => return None,
    };
    ((seconds - begin).abs() <= NEAR).then_some(kind)
}

/// Which recorded value stands for which of this run.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// Recorded ids that the client made: they first appear in a request.
    made: HashSet<String>,
    live: HashMap<String, String>,
    recorded: HashMap<String, String>,
    times: HashMap<String, String>,
    /// When the rule began, in seconds since 1970: in the recording, and now.
    begin: (i64, i64),
}

impl Bindings {
    pub(super) fn new(made: HashSet<String>, recorded: i64, now: i64) -> Self {
        Self {
            made,
            begin: (recorded, now),
            ..Self::default()
        }
    }

    /// Whether a request with these values can be the recorded one: an id that the server made is the same, one that the client made always stands for the same one, and a time is as
    /// late in the rule.
    pub(super) fn fits(&self, recorded: &[Value], live: &[Value]) -> bool {
        let mut within: Vec<(&str, &str)> = Vec::new();
        recorded.len() == live.len()
            && recorded.iter().zip(live).all(|(recorded, live)| {
                if recorded.kind != live.kind {
                    return false;
                }
                if let (Some(then), Some(now)) = (recorded.seconds(), live.seconds()) {
                    return ((then - self.begin.0) - (now - self.begin.1)).abs() <= APART;
                }
                let (recorded, live) = (recorded.text.as_str(), live.text.as_str());
                if !self.made.contains(recorded) {
                    return recorded == live;
                }
                let is_free = within.iter().all(|(a, b)| (*a == recorded) == (*b == live));
                within.push((recorded, live));
                match (self.live.get(recorded), self.recorded.get(live)) {
                    (None, None) => is_free,
                    (Some(bound), _) => bound == live,
                    (None, Some(_)) => false,
                }
            })
    }

    /// From now on these stand for each other.
    pub(super) fn bind(&mut self, recorded: &[Value], live: &[Value]) {
        for (recorded, live) in recorded.iter().zip(live) {
            let (from, to) = (recorded.text.clone(), live.text.clone());
            if !recorded.is_id() {
                self.times.insert(from, to);
            } else if self.made.contains(&from) {
                self.recorded.insert(to.clone(), from.clone());
                self.live.insert(from, to);
            }
        }
    }

    /// Whether it is known which id of this run a recorded one stands for.
    pub(super) fn is_bound(&self, recorded: &str) -> bool {
        self.live.contains_key(recorded)
    }

    /// What was answered, with the values of this run.
    pub(super) fn told(&self, body: &Body) -> Body {
        let pieces = body.0.iter().map(|piece| match piece {
            Piece::Literal(literal) => Piece::Literal(self.replaced(literal)),
            Piece::Repeated { .. } => piece.clone(),
        });
        Body(pieces.collect())
    }

    fn replaced(&self, text: &[u8]) -> Vec<u8> {
        let mut told = Vec::with_capacity(text.len());
        for part in parts(text, self.begin.0) {
            match part {
                Part::Plain(plain) => told.extend_from_slice(plain),
                Part::Value(value) => {
                    let bound = if value.is_id() { &self.live } else { &self.times };
                    let live = bound.get(&value.text).unwrap_or(&value.text);
                    told.extend_from_slice(live.as_bytes());
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGIN: i64 = 1_764_370_000;

    fn masked(text: &str, begin: i64) -> Masked {
        let mut masked = Masked::default();
        masked.add(&Body::of(text.as_bytes()), begin);
        masked
    }

    fn id(n: u128) -> String {
        uuid::Uuid::from_u128(n).to_string()
    }

    fn simple(n: u128) -> String {
        uuid::Uuid::from_u128(n).simple().to_string()
    }

    fn bindings(made: &[String]) -> Bindings {
        Bindings::new(made.iter().cloned().collect(), BEGIN, BEGIN + 100_000)
    }

    #[test]
    fn ids_and_times_are_found_and_nothing_else_is() {
        let text = format!(
            r#"{{"a":"{}","b":"x.{}","c":{BEGIN},"d":"{BEGIN}123","e":"9876543210","f":"{}x","g":"{}-0"}}"#,
            id(7),
            simple(8),
            simple(9),
            id(10),
        );
        let found: Vec<String> = masked(&text, BEGIN)
            .values
            .into_iter()
            .map(|value| value.text)
            .collect();
        assert_eq!(
            found,
            [id(7), simple(8), BEGIN.to_string(), format!("{BEGIN}123")]
        );
    }

    #[test]
    fn requests_that_differ_in_their_own_ids_and_times_only_are_one() {
        let at = |begin: i64, own: u128, late: i64| {
            masked(
                &format!(r#"{{"version":"{}","expires":"{}"}}"#, simple(own), begin + late),
                begin,
            )
        };
        let (recorded, live) = (at(BEGIN, 1, 2), at(BEGIN + 100_000, 2, 3));
        assert_eq!(recorded.shape, live.shape);
        let mut bound = bindings(&[simple(1)]);
        assert!(bound.fits(&recorded.values, &live.values));
        // An hour later in the rule is another time.
        assert!(!bound.fits(&recorded.values, &at(BEGIN + 100_000, 2, 3600).values));
        bound.bind(&recorded.values, &live.values);
        // The recorded id stands for one only, and the other way round.
        assert!(!bound.fits(&recorded.values, &at(BEGIN + 100_000, 3, 2).values));
        let other = at(BEGIN, 4, 2);
        assert!(!bound.fits(&other.values, &live.values));
    }

    #[test]
    fn an_id_that_the_server_made_must_come_back_as_it_is() {
        let recorded = masked(&simple(1), BEGIN);
        assert!(bindings(&[]).fits(&recorded.values, &masked(&simple(1), BEGIN).values));
        assert!(!bindings(&[]).fits(&recorded.values, &masked(&simple(2), BEGIN).values));
    }

    #[test]
    fn two_ids_of_one_request_are_not_taken_for_one() {
        let two = |a: u128, b: u128| masked(&format!("{} {}", simple(a), simple(b)), BEGIN).values;
        let bound = bindings(&[simple(1), simple(2)]);
        assert!(bound.fits(&two(1, 2), &two(3, 4)));
        assert!(!bound.fits(&two(1, 2), &two(3, 3)));
        assert!(!bound.fits(&two(1, 1), &two(3, 4)));
    }

    #[test]
    fn an_answer_has_the_ids_and_times_of_this_run() {
        let mut bound = bindings(&[simple(1)]);
        let request = |own: u128, time: i64| masked(&format!("{} {time}", simple(own)), time).values;
        bound.bind(&request(1, BEGIN + 2), &request(2, BEGIN + 100_002));
        let answer = format!(
            "version {}, expires {}, handle {}",
            simple(1),
            BEGIN + 2,
            simple(9)
        );
        assert_eq!(
            bound.told(&Body::of(answer.as_bytes())).shown(),
            format!(
                "version {}, expires {}, handle {}",
                simple(2),
                BEGIN + 100_002,
                simple(9)
            )
        );
    }

    proptest! {
        #[test]
        fn what_is_put_together_again_is_what_was_there(text in "[0-9a-f\\-. \"é]{0,80}", n in any::<u128>()) {
            let text = format!("{text}{}{text} {}", id(n), simple(n));
            let told = bindings(&[]).told(&Body::of(text.as_bytes()));
            prop_assert_eq!(told.shown(), text);
        }
    }
}
