//! What errors say, and what may be tried again.

use super::*;

#[test]
fn an_error_of_ours_comes_out_of_a_store_as_it_went_in() {
    let own = || Error::new(ErrorKind::ResourceExhausted, "bucket.put", "the disk is full").with("key", "a");
    for wrapped in [
        object_store::Error::Generic {
            store: "test",
            source: Box::new(own()),
        },
        object_store::Error::NotFound {
            path: "a".into(),
            source: Box::new(own()),
        },
    ] {
        let error = Error::from(wrapped);
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert_eq!(error.to_string(), own().to_string());
    }
    let foreign = object_store::Error::Generic {
        store: "test",
        source: "broken".into(),
    };
    assert_eq!(Error::from(foreign).kind(), ErrorKind::Unavailable);
}

#[test]
fn display_is_one_line_without_the_cause() {
    let error = Error::new(ErrorKind::Unavailable, "table.get", "the table did not answer")
        .with("table", "faces")
        .with("attempts", 3)
        .caused_by(std::io::Error::other("connection reset"));
    assert_eq!(
        error.to_string(),
        "table.get: the table did not answer (table=faces, attempts=3)"
    );
    assert_eq!(
        format!("{error:?}"),
        "table.get: the table did not answer (table=faces, attempts=3) [unavailable, retryable]\n  caused by: connection reset"
    );
}

#[test]
fn a_handlers_foreign_error_is_retried_and_its_own_keeps_its_kind() {
    let foreign = Error::from_handler(std::io::Error::other("disk"));
    assert_eq!(
        (foreign.kind(), foreign.disposition()),
        (ErrorKind::Handler, Disposition::Retry)
    );
    let own = Error::from_handler(Error::reject("no"));
    assert_eq!(
        (own.kind(), own.disposition()),
        (ErrorKind::Rejected, Disposition::Reject)
    );
}

#[test]
fn a_chain_does_not_say_the_same_twice() {
    let error = Error::from_handler(std::io::Error::other("disk gone"));
    assert_eq!(error.chain(), "disk gone");
}
