//! The types of resources that exist here: their versions, their names' rules, and which names all of Azure shares.

use super::error::{Outcome, Refusal};

/// One type.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) versions: &'static [&'static str],
    /// Whether it has a location and tags of its own.
    pub(super) tracked: bool,
    /// Length and letters of the last part of its name.
    name_rule: (usize, usize, Letters),
    /// Whether nobody else in Azure may have the name.
    pub(super) global: bool,
}

#[derive(Debug, Clone, Copy)]
enum Letters {
    LowerDigits,
    LowerDigitsDash,
    AlphaDash,
    AlphaDashDot,
    Guid,
    Any,
}

const STORAGE: &[&str] = &[
    "2023-05-01",
    "2024-01-01",
    "2025-01-01",
    "2025-06-01",
    "2026-09-01",
];
const WEB: &[&str] = &[
    "2023-12-01",
    "2024-04-01",
    "2024-11-01",
    "2025-03-01",
    "2025-05-01",
];
const COSMOS: &[&str] = &[
    "2024-05-15",
    "2024-11-15",
    "2025-04-15",
    "2025-10-15",
    "2026-03-15",
];
const EVENT_GRID: &[&str] = &["2022-06-15", "2025-02-15"];
const MESSAGING: &[&str] = &["2021-11-01", "2024-01-01", "2026-01-01"];

const fn kind(
    name: &'static str,
    versions: &'static [&'static str],
    tracked: bool,
    name_rule: (usize, usize, Letters),
    global: bool,
) -> Kind {
    Kind {
        name,
        versions,
        tracked,
        name_rule,
        global,
    }
}

