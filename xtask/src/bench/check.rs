//! `nephos check` on manifests of 100, 1,000 and 10,000 functions: how long, and whether it grows linearly.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use xtask::shell::{self, Error, Result};

use super::Bench;
use super::report::{Budget, Row, median};

pub(super) const SIZES: [u32; 3] = [100, 1_000, 10_000];
const RUNS: usize = 5;
/// A manifest ten times as long may cost each function this much more: what caches do, not what an algorithm does.
pub(super) const LINEAR: f64 = 1.5;

/// Whole processes, from start to exit.
///
/// # Errors
/// A manifest that the command refuses.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let command = bench.nephos()?;
    let mut times = Vec::new();
    for size in SIZES {
        let app = bench.folder(&format!("check-{size}"))?;
        let path = app.join("nephos.toml");
        std::fs::write(&path, manifest(size)).map_err(Error::io("write", &path))?;
        let runs = (0..RUNS)
            .map(|_| time(&command, &app))
            .collect::<Result<Vec<f64>>>()?;
        times.push(median(&runs));
    }
    let budgets = [None, Some(Budget::AtMost(200.0)), None];
    let mut rows: Vec<Row> = SIZES
        .iter()
        .zip(&times)
        .zip(budgets)
        .map(|((size, ms), budget)| Row::alone(format!("check, {size} functions"), *ms, "ms", budget))
        .collect();
    let each =
        |small: usize, large: usize| (times[large] - times[small]) / f64::from(SIZES[large] - SIZES[small]);
    let (early, late) = (each(0, 1) * 1e3, each(1, 2) * 1e3);
    rows.push(Row::alone(
        "check, a function more, from 100 to 1,000",
        early,
        "us",
        None,
    ));
    rows.push(Row::alone(
        "check, a function more, from 1,000 to 10,000",
        late,
        "us",
        None,
    ));
    rows.push(Row::alone(
        "check, growth of that (1 is linear)",
        late / early,
        "x",
        Some(Budget::AtMost(LINEAR)),
    ));
    Ok(rows)
}

fn time(nephos: &Path, app: &Path) -> Result<f64> {
    let mut command = Command::new(nephos);
    command
        .args(["check", "--no-build"])
        .arg(app)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let output = command
        .output()
        .map_err(|e| shell::missing(&command, "the benchmark", e))?;
    let elapsed = started.elapsed().as_secs_f64() * 1e3;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let start: String = said.lines().take(20).collect::<Vec<_>>().join("\n");
        return Err(Error::Other(format!(
            "`{}` failed:\n{start}",
            shell::line(&command)
        )));
    }
    Ok(elapsed)
}

/// An app of `functions` functions in which each fourth has an HTTP route, a queue, a bucket, or a schedule, and
/// all write to the table of their group of ten.
pub(super) fn manifest(functions: u32) -> String {
    let mut text = String::from("app = \"bench\"\n");
    for n in 0..functions {
        if n % 10 == 0 {
            let _ = write!(text, "\n[table.t{}]\nkey = \"id\"\n", n / 10);
        }
        let on = match n % 4 {
            0 => format!("{{ http = \"GET /f{n}/{{id}}\" }}"),
            1 => {
                let _ = write!(text, "\n[queue.q{n}]\n");
                format!("{{ queue = \"q{n}\" }}")
            }
            2 => {
                let _ = write!(text, "\n[bucket.b{n}]\n");
                format!("{{ bucket = \"b{n}\", event = \"created\", suffix = \".jpg\" }}")
            }
            _ => "{ schedule = \"every 5 minutes\" }".to_owned(),
        };
        let group = n / 10;
        let _ = write!(
            text,
            "\n[function.f{n}]\nmemory = \"128 MiB\"\ntimeout = \"30 s\"\non = [{on}]\nuses = {{ t{group} = [\"read\", \"write\"] }}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_manifest_is_toml_with_as_many_functions_as_asked() {
        for size in [1, 100, 1_000] {
            let table: toml::Table = toml::from_str(&manifest(size)).unwrap();
            assert_eq!(
                table["function"].as_table().unwrap().len(),
                usize::try_from(size).unwrap()
            );
            let used = table["function"]["f0"]["uses"].as_table().unwrap();
            assert!(
                used.keys().all(|name| table["table"].get(name).is_some()),
                "{used:?}"
            );
        }
    }
}
