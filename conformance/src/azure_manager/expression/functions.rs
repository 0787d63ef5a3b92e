//! The functions that expressions may call.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Fault, Place, References};

/// The namespace in which the service makes its UUIDs (documented at the function `guid`).
const GUIDS: Uuid = Uuid::from_u128(0x11fb_06fb_712d_4ddd_98c7_e71b_bd58_8830);

/// Each function, and how many arguments it takes.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("concat", 1, usize::MAX),
    ("guid", 1, usize::MAX),
    ("reference", 1, 1),
    ("resourceGroup", 0, 0),
    ("resourceId", 2, usize::MAX),
    ("subscription", 0, 0),
    ("subscriptionResourceId", 2, usize::MAX),
];

/// Whether a function may be called with so many arguments.
pub(super) fn check(name: &str, count: usize) -> Result<(), Fault> {
    let Some((known, least, most)) = FUNCTIONS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
    else {
        return Fault::invalid(format!(
            "The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details."
        ));
    };
    if (*least..=*most).contains(&count) {
        return Ok(());
    }
    Fault::invalid(format!(
        "Unable to evaluate template language function '{known}': function requires {least} argument(s) while '{count}' were provided. Please see https://aka.ms/arm-functions/#{known} for usage details."
    ))
}

pub(super) fn call(
    name: &str,
    arguments: &[Value],
    place: &Place,
    references: References<'_>,
) -> Result<Value, Fault> {
    check(name, arguments.len())?;
    match name.to_ascii_lowercase().as_str() {
        "concat" => concat(arguments),
        "guid" => {
            let text = texts("guid", arguments)?.join("-");
            Ok(Uuid::new_v5(&GUIDS, text.as_bytes()).to_string().into())
        }
        "reference" => match arguments {
            [Value::String(symbol)] => references(symbol),
            _ => Fault::invalid("the template function 'reference' takes a resource's symbolic name"),
        },
        "resourcegroup" => Ok(json!({
            "id": super::super::id::group_id(&place.subscription, &place.group),
            "name": place.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": place.location,
            "properties": {"provisioningState": "Succeeded"},
        })),
        "subscription" => Ok(json!({
            "id": format!("/subscriptions/{}", place.subscription),
            "subscriptionId": place.subscription,
            "tenantId": place.tenant,
            "displayName": place.subscription_name,
        })),
        "resourceid" => resource_id(
            &super::super::id::group_id(&place.subscription, &place.group),
            &texts("resourceId", arguments)?,
        ),
        "subscriptionresourceid" => resource_id(
            &format!("/subscriptions/{}", place.subscription),
            &texts("subscriptionResourceId", arguments)?,
        ),
        _ => Fault::invalid(format!("The template function '{name}' is not valid.")),
    }
}

fn texts<'a>(function: &str, arguments: &'a [Value]) -> Result<Vec<&'a str>, Fault> {
    arguments
        .iter()
        .map(|value| {
            value.as_str().ok_or_else(|| {
                Fault::Invalid(format!(
                    "the template function '{function}' takes texts, not {value}"
                ))
            })
        })
        .collect()
}

fn concat(arguments: &[Value]) -> Result<Value, Fault> {
    if arguments.iter().all(Value::is_array) {
        return Ok(arguments
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .cloned()
            .collect());
    }
    let mut all = String::new();
    for value in arguments {
        match value {
            Value::String(text) => all.push_str(text),
            Value::Number(_) | Value::Bool(_) => all.push_str(&value.to_string()),
            _ => {
                return Fault::invalid(
                    "The provided parameters for template function 'concat' are invalid: it takes texts only, or arrays only",
                );
            }
        }
    }
    Ok(all.into())
}

/// The id of a resource below a scope, by its type and the parts of its name.
fn resource_id(scope: &str, arguments: &[&str]) -> Result<Value, Fault> {
    let [kind, names @ ..] = arguments else {
        return Fault::invalid("the template function 'resourceId' takes a type and names");
    };
    let mut parts = kind.split('/');
    let namespace = parts.next().unwrap_or_default();
    let types: Vec<&str> = parts.collect();
    if types.len() != names.len() || names.is_empty() || !namespace.contains('.') {
        return Fault::invalid(format!(
            "Unable to evaluate template language function 'resourceId': the type '{kind}' requires '{}' resource name argument(s). Please see https://aka.ms/arm-functions/#resourceid for usage details.",
            types.len()
        ));
    }
    let mut id = format!("{scope}/providers/{namespace}");
    for (one, name) in types.iter().zip(names) {
        id.push_str(&format!("/{one}/{name}"));
    }
    Ok(id.into())
}
