//! Programs of a workspace of peers (`xtask/peers/<provider>`): how they are built, and the figures that some of them print for every provider, a line of JSON each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use xtask::shell::{self, Error, Result};

use super::report::{Budget, Judged, Row};
use super::{Bench, check};

/// A workspace of peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers(pub(crate) &'static str);

impl Peers {
    /// Builds one program alone, so that it has only the features that it asks for.
    ///
    /// # Errors
    /// A program that does not build.
    pub(crate) fn build(self, bench: &Bench, package: &str, profile: &str) -> Result<PathBuf> {
        let mut cargo = shell::cargo();
        cargo
            .args([
                "build",
                "--quiet",
                "--locked",
                "--profile",
                profile,
                "--package",
                package,
                "--manifest-path",
            ])
            .arg(shell::root().join("xtask/peers").join(self.0).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(self.folder(bench));
        shell::run(&mut cargo, "the benchmark")?;
        Ok(self.folder(bench).join(profile).join(package))
    }

    /// Where its programs are built: peers of two providers have the same names.
    pub(crate) fn folder(self, bench: &Bench) -> PathBuf {
        bench.target.join("peers").join(self.0)
    }
}

#[derive(Deserialize)]
struct Transfer {
    operation: String,
    size: String,
    nephos_us: f64,
    peer_us: f64,
    /// How many times as fast as the peer.
    speed: f64,
}

/// What a program that moves objects printed, judged against the peer's speed.
///
/// # Errors
/// A program that fails, or prints something else.
pub(crate) fn transfers(provider: &str, command: &mut Command) -> Result<Vec<Row>> {
    let lines: Vec<Transfer> = lines(command)?;
    Ok(lines
        .into_iter()
        .map(|line| Row {
            peer: Some(1e6 / line.peer_us),
            ratio: Some(line.speed),
            judged: Judged::Ratio,
            ..Row::alone(
                format!("{provider} bucket, {} {}", line.operation, line.size),
                1e6 / line.nephos_us,
                "/s",
                Some(Budget::AtLeast(0.98)),
            )
        })
        .collect())
}

#[derive(Deserialize)]
struct Sized {
    /// Of what, where a program measures several.
    #[serde(default)]
    of: String,
    functions: u32,
    ms: f64,
}

/// What grows with the app, by a program that is told manifests of many functions, and prints milliseconds of each. A thousand functions may take `limit_ms`.
///
/// # Errors
/// As [`transfers`].
pub(crate) fn growing(
    bench: &Bench,
    figure: &str,
    limit_ms: f64,
    sizes: &[u32],
    mut command: Command,
) -> Result<Vec<Row>> {
    let folder = bench.folder(&figure.replace(' ', "-"))?;
    for &size in sizes {
        let path = folder.join(format!("{size}.toml"));
        std::fs::write(&path, check::manifest(size)).map_err(Error::io("write", &path))?;
        command.arg(path);
    }
    let mut each: BTreeMap<String, Vec<Sized>> = BTreeMap::new();
    for line in lines::<Sized>(&mut command)? {
        each.entry(line.of.clone()).or_default().push(line);
    }
    Ok(each
        .iter()
        .flat_map(|(of, lines)| {
            let figure = [figure, of].join(" ");
            growth(figure.trim_end(), limit_ms, lines)
        })
        .collect())
}

fn growth(figure: &str, limit_ms: f64, lines: &[Sized]) -> Vec<Row> {
    let mut rows: Vec<Row> = lines
        .iter()
        .map(|line| {
            let budget = (line.functions == 1_000).then_some(Budget::AtMost(limit_ms));
            Row::alone(
                format!("{figure}, {} functions", line.functions),
                line.ms,
                "ms",
                budget,
            )
        })
        .collect();
    let each = |pair: &[Sized]| (pair[1].ms - pair[0].ms) / f64::from(pair[1].functions - pair[0].functions);
    let growth: Vec<f64> = lines.windows(2).map(each).collect();
    if let [early, late] = growth[..] {
        rows.push(Row::alone(
            format!("{figure}, growth of a function more, from small to large (1 is linear)"),
            late / early,
            "x",
            Some(Budget::AtMost(check::LINEAR)),
        ));
    }
    rows
}

/// The lines of JSON that a program prints.
///
/// # Errors
/// As [`transfers`].
pub(crate) fn lines<T: for<'de> Deserialize<'de>>(command: &mut Command) -> Result<Vec<T>> {
    let text = shell::output(command, "the benchmark")?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|e| Error::Other(format!("`{}` printed {line:?}: {e}", shell::line(command))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_grows_linearly_if_each_function_more_costs_the_same() {
        let lines = [(100, 30.0), (500, 70.0), (1_000, 120.0)].map(|(functions, ms)| Sized {
            of: String::new(),
            functions,
            ms,
        });
        let rows = growth("render", 2_000.0, &lines);
        assert_eq!(rows.len(), 4);
        assert_eq!(
            (rows[0].budget, rows[2].budget),
            (None, Some(Budget::AtMost(2_000.0)))
        );
        assert!((rows[3].value - 1.0).abs() < 1e-9, "{}", rows[3].value);
    }
}
