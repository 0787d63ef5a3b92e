//! Processes: shell scripts stand in for functions.

use super::*;

#[test]
fn peak_memory_is_read_from_the_status() {
    let status = "Name:\tprobe\nVmPeak:\t  9000 kB\nVmHWM:\t    1234 kB\nThreads:\t1\n";
    assert_eq!(peak_of_status(status), Some(1234 * 1024));
    assert_eq!(peak_of_status("Name:\tprobe\n"), None);
    assert_eq!(peak_of_status("VmHWM:\tmuch\n"), None);
}

#[test]
fn an_end_is_told_in_words() {
    assert_eq!(in_words(ExitStatus::from_raw(9)), "killed by signal 9");
    assert_eq!(in_words(ExitStatus::from_raw(101 << 8)), "exit code 101");
}

fn shell(folder: &Path, script: &str) -> Image {
    let binary = folder.join("function.sh");
    std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
    let mut permissions = std::fs::metadata(&binary).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&binary, permissions).unwrap();
    Image {
        function: "probe".into(),
        binary,
        environment: vec![("NEPHOS_FUNCTION".into(), "probe".into())],
        folder: folder.to_owned(),
    }
}

#[tokio::test]
async fn a_crash_is_told_with_the_last_lines() {
    let folder = tempfile::tempdir().unwrap();
    let image = shell(folder.path(), "echo before; echo broken >&2; exit 7");
    let process = Process::start(&image, &Activities::default()).unwrap();
    let exit = process.ended().await;
    assert_eq!(exit.reason, "exit code 7");
    let mut tail = exit.tail.clone();
    tail.sort();
    assert_eq!(tail, ["before", "broken"]);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "socket and temporary folder are gone"
    );
}

#[tokio::test]
async fn the_environment_is_the_functions_own() {
    let folder = tempfile::tempdir().unwrap();
    let image = shell(folder.path(), "env; ls -A \"$TMPDIR\" | wc -l");
    let process = Process::start(&image, &Activities::default()).unwrap();
    let exit = process.ended().await;
    assert!(exit.tail.contains(&"NEPHOS_FUNCTION=probe".to_owned()), "{exit}");
    assert!(!exit.tail.iter().any(|line| line.starts_with("CARGO")), "{exit}");
}

#[tokio::test]
async fn one_that_ignores_the_request_to_end_is_made_to_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let image = shell(
        folder.path(),
        "trap '' TERM; echo up; sleep 1000 & wait; wait; sleep 1000",
    );
    let activities = Activities::default();
    let mut listener = activities.listen();
    let process = Process::start(&image, &activities).unwrap();
    while !matches!(listener.recv().await.unwrap(), Activity::Log { .. }) {}
    process.terminate(Ending::Idle, Duration::from_millis(50)).await;
    assert_eq!(process.ended().await.reason, "killed by signal 9");
}

#[tokio::test]
async fn a_binary_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut image = shell(folder.path(), "");
    image.binary = folder.path().join("nothing");
    let error = Process::start(&image, &Activities::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("nothing"), "{error}");
}
