//! Least privilege where it is enforced: under the deployed role of a function, each driver does what the function's access allows, and is
//! refused everything else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use nephos_aws::harness::emulator::Emulator;
use nephos_aws::resources::AwsDrivers;
use nephos_core::env::Environment;
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::stream::{Append, Position};
use nephos_core::resource::topic::Publication;
use nephos_core::resource::{Access, Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::apps::{app, rendered};
use crate::stack::{Source, create};

/// Actions that the emulator asks for and AWS does not have: there a batch needs what each of its entries needs.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>,
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html>.
const BATCHES: [(&str, &str); 3] = [
    ("sqs:SendMessage", "sqs:SendMessageBatch"),
    ("sqs:DeleteMessage", "sqs:DeleteMessageBatch"),
    ("sns:Publish", "sns:PublishBatch"),
];

/// The template with the emulator's own actions beside those that they stand for. A request for records names no stream but an iterator, of
/// which AWS knows the stream and the emulator does not.
fn for_emulator(mut body: Value) -> String {
    let resources = body["Resources"].as_object_mut().unwrap();
    for role in resources
        .values_mut()
        .filter(|resource| resource["Type"] == "AWS::IAM::Role")
    {
        let statements = role
            .pointer_mut("/Properties/Policies/0/PolicyDocument/Statement")
            .unwrap();
        let statements = statements.as_array_mut().unwrap();
        let mut unnamed = Vec::new();
        for statement in statements.iter_mut() {
            let actions = statement["Action"].as_array_mut().unwrap();
            for (action, batch) in BATCHES {
                if actions.contains(&action.into()) {
                    actions.push(batch.into());
                }
            }
            if actions.contains(&"kinesis:GetRecords".into()) {
                unnamed.push(json!({"Effect": "Allow", "Action": ["kinesis:GetRecords"], "Resource": ["*"]}));
            }
        }
        statements.append(&mut unnamed);
    }
    body.to_string()
}

const SECOND: Duration = Duration::from_secs(1);

/// The handles that these credentials give to the bindings, as far as the provider lets them: the portable types' own check is open.
fn handles(config: &SdkConfig, bindings: Vec<Binding>) -> Resources {
    let open = bindings.into_iter().map(|mut binding| {
        binding.access = binding.kind.access().iter().copied().collect();
        binding
    });
    Resources::new(Arc::new(AwsDrivers::new(config)), open)
}

/// The configuration of a function's role, and the function's own environment.
async fn role_of(root: &SdkConfig, function: &str) -> (SdkConfig, Environment) {
    let deployed = aws_sdk_lambda::Client::new(root)
        .get_function_configuration()
        .function_name(function)
        .send()
        .await
        .unwrap();
    let assumed = aws_sdk_sts::Client::new(root)
        .assume_role()
        .role_arn(deployed.role().unwrap())
        .role_session_name("function")
        .send()
        .await
        .unwrap();
    let keys = assumed.credentials().unwrap();
    let credentials = Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token().to_owned()),
        None,
        "role",
    );
    let config = root
        .clone()
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let variables = deployed.environment().unwrap().variables().unwrap().clone();
    (config, variables.into_iter().collect())
}

/// Does all that `access` stands for to the resource `name`.
async fn exercise(handles: &Resources, kind: ResourceKind, name: &str, access: Access) -> Result<()> {
    match (kind, access) {
        (ResourceKind::Bucket, Access::Read) => {
            let bucket = handles.bucket(name)?;
            bucket.get("seed").await?;
            bucket.head("seed").await?;
            bucket.list("", None, 10).await?;
            let missing = bucket.get("missing").await.unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
        }
        (ResourceKind::Bucket, Access::Write) => {
            let bucket = handles.bucket(name)?;
            bucket.put("written", "new").await?;
            let again = bucket.put_if_absent("written", "new").await.unwrap_err();
            assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
        }
        (ResourceKind::Bucket, Access::Delete) => handles.bucket(name)?.delete("doomed").await?,
        (ResourceKind::Queue, Access::Send) => {
            handles.queue(name)?.send(Outgoing::new("more")).await?;
        }
        (ResourceKind::Queue, Access::Receive) => {
            let queue = handles.queue(name)?;
            let messages = queue.receive(1, 30 * SECOND, SECOND).await?;
            queue.extend(&messages[0].receipt, 60 * SECOND).await?;
            queue.depth().await?;
            queue.ack(&messages[0].receipt).await?;
        }
        (ResourceKind::Topic, Access::Publish) => {
            handles.topic(name)?.publish(Publication::new("news")).await?;
        }
        (ResourceKind::Stream, Access::Read) => {
            handles.stream(name)?.read(&Position::Oldest, 10).await?;
        }
        (ResourceKind::Stream, Access::Write) => {
            let stream = handles.stream(name)?;
            stream.append(Append::new("key", "one")).await?;
            let many = ["a", "b", "c"].map(|key| Append::new(key, "several"));
            stream.append_batch(many.to_vec()).await?;
        }
        (ResourceKind::Table, Access::Read) => {
            let table = handles.table(name)?;
            assert!(table.get::<Value>("seed").await?.is_some());
            table.scan::<Value>(10, None).await?;
        }
        (ResourceKind::Table, Access::Write) => {
            let table = handles.table(name)?;
            let version = table.put(&json!({"id": "written"})).await?;
            table
                .put_if_version(&json!({"id": "written", "n": 2}), &version)
                .await?;
        }
        (ResourceKind::Table, Access::Delete) => handles.table(name)?.delete("doomed").await?,
        (ResourceKind::Secret, Access::Read) => {
            handles.secret(name)?.get().await?;
        }
        (kind, access) => panic!("{access} of a {kind} is not exercised"),
    }
    Ok(())
}

