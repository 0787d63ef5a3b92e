//! The site's settings: who the function is, as whom it signs in where, and its own variables. What it may use travels in its package.

use std::collections::BTreeMap;

use nephos_core::app::FunctionSpec;
use nephos_core::deploy::name::short_hash;
use nephos_core::env;
use nephos_core::{ErrorKind, Result};
use serde_json::{Value, json};

use super::layout::{Layout, Site};
use super::observe;
use super::trigger::Source;
use super::value::{call, expression, literal};
use crate::deploy::refused;
use crate::package::HTTP;

/// The connection of triggers on queues: the account that the host uses itself.
pub(in crate::deploy) const STORAGE: &str = "AzureWebJobsStorage";
/// The connections of other triggers.
pub(in crate::deploy) const SERVICE_BUS: &str = "NephosServiceBus";
pub(in crate::deploy) const EVENT_HUBS: &str = "NephosEventHubs";
pub(in crate::deploy) const COSMOS: &str = "NephosCosmos";
/// What names of the host's and the platform's own settings begin with:
/// <https://learn.microsoft.com/azure/azure-functions/functions-app-settings>,
/// <https://learn.microsoft.com/azure/app-service/reference-app-settings>.
const RESERVED: [&str; 14] = [
    "APPINSIGHTS_",
    "APPLICATIONINSIGHTS_",
    "APPSETTING_",
    "AZUREFUNCTIONS",
    "AZUREWEBJOBS",
    "AZURE_CLIENT_",
    "AZURE_TENANT_",
    "CONTAINER_",
    "FUNCTIONS_",
    "IDENTITY_",
    "MSI_",
    "NEPHOS",
    "SCM_",
    "WEBSITE",
];
/// Names that the process has from the system or from the host.
const RESERVED_NAMES: [&str; 5] = ["HOME", "HTTP_PLATFORM_PORT", "PATH", "PORT", "TMPDIR"];

/// The settings, as the list that the site takes.
pub(super) fn of(layout: &Layout<'_>, site: &Site<'_>, spec: &FunctionSpec, identity: &str) -> Result<Value> {
    let function = site.function;
    let mut settings: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in &spec.env {
        check_name(function, name)?;
        settings.insert(name.clone(), literal(value).into());
    }
    let mut set = |name: &str, value: Value| {
        settings.insert(name.to_owned(), value);
    };
    let client = expression(format!("{}.clientId", call("reference", &[identity])));
    set(env::FUNCTION, function.into());
    set(env::APP, layout.app.name.as_str().into());
    set(env::TARGET, layout.target.into());
    set("AZURE_CLIENT_ID", client.clone());
    set(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        expression(format!(
            "{}.ConnectionString",
            call("reference", &[observe::INSIGHTS])
        )),
    );
    // Sites that share an account must not share this, and by itself it is the first 32 letters of the site's name:
    // https://learn.microsoft.com/azure/azure-functions/storage-considerations#host-id-considerations
    set(
        "AzureFunctionsWebHost__hostid",
        format!("nephos{}", short_hash(&[&layout.stack, &site.label])).into(),
    );
    if site.triggers.iter().any(|trigger| trigger.name == HTTP) {
        // The page would answer requests to `/`.
        set("AzureWebJobsDisableHomepage", "true".into());
    }
    let mut connections: BTreeMap<&str, (&str, String)> =
        BTreeMap::from([(STORAGE, ("accountName", layout.storage()))]);
    for trigger in &site.triggers {
        let (connection, fact, value) = match &trigger.source {
            Source::Sessions { .. } => (
                SERVICE_BUS,
                "fullyQualifiedNamespace",
                format!("{}.servicebus.windows.net", layout.service_bus()),
            ),
            Source::Hub { .. } => (
                EVENT_HUBS,
                "fullyQualifiedNamespace",
                format!("{}.servicebus.windows.net", layout.event_hubs()),
            ),
            Source::Feed { .. } => (
                COSMOS,
                "accountEndpoint",
                format!("https://{}.documents.azure.com:443/", layout.cosmos()),
            ),
            Source::Http | Source::Queue { .. } | Source::Inbox { .. } | Source::Timer { .. } => continue,
        };
        connections.insert(connection, (fact, value));
    }
    for (connection, (fact, value)) in connections {
        set(&format!("{connection}__{fact}"), value.into());
        set(&format!("{connection}__credential"), "managedidentity".into());
        set(&format!("{connection}__clientId"), client.clone());
    }
    let list: Vec<Value> = settings
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    Ok(list.into())
}

/// Letters, digits and underscores: on Linux other signs are replaced.
fn check_name(function: &str, name: &str) -> Result<()> {
    let form = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    let upper = name.to_ascii_uppercase();
    let reserved = RESERVED.iter().any(|reserved| upper.starts_with(reserved))
        || RESERVED_NAMES.contains(&upper.as_str());
    if form && !reserved {
        return Ok(());
    }
    let message = if reserved {
        "Azure, the Functions host or Nephos keeps this variable for itself; choose another name"
    } else {
        "Azure takes variables of letters, digits and underscores that do not begin with a digit"
    };
    Err(refused(ErrorKind::InvalidArgument, message)
        .with("function", function)
        .with("variable", name))
}
