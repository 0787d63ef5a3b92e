//! Choosing the function and the host, with an environment that no process has.

use async_trait::async_trait;
use nephos_core::event::{Message, Tick};

use super::*;

#[derive(Debug)]
struct Fake;

#[async_trait]
impl Host for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get("FAKE_HOST").is_some()
    }

    async fn serve(&self, _launch: Launch) -> Result<()> {
        Ok(())
    }
}

const HOSTS: &[&dyn Host] = &[&Fake];

async fn on_message(_message: Message<String>) {}

async fn on_tick(_tick: Tick) {}

fn functions() -> Vec<Function> {
    vec![
        Function::new("recognise", on_message),
        Function::new("tidy-up", on_tick).at("src/main.rs:7"),
    ]
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn started(variables: &[(&str, &str)]) -> String {
    match start(functions(), environment(variables), HOSTS) {
        Ok(Start::Serve { host, launch }) => format!("{} runs {}", host.name(), launch.function.info().name),
        Ok(Start::Describe(json)) => json,
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_named_function_runs_under_the_host_that_is_detected() {
    let started = started(&[("FAKE_HOST", "1"), (env::FUNCTION, "tidy-up")]);
    assert_eq!(started, "fake runs tidy-up");
}

#[test]
fn the_only_function_needs_no_name() -> Result<()> {
    let only = vec![Function::new("recognise", on_message)];
    let started = start(only, environment(&[("FAKE_HOST", "1")]), HOSTS)?;
    assert!(matches!(started, Start::Serve { .. }));
    Ok(())
}

#[test]
fn one_of_several_must_be_named() {
    assert_eq!(
        started(&[("FAKE_HOST", "1")]),
        "run: this program has several functions; name the one to run in the environment (variable=NEPHOS_FUNCTION)"
    );
}

#[test]
fn an_unknown_name_lists_those_there_are_and_suggests_the_nearest() {
    assert_eq!(
        started(&[("FAKE_HOST", "1"), (env::FUNCTION, "recognize")]),
        "run: this program has no such function; did you mean `recognise`? \
         (NEPHOS_FUNCTION=recognize, functions=recognise tidy-up)"
    );
    assert!(!started(&[("FAKE_HOST", "1"), (env::FUNCTION, "zzz")]).contains("did you mean"));
}

#[test]
fn without_a_host_it_says_how_to_run_the_app() {
    assert!(started(&[]).contains("run the app with `nephos dev`"));
}

#[test]
fn it_describes_its_functions_without_a_host() {
    let described = started(&[(env::DESCRIBE, "1")]);
    let infos: Vec<FunctionInfo> = serde_json::from_str(&described).unwrap();
    assert_eq!(infos.len(), 2);
    assert_eq!(infos[0].trigger, Some(nephos_core::TriggerKind::Queue));
    assert_eq!(infos[1].location.as_deref(), Some("src/main.rs:7"));
}

#[test]
fn two_functions_of_one_name_are_refused() {
    let twice = vec![Function::new("same", on_message), Function::new("same", on_tick)];
    let error = start(twice, environment(&[(env::DESCRIBE, "1")]), HOSTS).unwrap_err();
    assert!(error.to_string().contains("function=same"), "{error}");
}
