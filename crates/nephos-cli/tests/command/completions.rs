//! Completion scripts.

use std::process::Command;

use crate::support::{done, nephos, refused};

#[test]
fn a_completion_script_knows_the_subcommands_of_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = done(&nephos(&["completions", shell]));
        for subcommand in ["new", "check", "dev", "invoke", "emit", "ls", "completions"] {
            assert!(script.contains(subcommand), "{shell} does not know {subcommand}");
        }
    }
}

#[test]
fn bash_can_read_its_script() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("nephos.bash");
    std::fs::write(&script, done(&nephos(&["completions", "bash"]))).unwrap();
    let read = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(read.status.success(), "{}", crate::support::stderr(&read));
}

#[test]
fn a_shell_that_nobody_knows_is_refused_with_those_that_there_are() {
    refused(
        &nephos(&["completions", "basch"]),
        2,
        &["basch", "bash", "zsh", "fish"],
    );
}
