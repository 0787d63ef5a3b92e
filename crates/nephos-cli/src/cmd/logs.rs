//! `nephos logs`: what deployed functions printed.

use std::process::ExitCode;
use std::time::Duration;

use nephos_core::deploy::{Follow, LogLine, LogQuery};

use crate::deployment::TargetArgs;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;
use crate::resource;

/// Arguments of `nephos logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The functions; all of them if none is named.
    functions: Vec<String>,

    #[command(flatten)]
    target: TargetArgs,

    /// Goes on with what comes, until it is interrupted.
    #[arg(long, short)]
    follow: bool,

    /// How far back: a number and `s`, `m`, `h` or `d`.
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = time)]
    since: Duration,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let output = *output;
    let project = args.target.project(place, output)?;
    let app = project.app();
    if let Some(name) = args
        .functions
        .iter()
        .find(|name| !app.functions.contains_key(*name))
    {
        return Err(resource::no_function(app, name).into());
    }
    let deployer = args.target.deployer(&project, None)?;
    let query = LogQuery {
        functions: args.functions.clone(),
        since: args.since,
        follow: if args.follow { Follow::Yes } else { Follow::No },
    };
    let mut sink = |line: LogLine| print(&line, output);
    tokio::select! {
        read = deployer.logs(&query, &mut sink) => read.map_err(Fail::from)?,
        // Whoever follows a log ends it so.
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print(line: &LogLine, output: Output) {
    if output.json {
        output.line(line);
        return;
    }
    let time = line
        .at
        .with_timezone(&chrono::Local)
        .format("%H:%M:%S%.3f")
        .to_string();
    output.print(&format!(
        "{} {} {}",
        output.paint(Paint::Dim, &time),
        output.paint(Paint::Blue, &line.function),
        line.line
    ));
}

/// Parses `90s`, `15m`, `2h`, `7d`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write it as in 90s, 15m, 2h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text.trim_end_matches(unit).trim().parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        let seconds = |text: &str| time(text).map(|time| time.as_secs());
        assert_eq!(
            [seconds("90s"), seconds("15m"), seconds("2h"), seconds("1 d")],
            [Ok(90), Ok(900), Ok(7200), Ok(86_400)]
        );
        for wrong in ["", "s", "15", "15 minutes", "-1m", "99999999999999999999d"] {
            assert!(seconds(wrong).unwrap_err().contains("15m"), "{wrong}");
        }
    }
}
