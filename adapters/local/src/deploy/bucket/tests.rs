//! Behaviour of buckets in folders.

mod api;
mod http;
mod list;
mod s3;
mod store;
mod watch;

use std::path::PathBuf;

use nephos_core::resource::bucket::Bucket;

use super::FolderBucket;

/// A bucket in a temporary folder, which is removed with it.
struct Fixture {
    dir: tempfile::TempDir,
    folder: FolderBucket,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = FolderBucket::open("snapshots", &dir.path().join("buckets/snapshots")).unwrap();
        Self { dir, folder }
    }

    fn bucket(&self) -> Bucket {
        Bucket::new("snapshots", std::sync::Arc::new(self.folder.clone()))
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.root().join(key)
    }

    /// The files that are not finished yet.
    fn staged(&self) -> Vec<PathBuf> {
        let staging = self.dir.path().join("buckets/.nephos/snapshots/staging");
        let mut files = Vec::new();
        for process in std::fs::read_dir(staging).unwrap() {
            for file in std::fs::read_dir(process.unwrap().path()).unwrap() {
                let file = file.unwrap().path();
                if file.file_name().unwrap() != ".lock" {
                    files.push(file);
                }
            }
        }
        files
    }
}

/// Keys that trip up file systems, URLs and shells.
const ODD_KEYS: [&str; 18] = [
    "plain.txt",
    "with space.txt",
    "naïve/日本語/Ωmega.txt",
    "100%/50%25/%2F%2e%2e.txt",
    "back\\slash\\..\\x",
    "🙂/👩‍👩‍👧.png",
    "part#1",
    "a#1/b?c=d&e=f",
    "trailing.",
    "dots.../..leading/...",
    ".hidden/.file",
    "plus+and=equals;semi,comma",
    "quote\"'`$HOME*[x]{y}~",
    "-rf",
    "colon:pipe|less<greater>",
    "deep/er/and/deeper/still/key",
    " leading and trailing ",
    "e\u{301}-decomposed",
];
