//! The emulator that the other tests stand on: it is there when it says so, alone, and gone when it is dropped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::TcpStream;

use nephos_aws::harness::emulator::Emulator;

fn port(emulator: &Emulator) -> u16 {
    let (_, port) = emulator.endpoint().rsplit_once(':').unwrap();
    port.parse().unwrap()
}

#[tokio::test]
async fn two_emulators_hold_nothing_of_each_other_and_end_when_dropped() {
    let first = Emulator::start().await.unwrap();
    let second = Emulator::start().await.unwrap();
    let queues = aws_sdk_sqs::Client::new(&first.config());
    queues.create_queue().queue_name("jobs").send().await.unwrap();
    assert_eq!(queues.list_queues().send().await.unwrap().queue_urls().len(), 1);
    let others = aws_sdk_sqs::Client::new(&second.config());
    assert!(others.list_queues().send().await.unwrap().queue_urls().is_empty());

    let ports = [port(&first), port(&second)];
    drop((first, second));
    for port in ports {
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "{port} still answers"
        );
    }
}

#[tokio::test]
async fn a_child_process_finds_the_emulator_by_its_environment() {
    let emulator = Emulator::start().await.unwrap();
    let environment = emulator.environment();
    let value = |name: &str| {
        let (_, value) = environment.iter().find(|(given, _)| given == name).unwrap();
        value.clone()
    };
    assert_eq!(value("AWS_ENDPOINT_URL"), emulator.endpoint());
    assert_eq!(value("AWS_REGION"), emulator.config().region().unwrap().as_ref());
    assert!(!value("AWS_SECRET_ACCESS_KEY").is_empty());
}

#[tokio::test]
async fn an_enforcing_emulator_lets_root_do_all_and_a_user_only_what_a_policy_allows() {
    let emulator = Emulator::start_enforcing().await.unwrap();
    let root = aws_sdk_sqs::Client::new(&emulator.config());
    root.create_queue().queue_name("jobs").send().await.unwrap();
    // A role that may read one thing only is what deployment makes for a function; here a session without any policy is enough.
    let stranger =
        aws_credential_types::Credentials::new("AKIASTRANGER0000000", "secret", None, None, "test");
    let config = emulator
        .config()
        .into_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            stranger,
        ))
        .build();
    let refused = aws_sdk_sqs::Client::new(&config)
        .list_queues()
        .send()
        .await
        .unwrap_err();
    let error = nephos_aws::error::failed("queue.list", refused);
    assert!(
        matches!(
            error.kind(),
            nephos_core::ErrorKind::PermissionDenied | nephos_core::ErrorKind::Unauthenticated
        ),
        "{error:?}"
    );
}
