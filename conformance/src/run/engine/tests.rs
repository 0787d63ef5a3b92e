//! Runs of made-up rules over a made-up adapter.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use nephos_core::{Error, ErrorKind, Result};

use super::*;
use crate::mutants::Fault;
use crate::rule::Violation;
use crate::{Mode, unasked};

/// An adapter that has nothing, over something that can end.
#[derive(Debug, Default)]
struct Bare {
    ended: AtomicBool,
}

#[async_trait]
impl Harness for Bare {
    fn adapter(&self) -> &'static str {
        "bare"
    }
    fn mode(&self) -> Mode {
        Mode::Emulator
    }
    async fn alive(&self) -> Result<()> {
        match self.ended.load(Ordering::Relaxed) {
            true => Err(Error::new(
                ErrorKind::Unavailable,
                "test",
                "the emulator has ended",
            )),
            false => Ok(()),
        }
    }
}

/// A rule that does this.
fn case(check: Check) -> Case {
    Case {
        rule: Rule {
            id: "queue.test.rule",
            why: "it is a test",
            source: "this test",
            check,
            needs: None,
            mutant: Fault::NackLost,
        },
        declared: true,
        excepted: None,
        unproven: None,
        left_out: None,
        without_mutant: None,
    }
}

fn engine(harness: &Arc<Bare>, cases: Vec<Case>) -> Engine {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let harness: Arc<dyn Harness> = Arc::clone(harness) as Arc<dyn Harness>;
    Engine::over(runtime, harness, unasked::capabilities(), cases, Stop::new())
}

const HOLDS: Check = |_| Box::pin(async { Ok(()) });
const VIOLATED: Check = |_| Box::pin(async { Err(Violation::new("it is wrong")) });
const HANGS: Check = |_| Box::pin(pending());
const PANICS: Check = |_| Box::pin(async { panic!("in the rule") });

#[test]
fn a_rule_and_its_mutant_end_as_they_do_and_as_is_known_of_them() {
    let cases = vec![
        case(HOLDS),
        case(VIOLATED),
        Case {
            excepted: Some("known"),
            ..case(VIOLATED)
        },
        Case {
            excepted: Some("known"),
            ..case(HOLDS)
        },
        Case {
            declared: false,
            unproven: Some("known"),
            ..case(HOLDS)
        },
        case(PANICS),
    ];
    let engine = engine(&Arc::default(), cases);
    let outcomes: Vec<Outcome> = (0..6)
        .map(|index| engine.run(index, Part::Rule).outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Held,
            Outcome::Violated,
            Outcome::Excepted,
            Outcome::ExceptionHolds,
            Outcome::Refused,
            Outcome::Broken,
        ]
    );
    let fates: Vec<Fate> = (0..6)
        .map(|index| engine.run(index, Part::Mutant).mutant.outcome)
        .collect();
    assert_eq!(
        fates,
        [
            Fate::Survived,
            Fate::Killed,
            Fate::Killed,
            Fate::Survived,
            Fate::Unproven,
            Fate::Broken,
        ]
    );
    let reports = engine.into_reports();
    assert_eq!(reports[1].sentence.as_deref(), Some("it is wrong"));
    assert_eq!(reports[1].mutant.fault, "NackLost");
    assert_eq!(reports[2].reason.as_deref(), Some("known"));
    assert!(
        reports[5].failure().unwrap().contains("queue.test.rule"),
        "{:?}",
        reports[5]
    );
}

#[test]
fn what_is_left_out_has_nothing_to_run_and_says_why() {
    let cases = vec![
        Case {
            left_out: Some("not recorded"),
            ..case(VIOLATED)
        },
        Case {
            without_mutant: Some("a replay"),
            ..case(HOLDS)
        },
        Case {
            excepted: Some("known"),
            ..case(VIOLATED)
        },
        case(HOLDS),
    ];
    let engine = engine(&Arc::default(), cases);
    let has = |part| engine.cases.iter().map(|case| case.has(part)).collect::<Vec<_>>();
    assert_eq!(has(Part::Rule), [false, true, true, true]);
    assert_eq!(has(Part::Mutant), [false, false, false, true]);
    let reports = engine.into_reports();
    assert_eq!(reports[0].outcome, Outcome::LeftOut);
    assert_eq!(reports[0].reason.as_deref(), Some("not recorded"));
    assert_eq!(
        reports[1].mutant.reason.as_deref(),
        Some("mutants do not run in a replay")
    );
}

#[test]
fn a_rule_that_hangs_is_ended_and_named() {
    let mut engine = engine(&Arc::default(), vec![case(HANGS)]);
    engine.limit = Duration::from_millis(50);
    let report = engine.run(0, Part::Rule);
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_eq!(
        report.sentence.as_deref(),
        Some("`queue.test.rule` did not end within 0 s")
    );
}

#[test]
fn what_is_gone_is_waited_for_by_no_rule_and_no_violation_of_it_is_a_mutant_killed() {
    let harness = Arc::new(Bare::default());
    let engine = engine(&harness, vec![case(HANGS), case(HOLDS), case(VIOLATED)]);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| engine.run(0, Part::Rule));
        harness.ended.store(true, Ordering::Relaxed);
        let broken_off = hanging.join().unwrap();
        assert_eq!(broken_off.outcome, Outcome::Lost);
        assert!(broken_off.failure().unwrap().contains("the emulator has ended"));
    });
    let left = engine.run(1, Part::Rule);
    assert_eq!(left.outcome, Outcome::Lost);
    assert!(left.failure().unwrap().contains("did not run: "), "{left:?}");
    assert_eq!(engine.run(2, Part::Mutant).mutant.outcome, Fate::Lost);
    assert!(engine.lost().unwrap().contains("the emulator has ended"));
    assert!(began.elapsed() < LIMIT / 2);
}

#[test]
fn a_violation_that_came_of_the_end_of_the_emulator_is_not_the_adapters() {
    let harness = Arc::new(Bare::default());
    harness.ended.store(true, Ordering::Relaxed);
    let engine = engine(&harness, vec![case(VIOLATED)]);
    assert_eq!(engine.run(0, Part::Mutant).mutant.outcome, Fate::Lost);
}
