//! `nephos conformance`, over the adapter that needs no emulator: every form of the report, and everything that can be asked for wrongly.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use nephos_conformance::report::{Fate, Outcome, Report};
use nephos_conformance::rules;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::support::{done, nephos, refused, stderr, stdout};

fn secrets(more: &[&str]) -> Output {
    let mut arguments = vec!["conformance", "--adapter", "local", "--group", "secret"];
    arguments.extend(more);
    nephos(&arguments)
}

/// The ids of the group's rules.
fn ids() -> BTreeSet<&'static str> {
    let secrets = rules::all().filter(|rule| rule.group() == "secret");
    secrets.map(|rule| rule.id).collect()
}

#[test]
fn json_tells_of_every_rule_and_of_the_mutant_that_it_killed() {
    let report: Report = serde_json::from_str(&done(&secrets(&["--format", "json"]))).unwrap();
    assert!(report.is_as_declared());
    let [local] = report.adapters.as_slice() else {
        panic!("one adapter: {report:?}");
    };
    assert_eq!((local.adapter.as_str(), local.mode.name()), ("local", "embedded"));
    assert_eq!(local.nephos, env!("CARGO_PKG_VERSION"));
    let ran: BTreeSet<&str> = local.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!((ran, local.rules.len()), (ids(), ids().len()));
    assert!(local.rules_in_all > 200 && local.rules_in_all <= rules::all().count());
    assert_eq!(local.left_out.len(), rules::GROUPS.len() - 1);
    let count = |outcome| local.rules.iter().filter(|rule| rule.outcome == outcome).count();
    // The embedded host keeps text, and no older versions.
    assert!(count(Outcome::Refused) >= 1);
    assert_eq!(count(Outcome::Held) + count(Outcome::Refused), ids().len());
    for rule in &local.rules {
        assert_eq!(rule.mutant.outcome, Fate::Killed, "{}", rule.id);
        assert!(rule.mutant.sentence.is_some(), "{}", rule.id);
        assert!(rule.why.len() > 20 && !rule.source.is_empty(), "{}", rule.id);
    }
    assert_eq!(local.capabilities["secret"]["versions"], false);
}

#[test]
fn without_mutants_the_report_says_that_none_was_asked_for() {
    let report: Report = serde_json::from_str(&done(&secrets(&["--json", "--no-mutants"]))).unwrap();
    for rule in &report.adapters[0].rules {
        assert_eq!(rule.mutant.outcome, Fate::NotRun, "{}", rule.id);
        assert_eq!(rule.mutant.reason.as_deref(), Some("mutants were not asked for"));
    }
}

#[test]
fn junit_is_xml_with_a_test_for_each_rule_and_each_mutant() {
    let document = done(&secrets(&["--format", "junit"]));
    let mut reader = Reader::from_str(&document);
    let mut tests = Vec::new();
    let mut failures = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == b"testcase" => {
                let name = tag.try_get_attribute("name").unwrap().unwrap();
                tests.push(String::from_utf8(name.value.into_owned()).unwrap());
            }
            Event::Start(tag) | Event::Empty(tag) if matches!(tag.name().as_ref(), b"failure" | b"error") => {
                failures += 1;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut expected: Vec<String> = ids()
        .into_iter()
        .flat_map(|id| [id.to_owned(), format!("mutant::{id}")])
        .collect();
    tests.sort();
    expected.sort();
    assert_eq!((tests, failures), (expected, 0));
}

#[test]
fn the_page_has_each_rule_once_in_its_table_and_needs_no_script() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.html");
    let output = secrets(&["--format", "html", "--output", file.to_str().unwrap()]);
    assert_eq!(done(&output), "");
    assert!(
        stderr(&output).contains("local (embedded): rules: "),
        "{}",
        stderr(&output)
    );
    let page = std::fs::read_to_string(&file).unwrap();
    let table = page.split("<section id=\"rules\">").nth(1).unwrap();
    let table = table.split("</section>").next().unwrap();
    for id in ids() {
        assert_eq!(table.matches(&format!("<code>{id}</code>")).count(), 1, "{id}");
    }
    assert!(!page.contains("<script"), "{page}");
}

#[test]
fn markdown_has_the_table_of_what_is_declared() {
    let page = done(&secrets(&["--format", "markdown"]));
    for id in ids() {
        assert!(page.contains(&format!("| {id} | ")), "{id}:\n{page}");
    }
    assert!(
        page.contains("| Secret: older versions can be read | no |"),
        "{page}"
    );
}

