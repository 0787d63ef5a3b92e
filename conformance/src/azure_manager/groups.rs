//! Subscriptions, what they are registered for, regions, resource groups, and what is in them.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::error::{Outcome, Refusal};
use super::expression::Place;
use super::id;
use super::kinds;
use super::request::Asked;
use super::resource::{self, check_tags, normal};
use super::stack::check_deny;
use super::state::{Group, Shared, State};
use super::token;
use crate::server::{self, Answer};

const GROUPS: &[&str] = &[
    "2020-10-01",
    "2021-04-01",
    "2022-09-01",
    "2023-07-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-04-01",
];
const SUBSCRIPTIONS: &[&str] = &[
    "2016-06-01",
    "2019-11-01",
    "2020-01-01",
    "2021-01-01",
    "2022-12-01",
];

/// Where a template of a group is deployed.
pub(super) fn place(shared: &Shared, state: &State, subscription: &str, group: &str) -> Outcome<Place> {
    let there = state.group(subscription, group)?;
    if there.deleting {
        return Err(being_deleted(group));
    }
    let named = shared
        .options
        .subscriptions
        .iter()
        .find(|one| one.id.eq_ignore_ascii_case(subscription));
    Ok(Place {
        subscription: there.subscription.clone(),
        subscription_name: named.map_or_else(String::new, |one| one.name.clone()),
        tenant: shared.options.tenant.clone(),
        group: there.name.clone(),
        location: there.location.clone(),
    })
}

/// A subscription that is there, and enabled for what changes something.
pub(super) fn check_subscription(shared: &Shared, subscription: &str, changes: bool) -> Outcome<()> {
    let Some(found) = shared
        .options
        .subscriptions
        .iter()
        .find(|one| one.id.eq_ignore_ascii_case(subscription))
    else {
        let (code, status) = match uuid::Uuid::try_parse(subscription) {
            Ok(_) => ("SubscriptionNotFound", 404),
            Err(_) => ("InvalidSubscriptionId", 400),
        };
        return Err(Refusal::new(
            status,
            code,
            format!("The subscription '{subscription}' could not be found."),
        ));
    };
    if changes && found.state != "Enabled" {
        return Err(Refusal::new(
            409,
            "ReadOnlyDisabledSubscription",
            format!(
                "The subscription '{subscription}' is disabled and therefore marked as read only. You cannot perform any write actions on this subscription until it is re-enabled."
            ),
        ));
    }
    Ok(())
}

pub(super) fn subscriptions(shared: &Shared, asked: &Asked, one: Option<&str>) -> Outcome<Answer> {
    asked.version_of(SUBSCRIPTIONS)?;
    let view = |one: &super::Subscription| {
        json!({
            "id": format!("/subscriptions/{}", one.id), "subscriptionId": one.id, "displayName": one.name, "state": one.state,
            "tenantId": shared.options.tenant, "authorizationSource": "RoleBased",
        })
    };
    let Some(one) = one else {
        let list: Vec<Value> = shared.options.subscriptions.iter().map(view).collect();
        return Ok(server::json(
            StatusCode::OK,
            &json!({"value": list, "count": {"type": "Total", "value": list.len()}}),
        ));
    };
    check_subscription(shared, one, false)?;
    let found = shared
        .options
        .subscriptions
        .iter()
        .find(|other| other.id.eq_ignore_ascii_case(one));
    Ok(server::json(StatusCode::OK, &found.map_or(Value::Null, view)))
}

