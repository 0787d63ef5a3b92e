//! What the manager refuses, as a sentence with the next step, and the first cause of a deployment that failed.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>

use azure_core::http::headers::{HeaderName, Headers};
use nephos_core::error::Meaning;
use nephos_core::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{CODE, RETRY_AFTER, answered, without_secrets};

/// An error as the manager writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) target: Option<String>,
    pub(super) details: Vec<Self>,
}

/// Codes of what only wraps another error.
const WRAPPERS: [&str; 9] = [
    "DeploymentStackDeploymentFailed",
    "DeploymentStackDeleteFailed",
    "DeploymentStackDeleteResourcesFailed",
    "DeploymentStackValidationFailed",
    "DeploymentFailed",
    "InvalidTemplateDeployment",
    "ResourceDeploymentFailure",
    "MultipleErrorsOccurred",
    "DeploymentStackOperationFailed",
];

/// Codes of what another failure led to.
const LED_TO: [&str; 4] = [
    "Conflict",
    "DeploymentOperationCanceled",
    "OperationPreempted",
    "DependencyFailed",
];

impl Told {
    /// Reads `{"error": {…}}`, or the error alone, also where it is text within text.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let error = value
            .get("error")
            .filter(|error| !error.is_null())
            .unwrap_or(value);
        if let Some(text) = error.as_str() {
            return serde_json::from_str(text).ok().as_ref().and_then(Self::read);
        }
        error.get("code")?;
        serde_json::from_value(error.clone()).ok()
    }

    /// The error within all that only wrap it.
    pub(super) fn cause(&self) -> &Self {
        let mut told = self;
        while let Some(first) = told.first() {
            told = first;
        }
        told
    }

    /// The first of the details that says more than this.
    fn first(&self) -> Option<&Self> {
        let says = |detail: &&Self| !detail.code.is_empty();
        let own = |detail: &&Self| says(detail) && !LED_TO.contains(&detail.cause().code.as_str());
        let wraps = WRAPPERS.contains(&self.code.as_str()) || LED_TO.contains(&self.code.as_str());
        if !wraps {
            return None;
        }
        (self.details.iter().find(own)).or_else(|| self.details.iter().find(says))
    }

    /// Whether it only says that something else failed.
    pub(super) fn is_wrapper(&self) -> bool {
        WRAPPERS.contains(&self.code.as_str())
    }

    /// Whether something else led to it.
    pub(super) fn is_led_to(&self) -> bool {
        LED_TO.contains(&self.code.as_str())
    }

    /// The error of the operation that met it.
    pub(super) fn error(&self, operation: &'static str) -> Error {
        let cause = self.cause();
        let error = match meaning(&cause.code, &cause.message) {
            Some(meaning) => meaning.error(operation),
            None => Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "Azure could not do this; what it says is below: mend that, and run the same command again",
            ),
        };
        let error = error.with(CODE, &cause.code);
        let error = match &cause.target {
            Some(target) => error.with("target", target),
            None => error,
        };
        error.caused_by(without_secrets(&cause.message))
    }
}

/// The error of an answer that is no success.
pub(super) fn refused(operation: &'static str, status: u16, headers: &Headers, body: &[u8]) -> Error {
    let told = serde_json::from_slice(body).ok().as_ref().and_then(Told::read);
    let known = told.as_ref().filter(|told| {
        let cause = told.cause();
        meaning(&cause.code, &cause.message).is_some() || *cause != **told
    });
    let Some(told) = known else {
        return answered(operation, status, headers, body);
    };
    let error = told.error(operation);
    let after = headers.get_optional_str(&HeaderName::from_static("retry-after"));
    match after {
        Some(seconds) => error.with(RETRY_AFTER, seconds),
        None => error,
    }
}