#[test]
fn the_table_ends_with_what_was_proven_and_of_what_nothing_was() {
    let output = secrets(&["--mutants"]);
    let table = done(&output);
    assert!(table.contains("All is as declared."), "{table}");
    assert!(
        table.contains("nothing is proven of ") && table.contains("queue"),
        "{table}"
    );
    for id in ids() {
        assert!(table.contains(&format!("  {id} killed ")), "{id}:\n{table}");
    }
}

#[test]
fn one_rule_by_its_id_is_that_rule_alone() {
    let id = "secret.get.value";
    let report: Report = serde_json::from_str(&done(&nephos(&[
        "conformance",
        "--adapter",
        "local",
        "--rule",
        id,
        "--side-by-side",
        "1",
        "--format",
        "json",
    ])))
    .unwrap();
    let ran: Vec<&str> = report.adapters[0]
        .rules
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(ran, [id]);
}

#[test]
fn a_list_has_every_rule_and_runs_none() {
    let list = done(&nephos(&["conformance", "--list"]));
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let all: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    assert_eq!(listed, all);
    let list = done(&nephos(&["conformance", "--list", "--group", "secret", "--json"]));
    assert_eq!(list.lines().count(), ids().len());
}

#[test]
fn names_that_nothing_has_are_refused_with_what_may_have_been_meant() {
    for (arguments, said) in [
        (
            ["--group", "sekret"],
            ["no group `sekret`", "did you mean `secret`?"],
        ),
        (
            ["--group", "everything"],
            ["no group `everything`", "`semantics`"],
        ),
        (
            ["--adapter", "azur"],
            ["no adapter `azur`", "did you mean `azure`?"],
        ),
        (
            ["--adapter", "knative"],
            ["no adapter for `knative` yet", "local, aws, azure, gcp"],
        ),
        (["--rule", "no-such-rule"], ["no rule `no-such-rule`", "--list"]),
        (
            ["--mode", "live"],
            [
                "no way yet to run any adapter against its provider",
                "credentials",
            ],
        ),
    ] {
        let mut all = vec!["conformance"];
        all.extend(arguments);
        refused(&nephos(&all), 2, &said);
    }
}

#[test]
fn rules_of_which_none_is_in_the_group_prove_nothing_and_are_a_failure() {
    refused(
        &nephos(&["conformance", "--group", "secret", "--rule", "queue."]),
        2,
        &["nothing would be proven"],
    );
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_runs() {
    refused(
        &secrets(&["--output", "/no/such/folder/report.json"]),
        1,
        &["/no/such/folder/report.json"],
    );
}

#[test]
fn an_emulator_that_is_not_installed_fails_its_adapter_with_the_command_that_installs_it() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nephos"))
        .args([
            "conformance",
            "--adapter",
            "azure,local",
            "--group",
            "bucket",
            "--no-mutants",
        ])
        .env("NEPHOS_TOOLS", empty.path())
        .output()
        .unwrap();
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{table}{}", stderr(&output));
    assert!(table.contains("azure (emulator) is in trouble"), "{table}");
    assert!(
        table.contains("Azurite") && table.contains("cargo xtask setup"),
        "{table}"
    );
    // The other adapter ran all the same.
    let all = rules::all().filter(|rule| rule.group() == "bucket").count();
    let local = table
        .lines()
        .find_map(|line| line.strip_prefix("local (embedded): rules: "))
        .unwrap();
    let counts: Vec<usize> = local
        .split([' ', ';'])
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(counts[0] + counts[1], all, "{table}");
}

#[test]
fn a_probe_that_cannot_be_built_where_the_command_is_run_is_told_with_the_variable_that_names_one() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nephos"))
        .args(["-C", elsewhere.path().to_str().unwrap()])
        .args(["conformance", "--adapter", "local", "--group", "host"])
        .env_remove("NEPHOS_PROBE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("NEPHOS_PROBE"), "{}", stdout(&output));
}

#[test]
fn what_was_recorded_runs_without_an_emulator_and_is_called_no_certificate() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nephos"))
        .args([
            "conformance",
            "--mode",
            "replay",
            "--group",
            "secret",
            "--format",
            "json",
        ])
        .env("NEPHOS_TOOLS", empty.path())
        .output()
        .unwrap();
    let report: Report = serde_json::from_str(&done(&output)).unwrap();
    let [aws] = report.adapters.as_slice() else {
        panic!("one adapter has recordings: {report:?}");
    };
    assert_eq!((aws.adapter.as_str(), aws.mode.name()), ("aws", "replay"));
    assert!(aws.proves.contains("no certificate"), "{}", aws.proves);
    assert!(aws.rules.iter().any(|rule| rule.outcome == Outcome::Held));
    let ran = |rule: &&nephos_conformance::report::RuleReport| rule.mutant.outcome != Fate::NotRun;
    assert_eq!(aws.rules.iter().filter(ran).count(), 0);
}
