//! The adapters that the suite runs over, each in the modes that it has. A new adapter is one line here.

use clap::ValueEnum;
use nephos_conformance::Suite;

use crate::fail::Fail;
use crate::targets;

/// What the adapters run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Against {
    /// Emulators and stand-ins on this machine.
    Emulator,
    /// Recorded exchanges.
    Replay,
    /// The providers themselves.
    Live,
}

/// An adapter, and its suite in each mode that it has.
#[derive(Debug, Clone, Copy)]
struct Adapter {
    name: &'static str,
    /// Over emulators, or over nothing where it is itself the service.
    emulator: fn() -> Suite,
    /// Over recorded exchanges.
    replay: Option<fn() -> Suite>,
}

const ADAPTERS: [Adapter; 4] = [
    adapter("local", nephos_local::harness::suite),
    Adapter {
        replay: Some(nephos_aws::harness::replay),
        ..adapter("aws", nephos_aws::harness::suite)
    },
    adapter("azure", nephos_azure::harness::suite),
    adapter("gcp", nephos_gcp::harness::suite),
];

const fn adapter(name: &'static str, emulator: fn() -> Suite) -> Adapter {
    Adapter {
        name,
        emulator,
        replay: None,
    }
}

impl Adapter {
    /// Its suite in this mode, if it has the mode.
    fn suite(&self, mode: Against) -> Option<fn() -> Suite> {
        match mode {
            Against::Emulator => Some(self.emulator),
            Against::Replay => self.replay,
            // No adapter has a harness over its provider.
            Against::Live => None,
        }
    }
}

fn names() -> [&'static str; ADAPTERS.len()] {
    ADAPTERS.map(|adapter| adapter.name)
}

/// The suites over these adapters, each once; over all that have the mode if none is named.
pub(super) fn suites(named: &[String], mode: Against) -> Result<Vec<Suite>, Fail> {
    for name in named {
        if !names().contains(&name.as_str()) {
            return Err(missing(name));
        }
    }
    let mut suites = Vec::new();
    for adapter in &ADAPTERS {
        match adapter.suite(mode) {
            _ if !named.is_empty() && !named.iter().any(|named| named == adapter.name) => {}
            Some(suite) => suites.push(suite()),
            None if named.is_empty() => {}
            None => return Err(without(mode, &format!("the adapter `{}`", adapter.name))),
        }
    }
    if suites.is_empty() {
        return Err(without(mode, "any adapter"));
    }
    Ok(suites)
}

/// Nobody has what this mode needs.
fn without(mode: Against, whom: &str) -> Fail {
    match mode {
        Against::Live => Fail::usage(format!("there is no way yet to run {whom} against its provider")).help(
            "a live run will need credentials of an account and a prefix for the names of all that it makes, so that it can remove all of it; `--mode emulator` runs over emulators",
        ),
        Against::Emulator | Against::Replay => {
            Fail::usage(format!("there are no recorded exchanges of {whom} to replay"))
                .help("`--mode emulator` runs over emulators")
        }
    }
}

fn missing(name: &str) -> Fail {
    if targets::NAMES.contains(&name) {
        return Fail::usage(format!("there is no adapter for `{name}` yet"))
            .help(format!("the suite runs over {}", names().join(", ")));
    }
    unknown("adapter", name, &names())
}

/// There is no such thing; what could have been meant, or what there is.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Fail {
    let fail = Fail::usage(format!("the suite has no {what} `{name}`"));
    let help = nephos_manifest::suggestion(name, "it has", known.iter().copied());
    fail.help(help.unwrap_or_else(|| "`nephos conformance --list` shows all rules".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_is_a_target_and_its_suite_has_its_name() {
        for adapter in ADAPTERS {
            assert!(targets::NAMES.contains(&adapter.name), "{adapter:?}");
            for mode in [Against::Emulator, Against::Replay] {
                let suite = adapter.suite(mode).map(|suite| suite());
                assert!(
                    suite.is_none_or(|suite| suite.adapter() == adapter.name),
                    "{adapter:?}"
                );
            }
        }
    }

    #[test]
    fn adapters_run_once_each_and_in_their_own_order() {
        let named = ["gcp".to_owned(), "local".to_owned(), "gcp".to_owned()];
        let suites = suites(&named, Against::Emulator).unwrap();
        let names: Vec<&str> = suites.iter().map(Suite::adapter).collect();
        assert_eq!(names, ["local", "gcp"]);
    }

    #[test]
    fn a_mode_that_no_adapter_has_is_refused_with_what_it_will_need() {
        for named in [Vec::new(), vec!["local".to_owned()]] {
            let refused = miette::Report::from(suites(&named, Against::Live).unwrap_err());
            assert!(format!("{refused:?}").contains("credentials"), "{refused:?}");
        }
    }
}
