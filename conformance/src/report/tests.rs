//! Reports in each form, with whatever a violation may say in them.

use super::*;

/// What a violation may quote.
pub(crate) const NASTY: &str =
    "expected `a|b`, got <script>alert(\"1\")</script> & \u{0}\u{1b}[31m\u{8}\u{ffff}\nsecond line";

pub(crate) fn rule(id: &str, outcome: Outcome, fate: Fate) -> RuleReport {
    let said = |fine: bool, words: &str| (!fine).then(|| format!("{words}: {NASTY}"));
    RuleReport {
        id: id.to_owned(),
        group: id.split('.').next().unwrap().to_owned(),
        why: "it <matters> | much".to_owned(),
        source: "a document".to_owned(),
        outcome,
        sentence: said(
            matches!(outcome, Outcome::Held | Outcome::Refused | Outcome::NotRun),
            "rule",
        ),
        reason: (outcome == Outcome::Excepted).then(|| "the emulator is wrong | here".to_owned()),
        duration_ms: 1_250,
        mutant: MutantReport {
            fault: "NackLost".to_owned(),
            outcome: fate,
            sentence: said(
                matches!(fate, Fate::Survived | Fate::Unproven | Fate::NotRun),
                "mutant",
            ),
            reason: (fate == Fate::Unproven).then(|| "not the app's to say".to_owned()),
            duration_ms: 7,
        },
    }
}

pub(crate) fn adapter(name: &str, mode: Mode, rules: Vec<RuleReport>) -> AdapterReport {
    AdapterReport {
        adapter: name.to_owned(),
        mode,
        proves: proves(mode).to_owned(),
        beneath: None,
        nephos: "1.2.3".to_owned(),
        date: DateTime::UNIX_EPOCH,
        duration_ms: 61_000,
        capabilities: Value::Null,
        left_out: vec!["topic".to_owned()],
        rules_in_all: 5,
        trouble: None,
        rules,
    }
}

pub(crate) fn report(adapters: Vec<AdapterReport>) -> Report {
    Report {
        schema: SCHEMA,
        nephos: "1.2.3".to_owned(),
        date: DateTime::UNIX_EPOCH,
        duration_ms: 122_000,
        adapters,
    }
}

/// Two adapters, with one of everything.
pub(crate) fn mixed() -> Report {
    report(vec![
        adapter(
            "local",
            Mode::Embedded,
            vec![
                rule("secret.a.held", Outcome::Held, Fate::Killed),
                rule("queue.b.violated", Outcome::Held, Fate::Killed),
                rule("queue.c.timed-out", Outcome::Refused, Fate::Killed),
            ],
        ),
        adapter(
            "aws",
            Mode::Emulator,
            vec![
                rule("queue.b.violated", Outcome::Violated, Fate::Survived),
                rule("queue.c.timed-out", Outcome::TimedOut, Fate::Broken),
                rule("queue.d.excepted", Outcome::Excepted, Fate::NotRun),
                rule("secret.a.held", Outcome::Held, Fate::Unproven),
            ],
        ),
    ])
}

#[test]
fn a_run_is_as_declared_only_if_every_adapter_ran_and_nothing_in_it_is_otherwise() {
    let held = || rule("queue.a.b", Outcome::Held, Fate::Killed);
    let of = |rules| report(vec![adapter("local", Mode::Embedded, rules)]);
    assert!(of(vec![held(), rule("queue.c.d", Outcome::Excepted, Fate::NotRun)]).is_as_declared());
    assert!(of(vec![rule("queue.a.b", Outcome::Refused, Fate::Unproven)]).is_as_declared());
    assert!(!of(Vec::new()).is_as_declared());
    assert!(!report(Vec::new()).is_as_declared());
    for outcome in [
        Outcome::Violated,
        Outcome::ExceptionHolds,
        Outcome::TimedOut,
        Outcome::Broken,
        Outcome::Lost,
        Outcome::NotRun,
    ] {
        assert!(
            !of(vec![held(), rule("queue.c.d", outcome, Fate::Killed)]).is_as_declared(),
            "{outcome:?}"
        );
    }
    for fate in [
        Fate::Survived,
        Fate::UnprovenKilled,
        Fate::TimedOut,
        Fate::Broken,
        Fate::Lost,
    ] {
        assert!(
            !of(vec![held(), rule("queue.c.d", Outcome::Held, fate)]).is_as_declared(),
            "{fate:?}"
        );
    }
    let mut troubled = of(vec![held()]);
    troubled.adapters[0].trouble = Some("gone".to_owned());
    assert!(!troubled.is_as_declared());
}

#[test]
fn totals_count_each_rule_once_and_say_so_in_one_line() {
    let mixed = mixed();
    assert_eq!(
        Totals::of(&mixed.adapters[1].rules).to_string(),
        "rules: 1 held, 0 refused as declared, 2 violated, 1 excepted; mutants: 0 killed, 2 survived, 1 unproven"
    );
}

#[test]
fn rules_of_several_adapters_are_listed_once_in_the_order_of_the_groups() {
    let mixed = mixed();
    let ids: Vec<&str> = mixed.rules().into_iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "queue.b.violated",
            "queue.c.timed-out",
            "queue.d.excepted",
            "secret.a.held"
        ]
    );
    assert_eq!(mixed.groups(), ["queue", "secret"]);
}

