//! The start of a function's process: which function, which host, and what to say when there is none.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use nephos_core::adapter::{Host, Launch};
use nephos_core::env::{self, Environment};
use nephos_core::resource::ExternalBuckets;
use nephos_core::{Error, ErrorKind, Function, FunctionInfo, Result};

use crate::{hosts, log};

/// The exit code when the process was started in a way that cannot work.
const USAGE: u8 = 2;

/// Runs the function that the environment names, under the host that started this process; what `nephos::main!` calls.
///
/// The environment is read once, here. With `NEPHOS_DESCRIBE=1` it prints the functions as JSON instead. Returns 0 when the host ended the process in
/// order, 1 when serving failed, 2 when the process was started wrongly: no host, or no such function.
pub fn run(functions: impl IntoIterator<Item = Function>) -> ExitCode {
    let environment = Environment::of_process();
    match start(functions.into_iter().collect(), environment, hosts::HOSTS) {
        Ok(Start::Describe(json)) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Ok(Start::Serve { host, launch }) => serve(host, launch),
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::from(USAGE)
        }
    }
}

/// What the process is going to do.
#[derive(Debug)]
enum Start {
    Describe(String),
    Serve { host: &'static dyn Host, launch: Launch },
}

fn start(
    functions: Vec<Function>,
    environment: Environment,
    hosts: &'static [&'static dyn Host],
) -> Result<Start> {
    let mut names = BTreeSet::new();
    for function in &functions {
        let name = function.info().name.as_str();
        if !names.insert(name) {
            return Err(refuse(
                "two functions have the same name; give one another with `#[nephos::function(name = \"…\")]`",
            )
            .with("function", name));
        }
    }
    if environment.get(env::DESCRIBE) == Some("1") {
        let infos: Vec<&FunctionInfo> = functions.iter().map(Function::info).collect();
        let json = serde_json::to_string(&infos).map_err(|error| {
            Error::new(ErrorKind::Internal, "run", "the functions cannot be described").caused_by(error)
        })?;
        return Ok(Start::Describe(json));
    }
    let Some(host) = hosts::detect(hosts, &environment) else {
        return Err(refuse(
            "this program holds the functions of an app and is started by a host; run the app with `nephos dev` in the folder of its nephos.toml",
        ));
    };
    let function = select(functions, environment.get(env::FUNCTION))?;
    Ok(Start::Serve {
        host,
        launch: Launch {
            function,
            environment,
            external: external(),
        },
    })
}

/// The function of this name, or the only one.
fn select(mut functions: Vec<Function>, name: Option<&str>) -> Result<Function> {
    let Some(name) = name else {
        return match (functions.pop(), functions.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(refuse("this program has no function")),
            (Some(_), false) => Err(refuse(
                "this program has several functions; name the one to run in the environment",
            )
            .with("variable", env::FUNCTION)),
        };
    };
    if let Some(index) = functions.iter().position(|function| function.info().name == name) {
        return Ok(functions.swap_remove(index));
    }
    let mut names: Vec<&str> = functions
        .iter()
        .map(|function| function.info().name.as_str())
        .collect();
    names.sort_unstable();
    let message = match closest(name, &names) {
        Some(closest) => format!("this program has no such function; did you mean `{closest}`?"),
        None => "this program has no such function; list it in `nephos::main!`".to_owned(),
    };
    Err(refuse(message)
        .with(env::FUNCTION, name)
        .with("functions", names.join(" ")))
}

/// The name that differs in the fewest letters, if that is at most a third of them.
fn closest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), *candidate))
        .min()
        .filter(|(distance, _)| *distance * 3 <= name.chars().count().max(3))
        .map(|(_, candidate)| candidate)
}

/// What opens buckets outside the target.
fn external() -> Arc<dyn ExternalBuckets> {
    #[cfg(feature = "s3")]
    return Arc::new(crate::external::S3Buckets);
    #[cfg(not(feature = "s3"))]
    Arc::new(nephos_core::resource::NoExternalBuckets)
}

fn serve(host: &'static dyn Host, launch: Launch) -> ExitCode {
    log::init(&launch.environment);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    // On a thread of the runtime, where connections are too: a host on this one would be woken across threads for each event.
    let serving = runtime.spawn(host.serve(launch));
    let ended = runtime.block_on(serving).unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "host.serve", "the host itself panicked").caused_by(error))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(host = host.name(), error = %error.chain(), "the host cannot go on");
            ExitCode::FAILURE
        }
    }
}

fn refuse(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, "run", message)
}

#[cfg(test)]
mod tests;
