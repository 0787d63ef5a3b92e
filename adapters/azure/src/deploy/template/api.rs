//! The types of resource, each at the newest version of its interface that is no preview.

/// A type of resource.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Whether it has a region of its own.
    pub(super) located: bool,
    /// Whether it takes tags.
    pub(super) tagged: bool,
    /// Whether it lies upon another resource, whatever that is.
    pub(super) extension: bool,
}

/// The version of the interface by which what stands for itself is removed.
pub(in crate::deploy) fn version(kind: &str) -> Option<&'static str> {
    let all = [
        &ACCOUNT,
        &PLAN,
        &SITE,
        &IDENTITY,
        &BUS,
        &HUBS,
        &TOPIC,
        &SYSTEM_TOPIC,
        &COSMOS_ACCOUNT,
        &VAULT,
        &WORKSPACE,
        &INSIGHTS,
    ];
    let found = all.into_iter().find(|ty| ty.name.eq_ignore_ascii_case(kind));
    found.map(|ty| ty.version)
}

/// One that stands for itself.
const fn tracked(name: &'static str, version: &'static str) -> Type {
    Type {
        name,
        version,
        located: true,
        tagged: true,
        extension: false,
    }
}

/// One that is a part of another.
const fn child(name: &'static str, version: &'static str) -> Type {
    Type {
        name,
        version,
        located: false,
        tagged: false,
        extension: false,
    }
}

const STORAGE: &str = "2026-09-01";
const WEB: &str = "2025-05-01";
const SERVICE_BUS: &str = "2026-01-01";
const EVENT_HUBS: &str = "2026-01-01";
const EVENT_GRID: &str = "2025-02-15";
const COSMOS: &str = "2026-03-15";

pub(super) static ACCOUNT: Type = tracked("Microsoft.Storage/storageAccounts", STORAGE);
pub(super) static BLOBS: Type = child("Microsoft.Storage/storageAccounts/blobServices", STORAGE);
pub(super) static CONTAINER: Type = child(
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    STORAGE,
);
pub(super) static QUEUES: Type = child("Microsoft.Storage/storageAccounts/queueServices", STORAGE);
pub(super) static QUEUE: Type = child("Microsoft.Storage/storageAccounts/queueServices/queues", STORAGE);
pub(super) static PLAN: Type = tracked("Microsoft.Web/serverfarms", WEB);
pub(super) static SITE: Type = tracked("Microsoft.Web/sites", WEB);
pub(super) static SITE_CONFIG: Type = child("Microsoft.Web/sites/config", WEB);
pub(super) static IDENTITY: Type = tracked("Microsoft.ManagedIdentity/userAssignedIdentities", "2024-11-30");
pub(super) static ROLE: Type = Type {
    name: "Microsoft.Authorization/roleAssignments",
    version: "2022-04-01",
    located: false,
    tagged: false,
    extension: true,
};
pub(super) static BUS: Type = tracked("Microsoft.ServiceBus/namespaces", SERVICE_BUS);
pub(super) static BUS_QUEUE: Type = child("Microsoft.ServiceBus/namespaces/queues", SERVICE_BUS);
pub(super) static HUBS: Type = tracked("Microsoft.EventHub/namespaces", EVENT_HUBS);
pub(super) static HUB: Type = child("Microsoft.EventHub/namespaces/eventhubs", EVENT_HUBS);
pub(super) static GROUP: Type = child(
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
    EVENT_HUBS,
);
pub(super) static TOPIC: Type = tracked("Microsoft.EventGrid/topics", EVENT_GRID);
pub(super) static SUBSCRIPTION: Type = child("Microsoft.EventGrid/topics/eventSubscriptions", EVENT_GRID);
pub(super) static SYSTEM_TOPIC: Type = tracked("Microsoft.EventGrid/systemTopics", EVENT_GRID);
pub(super) static SYSTEM_SUBSCRIPTION: Type =
    child("Microsoft.EventGrid/systemTopics/eventSubscriptions", EVENT_GRID);
pub(super) static COSMOS_ACCOUNT: Type = tracked("Microsoft.DocumentDB/databaseAccounts", COSMOS);
pub(super) static DATABASE: Type = child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", COSMOS);
pub(super) static TABLE: Type = child(
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
    COSMOS,
);
pub(super) static TABLE_ROLE: Type =
    child("Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions", COSMOS);
pub(super) static TABLE_GRANT: Type =
    child("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", COSMOS);
pub(super) static VAULT: Type = tracked("Microsoft.KeyVault/vaults", "2026-05-15");
pub(super) static WORKSPACE: Type = tracked("Microsoft.OperationalInsights/workspaces", "2025-07-01");
pub(super) static INSIGHTS: Type = tracked("Microsoft.Insights/components", "2020-02-02");

/// A resource's place within its group, its type's words between its names: `Microsoft.A/bs/one/cs/two`.
pub(super) fn place(ty: &str, name: &str) -> String {
    let mut words = ty.split('/');
    let mut place = words.next().unwrap_or_default().to_owned();
    for (word, name) in words.zip(name.split('/')) {
        place.push('/');
        place.push_str(word);
        place.push('/');
        place.push_str(name);
    }
    place
}

/// The same as it is compared: without regard to case.
pub(super) fn path(ty: &str, name: &str) -> String {
    place(ty, name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_types_words_between_the_names() {
        assert_eq!(
            place(QUEUE.name, "acct/default/jobs"),
            "Microsoft.Storage/storageAccounts/acct/queueServices/default/queues/jobs"
        );
        assert_eq!(path("A.B/Cs", "Name"), "a.b/cs/name");
    }
}
