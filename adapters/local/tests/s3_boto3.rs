//! The embedded S3-compatible store against boto3, which shares no code with it.

use std::path::Path;

use nephos_local::deploy::bucket::{S3Credentials, S3Server};

#[tokio::test(flavor = "multi_thread")]
async fn boto3_finds_the_store_to_be_s3() {
    let tools = std::env::var("NEPHOS_TOOLS").expect(
        "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
    );
    let python = Path::new(&tools).join("python/bin/python");
    assert!(
        python.exists(),
        "{} is not there; run `cargo xtask setup`",
        python.display()
    );
    let dir = tempfile::tempdir().unwrap();
    let credentials = S3Credentials {
        access_key_id: "local".into(),
        secret_access_key: "secret".into(),
    };
    let server = S3Server::start("127.0.0.1:0".parse().unwrap(), dir.path(), credentials)
        .await
        .unwrap();
    server.create_bucket("evidence").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/s3_boto3.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .args([server.endpoint().as_str(), "local", "secret", "evidence"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.ends_with("strangers: ok\n"), "{said}\n{complained}");
    server.stop().await;
}
