//! Reading and writing.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::StreamExt as _;
use nephos_core::ErrorKind;
use nephos_core::resource::bucket::PutOptionsExt;
use object_store::path::Path;
use object_store::{Attributes, ObjectStoreExt as _, PutMode, PutPayload};

use super::super::FolderBucket;
use super::{Fixture, ODD_KEYS};

#[tokio::test]
async fn odd_keys_are_files_of_just_that_name() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    for key in ODD_KEYS {
        bucket.put(key, key.to_owned()).await.unwrap();
        assert_eq!(bucket.get(key).await.unwrap(), key.as_bytes(), "{key}");
        assert_eq!(std::fs::read(fixture.file(key)).unwrap(), key.as_bytes(), "{key}");
    }
    let listed: BTreeSet<_> = bucket
        .list("", None, 100)
        .await
        .unwrap()
        .objects
        .into_iter()
        .map(|meta| meta.key)
        .collect();
    assert_eq!(listed, ODD_KEYS.iter().map(|key| (*key).to_owned()).collect());
    for key in ODD_KEYS {
        bucket.delete(key).await.unwrap();
    }
    assert_eq!(
        std::fs::read_dir(fixture.folder.root()).unwrap().count(),
        0,
        "no folder stays behind"
    );
}

#[tokio::test]
async fn impossible_keys_are_refused_and_nothing_leaves_the_folder() {
    let fixture = Fixture::new();
    let long = "x".repeat(256);
    let longer = "x/".repeat(600) + "x";
    for key in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a/..",
        "new\nline",
        "nul\0",
        &long,
        &longer,
    ] {
        let outcome = fixture
            .folder
            .write(
                key,
                PutPayload::from_static(b"x"),
                PutMode::Overwrite,
                Attributes::new(),
            )
            .await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidArgument, "{key:?}");
        let outcome = fixture.folder.delete_object(key).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidArgument, "{key:?}");
    }
    let error = fixture.bucket().put(&long, "x").await.unwrap_err();
    assert!(
        error.to_string().contains("longer than a file name can be"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(fixture.folder.root()).unwrap().count(), 0);
    let around: Vec<_> = std::fs::read_dir(fixture.dir.path().join("buckets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(around.len(), 2, "{around:?}");
}

#[tokio::test]
async fn links_are_neither_followed_nor_listed() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    let outside = fixture.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(&outside, fixture.file("folder")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), fixture.file("file")).unwrap();

    assert_eq!(
        bucket.get("folder/secret").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(bucket.get("file").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(bucket.list("", None, 10).await.unwrap().objects.is_empty());
    let error = bucket.put("folder/new", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!outside.join("new").exists());
    bucket.delete("folder/secret").await.unwrap();
    bucket.put("file", "mine").await.unwrap();
    assert_eq!(bucket.get("file").await.unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn a_key_cannot_be_an_object_and_a_folder_and_the_error_says_so() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    bucket.put("a", "1").await.unwrap();
    let error = bucket.put("a/b", "2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("is itself an object"), "{error}");
    bucket.put("c/d", "3").await.unwrap();
    let error = bucket.put("c", "4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.to_string().contains("is a folder that holds other objects"),
        "{error}"
    );
    assert!(fixture.staged().is_empty());
    // Once the folder is empty, its name is free.
    bucket.delete("c/d").await.unwrap();
    bucket.put("c", "4").await.unwrap();
    assert_eq!(bucket.get("c").await.unwrap(), "4");
}

#[tokio::test]
async fn each_write_has_an_etag_of_its_own_that_stays() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    let mut etags = BTreeSet::new();
    for _ in 0..200 {
        let etag = bucket.put("same", "same").await.unwrap().unwrap();
        assert_eq!(
            bucket.head("same").await.unwrap().etag.as_deref(),
            Some(etag.as_str())
        );
        etags.insert(etag);
    }
    assert_eq!(etags.len(), 200);
    let etag = bucket.head("same").await.unwrap().etag;
    let again = FolderBucket::open("snapshots", fixture.folder.root()).unwrap();
    assert_eq!(again.head(&Path::from("same")).await.unwrap().e_tag, etag);
}

#[tokio::test]
async fn content_type_and_metadata_stay_with_their_version() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    let options = PutOptionsExt {
        content_type: Some("image/x-special".into()),
        metadata: [("owner".to_owned(), "Zoë, 100 % \n".to_owned())].into(),
    };
    bucket.put_with("a.jpg", "1", options.clone()).await.unwrap();
    let object = bucket.open("a.jpg").await.unwrap();
    assert_eq!(object.content_type.as_deref(), Some("image/x-special"));
    assert_eq!(object.metadata, options.metadata);
    bucket.copy("a.jpg", "b.jpg").await.unwrap();
    assert_eq!(bucket.open("b.jpg").await.unwrap().metadata, options.metadata);
    // The next version has its own: none, and what its name tells.
    bucket.put("a.jpg", "2").await.unwrap();
    let object = bucket.open("a.jpg").await.unwrap();
    assert_eq!(object.content_type.as_deref(), Some("image/jpeg"));
    assert!(object.metadata.is_empty());
    // By hand, over an object that had some.
    std::fs::write(fixture.file("b.jpg"), "by hand").unwrap();
    let object = bucket.open("b.jpg").await.unwrap();
    assert_eq!(object.content_type.as_deref(), Some("image/jpeg"));
    assert!(object.metadata.is_empty());
    assert_eq!(bucket.get("b.jpg").await.unwrap(), "by hand");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_put_if_absent_one_succeeds() {
    let fixture = Fixture::new();
    for round in 0..20 {
        let key = format!("folder-{round}/once");
        let writers = (0..16).map(|writer| {
            let (bucket, key) = (fixture.bucket(), key.clone());
            tokio::spawn(async move { bucket.put_if_absent(&key, writer.to_string()).await })
        });
        let mut succeeded = 0;
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(_) => succeeded += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
            }
        }
        assert_eq!(succeeded, 1);
    }
    assert!(fixture.staged().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conditional_writers_lose_no_update() {
    let fixture = Fixture::new();
    fixture.bucket().put("counter", "0").await.unwrap();
    let writers = (0..8).map(|_| {
        let bucket = fixture.bucket();
        tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let object = bucket.open("counter").await.unwrap();
                    let etag = object.meta.etag.clone().unwrap();
                    let count: u32 = std::str::from_utf8(&object.bytes().await.unwrap())
                        .unwrap()
                        .parse()
                        .unwrap();
                    match bucket
                        .put_if_match("counter", (count + 1).to_string(), &etag)
                        .await
                    {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(fixture.bucket().get("counter").await.unwrap(), "200");
    let error = fixture
        .bucket()
        .put_if_match("gone", "x", "1-1")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletions_that_prune_folders_do_not_break_writes_into_them() {
    let fixture = Fixture::new();
    let workers = (0..4).map(|worker| {
        let bucket = fixture.bucket();
        tokio::spawn(async move {
            for round in 0..200 {
                let key = format!("shared/folder/{worker}");
                bucket.put(&key, round.to_string()).await.unwrap();
                assert_eq!(bucket.get(&key).await.unwrap(), round.to_string());
                bucket.delete(&key).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(std::fs::read_dir(fixture.folder.root()).unwrap().count(), 0);
}

#[tokio::test]
async fn parts_may_arrive_in_any_order_and_again() {
    let fixture = Fixture::new();
    let folder = &fixture.folder;
    let upload = folder.begin_upload("whole", Attributes::new()).unwrap();
    for (number, text) in [
        (3, "three"),
        (1, "wrong"),
        (2, "two"),
        (1, "one"),
        (9, "left out"),
    ] {
        let mut part = folder.incoming().await.unwrap();
        part.write(Bytes::from(text)).await.unwrap();
        part.flush().await.unwrap();
        folder.add_part("whole", &upload, number, part).unwrap();
    }
    let parts = folder.parts("whole", &upload).unwrap();
    assert_eq!(
        parts.iter().map(|part| part.number).collect::<Vec<_>>(),
        [1, 2, 3, 9]
    );
    let only = |numbers: &[u32]| Some(numbers.iter().map(|number| (*number, None)).collect());
    for wrong in [
        only(&[2, 1]),
        only(&[4]),
        Some(vec![(1, Some("other".to_owned()))]),
    ] {
        let error = folder
            .complete_upload("whole", &upload, wrong, PutMode::Overwrite)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(!fixture.file("whole").exists());
    folder
        .complete_upload("whole", &upload, only(&[1, 2, 3]), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(fixture.bucket().get("whole").await.unwrap(), "onetwothree");
    assert!(fixture.staged().is_empty());
    assert_eq!(
        folder.abort_upload("whole", &upload).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted_or_dropped_leaves_nothing() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    bucket.put("kept", "old").await.unwrap();
    let broken = futures::stream::iter([
        Ok(Bytes::from(vec![0; 9 << 20])),
        Err(std::io::Error::other("cut")),
    ]);
    bucket
        .put_stream("kept", broken, PutOptionsExt::default())
        .await
        .unwrap_err();
    let mut upload = fixture.folder.put_multipart(&Path::from("kept")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"part")).await.unwrap();
    upload.abort().await.unwrap();
    let mut upload = fixture.folder.put_multipart(&Path::from("kept")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"part")).await.unwrap();
    drop(upload);
    let mut incoming = fixture.folder.incoming().await.unwrap();
    incoming.write(Bytes::from(vec![0; 1 << 20])).await.unwrap();
    drop(incoming);
    assert!(fixture.staged().is_empty());
    assert_eq!(bucket.get("kept").await.unwrap(), "old");
}

#[tokio::test]
async fn what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_stays() {
    let fixture = Fixture::new();
    let abandoned = fixture
        .dir
        .path()
        .join("buckets/.nephos/snapshots/staging/abandoned");
    std::fs::create_dir(&abandoned).unwrap();
    std::fs::write(abandoned.join(".lock"), "").unwrap();
    std::fs::write(abandoned.join("half"), "half of it").unwrap();
    let mut living = fixture.folder.incoming().await.unwrap();
    living.write(Bytes::from_static(b"whole")).await.unwrap();
    assert_eq!(fixture.staged().len(), 2);
    let again = FolderBucket::open("snapshots", fixture.folder.root()).unwrap();
    assert!(!abandoned.exists());
    fixture
        .folder
        .commit("late", living, PutMode::Create, Attributes::new())
        .await
        .unwrap();
    assert_eq!(
        again
            .get(&Path::from("late"))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        "whole"
    );
}

#[tokio::test]
async fn a_reader_sees_the_object_as_it_was_when_it_was_opened() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    let old = vec![1; 5 << 20];
    bucket.put("big", old.clone()).await.unwrap();
    let object = bucket.open("big").await.unwrap();
    bucket.put("big", "new").await.unwrap();
    bucket.delete("big").await.unwrap();
    let mut read = Vec::new();
    let mut stream = std::pin::pin!(object.into_stream());
    while let Some(chunk) = stream.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    assert!(read == old);
}

#[tokio::test]
async fn ranges_are_cut_at_the_end_and_refused_behind_it() {
    let fixture = Fixture::new();
    let bucket = fixture.bucket();
    bucket.put("ten", "0123456789").await.unwrap();
    assert_eq!(bucket.get_range("ten", 3..5).await.unwrap(), "34");
    assert_eq!(bucket.get_range("ten", 8..100).await.unwrap(), "89");
    let error = bucket.get_range("ten", 10..11).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_folder_that_cannot_be_one_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = FolderBucket::open("snapshots", &file).unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}
