//! Events: exactly once for each write through the bucket, and for what is done by hand once it is complete.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nephos_core::event::ObjectEvent;
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{Attributes, ObjectStoreExt as _, PutPayload};

use super::super::{EventSink, FolderBucket, Occurrence, Watch};
use super::Fixture;

/// Keeps what it is given; refuses as often as it is told to.
#[derive(Debug, Default)]
pub(super) struct Sink {
    taken: Mutex<Vec<Occurrence>>,
    refusals: Mutex<usize>,
}

#[async_trait]
impl EventSink for Sink {
    async fn deliver(&self, occurrences: &[Occurrence]) -> Result<()> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "test.deliver", "not now"));
        }
        self.taken.lock().unwrap().extend_from_slice(occurrences);
        Ok(())
    }
}

impl Sink {
    /// `+key` for each object created, `-key` for each deleted, in order.
    pub(super) fn log(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(describe).collect()
    }

    fn sorted(&self) -> Vec<String> {
        let mut log = self.log();
        log.sort();
        log
    }

    fn of(&self, key: &str) -> Vec<Occurrence> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .filter(|occurrence| occurrence.key() == key)
            .cloned()
            .collect()
    }

    async fn until(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.log().iter().any(|line| line == what) {
            assert!(
                Instant::now() < deadline,
                "{what} was not reported, only {:?}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn describe(occurrence: &Occurrence) -> String {
    match &occurrence.event {
        ObjectEvent::Created(created) => format!("+{}", created.key),
        ObjectEvent::Deleted(deleted) => format!("-{}", deleted.key),
    }
}

impl Fixture {
    async fn watched(&self) -> (Arc<Sink>, Watch) {
        let sink = Arc::new(Sink::default());
        let watch = self
            .folder
            .watch(Arc::clone(&sink) as Arc<dyn EventSink>)
            .await
            .unwrap();
        (sink, watch)
    }

    /// A file made by hand after everything else: once it is reported, all notices before it have been looked at.
    async fn fence(&self, sink: &Sink, name: &str) {
        std::fs::write(self.file(name), "fence").unwrap();
        sink.until(&format!("+{name}")).await;
    }
}

fn replace_by_hand(fixture: &Fixture, key: &str, text: &str) {
    let aside = fixture.dir.path().join("aside");
    std::fs::write(&aside, text).unwrap();
    std::fs::rename(aside, fixture.file(key)).unwrap();
}

#[tokio::test]
async fn each_write_through_the_bucket_is_reported_once_before_it_returns() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    let bucket = fixture.bucket();
    let first = bucket.put("a.jpg", "1").await.unwrap();
    assert_eq!(sink.log(), ["+a.jpg"]);
    let second = bucket.put("a.jpg", "22").await.unwrap();
    bucket.copy("a.jpg", "deep/er/b.jpg").await.unwrap();
    let mut upload = fixture.folder.put_multipart(&Path::from("c")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"part")).await.unwrap();
    upload.complete().await.unwrap();
    bucket.delete("deep/er/b.jpg").await.unwrap();
    bucket.delete("never/there").await.unwrap();
    let expected = ["+a.jpg", "+a.jpg", "+deep/er/b.jpg", "+c", "-deep/er/b.jpg"];
    assert_eq!(sink.log(), expected);
    let etags: Vec<_> = sink
        .of("a.jpg")
        .iter()
        .map(|occurrence| occurrence.event.object().etag.clone())
        .collect();
    assert_eq!(etags, [first, second]);
    let last = &sink.of("a.jpg")[1];
    assert_eq!(
        (
            last.event.object().size,
            last.event.object().content_type.as_deref()
        ),
        (Some(2), Some("image/jpeg"))
    );
    // The system's own notices of the same writes add nothing.
    fixture.fence(&sink, "fence").await;
    assert_eq!(sink.log()[..5], expected);
    assert_eq!(sink.log().len(), 6);
    watch.stop().await;
}