/// `GET …/providers/{namespace}` and `POST …/providers/{namespace}/register`
pub(super) fn provider(
    shared: &Shared,
    asked: &Asked,
    subscription: &str,
    namespace: &str,
    registers: bool,
) -> Outcome<Answer> {
    asked.api_version()?;
    let Some(known) = kinds::namespaces().find(|known| known.eq_ignore_ascii_case(namespace)) else {
        return Err(Refusal::new(
            404,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        ));
    };
    let mut state = shared.lock();
    if registers {
        let action = format!("{known}/register/action");
        if state
            .knobs
            .is_denied(&action, &format!("/subscriptions/{subscription}"))
        {
            return Err(token::unauthorized(
                shared,
                &action,
                &format!("/subscriptions/{subscription}"),
            ));
        }
        state
            .knobs
            .unregistered
            .retain(|other| !other.eq_ignore_ascii_case(known));
    }
    let registered = !state
        .knobs
        .unregistered
        .iter()
        .any(|other| other.eq_ignore_ascii_case(known));
    Ok(server::json(
        StatusCode::OK,
        &json!({
            "id": format!("/subscriptions/{subscription}/providers/{known}"), "namespace": known, "registrationPolicy": "RegistrationRequired",
            "registrationState": if registered { "Registered" } else { "NotRegistered" }, "resourceTypes": [],
        }),
    ))
}

/// `GET …/providers/Microsoft.Web/geoRegions`
pub(super) fn regions(shared: &Shared, asked: &Asked, subscription: &str) -> Outcome<Answer> {
    asked.api_version()?;
    let list = match asked.query.get("sku") {
        None => &shared.options.locations,
        Some(sku) if sku.eq_ignore_ascii_case("FlexConsumption") => &shared.options.flexible,
        Some(sku) => {
            return Err(Refusal::new(
                400,
                "BadRequest",
                format!("The parameter 'sku' has an invalid value '{sku}'."),
            ));
        }
    };
    let value: Vec<Value> = list
        .iter()
        .map(|name| {
            json!({
                "id": format!("/subscriptions/{subscription}/providers/Microsoft.Web/geoRegions/{name}"), "name": name, "type": "Microsoft.Web/geoRegions",
                "properties": {"name": name, "displayName": name, "description": null, "orgDomain": "PUBLIC;DYNAMIC;LINUX;FLEXCONSUMPTION"},
            })
        })
        .collect();
    Ok(server::json(
        StatusCode::OK,
        &json!({"value": value, "nextLink": null}),
    ))
}

pub(super) fn list(shared: &Shared, asked: &Asked, subscription: &str) -> Outcome<Answer> {
    asked.version_of(GROUPS)?;
    let state = shared.lock();
    let list: Vec<Value> = state
        .groups
        .values()
        .filter(|group| group.subscription.eq_ignore_ascii_case(subscription))
        .map(Group::view)
        .collect();
    Ok(server::json(StatusCode::OK, &json!({"value": list})))
}

/// What a group's own address is asked.
pub(super) fn one(shared: &Arc<Shared>, asked: &Asked, subscription: &str, name: &str) -> Outcome<Answer> {
    asked.version_of(GROUPS)?;
    let id = id::group_id(subscription, name);
    let right = |verb: &str| {
        let action = format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}");
        let denied = shared.lock().knobs.is_denied(&action, &id);
        if denied {
            Err(token::unauthorized(shared, &action, &id))
        } else {
            Ok(())
        }
    };
    match asked.method {
        Method::GET => {
            right("read")?;
            Ok(server::json(
                StatusCode::OK,
                &shared.lock().group(subscription, name)?.view(),
            ))
        }
        Method::HEAD => {
            let there = shared.lock().group(subscription, name).is_ok();
            Ok(server::answer(
                if there {
                    StatusCode::NO_CONTENT
                } else {
                    StatusCode::NOT_FOUND
                },
                "",
            ))
        }
        Method::PUT => {
            right("write")?;
            put(shared, asked, subscription, name)
        }
        Method::DELETE => {
            right("delete")?;
            delete(shared, subscription, name)
        }
        _ => Err(super::route::no_method(asked)),
    }
}

fn being_deleted(group: &str) -> Refusal {
    Refusal::new(
        409,
        "ResourceGroupBeingDeleted",
        format!("The resource group '{group}' is in deprovisioning state and cannot perform this operation."),
    )
}