#[test]
fn json_is_read_back_as_it_was_and_names_its_version() {
    let mixed = mixed();
    let text = json(&mixed).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), mixed);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], SCHEMA);
    assert_eq!(value["adapters"][1]["rules"][1]["outcome"], "timed_out");
    assert_eq!(value["adapters"][1]["mode"], "emulator");
}

#[test]
fn an_emulators_pass_is_called_no_certificate() {
    for mode in [Mode::Emulator, Mode::Replay] {
        assert!(proves(mode).starts_with("Not the provider"), "{mode:?}");
    }
    let passed = report(vec![adapter(
        "aws",
        Mode::Emulator,
        vec![rule("queue.a.b", Outcome::Held, Fate::Killed)],
    )]);
    let table = table::render(&passed, table::Style::default());
    assert!(table.contains("no certificate for the provider"), "{table}");
    assert!(markdown::render(&passed).contains("no certificate for the provider"));
}

#[test]
fn the_table_counts_by_group_and_tells_violations_in_full_without_control_characters() {
    let table = table::render(&mixed(), table::Style::default());
    let line = |start: &str| {
        let line = table
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("queue"),
        "queue 1 held, 1 refused 1 excepted, 2 VIOLATED, 2 SURVIVED",
        "{table}"
    );
    assert_eq!(line("secret"), "secret 1 held 1 held", "{table}");
    assert!(
        table.contains("aws (emulator) queue.b.violated: violated\n  rule: expected `a|b`"),
        "{table}"
    );
    assert!(
        table.contains("Not as declared: 2 rule(s), 2 mutant(s)."),
        "{table}"
    );
    assert!(
        table.contains("3 of 5 rules; nothing is proven of topic"),
        "{table}"
    );
    assert!(!table.contains(['\u{0}', '\u{1b}', '\u{8}']), "{table}");
    let coloured = table::render(
        &mixed(),
        table::Style {
            colours: true,
            mutants: true,
        },
    );
    assert!(
        coloured.contains("\u{1b}[31m") && coloured.contains("secret.a.held killed NackLost: "),
        "{coloured}"
    );
}

#[test]
fn a_markdown_cell_holds_what_is_quoted_as_text() {
    let page = markdown::render(&mixed());
    assert!(page.contains("\\`a\\|b\\`, got &lt;script&gt;"), "{page}");
    assert!(
        !page.contains("<script>") && !page.contains('\u{0}') && !page.contains('\u{1b}'),
        "{page}"
    );
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in page.split("\n\n").filter(|part| part.starts_with('|')) {
        let counts: Vec<usize> = table.lines().map(cells).collect();
        assert!(counts.iter().all(|count| *count == counts[0]), "{table}");
    }
    assert_eq!(
        page.matches("| queue.b.violated | held | violated |").count(),
        1,
        "{page}"
    );
    assert!(
        page.contains("- aws (emulator) queue.d.excepted, excepted: the emulator is wrong \\| here"),
        "{page}"
    );
}

#[cfg(feature = "formats")]
mod formats {
    use super::*;

    #[test]
    fn the_page_has_each_rule_once_in_its_table_and_quotes_nothing_as_markup() {
        let page = html::render(&mixed());
        let table = page.split("<section id=\"rules\">").nth(1).unwrap();
        let table = table.split("</section>").next().unwrap();
        for rule in mixed().rules() {
            let cell = format!("<code>{}</code>", rule.id);
            assert_eq!(table.matches(&cell).count(), 1, "{cell}");
        }
        assert!(!page.contains("<script"), "scripts are neither quoted nor needed");
        assert!(
            page.contains("got &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; "),
            "{page}"
        );
        assert!(!page.contains(['\u{0}', '\u{1b}', '\u{8}', '\u{ffff}']));
        assert!(
            !page.contains("http://") && !page.contains("https://"),
            "the page needs nothing else"
        );
        assert!(page.contains("Not as declared: 2 rule(s), 2 mutant(s)."));
        assert!(page.contains("no certificate for the provider"));
    }

    #[test]
    fn junit_has_a_test_for_each_rule_and_each_mutant_that_ran_and_holds_only_what_xml_may() {
        let document = junit::render(&mixed()).unwrap();
        assert!(
            !document.contains(['\u{0}', '\u{1b}', '\u{8}', '\u{ffff}']),
            "{document}"
        );
        assert!(!document.contains("<script"), "{document}");
        let suites: Vec<&str> = document.split("<testsuite ").skip(1).collect();
        assert_eq!(suites.len(), 2);
        for (suite, numbers) in suites.iter().zip([
            "tests=\"6\" skipped=\"0\" errors=\"0\" failures=\"0\"",
            "tests=\"7\" skipped=\"2\" errors=\"2\" failures=\"2\"",
        ]) {
            let head = suite.split('>').next().unwrap();
            assert!(head.contains(numbers), "{numbers}: {head}");
        }
        assert!(
            document.contains("name=\"mutant::queue.b.violated\""),
            "{document}"
        );
        assert!(
            !document.contains("name=\"mutant::queue.d.excepted\""),
            "{document}"
        );
    }
}
