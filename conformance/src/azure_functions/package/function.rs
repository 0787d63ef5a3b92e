//! `function.json`: a function's bindings, of which one is its trigger.

use std::collections::BTreeSet;

use nephos_core::Result;
use serde_json::Value;

use super::host::HostJson;
use super::retry::Retry;
use crate::azure_functions::refused;
use crate::azure_functions::settings::{Connection, Settings};
use crate::azure_functions::timer::Schedule;

/// The default connection of bindings of Storage.
const STORAGE: &str = "Storage";

/// One function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its folder's name.
    pub name: String,
    /// What calls it.
    pub trigger: Binding,
    /// Its output of type `http`, if it has one.
    pub http_output: Option<String>,
    /// How the host tries again.
    pub retry: Option<Retry>,
}

/// A trigger with its name.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Its name, which is that of its value in the invocation's data.
    pub name: String,
    /// Whether `dataType` is `binary`.
    pub binary: bool,
    /// What `dataType` says, in lower case.
    pub data_type: Option<String>,
    /// Whether it takes many values at once (`cardinality`).
    pub many: bool,
    /// Which trigger it is.
    pub kind: BindingKind,
}

/// The triggers that the host knows.
#[derive(Debug, Clone)]
pub enum BindingKind {
    /// `httpTrigger`
    Http(HttpTrigger),
    /// `queueTrigger`
    Queue(QueueTrigger),
    /// `timerTrigger`
    Timer(TimerTrigger),
    /// `eventGridTrigger`
    EventGrid,
    /// `cosmosDBTrigger`
    Cosmos(CosmosTrigger),
    /// `eventHubTrigger`
    EventHub(EventHubTrigger),
    /// `serviceBusTrigger`
    ServiceBus(ServiceBusTrigger),
}

/// Who may call a function over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthLevel {
    /// Everybody.
    Anonymous,
    /// Who has a key of the function, of the app, or the master key.
    Function,
    /// Who has the master key.
    Admin,
}

/// `httpTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct HttpTrigger {
    pub route: String,
    /// In upper case; none for all.
    pub methods: BTreeSet<String>,
    pub auth_level: AuthLevel,
}

/// `queueTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct QueueTrigger {
    pub queue_name: String,
    pub connection: Connection,
}

/// `timerTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct TimerTrigger {
    pub schedule: Schedule,
    pub run_on_startup: bool,
    pub use_monitor: bool,
}

/// `cosmosDBTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct CosmosTrigger {
    pub connection: Connection,
    pub database_name: String,
    pub container_name: String,
    pub lease_container_name: String,
    pub create_lease_container: bool,
    pub max_items: usize,
    pub start_from_beginning: bool,
}

/// `eventHubTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct EventHubTrigger {
    pub connection: Connection,
    pub event_hub_name: String,
    pub consumer_group: String,
}

/// `serviceBusTrigger`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of function.json")]
pub struct ServiceBusTrigger {
    pub connection: Connection,
    pub queue_name: String,
    pub sessions: bool,
}

impl HttpTrigger {
    /// Whether a request of one of the other's methods could be one of its own.
    pub(super) fn has_method_of(&self, other: &Self) -> bool {
        self.methods.is_empty() || other.methods.is_empty() || !self.methods.is_disjoint(&other.methods)
    }
}

impl Function {
    pub(super) fn read(name: &str, document: &Value, settings: &Settings, host: &HostJson) -> Result<Self> {
        let place = format!("function `{name}`");
        if !is_name(name, "-_") || name.eq_ignore_ascii_case("host") {
            return Err(refused(format!("`{name}` is not a valid function name")));
        }
        let bindings = document
            .get("bindings")
            .and_then(Value::as_array)
            .filter(|bindings| !bindings.is_empty())
            .ok_or_else(|| refused(format!("{place}: at least one binding must be declared")))?;
        let mut names = BTreeSet::new();
        let mut triggers = Vec::new();
        let mut http_output = None;
        for binding in bindings {
            let field = |field: &str| binding.get(field).and_then(Value::as_str).unwrap_or_default();
            let binding_name = field("name");
            if binding_name != "$return" && !is_name(binding_name, "") {
                return Err(refused(format!(
                    "{place}: the binding name `{binding_name}` is invalid; a name has letters and digits, and begins with a letter"
                )));
            }
            if !names.insert(binding_name.to_lowercase()) {
                return Err(refused(format!(
                    "{place}: multiple bindings with name `{binding_name}`; binding names must be unique"
                )));
            }
            let is_out = field("direction").eq_ignore_ascii_case("out");
            if binding_name == "$return" && !is_out {
                return Err(refused(format!(
                    "{place}: `$return` must have the direction `out`"
                )));
            }
            match field("type") {
                "" => {
                    return Err(refused(format!(
                        "{place}: binding `{binding_name}` must specify a type"
                    )));
                }
                kind if kind.to_lowercase().ends_with("trigger") && !is_out => triggers.push(binding),
                kind if kind.eq_ignore_ascii_case("http") && is_out => {
                    http_output = Some(binding_name.to_owned());
                }
                other => {
                    return Err(refused(format!(
                        "{place}: the binding type `{other}` with direction `{}` is not registered",
                        field("direction")
                    )));
                }
            }
        }
        let trigger = match triggers.as_slice() {
            [trigger] => Binding::read(&place, name, trigger, settings)?,
            [] => {
                return Err(refused(format!(
                    "{place}: no trigger binding; a function must have one"
                )));
            }
            _ => {
                return Err(refused(format!(
                    "{place}: multiple trigger bindings; a function can only have one"
                )));
            }
        };
        if !host.has_bundle && !matches!(trigger.kind, BindingKind::Http(_) | BindingKind::Timer(_)) {
            return Err(refused(format!(
                "{place}: its trigger is not registered: it is one of the extension bundle, and host.json has no `extensionBundle`"
            )));
        }
        let own = document.get("retry").filter(|retry| !retry.is_null());
        let retry = match own {
            Some(retry) => Some(Retry::read(retry, &place)?),
            None => host.retry.clone(),
        };
        Ok(Self {
            name: name.to_owned(),
            trigger,
            http_output,
            retry,
        })
    }
}

