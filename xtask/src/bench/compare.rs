//! Two sides measured in turn: what is the same for all peers that are processes.

use std::path::Path;
use std::time::Duration;

use xtask::shell::{Error, Result};

use super::report::{Budget, Judged, Row, median};

/// Pairs of figures: ours and the peer's, of one round each.
pub(crate) type Pairs = Vec<(f64, f64)>;

/// A figure of `count` fresh processes of each side.
pub(crate) fn turns(
    count: usize,
    ours: impl Fn() -> Result<f64>,
    theirs: impl Fn() -> Result<f64>,
) -> Result<Pairs> {
    (0..count).map(|round| in_turn(round, &ours, &theirs)).collect()
}

/// Both, each first in turn.
fn in_turn<T>(round: usize, ours: impl Fn() -> Result<T>, theirs: impl Fn() -> Result<T>) -> Result<(T, T)> {
    if round.is_multiple_of(2) {
        let first = ours()?;
        return Ok((first, theirs()?));
    }
    let first = theirs()?;
    Ok((ours()?, first))
}

/// Rates a second of both sides, and microseconds of processor time for each of what they count. `turn` is a round of a side: its rate, and the seconds of processor
/// time that it took.
pub(crate) fn rates<S>(
    rounds: usize,
    round: Duration,
    ours: &S,
    theirs: &S,
    turn: impl Fn(&S) -> Result<(f64, f64)>,
) -> Result<(Pairs, Pairs)> {
    let each = |(rate, used): (f64, f64)| (rate, used * 1e6 / (rate * round.as_secs_f64()));
    let mut pairs = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for number in 0..rounds {
        let (a, b) = in_turn(number, || turn(ours).map(each), || turn(theirs).map(each))?;
        pairs.0.push((a.0, b.0));
        pairs.1.push((a.1, b.1));
    }
    Ok(pairs)
}

/// Medians of both sides, judged by the median of the rounds' ratios; says how far these lie apart.
pub(crate) fn row(figure: String, pairs: &[(f64, f64)], unit: &'static str, budget: Option<Budget>) -> Row {
    let mut ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
    ratios.sort_by(f64::total_cmp);
    if let (Some(low), Some(high)) = (ratios.get(ratios.len() / 4), ratios.get(ratios.len() * 3 / 4)) {
        eprintln!(
            "  {figure}: {:.3} x, half of the rounds between {low:.3} and {high:.3}",
            median(&ratios)
        );
    }
    let side = |of: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(of).collect::<Vec<_>>());
    Row {
        peer: Some(side(|pair| pair.1)),
        ratio: Some(median(&ratios)),
        judged: Judged::Ratio,
        ..Row::alone(figure, side(|pair| pair.0), unit, budget)
    }
}

/// Judged by the ratio of both sides' medians: two starts in a row share no moment that would make a pair of them.
pub(crate) fn of_medians(row: Row) -> Row {
    Row {
        ratio: row.peer.map(|peer| row.value / peer),
        ..row
    }
}

/// Judged by what each process does at its best, the median of the processes of each side: what else the machine does only ever takes away. `rounds` is how many pairs in a row
/// are of one process of each side.
pub(crate) fn of_best(row: Row, pairs: &[(f64, f64)], rounds: usize) -> Row {
    let is_more_better = matches!(row.budget, Some(Budget::AtLeast(_)));
    let side = |of: fn(&(f64, f64)) -> f64| {
        let best: Vec<f64> = (pairs.chunks(rounds.max(1)))
            .filter_map(|process| tenth(process.iter().map(of).collect(), is_more_better))
            .collect();
        median(&best)
    };
    let (ours, theirs) = (side(|pair| pair.0), side(|pair| pair.1));
    Row {
        value: ours,
        peer: Some(theirs),
        ratio: Some(ours / theirs),
        ..row
    }
}

/// What a tenth of the figures reach or better.
fn tenth(mut figures: Vec<f64>, is_more_better: bool) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    if is_more_better {
        figures.reverse();
    }
    figures.get(figures.len() / 10).copied()
}

/// A program's size in MB.
pub(crate) fn size_of(program: &Path) -> Result<f64> {
    let bytes = std::fs::metadata(program)
        .map_err(Error::io("read", program))?
        .len();
    #[expect(clippy::cast_precision_loss, reason = "a file's size fits")]
    Ok(bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_round_does_not_count_and_a_lucky_process_is_one_of_several() {
        let process = |ours: f64, theirs: f64| (0..10).map(move |round| (ours - f64::from(round), theirs));
        let pairs: Pairs = (process(100.0, 50.0).chain(process(500.0, 50.0)))
            .chain(process(101.0, 50.0))
            .collect();
        let rates = Row::alone("rate", 0.0, "/s", Some(Budget::AtLeast(0.95)));
        let judged = of_best(rates, &pairs, 10);
        assert_eq!((judged.value, judged.ratio), (100.0, Some(2.0)));

        let times = Row::alone("start", 0.0, "ms", Some(Budget::AtMost(1.1)));
        let judged = of_best(times, &[(1.0, 1.0), (9.0, 1.0), (9.0, 9.0)], 3);
        assert_eq!((judged.value, judged.ratio), (1.0, Some(1.0)));
    }
}
