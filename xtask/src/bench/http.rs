//! A warm HTTP function behind `nephos dev` against the same handler on bare hyper.

use std::time::Duration;

use xtask::shell::{self, Error, Result};

use super::Bench;
use super::load::{Load, Sample};
use super::nephos::Nephos;
use super::peer::Peer;
use super::report::{Budget, Judged, Row, median};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(1);
/// Two loads, both judged: the ratio depends on how many requests are under way at once.
const FEW: usize = 16;
const MANY: usize = 64;

/// What the function answers to [`PATH`].
pub(crate) const ANSWER: &str = "Hello, nephos!\n";
/// The route that is measured.
pub(crate) const PATH: &str = "/hello/nephos";

/// Requests a second with many connections, added latency with one.
///
/// # Errors
/// A side that does not start, or answers wrongly.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let command = bench.nephos()?;
    let state = bench.folder("http")?.join("state");
    let nephos = Nephos::start(&command, &shell::root().join("examples/hello-http"), &state)?;
    let peer = Peer::start()?;
    let ours = Load::get(nephos.gateway, PATH, ANSWER);
    let theirs = Load::get(peer.at, PATH, ANSWER);

    let few = rounds(&with(&ours, FEW), &with(&theirs, FEW))?;
    let many = rounds(&with(&ours, MANY), &with(&theirs, MANY))?;
    let alone = rounds(&ours, &theirs)?;
    let added: Vec<f64> = alone
        .iter()
        .map(|(a, b)| a.percentile_ms(0.5) - b.percentile_ms(0.5))
        .collect();
    let of = |rounds: &[(Sample, Sample)], what: fn(&Sample) -> f64| {
        let ours: Vec<f64> = rounds.iter().map(|(a, _)| what(a)).collect();
        let theirs: Vec<f64> = rounds.iter().map(|(_, b)| what(b)).collect();
        (median(&ours), Some(median(&theirs)))
    };
    let rate = |connections: usize, rounds: &[(Sample, Sample)]| {
        let ratios: Vec<f64> = rounds.iter().map(|(a, b)| a.per_second / b.per_second).collect();
        let (rate, peer) = of(rounds, |s| s.per_second);
        Row {
            peer,
            ratio: Some(median(&ratios)),
            judged: Judged::Ratio,
            ..Row::alone(
                format!("http, {connections} connections"),
                rate,
                "/s",
                Some(Budget::AtLeast(0.5)),
            )
        }
    };
    let (p99, peer_p99) = of(&few, |s| s.percentile_ms(0.99));
    let (p50, peer_p50) = of(&alone, |s| s.percentile_ms(0.5));
    let with_peer = |row: Row, peer| Row { peer, ..row };
    Ok(vec![
        rate(MANY, &many),
        rate(FEW, &few),
        with_peer(
            Row::alone(
                format!("http, {FEW} connections, 99th percentile"),
                p99,
                "ms",
                None,
            ),
            peer_p99,
        ),
        with_peer(
            Row::alone("http, 1 connection, median", p50, "ms", None),
            peer_p50,
        ),
        Row::alone(
            "http, 1 connection, median added",
            median(&added),
            "ms",
            Some(Budget::AtMost(1.0)),
        ),
    ])
}

fn with(load: &Load, connections: usize) -> Load {
    Load {
        connections,
        ..load.clone()
    }
}

/// Alternating rounds, each side first in turn, after one short round that is not counted.
fn rounds(ours: &Load, theirs: &Load) -> Result<Vec<(Sample, Sample)>> {
    let run = |load: &Load, duration: Duration, who: &str| {
        let load = Load {
            duration,
            ..load.clone()
        };
        load.run()
            .map_err(|e| Error::Other(format!("{who} at http://{}: {e}", load.to)))
    };
    run(ours, WARM_UP, "nephos")?;
    run(theirs, WARM_UP, "hyper")?;
    let mut samples = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let (a, b);
        if round % 2 == 0 {
            a = run(ours, ROUND, "nephos")?;
            b = run(theirs, ROUND, "hyper")?;
        } else {
            b = run(theirs, ROUND, "hyper")?;
            a = run(ours, ROUND, "nephos")?;
        }
        eprintln!(
            "  round {}: nephos {:.0}/s, hyper {:.0}/s",
            round + 1,
            a.per_second,
            b.per_second
        );
        samples.push((a, b));
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers every request of every connection with `answer`, until the test process ends.
    fn server(answer: &'static str) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    while let Some(Ok(line)) = lines.next() {
                        if line.is_empty() && stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        at
    }

    #[test]
    fn a_load_counts_answers_on_all_connections() {
        let at = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let load = Load {
            duration: Duration::from_millis(50),
            connections: 3,
            ..Load::get(at, "/", "ok")
        };
        let sample = load.run().unwrap();
        assert!(
            sample.per_second > 0.0 && sample.percentile_ms(0.5) > 0.0,
            "{}",
            sample.per_second
        );
        assert!(load.first_byte().unwrap() > Duration::ZERO);
    }

    #[test]
    fn a_wrong_answer_is_an_error_and_no_figure() {
        let at = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
        let error = Load::get(at, "/", "ok").run().unwrap_err().to_string();
        assert!(error.contains("unexpected answer \"no\""), "{error}");
        let gone = server("");
        let nobody = Load {
            duration: Duration::ZERO,
            ..Load::get(gone, "/", "ok")
        };
        assert!(
            nobody.run().unwrap().percentile_ms(0.5).abs() < 1e-9,
            "no time, no requests"
        );
    }
}