/// What the manager's codes mean, beside those that all services have.
fn meaning(code: &str, message: &str) -> Option<Meaning> {
    let is = |text: &str| message.to_ascii_lowercase().contains(text);
    Some(match code {
        "InvalidAuthenticationTokenTenant" => Meaning::new(
            ErrorKind::Unauthenticated,
            "who is signed in is of another tenant than the subscription; sign in there (`az login --tenant …`, or AZURE_TENANT_ID), or name another subscription as the target's `subscription`",
        ),
        "InvalidAuthenticationToken"
        | "ExpiredAuthenticationToken"
        | "AuthenticationFailed"
        | "InvalidAuthenticationTokenAudience" => Meaning::new(
            ErrorKind::Unauthenticated,
            "Azure does not take who is signed in; sign in again (`az login`), and check the machine's clock",
        ),
        "AuthorizationFailed" | "LinkedAuthorizationFailed" if is("managedenysetting") => Meaning::new(
            ErrorKind::PermissionDenied,
            "whoever deploys may not protect a stack from deletion; have the role Azure Deployment Stack Owner given to them, or write protect = false in the target's settings",
        ),
        "AuthorizationFailed" | "LinkedAuthorizationFailed" | "AuthorizationPermissionMismatch" => {
            Meaning::new(
                ErrorKind::PermissionDenied,
                "whoever deploys may not do what is named below; have a role given to them that allows it (Owner of the resource group does), and run the same command again",
            )
        }
        "DenyAssignmentAuthorizationFailed" => Meaning::new(
            ErrorKind::PermissionDenied,
            "a deny assignment protects what is named below, of another stack perhaps; remove it there first",
        ),
        "SubscriptionNotFound" | "InvalidSubscriptionId" => Meaning::new(
            ErrorKind::NotFound,
            "there is no such subscription for who is signed in; check the target's `subscription`, and `az account list`",
        ),
        "ReadOnlyDisabledSubscription" | "DisabledSubscription" => Meaning::new(
            ErrorKind::PermissionDenied,
            "the subscription is disabled; have it enabled, or name another as the target's `subscription`",
        ),
        "MissingSubscriptionRegistration" => Meaning::new(
            ErrorKind::PermissionDenied,
            "the subscription is not registered for a service that the app needs; register it as named below, with `az provider register --namespace …`, and run the same command again",
        ),
        "StorageAccountAlreadyTaken"
        | "VaultAlreadyExists"
        | "NameAlreadyExists"
        | "WebsiteAlreadyExists"
        | "AccountNameExists"
        | "NamespaceUnavailable"
        | "DatabaseAccountNameAlreadyExists" => Meaning::new(
            ErrorKind::AlreadyExists,
            "a name that all of Azure shares is taken by somebody else; give the app another name, or the target another `stack`",
        ),
        "Conflict" if is("already exists") || is("not available") => Meaning::new(
            ErrorKind::AlreadyExists,
            "a name that all of Azure shares is taken by somebody else; give the app another name, or the target another `stack`",
        ),
        "QuotaExceeded"
        | "SubscriptionIsOverQuotaForSku"
        | "ResourceQuotaExceeded"
        | "SkuQuotaExceeded"
        | "OperationNotAllowed"
        | "MaxStorageAccountsCountPerSubscriptionExceeded" => Meaning::new(
            ErrorKind::ResourceExhausted,
            "the subscription's quota does not allow this; have it raised in the portal (Usage + quotas), or choose another `location`, and run the same command again",
        ),
        "LocationNotAvailableForResourceType"
        | "LocationNotAvailableForResourceGroup"
        | "SkuNotAvailable"
        | "RequestedRegionNotAvailable" => Meaning::new(
            ErrorKind::Unsupported,
            "the region does not have what the app needs; choose another `location` for the target",
        ),
        "InvalidResourceGroupLocation" | "InvalidResourceLocation" => Meaning::new(
            ErrorKind::Conflict,
            "it exists in another region; set the target's `location` to that, or destroy the app there first",
        ),
        "DeploymentStackInNonTerminalState" | "DeploymentActive" => Meaning::new(
            ErrorKind::Conflict,
            "somebody else is changing the stack now; wait until that is done, and run the same command again",
        ),
        "DeploymentStackOutOfSyncError" => Meaning::new(
            ErrorKind::Conflict,
            "Azure's list of what the stack manages is out of date; look at it in the portal, and save the stack there once, before the next deployment",
        ),
        "ResourceGroupBeingDeleted" => Meaning::new(
            ErrorKind::Conflict,
            "the resource group is being deleted; wait until it is gone, and run the same command again",
        ),
        "ScopeLocked" => Meaning::new(
            ErrorKind::PermissionDenied,
            "a lock keeps what is named below from being changed; take it away, and run the same command again",
        ),
        "RequestDisallowedByPolicy" => Meaning::new(
            ErrorKind::PermissionDenied,
            "a policy of the subscription does not allow this; have an exemption made, or meet it by the target's `overrides` or `tags`",
        ),
        "InvalidTemplate" => Meaning::new(
            ErrorKind::Internal,
            "Azure does not take the template that was rendered; if the target's `overrides` are not the reason, this is a defect of Nephos: report it with what is below",
        ),
        _ => return None,
    })
}

/// The error of waiting that was cut off: `message` says what goes on meanwhile.
pub(super) fn cut_off(error: Error, message: &'static str) -> Error {
    if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::DeadlineExceeded) {
        return error;
    }
    Error::new(error.kind(), "deploy.wait", message).caused_by(error)
}

#[cfg(test)]
mod tests;
