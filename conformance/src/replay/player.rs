//! Answers requests from a recording: each recorded exchange once, in the recorded order among those that are alike.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};

use super::body::Body;
use super::exchange::{Answered, Asked, Exchange, Recording};
use super::mask::{Bindings, Masked};

/// How much of a request is shown, in characters.
const SHOWN: usize = 300;

#[derive(Debug)]
pub(super) struct Player {
    pub(super) recording: Recording,
    waiting: Vec<Waiting>,
    bindings: Bindings,
    /// When the rule begins now, in seconds since 1970.
    begin: i64,
    /// Requests that no exchange fits.
    unknown: Vec<String>,
}

/// A recorded request, ready to be compared.
#[derive(Debug)]
struct Waiting {
    masked: Masked,
    /// Ids of the client that the answer tells.
    tells: Vec<String>,
    is_over: bool,
}

impl Player {
    pub(super) fn new(recording: Recording, begin: i64) -> Self {
        let recorded = recording.at.timestamp();
        let mut waiting: Vec<Waiting> = recording
            .exchanges
            .iter()
            .map(|exchange| Waiting {
                masked: masked(&exchange.request, recorded),
                tells: ids(&masked_answer(&exchange.answer, recorded)).collect(),
                is_over: false,
            })
            .collect();
        // Who made an id is who told it first.
        let (mut made, mut served) = (HashSet::new(), HashSet::new());
        for (place, asked) in waiting.iter().enumerate() {
            let answered = recording.exchanges.iter().zip(&waiting).take(place).enumerate();
            for (earlier, (exchange, answered)) in answered {
                // Answers that were told just before this request came.
                if earlier + 1 + exchange.meanwhile == place {
                    served.extend(answered.tells.iter().filter(|id| !made.contains(*id)).cloned());
                }
            }
            made.extend(ids(&asked.masked).filter(|id| !served.contains(id)));
        }
        for waiting in &mut waiting {
            waiting.tells.retain(|id| made.contains(id));
        }
        Self {
            bindings: Bindings::new(made, recorded, begin),
            recording,
            waiting,
            begin,
            unknown: Vec::new(),
        }
    }

    /// The first exchange that this request fits and that has not answered yet, with how long its answer took; or what is different.
    pub(super) fn find(&mut self, asked: &Asked) -> std::result::Result<(usize, Duration), String> {
        let live = masked(asked, self.begin);
        let found = self.waiting.iter().position(|waiting| {
            !waiting.is_over
                && waiting.masked.shape == live.shape
                && self.bindings.fits(&waiting.masked.values, &live.values)
        });
        let Some(found) = found else {
            let difference = self.difference(asked, &live);
            self.unknown.push(difference.clone());
            return Err(difference);
        };
        self.waiting[found].is_over = true;
        self.bindings
            .bind(&self.waiting[found].masked.values, &live.values);
        let took = self.recording.exchanges[found].took_ms;
        Ok((found, Duration::from_millis(took)))
    }

    /// Whether the answer of an exchange can be told: all ids that a client of this run has to make for it are made. Requests that run at the same time may come in another order than
    /// they did, but nobody is told of a write before it is asked for.
    pub(super) fn is_ready(&self, found: usize) -> bool {
        self.waiting[found]
            .tells
            .iter()
            .all(|id| self.bindings.is_bound(id))
    }

    /// The answer of an exchange, with the ids and times of this run.
    pub(super) fn answer(&self, found: usize) -> Answered {
        let answer = &self.recording.exchanges[found].answer;
        let headers = answer.headers.iter().map(|(name, value)| {
            let value = self.bindings.told(&Body::of(value.as_bytes())).bytes();
            (name.clone(), String::from_utf8_lossy(&value).into_owned())
        });
        Answered {
            status: answer.status,
            headers: headers.collect(),
            body: self.bindings.told(&answer.body),
        }
    }