/// Puts into the resource what the accesses need to find.
async fn seed(root: &SdkConfig, handles: &Resources, kind: ResourceKind, name: &str, physical: &str) {
    match kind {
        ResourceKind::Bucket => {
            let bucket = handles.bucket(name).unwrap();
            bucket.put("seed", "here").await.unwrap();
            bucket.put("doomed", "here").await.unwrap();
        }
        ResourceKind::Queue => {
            handles
                .queue(name)
                .unwrap()
                .send(Outgoing::new("job"))
                .await
                .unwrap();
        }
        ResourceKind::Table => {
            let table = handles.table(name).unwrap();
            table.put(&json!({"id": "seed"})).await.unwrap();
            table.put(&json!({"id": "doomed"})).await.unwrap();
        }
        ResourceKind::Secret => {
            aws_sdk_secretsmanager::Client::new(root)
                .put_secret_value()
                .secret_id(physical)
                .secret_string("hush")
                .send()
                .await
                .unwrap();
        }
        ResourceKind::Topic | ResourceKind::Stream => {}
    }
}

#[tokio::test]
async fn each_access_is_enough_for_its_driver_and_for_nothing_else() {
    let emulator = Emulator::start_enforcing().await.unwrap();
    let root = emulator.config();
    let (mut allowed, mut refused) = (0, 0);
    for kind in ResourceKind::ALL {
        let mut thing = json!({"kind": kind.name()});
        if kind == ResourceKind::Table {
            thing["key"] = "id".into();
        }
        let functions: serde_json::Map<String, Value> = kind
            .access()
            .iter()
            .map(|access| (access.name().to_owned(), json!({"uses": {"thing": [access]}})))
            .collect();
        let app = app(
            json!({"name": kind.name(), "resources": {"thing": thing, "other": thing}, "functions": functions}),
        );
        let stack = format!("{kind}-aws");
        let outputs = create(&root, &stack, Source::Text(for_emulator(rendered(&app).body))).await;
        let physical = |name: &str| {
            let part = format!("{}{}", kind.name()[..1].to_uppercase(), &kind.name()[1..]);
            outputs[&format!("{part}{name}")].clone()
        };
        let both: BTreeMap<&str, String> =
            [("thing", physical("Thing")), ("other", physical("Other"))].into();
        let bindings = |app: &nephos_core::app::App| -> Vec<Binding> {
            let bind = |(name, physical): (&&str, &String)| {
                let mut binding = app.binding(name, [].into()).unwrap();
                binding.properties.insert(PHYSICAL.to_owned(), physical.clone());
                binding
            };
            both.iter().map(bind).collect()
        };
        let as_root = handles(&root, bindings(&app));
        for (name, physical) in &both {
            seed(&root, &as_root, kind, name, physical).await;
        }
        for access in kind.access() {
            let (config, environment) = role_of(&root, &format!("{stack}-{access}")).await;
            let own = handles(&config, environment.wiring().unwrap().bindings);
            for tried in kind.access() {
                let outcome = exercise(&own, kind, "thing", *tried).await;
                if tried == access {
                    outcome.unwrap_or_else(|error| panic!("{access} of a {kind} is not enough: {error:?}"));
                    allowed += 1;
                    continue;
                }
                let error = outcome.expect_err("it is refused");
                assert_eq!(
                    error.kind(),
                    ErrorKind::PermissionDenied,
                    "{access} of a {kind}: {error:?}"
                );
                refused += 1;
            }
            let neighbour = exercise(&handles(&config, bindings(&app)), kind, "other", *access).await;
            let error = neighbour.expect_err("the other resource is refused");
            assert_eq!(
                error.kind(),
                ErrorKind::PermissionDenied,
                "{access} of a {kind}: {error:?}"
            );
            refused += 1;
        }
    }
    assert_eq!((allowed, refused), (12, 16 + 12));
}
