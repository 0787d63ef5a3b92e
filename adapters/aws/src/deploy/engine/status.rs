//! How the app stands, and which of its functions are deployed.

use std::collections::BTreeMap;

use chrono::DateTime;
use nephos_core::deploy::{Health, Status};
use nephos_core::{Error, ErrorKind, Result};

use super::AwsDeployer;
use super::clients::Clients;
use super::code::{self, Functions};
use super::state::health;
use crate::deploy::template::Output;

impl AwsDeployer {
    /// How the app stands.
    pub(super) async fn current(&self, clients: &Clients, operation: &'static str) -> Result<Status> {
        let stack = self.stack(clients, operation);
        let mut status = Status {
            place: clients.account.to_string(),
            deployment: stack.name.clone(),
            health: Health::Absent,
            state: None,
            reason: None,
            changed: None,
            functions: BTreeMap::new(),
        };
        let Some(found) = stack.created(&self.deployment).await? else {
            return Ok(status);
        };
        status.health = found
            .stack_status()
            .map_or(Health::Absent, |state| health(state.as_str()));
        status.state = found.stack_status().map(|state| state.as_str().to_owned());
        status.reason = found.stack_status_reason().map(str::to_owned);
        let changed = found.last_updated_time().or(found.creation_time());
        status.changed = changed.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()));
        let functions = self.functions(&stack, &stack.template().await?).await?;
        status.functions = code::live(&clients.functions, &functions, operation).await?;
        let told = self.outputs()?;
        for output in found.outputs() {
            let (Some(key), Some(value)) = (output.output_key(), output.output_value()) else {
                continue;
            };
            let mut set = |name: &str| {
                if let Some(function) = status.functions.get_mut(name) {
                    function.url.get_or_insert_with(|| value.to_owned());
                }
            };
            match told.get(key) {
                Some(Output::FunctionUrl { function }) => set(function),
                Some(Output::ApiUrl) => {
                    for (name, spec) in &self.deployment.app.functions {
                        if spec
                            .on
                            .iter()
                            .any(|trigger| matches!(trigger, nephos_core::app::Trigger::Http { .. }))
                        {
                            set(name);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(status)
    }

    /// The name at Lambda of a function that is deployed.
    async fn deployed(&self, clients: &Clients, operation: &'static str) -> Result<Functions> {
        let stack = self.stack(clients, operation);
        let not_there = || {
            Error::new(
                ErrorKind::NotFound,
                operation,
                "the app is not deployed; run `nephos deploy`",
            )
            .with("stack", &stack.name)
            .with("account", &clients.account)
        };
        stack.created(&self.deployment).await?.ok_or_else(not_there)?;
        let functions = self.functions(&stack, &stack.template().await?).await?;
        if functions.is_empty() {
            return Err(not_there());
        }
        Ok(functions)
    }

    /// Those of the deployed functions that are named; all if none is.
    pub(super) async fn chosen(
        &self,
        clients: &Clients,
        names: &[String],
        operation: &'static str,
    ) -> Result<Functions> {
        let mut functions = self.deployed(clients, operation).await?;
        if let Some(name) = names.iter().find(|name| !functions.contains_key(*name)) {
            return Err(Error::new(
                ErrorKind::NotFound,
                operation,
                "the function is not deployed; run `nephos deploy`",
            )
            .with("function", name));
        }
        if !names.is_empty() {
            functions.retain(|name, _| names.contains(name));
        }
        Ok(functions)
    }
}