    /// What a request has that no recorded one has: it beside the one that is most like it.
    fn difference(&self, asked: &Asked, live: &Masked) -> String {
        let now = shown(asked);
        let nearest = self
            .recording
            .exchanges
            .iter()
            .zip(&self.waiting)
            .max_by_key(|(exchange, waiting)| {
                let then = shown(&exchange.request);
                let is_like =
                    exchange.request.line == asked.line && exchange.request.headers == asked.headers;
                (
                    waiting.masked.shape == live.shape,
                    is_like,
                    common(&then, &now),
                    !waiting.is_over,
                )
            });
        let Some((exchange, waiting)) = nearest else {
            return format!("`{}` was asked, and nothing is recorded", around(&now, 0));
        };
        let then = shown(&exchange.request);
        let at = common(&then, &now);
        if waiting.masked.shape == live.shape {
            let why = if waiting.is_over {
                "was recorded fewer times, and all of them have answered"
            } else {
                "was recorded with other ids or times"
            };
            return format!(
                "`{}` was asked, which {why}: `{}`",
                around(&now, at),
                around(&then, at)
            );
        }
        format!(
            "`{}` was asked, and is not recorded; the nearest that is differs from its character {at} on: `{}`",
            around(&now, at),
            around(&then, at)
        )
    }

    /// See [`Tape::end`](super::Tape::end). `again` is the command that records the rule.
    pub(super) fn end(&self, held: bool, again: &str) -> Result<()> {
        let refused = |message: &'static str| {
            Error::new(ErrorKind::Conflict, OPERATION, message)
                .with("rule", &self.recording.rule)
                .with("record", again)
        };
        if let Some(first) = self.unknown.first() {
            return Err(refused(
                "a request is not in the recording, so that nothing is proven; if the change is meant, record again",
            )
            .with("requests", self.unknown.len())
            .with("first", first));
        }
        // A rule that is violated ends before its end.
        let left: Vec<&Exchange> = self
            .recording
            .exchanges
            .iter()
            .zip(&self.waiting)
            .filter(|(_, waiting)| !waiting.is_over)
            .map(|(exchange, _)| exchange)
            .collect();
        match left.first() {
            Some(first) if held => Err(refused(
                "not all that is recorded was asked, so that the recording is of something else; if the change is meant, record again",
            )
            .with("left", left.len())
            .with("first", around(&shown(&first.request), 0))),
            _ => Ok(()),
        }
    }
}

const OPERATION: &str = "replay.tape";

fn masked(asked: &Asked, begin: i64) -> Masked {
    let mut masked = Masked::default();
    let head = [
        asked.service.as_str(),
        "\n",
        &asked.line,
        "\n",
        &headers_text(&asked.headers),
    ]
    .concat();
    masked.add(&Body::of(head.as_bytes()), begin);
    masked.add(&asked.body, begin);
    masked
}

fn ids(masked: &Masked) -> impl Iterator<Item = String> {
    masked
        .values
        .iter()
        .filter(|value| value.is_id())
        .map(|id| id.text.clone())
}

fn masked_answer(answer: &Answered, begin: i64) -> Masked {
    let mut masked = Masked::default();
    masked.add(&Body::of(headers_text(&answer.headers).as_bytes()), begin);
    masked.add(&answer.body, begin);
    masked
}

fn headers_text(headers: &BTreeMap<String, String>) -> String {
    headers.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{name}: {value}");
        text
    })
}

/// A request for people.
fn shown(asked: &Asked) -> String {
    let head = headers_text(&asked.headers).trim_end().replace('\n', ", ");
    [asked.service.as_str(), &asked.line, &head, &asked.body.shown()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// How many characters are the same from the beginning.
fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// What is around a character of a text.
fn around(text: &str, at: usize) -> String {
    let skipped = at.saturating_sub(SHOWN / 2);
    let part: String = text.chars().skip(skipped).take(SHOWN).collect();
    let (before, behind) = (
        if skipped > 0 { "…" } else { "" },
        if text.chars().count() > skipped + SHOWN {
            "…"
        } else {
            ""
        },
    );
    format!("{before}{part}{behind}")
}

#[cfg(test)]
mod tests;
