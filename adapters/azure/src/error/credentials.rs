//! Why there is no token, and what to do to get one: by which of the sources was asked, and what Microsoft Entra ID said
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).

use std::error::Error as StdError;

use azure_core::error::ErrorKind as AzureKind;
use nephos_core::{Error, ErrorKind};

use super::{causes, chain};

const NO_CREDENTIALS: &str = "there are no credentials for Azure; sign in (`az login`), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET";

/// What is told, by a part of what the source said.
const TOLD: [(&str, &str); 14] = [
    (
        "AADSTS90002",
        "there is no such tenant; check AZURE_TENANT_ID, or sign in to the right one (`az login --tenant ID`)",
    ),
    (
        "AADSTS50020",
        "the account is none of this tenant's; sign in to the right one (`az login --tenant ID`)",
    ),
    (
        "AADSTS700016",
        "the tenant has no such application; check AZURE_CLIENT_ID, and AZURE_TENANT_ID beside it",
    ),
    (
        "AADSTS7000215",
        "the client secret is not the application's; check AZURE_CLIENT_SECRET (the secret's value, not its id)",
    ),
    (
        "AADSTS7000222",
        "the client secret has expired; make a new one for the application, and set AZURE_CLIENT_SECRET",
    ),
    (
        "AADSTS70021",
        "the application trusts no such token; check the subject and issuer of its federated credentials",
    ),
    (
        "AADSTS700082",
        "the sign-in has expired; sign in again (`az login`)",
    ),
    (
        "AADSTS50076",
        "the tenant asks for a second factor; sign in again (`az login --tenant ID`)",
    ),
    (
        "AADSTS500011",
        "the tenant does not know the service that is asked; check that the endpoint is one of Azure",
    ),
    ("az login", NO_CREDENTIALS),
    ("Azure CLI", NO_CREDENTIALS),
    (
        "identity isn't assigned",
        "the function has no such identity; deploy it again, and check AZURE_CLIENT_ID",
    ),
    (
        "Identity not found",
        "the function has no such identity; deploy it again, and check AZURE_CLIENT_ID",
    ),
    (
        "No User Assigned or Delegated Managed Identity",
        "the function has no such identity; deploy it again, and check AZURE_CLIENT_ID",
    ),
];

/// Whether it is the error of a source of tokens.
pub(super) fn is_one(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<azure_core::Error>()
        .is_some_and(|error| *error.kind() == AzureKind::Credential)
}

/// The error of an operation that got no token.
pub(super) fn failed(operation: &'static str, error: &azure_core::Error) -> Error {
    let text = chain(error);
    let found = TOLD.iter().find(|(part, _)| text.contains(part));
    let told = match found {
        Some((_, message)) => Error::new(ErrorKind::Unauthenticated, operation, *message),
        None if causes(error).any(is_unreachable) => Error::new(
            ErrorKind::Unavailable,
            operation,
            "the source of the credentials cannot be reached; check the network",
        ),
        None if causes(error).any(is_busy) => Error::new(
            ErrorKind::Unavailable,
            operation,
            "the source of the credentials failed or is overloaded; try again later",
        ),
        None => Error::new(ErrorKind::Unauthenticated, operation, NO_CREDENTIALS),
    };
    told.caused_by(text)
}

fn is_unreachable(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<azure_core::Error>()
        .is_some_and(|error| matches!(error.kind(), AzureKind::Io | AzureKind::Connection))
}

fn is_busy(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<azure_core::Error>()
        .and_then(azure_core::Error::http_status)
        .is_some_and(|status| {
            let status = u16::from(status);
            status == 429 || status >= 500
        })
}