#[tokio::test]
async fn a_file_copied_in_by_hand_is_reported_when_it_is_complete() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    let mut big = std::fs::File::create(fixture.file("big.bin")).unwrap();
    big.write_all(&[1; 1 << 20]).unwrap();
    big.flush().unwrap();
    fixture.fence(&sink, "fence").await;
    assert_eq!(sink.log(), ["+fence"], "half of a file is no object yet");
    big.write_all(&[2; 1 << 20]).unwrap();
    drop(big);
    sink.until("+big.bin").await;
    assert_eq!(sink.of("big.bin")[0].event.object().size, Some(2 << 20));
    std::fs::remove_file(fixture.file("big.bin")).unwrap();
    sink.until("-big.bin").await;
    fixture.fence(&sink, "fence-2").await;
    assert_eq!(sink.log(), ["+fence", "+big.bin", "-big.bin", "+fence-2"]);
    watch.stop().await;
}

#[tokio::test]
async fn an_object_overwritten_by_hand_is_created_again_with_another_etag() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    fixture.bucket().put("a", "through the bucket").await.unwrap();
    std::fs::write(fixture.file("a"), "in place").unwrap();
    fixture.fence(&sink, "fence-1").await;
    replace_by_hand(&fixture, "a", "by renaming");
    fixture.fence(&sink, "fence-2").await;
    assert_eq!(sink.log(), ["+a", "+a", "+fence-1", "+a", "+fence-2"]);
    let mut etags: Vec<_> = sink
        .of("a")
        .iter()
        .map(|occurrence| occurrence.event.object().etag.clone())
        .collect();
    etags.dedup();
    assert_eq!(etags.len(), 3);
    watch.stop().await;
}

#[tokio::test]
async fn folders_that_come_and_go_bring_and_take_their_objects() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    let aside = fixture.dir.path().join("album");
    std::fs::create_dir_all(aside.join("2026/may")).unwrap();
    for name in ["1.jpg", "2026/2.jpg", "2026/may/3.jpg"] {
        std::fs::write(aside.join(name), name).unwrap();
    }
    std::fs::rename(&aside, fixture.file("album")).unwrap();
    for key in ["+album/1.jpg", "+album/2026/2.jpg", "+album/2026/may/3.jpg"] {
        sink.until(key).await;
    }
    // What is made in it from now on is noticed, too.
    std::fs::write(fixture.file("album/2026/may/4.jpg"), "4").unwrap();
    sink.until("+album/2026/may/4.jpg").await;
    std::fs::rename(fixture.file("album/2026"), fixture.file("old")).unwrap();
    for key in [
        "-album/2026/2.jpg",
        "-album/2026/may/3.jpg",
        "+old/2.jpg",
        "+old/may/3.jpg",
        "+old/may/4.jpg",
    ] {
        sink.until(key).await;
    }
    std::fs::remove_dir_all(fixture.file("old")).unwrap();
    sink.until("-old/may/4.jpg").await;
    // Folders and files made faster than anybody can look.
    std::fs::create_dir_all(fixture.file("x/y/z")).unwrap();
    std::fs::write(fixture.file("x/y/z/5.jpg"), "5").unwrap();
    sink.until("+x/y/z/5.jpg").await;
    watch.stop().await;
    assert_eq!(sink.sorted().len(), 14, "{:?}", sink.log());
}

#[tokio::test]
async fn links_and_names_that_are_no_keys_are_not_reported() {
    let fixture = Fixture::new();
    let outside = fixture.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    let (sink, watch) = fixture.watched().await;
    std::os::unix::fs::symlink(&outside, fixture.file("folder")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), fixture.file("file")).unwrap();
    std::fs::write(fixture.file("new\nline"), "x").unwrap();
    // A second name of a file from elsewhere is an object as any.
    std::fs::hard_link(outside.join("secret"), fixture.file("hard")).unwrap();
    sink.until("+hard").await;
    std::fs::write(outside.join("other"), "x").unwrap();
    fixture.fence(&sink, "fence").await;
    assert_eq!(sink.log(), ["+hard", "+fence"]);
    watch.stop().await;
}