fn put(shared: &Shared, asked: &Asked, subscription: &str, name: &str) -> Outcome<Answer> {
    let body = asked.json()?;
    let fits = name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    if !fits || name.is_empty() || name.chars().count() > 90 || name.ends_with('.') {
        return Err(Refusal::new(
            400,
            "InvalidResourceGroupName",
            format!("The provided resource group name '{name}' is not valid."),
        ));
    }
    check_tags(&body)?;
    let location = body["location"].as_str().unwrap_or_default();
    if location.is_empty() {
        return Err(Refusal::new(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    if !shared
        .options
        .locations
        .iter()
        .any(|known| normal(known) == normal(location))
    {
        let message = format!(
            "The provided location '{location}' is not available for resource group. List of available regions is '{}'.",
            shared.options.locations.join(",")
        );
        return Err(Refusal::new(400, "LocationNotAvailableForResourceGroup", message));
    }
    let mut state = shared.lock();
    let key = id::key(&id::group_id(subscription, name));
    let existing = state.groups.get(&key).cloned();
    if let Some(other) = &existing {
        if other.deleting {
            return Err(being_deleted(name));
        }
        if normal(&other.location) != normal(location) {
            let message = format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
                other.location
            );
            return Err(Refusal::new(409, "InvalidResourceGroupLocation", message));
        }
    }
    let group = Group {
        subscription: subscription.to_owned(),
        name: existing
            .as_ref()
            .map_or_else(|| name.to_owned(), |other| other.name.clone()),
        location: normal(location),
        tags: body["tags"].as_object().cloned().unwrap_or_default(),
        deleting: false,
    };
    let view = group.view();
    state.groups.insert(key, group);
    drop(state);
    shared.tell();
    Ok(server::json(
        if existing.is_some() {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        &view,
    ))
}

fn delete(shared: &Arc<Shared>, subscription: &str, name: &str) -> Outcome<Answer> {
    let mut state = shared.lock();
    state.group(subscription, name)?;
    let key = id::key(&id::group_id(subscription, name));
    for other in state.in_group(subscription, name) {
        if let Some(resource) = state.resources.get(&other) {
            check_deny(
                &state,
                &shared.options,
                &resource.id,
                resource.kind.name,
                true,
                None,
            )?;
        }
    }
    if let Some(group) = state.groups.get_mut(&key) {
        group.deleting = true;
    }
    let operation = state.begin("Running");
    drop(state);
    let task = Arc::clone(shared);
    let (ended, place) = (operation.clone(), (subscription.to_owned(), name.to_owned()));
    tokio::spawn(async move {
        if !task.step().await {
            return;
        }
        let mut state = task.lock();
        let (subscription, name) = place;
        // What was made last goes first, so that nothing is deleted that something needs.
        let mut all: Vec<(u64, String)> = state
            .in_group(&subscription, &name)
            .into_iter()
            .map(|key| (state.resources.get(&key).map_or(0, |one| one.order), key))
            .collect();
        all.sort_by(|a, b| b.cmp(a));
        let failed = all
            .iter()
            .find_map(|(_, key)| resource::delete(&mut state, key).err());
        match failed {
            Some(error) => state.end(&ended, "Failed", Some(error), None),
            None => {
                state.groups.remove(&key);
                state.stacks.retain(|other, _| !id::is_below(other, &key));
                state.deployments.retain(|other, _| !id::is_below(other, &key));
                state.end(&ended, "Succeeded", None, Some(Value::Null));
            }
        }
        drop(state);
        task.tell();
    });
    let mut answer = server::answer(StatusCode::ACCEPTED, "");
    let url = format!(
        "{}/subscriptions/{subscription}/operationresults/{operation}?api-version=2022-09-01",
        shared.url
    );
    for (name, text) in [
        ("location", url),
        ("retry-after", shared.options.retry_after.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// `GET …/resourceGroups/{g}/resources`: what has a location of its own.
pub(super) fn resources(shared: &Shared, asked: &Asked, subscription: &str, group: &str) -> Outcome<Answer> {
    asked.version_of(GROUPS)?;
    let state = shared.lock();
    state.group(subscription, group)?;
    let all = state.in_group(subscription, group);
    let list: Vec<Value> = all
        .iter()
        .filter_map(|key| state.resources.get(key))
        .filter(|one| one.kind.tracked)
        .map(resource::Resource::summary)
        .collect();
    Ok(server::json(StatusCode::OK, &json!({"value": list})))
}
