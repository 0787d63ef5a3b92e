//! What a rendered app becomes here: the emulators hold what its template declares, and a host stand-in runs each function's package.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::cosmos::CosmosServer;
use nephos_conformance::azure_functions::event_grid::{EventGrid, Schema, Subscription};
use nephos_conformance::azure_functions::event_hub::EventHubs;
use nephos_conformance::azure_functions::service_bus::{QueueOptions, ServiceBus};
use nephos_conformance::azure_functions::{Host, Options, Services, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The folder of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

fn nephos(arguments: &[&str], folder: &Path) -> Output {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(env!("CARGO_BIN_EXE_nephos"))
        .env("CARGO_TARGET_DIR", built)
        // Nothing that a debugger wants.
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .args(arguments)
        .arg("-C")
        .arg(folder)
        .output()
        .unwrap()
}

fn done(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

/// The example's binary, built by the command with the features that it chooses, for this target first.
pub(crate) fn binary(example: &str, target: &str) -> PathBuf {
    let out = done(&nephos(
        &["--json", "build", "--target", target, "--profile", "dev"],
        &self::example(example),
    ));
    let line: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    PathBuf::from(line["binary"].as_str().unwrap())
}

/// An app that runs. Everything ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) azurite: Azurite,
    pub(crate) cosmos: CosmosServer,
    pub(crate) hubs: EventHubs,
    pub(crate) bus: ServiceBus,
    /// Where a topic's events are posted, by the topic's name on Azure.
    pub(crate) topics: BTreeMap<String, String>,
    sites: BTreeMap<String, Host>,
    _grid: EventGrid,
    _packages: TempDir,
}

impl Cloud {
    /// Renders a project by the command, and starts what comes of it with this binary.
    pub(crate) async fn start(project: &Path, binary: &Path) -> Self {
        let packages = tempfile::tempdir().unwrap();
        let out = packages.path().join("out");
        done(&nephos(
            &["render", "--target", "azure", "--out", out.to_str().unwrap()],
            project,
        ));
        let template: Value =
            serde_json::from_slice(&std::fs::read(out.join("template.json")).unwrap()).unwrap();
        let resources: Vec<&Value> = template["resources"].as_object().unwrap().values().collect();
        let of = |ty: &str| {
            let ty = ty.to_owned();
            resources
                .iter()
                .filter(move |resource| resource["type"] == ty.as_str())
                .copied()
        };
        let (azurite, cosmos, hubs, bus) = tokio::join!(
            Azurite::start(),
            CosmosServer::start(),
            EventHubs::start(),
            ServiceBus::start()
        );
        let (azurite, cosmos, hubs, bus) = (azurite.unwrap(), cosmos.unwrap(), hubs.unwrap(), bus.unwrap());
        let account = azurite.account().clone();

        let mut containers = Vec::new();
        for container in of("Microsoft.Storage/storageAccounts/blobServices/containers") {
            account.create_container(last(container)).await.unwrap();
            containers.push(last(container));
        }
        for queue in of("Microsoft.Storage/storageAccounts/queueServices/queues") {
            account.create_queue(last(queue)).await.unwrap();
        }
        for database in of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases") {
            cosmos.account().create_database(last(database)).await.unwrap();
        }
        for table in of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers") {
            let database = name(table).split('/').nth(1).unwrap();
            let path = table
                .pointer("/properties/resource/partitionKey/paths/0")
                .and_then(Value::as_str)
                .unwrap();
            cosmos
                .account()
                .create_container(database, last(table), path)
                .await
                .unwrap();
        }
        for hub in of("Microsoft.EventHub/namespaces/eventhubs") {
            let partitions = hub["properties"]["partitionCount"].as_u64().unwrap();
            hubs.create(last(hub), usize::try_from(partitions).unwrap());
        }
        for queue in of("Microsoft.ServiceBus/namespaces/queues") {
            let options = QueueOptions {
                sessions: queue["properties"]["requiresSession"] == true,
                ..QueueOptions::default()
            };
            bus.create(last(queue), options);
        }

        let grid = EventGrid::start(account.clone()).await.unwrap();
        let mut topics = BTreeMap::new();
        for topic in of("Microsoft.EventGrid/topics") {
            topics.insert(
                last(topic).to_owned(),
                grid.create_topic(last(topic), Schema::CloudEvents),
            );
        }
        for topic in of("Microsoft.EventGrid/systemTopics") {
            grid.create_storage_topic(last(topic), &containers).await.unwrap();
        }
        for ty in ["topics", "systemTopics"] {
            for subscription in of(&format!("Microsoft.EventGrid/{ty}/eventSubscriptions")) {
                let (topic, own) = name(subscription).split_once('/').unwrap();
                let read = Subscription::from_properties(&subscription["properties"], &|_| None).unwrap();
                grid.subscribe(topic, own, read).unwrap();
            }
        }

        let services = Services {
            storage: Some(account.clone()),
            cosmos: Some(cosmos.account()),
            event_hubs: Some(hubs.clone()),
            service_bus: Some(bus.clone()),
        };
        // A site's package is in a folder of its own.
        let folders: BTreeMap<&str, String> =
            (template["outputs"]["sites"]["value"].as_object().unwrap().iter())
                .map(|(folder, site)| (site.as_str().unwrap(), folder.clone()))
                .collect();
        let mut sites = BTreeMap::new();
        for site in of("Microsoft.Web/sites") {
            let mut settings: BTreeMap<String, String> = (site["properties"]["siteConfig"]["appSettings"])
                .as_array()
                .unwrap()
                .iter()
                .map(|setting| {
                    let value = setting["value"].as_str().unwrap();
                    // What only deployment knows, such as an identity's id.
                    let value = if value.starts_with('[') {
                        "known-when-deployed"
                    } else {
                        value
                    };
                    (setting["name"].as_str().unwrap().to_owned(), value.to_owned())
                })
                .collect();
            let function = folders[name(site)].clone();
            let folder = out.join(&function);
            // A function that nothing calls has no triggers, and its host nothing to do.
            let has_triggers = std::fs::read_dir(&folder)
                .unwrap()
                .any(|entry| entry.unwrap().path().is_dir());
            if !has_triggers {
                continue;
            }
            let handler = folder.join("handler");
            std::fs::copy(binary, &handler).unwrap();
            std::fs::set_permissions(&handler, std::fs::Permissions::from_mode(0o755)).unwrap();
            let storage = settings["AzureWebJobsStorage__accountName"].clone();
            // The host stand-in looks for services at their own addresses.
            for (name, value) in &mut settings {
                if name.ends_with("__accountName") {
                    *value = account.name.clone();
                } else if name.ends_with("__accountEndpoint") {
                    *value = cosmos.account().endpoint;
                } else if name.ends_with("__fullyQualifiedNamespace") {
                    *value = if value.contains("-sb-") {
                        bus.namespace()
                    } else {
                        hubs.namespace()
                    };
                }
            }
            settings.extend(elsewhere(
                &template,
                &storage,
                &account.blobs,
                &account.queues,
                &cosmos.account().endpoint,
            ));
            settings.insert("NEPHOS_AZURE_STORAGE_KEY".to_owned(), account.key.clone());
            settings.insert("NEPHOS_AZURE_COSMOS_KEY".to_owned(), "a2V5".to_owned());
            settings.insert("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned());
            let mut options = Options::new(Settings::new(settings), services.clone());
            options.grace = Some(Duration::from_secs(5));
            let host = Host::start(&folder, options)
                .await
                .unwrap_or_else(|error| panic!("{function}: {error}"));
            sites.insert(function, host);
        }
        Self {
            azurite,
            cosmos,
            hubs,
            bus,
            topics,
            sites,
            _grid: grid,
            _packages: packages,
        }
    }

    /// The host of a site, by the folder of its package.
    pub(crate) fn site(&self, folder: &str) -> &Host {
        &self.sites[folder]
    }

    /// What all hosts logged, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let of = |(function, host): (&String, &Host)| {
            host.log()
                .into_iter()
                .map(move |line| format!("{function}: {line}\n"))
                .collect::<String>()
        };
        self.sites.iter().map(of).collect()
    }
}

/// The setting by which the process finds the emulators at the addresses of Azure.
fn elsewhere(
    template: &Value,
    storage: &str,
    blobs: &str,
    queues: &str,
    cosmos: &str,
) -> [(String, String); 1] {
    let mut places = BTreeMap::from([
        (
            format!("https://{storage}.blob.core.windows.net"),
            blobs.to_owned(),
        ),
        (
            format!("https://{storage}.queue.core.windows.net"),
            queues.to_owned(),
        ),
    ]);
    let accounts = template["resources"].as_object().unwrap().values();
    for account in accounts.filter(|resource| resource["type"] == "Microsoft.DocumentDB/databaseAccounts") {
        places.insert(
            format!("https://{}.documents.azure.com", name(account)),
            cosmos.to_owned(),
        );
    }
    [("NEPHOS_AZURE_ENDPOINTS".to_owned(), json!(places).to_string())]
}

fn name(resource: &Value) -> &str {
    resource["name"].as_str().unwrap()
}

fn last(resource: &Value) -> &str {
    name(resource).rsplit('/').next().unwrap()
}