#[tokio::test]
async fn a_burst_of_a_thousand_files_is_reported_once_each() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    for number in 0..1000 {
        std::fs::write(fixture.file(&format!("{number:04}.txt")), "x").unwrap();
    }
    for number in 0..1000 {
        sink.until(&format!("+{number:04}.txt")).await;
    }
    fixture.fence(&sink, "fence").await;
    watch.stop().await;
    assert_eq!(sink.log().len(), 1001);
}

#[tokio::test]
async fn what_changed_between_two_watches_is_reported_by_the_second() {
    let fixture = Fixture::new();
    std::fs::write(fixture.file("before"), "x").unwrap();
    let (sink, watch) = fixture.watched().await;
    sink.until("+before").await;
    let bucket = fixture.bucket();
    for key in ["kept", "changed", "removed", "folder/removed"] {
        bucket.put(key, "x").await.unwrap();
    }
    watch.stop().await;
    drop(bucket);

    std::fs::write(fixture.file("changed"), "longer").unwrap();
    std::fs::remove_file(fixture.file("removed")).unwrap();
    std::fs::remove_dir_all(fixture.file("folder")).unwrap();
    std::fs::write(fixture.file("added"), "x").unwrap();
    let again = FolderBucket::open("snapshots", fixture.folder.root()).unwrap();
    // Without a watch, a write is noted by nobody, and found all the same.
    again
        .write(
            "written",
            PutPayload::from_static(b"x"),
            object_store::PutMode::Overwrite,
            Attributes::new(),
        )
        .await
        .unwrap();
    let sink = Arc::new(Sink::default());
    let watch = again
        .watch(Arc::clone(&sink) as Arc<dyn EventSink>)
        .await
        .unwrap();
    for key in ["+added", "+changed", "+written", "-folder/removed", "-removed"] {
        sink.until(key).await;
    }
    watch.stop().await;
    assert_eq!(
        sink.sorted(),
        ["+added", "+changed", "+written", "-folder/removed", "-removed"]
    );
}

#[tokio::test]
async fn what_the_sink_did_not_take_comes_again_with_the_same_id() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    *sink.refusals.lock().unwrap() = 2;
    fixture.bucket().put("a", "x").await.unwrap();
    sink.until("+a").await;
    fixture.fence(&sink, "fence").await;
    assert_eq!(sink.log(), ["+a", "+fence"], "refused twice, taken once");

    *sink.refusals.lock().unwrap() = usize::MAX;
    let etag = fixture.bucket().put("b", "x").await.unwrap();
    watch.stop().await;
    assert_eq!(sink.log().len(), 2);
    let (sink, watch) = fixture.watched().await;
    sink.until("+b").await;
    watch.stop().await;
    assert_eq!(sink.log(), ["+b"]);
    let occurrence = &sink.of("b")[0];
    assert_eq!(occurrence.event.object().etag, etag);
    let event = occurrence.to_event();
    assert_eq!(
        (event.attributes.id.as_str(), event.attributes.subject.as_deref()),
        (occurrence.id.as_str(), Some("b"))
    );
}

#[tokio::test]
async fn a_torn_log_costs_a_repetition_and_nothing_else() {
    let fixture = Fixture::new();
    let (sink, watch) = fixture.watched().await;
    for key in ["a", "b"] {
        fixture.bucket().put(key, "x").await.unwrap();
    }
    watch.stop().await;
    assert_eq!(sink.log().len(), 2);
    let log = fixture.dir.path().join("buckets/.nephos/snapshots/seen.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, &text[..text.len() - 5]).unwrap();
    let (sink, watch) = fixture.watched().await;
    sink.until("+b").await;
    watch.stop().await;
    assert_eq!(sink.log(), ["+b"]);
}

#[tokio::test]
async fn a_bucket_is_watched_by_one() {
    let fixture = Fixture::new();
    let (_sink, watch) = fixture.watched().await;
    let second = fixture.folder.watch(Arc::new(Sink::default())).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::InvalidArgument);
    watch.stop().await;
    let (_sink, watch) = fixture.watched().await;
    watch.stop().await;
}