const KINDS: &[Kind] = &[
    kind(
        "Microsoft.Storage/storageAccounts",
        STORAGE,
        true,
        (3, 24, Letters::LowerDigits),
        true,
    ),
    kind(
        "Microsoft.Storage/storageAccounts/blobServices",
        STORAGE,
        false,
        (7, 7, Letters::LowerDigits),
        false,
    ),
    kind(
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        STORAGE,
        false,
        (3, 63, Letters::LowerDigitsDash),
        false,
    ),
    kind(
        "Microsoft.Storage/storageAccounts/queueServices",
        STORAGE,
        false,
        (7, 7, Letters::LowerDigits),
        false,
    ),
    kind(
        "Microsoft.Storage/storageAccounts/queueServices/queues",
        STORAGE,
        false,
        (3, 63, Letters::LowerDigitsDash),
        false,
    ),
    kind(
        "Microsoft.Web/serverfarms",
        WEB,
        true,
        (1, 60, Letters::AlphaDash),
        false,
    ),
    kind(
        "Microsoft.Web/sites",
        WEB,
        true,
        (2, 60, Letters::AlphaDash),
        true,
    ),
    kind(
        "Microsoft.Web/sites/config",
        WEB,
        false,
        (1, 60, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        &["2023-01-31", "2024-11-30"],
        true,
        (3, 128, Letters::AlphaDashDot),
        false,
    ),
    kind(
        "Microsoft.Authorization/roleAssignments",
        &["2020-04-01-preview", "2022-04-01"],
        false,
        (36, 36, Letters::Guid),
        false,
    ),
    kind(
        "Microsoft.ServiceBus/namespaces",
        MESSAGING,
        true,
        (6, 50, Letters::AlphaDash),
        true,
    ),
    kind(
        "Microsoft.ServiceBus/namespaces/queues",
        MESSAGING,
        false,
        (1, 260, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.EventHub/namespaces",
        MESSAGING,
        true,
        (6, 50, Letters::AlphaDash),
        true,
    ),
    kind(
        "Microsoft.EventHub/namespaces/eventhubs",
        MESSAGING,
        false,
        (1, 256, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
        MESSAGING,
        false,
        (1, 50, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.EventGrid/topics",
        EVENT_GRID,
        true,
        (3, 50, Letters::AlphaDash),
        true,
    ),
    kind(
        "Microsoft.EventGrid/topics/eventSubscriptions",
        EVENT_GRID,
        false,
        (3, 64, Letters::AlphaDash),
        false,
    ),
    kind(
        "Microsoft.EventGrid/systemTopics",
        EVENT_GRID,
        true,
        (3, 128, Letters::AlphaDash),
        false,
    ),
    kind(
        "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        EVENT_GRID,
        false,
        (3, 64, Letters::AlphaDash),
        false,
    ),
    kind(
        "Microsoft.DocumentDB/databaseAccounts",
        COSMOS,
        true,
        (3, 44, Letters::LowerDigitsDash),
        true,
    ),
    kind(
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
        COSMOS,
        false,
        (1, 255, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
        COSMOS,
        false,
        (1, 255, Letters::Any),
        false,
    ),
    kind(
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions",
        COSMOS,
        false,
        (36, 36, Letters::Guid),
        false,
    ),
    kind(
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
        COSMOS,
        false,
        (36, 36, Letters::Guid),
        false,
    ),
    kind(
        "Microsoft.KeyVault/vaults",
        &[
            "2023-07-01",
            "2024-11-01",
            "2025-05-01",
            "2026-02-01",
            "2026-05-15",
        ],
        true,
        (3, 24, Letters::AlphaDash),
        true,
    ),
    kind(
        "Microsoft.OperationalInsights/workspaces",
        &["2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01"],
        true,
        (4, 63, Letters::AlphaDash),
        false,
    ),
    kind(
        "Microsoft.Insights/components",
        &["2020-02-02"],
        true,
        (1, 260, Letters::Any),
        false,
    ),
];

/// The type of this name, whatever its case.
pub(super) fn find(name: &str) -> Outcome<&'static Kind> {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name)) {
        return Ok(kind);
    }
    let (namespace, rest) = name.split_once('/').unwrap_or((name, ""));
    if namespaces().any(|known| known.eq_ignore_ascii_case(namespace)) {
        return Err(Refusal::new(
            400,
            "InvalidResourceType",
            format!(
                "The resource type '{rest}' could not be found in the namespace '{namespace}' for the api version given."
            ),
        ));
    }
    Err(Refusal::new(
        404,
        "InvalidResourceNamespace",
        format!("The resource namespace '{namespace}' is invalid."),
    ))
}

/// The namespaces of all types.
pub(super) fn namespaces() -> impl Iterator<Item = &'static str> {
    KINDS
        .iter()
        .filter_map(|kind| kind.name.split('/').next())
        .chain(["Microsoft.Resources"])
}

impl Kind {
    pub(super) fn check_version(&self, version: &str, location: &str) -> Outcome<()> {
        if self.versions.contains(&version) {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for location '{location}' and API version '{version}' for type '{}'. The supported api-versions are '{}'.",
                self.name.split_once('/').map_or(self.name, |(_, rest)| rest),
                self.versions.join(", ")
            ),
        ))
    }

    /// The last part of a name, by the type's rule.
    pub(super) fn check_name(&self, name: &str) -> Outcome<()> {
        let (least, most, letters) = self.name_rule;
        let dashed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let fits = match letters {
            Letters::LowerDigits => name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
            Letters::LowerDigitsDash => {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                name.chars().all(|c| plain(c) || c == '-') && name.starts_with(plain) && name.ends_with(plain) && !name.contains("--")
                    // A name with a dollar sign is one of the service's own containers.
                    || name.starts_with('$')
            }
            Letters::AlphaDash => name.chars().all(dashed) && !name.starts_with('-') && !name.ends_with('-'),
            Letters::AlphaDashDot => name.chars().all(|c| dashed(c) || c == '_' || c == '.'),
            Letters::Guid => uuid::Uuid::try_parse(name).is_ok(),
            Letters::Any => !name.contains(['<', '>', '%', '&', '\\', '?', '/', '#']),
        };
        if fits && (least..=most).contains(&name.chars().count()) {
            return Ok(());
        }
        let (code, message) = match self.name {
            "Microsoft.Storage/storageAccounts" => (
                "AccountNameInvalid",
                format!(
                    "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only."
                ),
            ),
            "Microsoft.KeyVault/vaults" => (
                "VaultNameNotValid",
                format!(
                    "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens."
                ),
            ),
            "Microsoft.Authorization/roleAssignments" => (
                "InvalidRoleAssignmentId",
                format!(
                    "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
                ),
            ),
            kind => (
                "InvalidResourceName",
                format!("The resource name '{name}' is not valid for the type '{kind}'."),
            ),
        };
        Err(Refusal::new(400, code, message))
    }

    /// What is said of a name that somebody else in Azure has.
    pub(super) fn taken(&self, name: &str) -> Refusal {
        let (status, code, message) = match self.name {
            "Microsoft.Storage/storageAccounts" => (
                409,
                "StorageAccountAlreadyTaken",
                format!("The storage account named {name} is already taken."),
            ),
            "Microsoft.KeyVault/vaults" => (
                409,
                "VaultAlreadyExists",
                format!(
                    "The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state."
                ),
            ),
            "Microsoft.Web/sites" => (
                409,
                "Conflict",
                format!("Website with given name {name} already exists."),
            ),
            "Microsoft.DocumentDB/databaseAccounts" => (
                400,
                "BadRequest",
                format!("Dns record for {name} under zone Document is already taken."),
            ),
            "Microsoft.EventGrid/topics" => (
                409,
                "Conflict",
                format!("A topic with the name {name} already exists in this region."),
            ),
            _ => (
                409,
                "NamespaceUnavailable",
                format!("Namespace name '{name}' is not available. It is already taken."),
            ),
        };
        Refusal::new(status, code, message)
    }
}
