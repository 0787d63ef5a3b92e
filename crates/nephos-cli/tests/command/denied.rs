//! Folders that cannot be read or written, and writes that the system stops midway: what the command says, and that nothing is left half done.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{built, done, refused, stderr};

const MANIFEST: &str = r#"app = "hello-http"
[bucket.pictures]
[queue.jobs]
[function.hello]
on = [{ http = "GET /hello/{name}" }]
uses = { pictures = ["write"], jobs = ["send"] }
"#;

/// Any user but root.
const NOBODY: u32 = 65534;

/// A project, the command, and a picture, where every user can reach them.
struct Place {
    dir: tempfile::TempDir,
    /// No permission keeps root out: then the command is run as another user.
    is_root: bool,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        mode(dir.path(), 0o555);
        let is_root = fs::write(dir.path().join("probe"), "").is_ok();
        mode(dir.path(), 0o755);
        let place = Self { dir, is_root };
        fs::write(place.path("nephos.toml"), MANIFEST).unwrap();
        fs::write(place.path("a.jpg"), vec![7; 100_000]).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_nephos"), place.path("nephos")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A state folder with one picture.
    fn state(&self) -> PathBuf {
        let state = self.path("state");
        let mut put = self.command(&state, &["put", "pictures", "a.jpg"]);
        done(&put.output().unwrap());
        state
    }

    fn command(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("nephos"));
        command
            .current_dir(self.dir.path())
            .arg("--state")
            .arg(state)
            .args(args);
        command
    }

    /// Runs the command as a user whom permissions keep out.
    fn as_nobody(&self, state: &Path, args: &[&str]) -> Output {
        let mut command = self.command(state, args);
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Lets everybody do everything in a folder.
fn open(folder: &Path) {
    mode(folder, 0o777);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open(&path);
        } else {
            mode(&path, 0o666);
        }
    }
}

/// A message as it was before the terminal's width broke it.
fn unwrapped(output: &Output) -> String {
    let error = stderr(output).replace('|', " ");
    error.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Holds that a command failed, and said this in one sentence.
fn denied(output: &Output, said: &str) {
    refused(output, 1, &[]);
    let error = unwrapped(output);
    assert!(error.contains(said), "{said} is missing:\n{error}");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_told_with_its_path() {
    let place = Place::new();
    let said =
        "the state folder cannot be written; make it writable, free space, or choose another folder (path=";
    let closed = place.path("closed");
    fs::create_dir(&closed).unwrap();
    mode(&closed, 0o555);
    let new = closed.join("state");
    let put = place.as_nobody(&new, &["put", "jobs", "hello"]);
    denied(&put, said);
    assert!(
        unwrapped(&put).replace(' ', "").contains(new.to_str().unwrap()),
        "the path is missing: {}",
        stderr(&put)
    );
    assert!(!new.exists(), "a state folder was made after all");

    fs::copy(built("hello-http"), place.path("functions")).unwrap();
    let dev = place.as_nobody(
        &new,
        &["dev", ".", "--no-watch", "--port", "0", "--binary", "functions"],
    );
    denied(&dev, "the functions' binary cannot be kept in ");
    denied(&dev, "make it writable, or choose another folder with --state");
    assert!(!new.exists(), "a state folder was made after all");

    let state = place.state();
    open(&state);
    mode(&state, 0o555);
    mode(&state.join("lock"), 0o444);
    denied(&place.as_nobody(&state, &["put", "jobs", "hello"]), said);
    denied(&place.as_nobody(&state, &["ls", "pictures"]), said);
    // So that it can be removed.
    mode(&state, 0o777);
}

#[test]
fn a_state_folder_or_store_that_cannot_be_read_is_told() {
    let place = Place::new();
    let state = place.state();
    open(&state);
    mode(&state, 0o000);
    denied(
        &place.as_nobody(&state, &["ls", "jobs"]),
        "the engine's file in the state folder cannot be read; make the folder readable, or choose another (path=",
    );
    mode(&state, 0o777);
    mode(&state.join("store.db"), 0o000);
    denied(
        &place.as_nobody(&state, &["put", "jobs", "hello"]),
        "the store's file cannot be read; choose another with --state, or make room and permission for it (path=",
    );
    mode(&state.join("store.db"), 0o666);
    done(&place.as_nobody(&state, &["put", "jobs", "hello"]));
}

#[test]
fn a_buckets_folder_without_permission_is_told_and_keeps_what_it_holds() {
    let place = Place::new();
    let state = place.state();
    open(&state);
    let bucket = state.join("buckets/pictures");
    let said =
        "the bucket's folder does not allow it; check its owner and permissions (key=b.jpg, bucket=pictures)";
    mode(&bucket, 0o555);
    let put = ["put", "pictures", "a.jpg", "--key", "b.jpg"];
    denied(&place.as_nobody(&state, &put), said);
    assert!(done(&place.as_nobody(&state, &["ls", "pictures"])).contains("a.jpg"));

    mode(&bucket, 0o000);
    let denied_list = place.as_nobody(&state, &["ls", "pictures"]);
    denied(&denied_list, "bucket.list: the bucket's folder does not allow it");
    let denied_get = place.as_nobody(&state, &["cat", "pictures", "a.jpg"]);
    denied(&denied_get, "bucket.get: the bucket's folder does not allow it");

    mode(&bucket, 0o777);
    mode(&bucket.join("a.jpg"), 0o000);
    denied(
        &place.as_nobody(&state, &["cat", "pictures", "a.jpg"]),
        "bucket.get: the bucket's folder does not allow it; check its owner and permissions (key=a.jpg",
    );
    done(&place.as_nobody(&state, &put));
}

#[test]
fn an_upload_that_the_system_stops_midway_is_told_and_leaves_nothing() {
    let place = Place::new();
    let state = place.state();
    fs::write(place.path("large.jpg"), vec![1; 3_000_000]).unwrap();
    fs::write(place.path("new.jpg"), vec![2; 50_000]).unwrap();
    // A signal would end the command at the limit; ignored, it is an error in the middle of a write, as a full disk is.
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$@\"";
    let limited = |args: &[&str]| {
        let command = place.command(&state, args);
        Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(place.dir.path())
            .output()
            .unwrap()
    };
    let put = limited(&["put", "pictures", "large.jpg", "--key", "a.jpg"]);
    denied(
        &put,
        "bucket.put_stream: the object is larger than the bucket's file system, or the process's limit (`ulimit -f`), allows (key=a.jpg",
    );
    let kept = fs::read(state.join("buckets/pictures/a.jpg")).unwrap();
    assert!(kept == vec![7; 100_000], "what was there before was lost");
    done(&limited(&["put", "pictures", "new.jpg"]));
    let left = files(&state);
    let large: Vec<_> = left.iter().filter(|(_, size)| *size > 500_000).collect();
    assert!(large.is_empty(), "half an upload was left: {large:?}");
}

/// All files below a folder, with their sizes.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), entry.metadata().unwrap().len()));
        }
    }
    found
}
