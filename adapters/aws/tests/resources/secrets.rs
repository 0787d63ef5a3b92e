//! Parameters of Systems Manager, and what is not there.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;
use nephos_aws::harness::emulator::{ACCOUNT, Emulator, REGION};
use nephos_core::ErrorKind;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::secret::Secret;

fn open(emulator: &Emulator, physical: &str) -> Secret {
    super::open(emulator, ResourceKind::Secret, physical, &[])
        .secret("it")
        .unwrap()
}

async fn put(emulator: &Emulator, value: &str) {
    Client::new(&emulator.config())
        .put_parameter()
        .name("/shop/key")
        .value(value)
        .r#type(ParameterType::SecureString)
        .overwrite(true)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_parameter_is_read_by_name_and_by_arn_with_its_versions() {
    let emulator = Emulator::start().await.unwrap();
    put(&emulator, "hunter2-ü").await;
    let by_arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/key");
    for physical in ["ssm:/shop/key", by_arn.as_str()] {
        let value = open(&emulator, physical).get().await.unwrap();
        assert_eq!(value.expose_text().unwrap(), "hunter2-ü", "{physical}");
    }
    let secret = open(&emulator, "ssm:/shop/key");
    let old = secret.get().await.unwrap();
    put(&emulator, "hunter3").await;
    assert_eq!(secret.get().await.unwrap().expose_text().unwrap(), "hunter3");
    let older = secret.get_version(old.version().unwrap()).await.unwrap();
    assert_eq!(older.expose_text().unwrap(), "hunter2-ü");
}

#[tokio::test]
async fn what_is_not_set_is_not_found_and_named() {
    let emulator = Emulator::start().await.unwrap();
    put(&emulator, "x").await;
    let secret = open(&emulator, "ssm:/shop/key");
    for missing in [
        open(&emulator, "ssm:/shop/no-such").get().await,
        open(&emulator, "no-such").get().await,
        secret.get_version("99").await,
        secret.get_version("label").await,
        secret.get_version("").await,
    ] {
        let error = missing.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.to_string().contains("secret=it"), "{error}");
    }
}
