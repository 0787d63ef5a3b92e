//! Tests of who asks, by the variables.

use super::*;

fn config(variables: &[(&str, &str)]) -> Result<Config> {
    Config::load(&variables.iter().copied().collect())
}

const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "72f988bf-0000-0000-0000-000000000000");

/// Any file that is there: its content is asked for with the first token.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

#[test]
fn who_asks_follows_from_the_variables() {
    for (variables, source) in [
        (vec![], "AzureCliCredential"),
        (vec![("AZURE_CLIENT_ID", "me"), TENANT], "AzureCliCredential"),
        (vec![("AZURE_CLIENT_SECRET", "")], "AzureCliCredential"),
        (
            vec![("AZURE_CLIENT_ID", "me"), TENANT, ("AZURE_CLIENT_SECRET", "hush")],
            "ClientSecretCredential",
        ),
        (
            vec![
                ("AZURE_CLIENT_ID", "me"),
                TENANT,
                ("AZURE_FEDERATED_TOKEN_FILE", FILE),
            ],
            "WorkloadIdentityCredential",
        ),
    ] {
        let found = format!("{:?}", config(&variables).unwrap().credential());
        assert!(found.contains(source), "{variables:?}: {found}");
        assert!(!found.contains("hush"), "{found}");
    }
}

#[test]
fn what_cannot_be_credentials_is_told_at_once_and_without_secrets() {
    let error = config(&[
        ("AZURE_CLIENT_ID", "me"),
        ("AZURE_TENANT_ID", "not a tenant!"),
        ("AZURE_CLIENT_SECRET", "hush"),
    ])
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("AZURE_TENANT_ID"), "{error}");
    assert!(!error.chain().contains("hush"), "{}", error.chain());
}

#[test]
fn keys_are_read_and_not_shown() {
    let read = config(&[(STORAGE_KEY, "c2VjcmV0"), (COSMOS_KEY, "c2VjcmV0")]).unwrap();
    assert!(read.0.storage_key.is_some() && read.0.cosmos_key.is_some());
    assert!(!format!("{read:?}").contains("c2VjcmV0"), "{read:?}");
    let error = config(&[(STORAGE_KEY, "%")]).unwrap_err();
    assert!(error.to_string().contains(STORAGE_KEY), "{error}");
}

#[test]
fn clients_do_not_retry_by_themselves() {
    let options = config(&[]).unwrap().client_options();
    assert!(
        format!("{:?}", options.retry).contains("None"),
        "{:?}",
        options.retry
    );
}
