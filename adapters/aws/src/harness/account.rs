//! An account at the emulator for the rules of deployment: the engine that `nephos deploy` uses, and AWS's own SDK to look at what there is.

use std::path::PathBuf;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use aws_sdk_dynamodb::types::TableDescription;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::FunctionConfiguration;
use aws_sdk_sqs::types::QueueAttributeName;
use nephos_conformance::probe::binary;
use nephos_conformance::{Account, HELLO, Inventory, Meddling};
use nephos_core::adapter::Deployer;
use nephos_core::app::App;
use nephos_core::deploy::Deployment as Order;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::emulator::Emulator;
use crate::deploy::settings::Settings;
use crate::deploy::template::ALIAS;
use crate::deploy::{artifact, engine};
use crate::error::failed;

const OPERATION: &str = "harness.account";
/// The target's name.
const TARGET: &str = "aws";
/// How long somebody else wants logs to be kept.
const OTHER_RETENTION_DAYS: i32 = 1;

/// An account, which ends with the last rule that has it.
#[derive(Debug)]
pub(super) struct AwsAccount {
    emulator: Emulator,
    /// The probe's binary.
    binary: PathBuf,
}

/// Clients of the services in which an app has something. IAM is not among them: a role cannot outlive its stack, which is.
struct Clients {
    stacks: aws_sdk_cloudformation::Client,
    lambda: aws_sdk_lambda::Client,
    queues: aws_sdk_sqs::Client,
    tables: aws_sdk_dynamodb::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
}

impl AwsAccount {
    pub(super) fn new(emulator: Emulator, binary: PathBuf) -> Self {
        Self { emulator, binary }
    }

    fn clients(&self) -> Clients {
        let sdk = self.emulator.config();
        Clients {
            stacks: aws_sdk_cloudformation::Client::new(&sdk),
            lambda: aws_sdk_lambda::Client::new(&sdk),
            queues: aws_sdk_sqs::Client::new(&sdk),
            tables: aws_sdk_dynamodb::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
        }
    }
}

/// The app with settings of the target, if it has none.
fn of_target(app: &App) -> App {
    let mut app = app.clone();
    app.targets.entry(TARGET.to_owned()).or_insert_with(|| json!({}));
    app
}

impl Clients {
    async fn stack(&self, name: &str) -> Result<Option<Value>> {
        let described = self.stacks.describe_stacks().send().await;
        let described = described.map_err(|error| failed(OPERATION, error))?;
        let found = described
            .stacks()
            .iter()
            .find(|stack| stack.stack_name() == Some(name));
        Ok(found.map(|stack| {
            json!({
                "state": stack.stack_status().map(aws_sdk_cloudformation::types::StackStatus::as_str),
                "changed": stack.last_updated_time().map(ToString::to_string),
            })
        }))
    }

    async fn functions(&self, app: &str) -> Result<Vec<FunctionConfiguration>> {
        let mut pages = self.lambda.list_functions().into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(function) = pages.next().await {
            let function = function.map_err(|error| failed(OPERATION, error))?;
            if function.function_name().is_some_and(|name| name.contains(app)) {
                all.push(function);
            }
        }
        Ok(all)
    }

    async fn live(&self, function: &str) -> Result<Option<String>> {
        let aliases = self.lambda.list_aliases().function_name(function).send().await;
        let aliases = aliases.map_err(|error| failed(OPERATION, error))?;
        let live = aliases.aliases().iter().find(|alias| alias.name() == Some(ALIAS));
        Ok(live.and_then(|alias| alias.function_version()).map(str::to_owned))
    }

    /// What calls functions of the app.
    async fn mappings(&self, app: &str) -> Result<Vec<(String, Value)>> {
        let mut pages = self
            .lambda
            .list_event_source_mappings()
            .into_paginator()
            .items()
            .send();
        let mut all = Vec::new();
        while let Some(mapping) = pages.next().await {
            let mapping = mapping.map_err(|error| failed(OPERATION, error))?;
            if mapping.function_arn().is_some_and(|arn| arn.contains(app)) {
                let name = format!(
                    "{} of {}",
                    mapping.function_arn().unwrap_or_default(),
                    mapping.event_source_arn().unwrap_or_default()
                );
                all.push((name, json!({"id": mapping.uuid(), "batch": mapping.batch_size()})));
            }
        }
        Ok(all)
    }

    async fn queues(&self, app: &str) -> Result<Vec<(String, Value)>> {
        let listed = self.queues.list_queues().send().await;
        let listed = listed.map_err(|error| failed(OPERATION, error))?;
        let mut all = Vec::new();
        for url in listed.queue_urls().iter().filter(|url| url.contains(app)) {
            let told = self
                .queues
                .get_queue_attributes()
                .queue_url(url)
                .attribute_names(QueueAttributeName::CreatedTimestamp)
                .attribute_names(QueueAttributeName::VisibilityTimeout)
                .send()
                .await;
            let told = told.map_err(|error| failed(OPERATION, error))?;
            let attribute = |name| told.attributes().and_then(|all| all.get(&name)).cloned();
            let value = json!({
                "made": attribute(QueueAttributeName::CreatedTimestamp),
                "hides": attribute(QueueAttributeName::VisibilityTimeout),
            });
            all.push((url.clone(), value));
        }
        Ok(all)
    }