impl Binding {
    fn read(place: &str, function: &str, value: &Value, settings: &Settings) -> Result<Self> {
        let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str, default| value.get(name).and_then(Value::as_bool).unwrap_or(default);
        let required = |name: &str| -> Result<String> {
            let text = settings.resolve(field(name))?;
            if text.is_empty() {
                return Err(refused(format!("{place}: `{name}` of the trigger is missing")));
            }
            Ok(text)
        };
        let connection = |default: &str| -> Result<Connection> {
            let name = match field("connection") {
                "" => default,
                name => name,
            };
            let within = |error: nephos_core::Error| refused(format!("{place}: {}", error.message()));
            let connection = settings.connection(name).map_err(within)?;
            connection.check_identity(name).map_err(within)?;
            Ok(connection)
        };
        let kind = match field("type").to_lowercase().as_str() {
            "httptrigger" => BindingKind::Http(HttpTrigger {
                route: match field("route") {
                    "" => function.to_owned(),
                    route => route.to_owned(),
                },
                methods: value
                    .get("methods")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_uppercase)
                    .collect(),
                auth_level: match field("authLevel").to_lowercase().as_str() {
                    "anonymous" => AuthLevel::Anonymous,
                    "" | "function" => AuthLevel::Function,
                    "admin" => AuthLevel::Admin,
                    other => {
                        return Err(refused(format!(
                            "{place}: authLevel is `{other}`; it is `anonymous`, `function` or `admin`"
                        )));
                    }
                },
            }),
            "queuetrigger" => BindingKind::Queue(QueueTrigger {
                queue_name: queue_name(place, required("queueName")?)?,
                connection: connection(STORAGE)?,
            }),
            "timertrigger" => {
                let schedule = Schedule::read(&required("schedule")?)
                    .map_err(|error| refused(format!("{place}: {}", error.message())))?;
                BindingKind::Timer(TimerTrigger {
                    use_monitor: flag("useMonitor", true) && schedule.is_monitored(),
                    run_on_startup: flag("runOnStartup", false),
                    schedule,
                })
            }
            "eventgridtrigger" => BindingKind::EventGrid,
            "cosmosdbtrigger" => {
                BindingKind::Cosmos(cosmos(value, &required, connection("CosmosDB")?, place)?)
            }
            "eventhubtrigger" => BindingKind::EventHub(EventHubTrigger {
                event_hub_name: required("eventHubName")?,
                consumer_group: match field("consumerGroup") {
                    "" => "$Default".to_owned(),
                    group => settings.resolve(group)?,
                },
                connection: connection("EventHub")?,
            }),
            "servicebustrigger" => BindingKind::ServiceBus(ServiceBusTrigger {
                queue_name: required("queueName")?,
                sessions: flag("isSessionsEnabled", false),
                connection: connection("ServiceBus")?,
            }),
            _ => {
                return Err(refused(format!(
                    "{place}: the binding type `{}` is not registered",
                    field("type")
                )));
            }
        };
        let data_type = match field("dataType").to_lowercase().as_str() {
            "" => None,
            known @ ("string" | "binary" | "stream") => Some(known.to_owned()),
            other => {
                return Err(refused(format!(
                    "{place}: dataType is `{other}`; it is `string`, `binary` or `stream`"
                )));
            }
        };
        Ok(Self {
            name: field("name").to_owned(),
            binary: data_type.as_deref() == Some("binary"),
            data_type,
            many: field("cardinality").eq_ignore_ascii_case("many"),
            kind,
        })
    }
}

fn cosmos(
    value: &Value,
    required: &dyn Fn(&str) -> Result<String>,
    connection: Connection,
    place: &str,
) -> Result<CosmosTrigger> {
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let trigger = CosmosTrigger {
        connection,
        database_name: required("databaseName")?,
        container_name: required("containerName")?,
        lease_container_name: match field("leaseContainerName") {
            "" => "leases".to_owned(),
            _ => required("leaseContainerName")?,
        },
        create_lease_container: value
            .get("createLeaseContainerIfNotExists")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        max_items: value
            .get("maxItemsPerInvocation")
            .and_then(Value::as_u64)
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| *count > 0)
            .unwrap_or(100),
        start_from_beginning: value
            .get("startFromBeginning")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    };
    if trigger
        .lease_container_name
        .eq_ignore_ascii_case(&trigger.container_name)
    {
        return Err(refused(format!(
            "{place}: the monitored container cannot be the same as the container storing the leases"
        )));
    }
    Ok(trigger)
}

/// Letters, digits and what else is allowed; a letter first; at most 128.
fn is_name(name: &str, more: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// What the service takes for a queue's name.
fn queue_name(place: &str, name: String) -> Result<String> {
    let lower = name.to_lowercase();
    let fits = (3..=63).contains(&lower.len())
        && lower
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !lower.starts_with('-')
        && !lower.ends_with('-')
        && !lower.contains("--");
    if fits {
        return Ok(lower);
    }
    Err(refused(format!(
        "{place}: `{name}` is not a valid queue name: 3 to 63 small letters, digits and single hyphens, and a letter or digit at both ends"
    )))
}
