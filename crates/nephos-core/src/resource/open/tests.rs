//! What a function may open, and as what.

use std::sync::atomic::Ordering;

use super::*;
use crate::context::Context;
use crate::resource::bucket::BucketDriver;
use crate::resource::fake::{Fake, FakeDrivers};
use crate::resource::queue::Outgoing;

fn binding(name: &str, kind: ResourceKind, access: &[Access]) -> Binding {
    Binding {
        name: name.to_owned(),
        kind,
        access: access.iter().copied().collect(),
        url: None,
        properties: BTreeMap::new(),
    }
}

fn context(drivers: Arc<FakeDrivers>, bindings: Vec<Binding>) -> Context {
    Context::builder("test")
        .resources(Arc::new(Resources::new(drivers, bindings)))
        .build()
}

#[test]
fn a_resource_that_uses_does_not_name_is_refused_with_what_to_do() {
    let error = context(Arc::default(), Vec::new()).queue("orders").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(
        error.to_string(),
        "context.open: the function's `uses` in nephos.toml does not name this resource (queue=orders)"
    );
}

#[test]
fn a_resource_of_another_kind_is_refused_with_both_kinds() {
    let cx = context(
        Arc::default(),
        vec![binding("orders", ResourceKind::Queue, &[Access::Send])],
    );
    let error = cx.table("orders").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error
            .to_string()
            .contains("name=orders, asked=table, declared=queue"),
        "{error}"
    );
}

#[test]
fn a_resource_is_opened_once() {
    let drivers = Arc::new(FakeDrivers::default());
    let all = ResourceKind::ALL.map(|kind| binding(kind.name(), kind, &[Access::Read]));
    let cx = context(Arc::clone(&drivers), all.into());
    for _ in 0..3 {
        assert_eq!(cx.bucket("bucket").unwrap().name(), "bucket");
        assert_eq!(cx.queue("queue").unwrap().name(), "queue");
        assert_eq!(cx.topic("topic").unwrap().name(), "topic");
        assert_eq!(cx.stream("stream").unwrap().name(), "stream");
        assert_eq!(cx.table("table").unwrap().name(), "table");
        assert_eq!(cx.secret("secret").unwrap().name(), "secret");
    }
    assert_eq!(drivers.opened.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_handle_allows_what_uses_grants_and_no_more() {
    let cx = context(
        Arc::default(),
        vec![binding("orders", ResourceKind::Queue, &[Access::Receive])],
    );
    let queue = cx.queue("orders").unwrap();
    assert!(queue.depth().await.is_ok());
    let error = queue.send(Outgoing::new("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(
        error.to_string().contains("queue=orders, missing=send"),
        "{error}"
    );
}

#[derive(Debug)]
struct Elsewhere;

impl ExternalBuckets for Elsewhere {
    fn open(&self, binding: &Binding, credentials: Option<secret::Secret>) -> Result<Arc<dyn BucketDriver>> {
        assert_eq!(binding.url.as_deref(), Some("s3://evidence"));
        assert_eq!(
            credentials.map(|secret| secret.name().to_owned()).as_deref(),
            Some("keys")
        );
        Ok(Arc::new(Fake::new()))
    }
}

#[test]
fn a_bucket_with_a_url_is_opened_outside_the_target_with_its_credentials() {
    let archive = || {
        let mut archive = binding("archive", ResourceKind::Bucket, &[Access::Write]);
        archive.url = Some("s3://evidence".to_owned());
        archive
            .properties
            .insert("credentials".to_owned(), "keys".to_owned());
        archive
    };
    let resources =
        Resources::new(Arc::<FakeDrivers>::default(), [archive()]).with_external(Arc::new(Elsewhere));
    assert!(resources.bucket("archive").is_ok());

    let error = Resources::new(Arc::<FakeDrivers>::default(), [archive()])
        .bucket("archive")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("enable the feature"), "{error}");
}

/// Opens secrets only, and takes down their physical names.
#[derive(Debug, Default)]
struct Named(std::sync::Mutex<Vec<String>>);

impl Drivers for Named {
    fn secret(&self, binding: &Binding) -> Result<Arc<dyn secret::SecretDriver>> {
        self.0
            .lock()
            .unwrap()
            .push(binding.properties["physical"].clone());
        Ok(Arc::new(Fake::new()))
    }

    refuse! {
        bucket -> dyn bucket::BucketDriver;
        queue -> dyn queue::QueueDriver;
        topic -> dyn topic::TopicDriver;
        stream -> dyn stream::StreamDriver;
        table -> dyn table::TableDriver;
    }
}

#[tokio::test]
async fn credentials_are_found_by_their_own_binding_although_the_function_may_not_read_them() {
    let mut archive = binding("archive", ResourceKind::Bucket, &[Access::Write]);
    archive.url = Some("s3://evidence".to_owned());
    archive
        .properties
        .insert("credentials".to_owned(), "keys".to_owned());
    let mut keys = binding("keys", ResourceKind::Secret, &[]);
    keys.properties
        .insert("physical".to_owned(), "shop-keys-1X2Y".to_owned());
    let drivers = Arc::new(Named::default());
    let resources =
        Resources::new(Arc::clone(&drivers) as _, [archive, keys]).with_external(Arc::new(Elsewhere));
    assert!(resources.bucket("archive").is_ok());
    assert_eq!(*drivers.0.lock().unwrap(), ["shop-keys-1X2Y"]);
    let error = resources.secret("keys").unwrap().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_host_without_resources_says_so() {
    let error = Context::builder("test").build().secret("keys").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
