//! Damaged, foreign and newer files, folders that cannot be written, and a full disk.

use std::fs;
use std::path::Path;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::{Outgoing, QueueDriver};
use nephos_core::{Error, ErrorKind};

use super::super::Store;
use super::{Bed, secs, send};

const MESSAGES: usize = 40;

/// A closed store with some messages of a page each; its bytes.
async fn filled(path: &Path) -> Vec<u8> {
    let store = Store::open(path).await.unwrap();
    let queue = store.queue("jobs", &QueueSpec::default());
    let batch: Vec<_> = (0..MESSAGES)
        .map(|n| Outgoing::new(format!("{n:04}").repeat(500)))
        .collect();
    queue.send_batch(&batch).await.unwrap();
    drop(queue);
    store.close().await;
    fs::read(path).unwrap()
}

/// Writes `bytes` to a file, opens it, and on an error checks that the file is as it was.
async fn open(path: &Path, bytes: &[u8]) -> Result<Store, Error> {
    fs::write(path, bytes).unwrap();
    let opened = Store::open(path).await;
    if let Err(error) = &opened {
        assert!(fs::read(path).unwrap() == bytes, "the file was changed: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    opened
}

#[tokio::test]
async fn what_is_no_store_or_was_cut_short_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(&folder.path().join("whole.db")).await;
    let path = folder.path().join("store.db");
    let mut garbage: Vec<Vec<u8>> = vec![
        b"x".to_vec(),
        b"these are my holiday plans\n".repeat(300),
        vec![0; 8192],
        whole[..16].to_vec(),
        whole[1..].to_vec(),
    ];
    garbage.extend(
        [50, 100, 511, 4096, 5000, whole.len() / 2, whole.len() - 4096]
            .map(|length| whole[..length].to_vec()),
    );
    for bytes in garbage {
        let error = open(&path, &bytes).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::DataLoss,
            "{} bytes: {error:?}",
            bytes.len()
        );
        assert!(error.to_string().contains("put back a copy"), "{error}");
    }
}

#[tokio::test]
async fn an_overwritten_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(&folder.path().join("whole.db")).await;
    let path = folder.path().join("store.db");
    for page in [1, 2, 3, whole.len() / 4096 / 2] {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        let error = open(&path, &bytes).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "page {page}: {error:?}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_header_is_harmless_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(&folder.path().join("whole.db")).await;
    let mut refused = 0;
    // One bit in five, so that every byte and every place in a byte comes up; and those that SQLite itself lets pass or calls otherwise.
    for bit in (0..108 * 8).step_by(5).chain([144, 376, 379, 483, 504, 511]) {
        let path = folder.path().join(format!("{bit}.db"));
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match open(&path, &bytes).await {
            Err(error) => {
                refused += 1;
                let expected = match bit / 8 {
                    60..64 => [ErrorKind::Unsupported, ErrorKind::DataLoss],
                    68..72 => [ErrorKind::InvalidArgument, ErrorKind::DataLoss],
                    _ => [ErrorKind::DataLoss, ErrorKind::DataLoss],
                };
                assert!(expected.contains(&error.kind()), "bit {bit}: {error:?}");
            }
            Ok(store) => {
                let queue = store.queue("jobs", &QueueSpec::default());
                let received = queue.receive(1000, secs(1), secs(0)).await.unwrap();
                let bodies: Vec<_> = received.iter().map(super::body).collect();
                let expected: Vec<_> = (0..MESSAGES).map(|n| format!("{n:04}").repeat(500)).collect();
                assert!(bodies == expected, "bit {bit}: the messages changed");
                drop(queue);
                store.close().await;
            }
        }
        fs::remove_file(&path).unwrap();
    }
    assert!(refused > 60, "only {refused} refused");
}

#[tokio::test]
async fn a_newer_store_and_another_programs_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    filled(&path).await;
    let sql = |text: &str| {
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(text)
            .unwrap();
    };
    sql("PRAGMA user_version = 999");
    let error = Store::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("update Nephos"), "{error}");
    sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
    let error = Store::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for path in [file.join("store.db"), file.join("deeper/store.db")] {
        let error = Store::open(&path).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::InvalidArgument | ErrorKind::PermissionDenied
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    // A folder where the file should be.
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
}

/// Lets the file grow to this many pages at most.
async fn limit_pages(store: &Store, pages: i64) {
    store
        .inner
        .db
        .write("test.limit", move |tx| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            Ok(tx.conn.query_row(&sql, [], |_| Ok(()))?)
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_store_goes_on_when_there_is_space() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["kept"]).await;
    limit_pages(&bed.store, 40).await;
    let large = Outgoing::new(vec![7; 300_000]);
    let error = queue.send_batch(std::slice::from_ref(&large)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(
        error.to_string().contains(bed.path().to_str().unwrap()),
        "{error}"
    );

    // In one group with others, only what needs the space fails.
    let too_large = std::slice::from_ref(&large);
    let small = |text: &str| [Outgoing::new(text)];
    let (one, two) = (small("one"), small("two"));
    let (one, failed, two) = tokio::join!(
        queue.send_batch(&one),
        queue.send_batch(too_large),
        queue.send_batch(&two)
    );
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::ResourceExhausted);
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(super::bodies(&queue).await, ["kept", "one", "two"]);

    limit_pages(&bed.store, 100_000).await;
    queue.send_batch(std::slice::from_ref(&large)).await.unwrap();
    assert_eq!(
        super::receive_all(&queue).await[0].message.body.bytes.len(),
        300_000
    );
}

#[tokio::test]
async fn an_operation_that_fails_among_others_fails_alone() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    let bad = [nephos_core::resource::queue::Receipt("nonsense".into())];
    let (one, two) = ([Outgoing::new("one")], [Outgoing::new("two")]);
    let (first, failed, second) =
        tokio::join!(queue.send_batch(&one), queue.ack(&bad), queue.send_batch(&two));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(super::bodies(&queue).await, ["one", "two"]);
}
