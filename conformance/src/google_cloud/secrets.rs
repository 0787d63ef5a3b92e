//! Secrets and their versions: <https://cloud.google.com/secret-manager/docs/reference/rest>.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{SECRET, VERSION};
use super::knobs::Deed;
use super::request::Asked;
use super::resource;
use super::state::{Resource, Shared, State, now};

/// The most that a version holds.
const LARGEST: usize = 64 * 1024;

/// What a secret becomes when it is made or changed.
pub(super) fn prepare(shared: &Shared, body: &mut Map<String, Value>) -> Outcome<()> {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_regional = shared.key(name).contains("/locations/");
    let replication = body.get("replication").and_then(Value::as_object);
    if !is_regional && replication.is_none_or(|fields| fields.len() != 1) {
        let what = "exactly one of automatic and userManaged is given";
        return Err(Refusal::field("secret.replication", what));
    }
    Ok(())
}

/// `secrets.addVersion`
pub(super) fn add(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let secret = asked.name(shared);
    let mut state = shared.lock();
    state.get(&SECRET, &secret)?;
    let data = asked.text("/payload/data").unwrap_or_default();
    let bytes = STANDARD
        .decode(data)
        .or_else(|_| URL_SAFE.decode(data))
        .map_err(|_| Refusal::field("payload.data", "it is no Base64"))?;
    if bytes.is_empty() || bytes.len() > LARGEST {
        return Err(Refusal::field("payload.data", "it has 1 to 65536 bytes"));
    }
    let sum = asked.text("/payload/dataCrc32c");
    if sum.is_some_and(|sum| sum.parse() != Ok(crc32c(&bytes))) {
        return Err(Refusal::field(
            "payload.data_crc32c",
            "it is not the checksum of the data",
        ));
    }
    let number = numbers(&state, &secret).max().unwrap_or(0) + 1;
    let name = format!("{secret}/versions/{number}");
    resource::refuse(&mut state, &VERSION, &name, Deed::Create)?;
    let mut body = Map::from_iter([
        ("name".to_owned(), shared.numbered(&name).into()),
        ("state".to_owned(), "ENABLED".into()),
        ("replicationStatus".to_owned(), json!({"automatic": {}})),
    ]);
    if sum.is_some() {
        body.insert("clientSpecifiedPayloadChecksum".to_owned(), true.into());
    }
    state.birth(&VERSION, &mut body);
    state.payloads.insert(name.clone(), STANDARD.encode(bytes));
    let body = Value::Object(body);
    let resource = Resource {
        kind: &VERSION,
        body: body.clone(),
    };
    state.resources.insert(name, resource);
    Ok(body)
}

/// What is asked of one version: `get`, `access`, `enable`, `disable`, `destroy`.
pub(super) fn version(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let mut state = shared.lock();
    let name = resolve(&state, &asked.name(shared));
    let body = state.get(&VERSION, &name)?.body.clone();
    let refused = || {
        let message = format!(
            "Secret Version [{}] is in {} state.",
            shared.numbered(&name),
            body["state"]
        );
        Refusal::new(Code::FailedPrecondition, message.replace('"', ""))
    };
    let is_destroyed = body["state"] == "DESTROYED";
    let next = match asked.verb() {
        "get" => return Ok(body),
        "access" if body["state"] != "ENABLED" => return Err(refused()),
        "access" => {
            let data = state.payloads.get(&name).cloned().unwrap_or_default();
            let bytes = STANDARD.decode(&data).unwrap_or_default();
            return Ok(json!({
                "name": body["name"],
                "payload": {"data": data, "dataCrc32c": crc32c(&bytes).to_string()},
            }));
        }
        _ if is_destroyed => return Err(refused()),
        "enable" => "ENABLED",
        "disable" => "DISABLED",
        "destroy" => "DESTROYED",
        _ => return Err(super::route::unimplemented(asked)),
    };
    resource::same_etag(&VERSION, &name, &body, asked.text("/etag"))?;
    let deed = if next == "DESTROYED" {
        Deed::Delete
    } else {
        Deed::Update
    };
    resource::refuse(&mut state, &VERSION, &name, deed)?;
    let Value::Object(mut fields) = body else {
        return Err(Refusal::not_found(&name));
    };
    fields.insert("state".to_owned(), next.into());
    if next == "DESTROYED" {
        fields.insert("destroyTime".to_owned(), now().into());
        state.payloads.remove(&name);
    }
    state.stamp(&VERSION, &mut fields);
    let body = Value::Object(fields);
    if let Some(kept) = state.resources.get_mut(&name) {
        kept.body = body.clone();
    }
    Ok(body)
}

/// The numbers of a secret's versions.
fn numbers(state: &State, secret: &str) -> impl Iterator<Item = u64> {
    let below = format!("{secret}/versions/");
    state
        .resources
        .keys()
        .filter_map(move |name| name.strip_prefix(&below)?.parse().ok())
}

/// `latest` is the newest version, whatever its state.
fn resolve(state: &State, name: &str) -> String {
    let newest = name.strip_suffix("/versions/latest").and_then(|secret| {
        let number = numbers(state, secret).max()?;
        Some(format!("{secret}/versions/{number}"))
    });
    newest.unwrap_or_else(|| name.to_owned())
}

/// Whether there is such a version, and it is enabled.
pub(super) fn is_readable(state: &State, secret: &str, version: &str) -> bool {
    let name = resolve(state, &format!("{secret}/versions/{version}"));
    let found = state.get(&VERSION, &name);
    found.is_ok_and(|version| version.body["state"] == "ENABLED")
}

/// What a version holds, if it can be read and is text.
pub(super) fn text(state: &State, secret: &str, version: &str) -> Option<String> {
    let name = resolve(state, &format!("{secret}/versions/{version}"));
    let bytes = STANDARD.decode(state.payloads.get(&name)?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The checksum that Secret Manager has (Castagnoli): <https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4>.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(super::crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