    async fn tables(&self, app: &str) -> Result<Vec<TableDescription>> {
        let listed = self.tables.list_tables().send().await;
        let listed = listed.map_err(|error| failed(OPERATION, error))?;
        let mut all = Vec::new();
        for name in listed.table_names().iter().filter(|name| name.contains(app)) {
            let told = self.tables.describe_table().table_name(name).send().await;
            all.extend(told.map_err(|error| failed(OPERATION, error))?.table);
        }
        Ok(all)
    }

    async fn logs(&self, app: &str) -> Result<Vec<LogGroup>> {
        let mut pages = self.logs.describe_log_groups().into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(group) = pages.next().await {
            let group = group.map_err(|error| failed(OPERATION, error))?;
            if group.log_group_name().is_some_and(|name| name.contains(app)) {
                all.push(group);
            }
        }
        Ok(all)
    }

    /// The app's function that is meddled with, at Lambda.
    async fn hello(&self, app: &App) -> Result<String> {
        let functions = self.functions(&app.name).await?;
        let mut names = functions.iter().filter_map(FunctionConfiguration::function_name);
        let found = names.find(|name| name.ends_with(HELLO));
        found.map(str::to_owned).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                OPERATION,
                "the app's function is not at Lambda",
            )
            .with("app", &app.name)
        })
    }

    /// As somebody does who has built something on their own machine.
    async fn bring_other_code(&self, function: &str) -> Result<()> {
        let zip = artifact::zip(b"#!/bin/sh\n# by hand\n")?;
        let updated = self
            .lambda
            .update_function_code()
            .function_name(function)
            .zip_file(Blob::new(zip.bytes));
        updated.send().await.map_err(|error| failed(OPERATION, error))?;
        let published = self.lambda.publish_version().function_name(function).send().await;
        let version = published
            .map_err(|error| failed(OPERATION, error))?
            .version
            .unwrap_or_default();
        let pointed = self
            .lambda
            .update_alias()
            .function_name(function)
            .name(ALIAS)
            .function_version(version);
        pointed.send().await.map_err(|error| failed(OPERATION, error))?;
        Ok(())
    }
}

#[async_trait]
impl Account for AwsAccount {
    async fn deployer(&self, app: &App, build: u32) -> Result<Box<dyn Deployer>> {
        let order = Order {
            app: of_target(app),
            target: TARGET.to_owned(),
            binary: Some(binary::bootstrap(&self.binary, build)?),
        };
        engine::open_with(order, self.emulator.config())
    }

    async fn inventory(&self, app: &App) -> Result<Inventory> {
        let clients = self.clients();
        let mut all = Inventory::new();
        let stack = Settings::of(&of_target(app), TARGET)?.stack_name(app, TARGET);
        if let Some(found) = clients.stack(&stack).await? {
            all.insert(format!("stack {stack}"), found);
        }
        for function in clients.functions(&app.name).await? {
            let name = function.function_name().unwrap_or_default();
            let live = clients.live(name).await?;
            let told = json!({
                "code": function.code_sha256(), "timeout": function.timeout(), "memory": function.memory_size(),
                "changed": function.last_modified(), "live": live,
            });
            all.insert(format!("function {name}"), told);
        }
        for (name, told) in clients.mappings(&app.name).await? {
            all.insert(format!("mapping {name}"), told);
        }
        for (url, told) in clients.queues(&app.name).await? {
            all.insert(format!("queue {url}"), told);
        }
        for table in clients.tables(&app.name).await? {
            let told = json!({"made": table.creation_date_time().map(ToString::to_string)});
            all.insert(format!("table {}", table.table_name().unwrap_or_default()), told);
        }
        for group in clients.logs(&app.name).await? {
            let told = json!({"made": group.creation_time(), "days": group.retention_in_days()});
            all.insert(
                format!("log group {}", group.log_group_name().unwrap_or_default()),
                told,
            );
        }
        Ok(all)
    }

    async fn meddle(&self, app: &App, how: Meddling) -> Result<()> {
        let clients = self.clients();
        let function = clients.hello(app).await?;
        match how {
            Meddling::Code => clients.bring_other_code(&function).await,
            Meddling::Settings => {
                let put = clients.logs.put_retention_policy();
                let put = put
                    .log_group_name(format!("/aws/lambda/{function}"))
                    .retention_in_days(OTHER_RETENTION_DAYS);
                put.send()
                    .await
                    .map(drop)
                    .map_err(|error| failed(OPERATION, error))
            }
        }
    }

    fn namesake(&self, app: &App) -> App {
        let mut other = app.clone();
        other.name = format!("other-{}", app.functions.len());
        let stack = format!("{}-{TARGET}", app.name);
        other.targets.insert(TARGET.to_owned(), json!({"stack": stack}));
        other
    }

    /// A URL of a function that nobody has.
    async fn breaking(&self, app: &App) -> Result<App> {
        let mut app = app.clone();
        let url = json!({"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE", "TargetFunctionArn": "nobody"}});
        app.targets.insert(
            TARGET.to_owned(),
            json!({"overrides": {"Resources": {"Broken": url}}}),
        );
        Ok(app)
    }
}
