//! What of a provider's protocol is looked at. All else is neither compared nor written: headers are named one by one, so that no token of a kind that nobody thought of gets into a file.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use serde_json::Value;

use super::body::Body;
use super::exchange::Asked;
use super::scrub::Hidden;

/// What stands for a value that proves something.
const PROOF: &str = "***";

/// What of requests and answers matters. Names are in lower case; one that ends with `*` is the beginning of many.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The provider's services, each with an address of its own. One alone needs no name.
    pub services: &'static [&'static str],
    /// Headers of requests by which one is told from another.
    pub request_headers: &'static [&'static str],
    /// Headers of answers that a client reads.
    pub answer_headers: &'static [&'static str],
    /// Parameters of a query that prove who asks, or say when: that they are there is compared, what they say is not.
    pub proofs: &'static [&'static str],
    /// What a request has in its line or body that asks for the answer to be held back until something comes. Any other answer is late only because a machine had much to do.
    pub waits: &'static [&'static str],
    /// The command that records, for those whose recording does not fit any more; the rule's id follows.
    pub command: &'static str,
}

impl Dialect {
    /// A request as it is compared and written.
    pub(super) fn asked(&self, service: &str, parts: &Parts, body: &Bytes, hidden: &Hidden) -> Asked {
        Asked {
            service: service.to_owned(),
            line: hidden.hide_text(&format!("{} {}", parts.method, self.target(parts))),
            body: Body::of(&canonical(hidden.hide(body))),
            headers: pick(&parts.headers, self.request_headers, hidden),
        }
    }

    /// Whether a request may wait for its answer.
    pub(super) fn may_wait(&self, asked: &Asked) -> bool {
        let body = asked.body.shown();
        self.waits
            .iter()
            .any(|word| asked.line.contains(word) || body.contains(word))
    }

    /// Path and query, without proofs.
    fn target(&self, parts: &Parts) -> String {
        let Some(query) = parts.uri.query() else {
            return parts.uri.path().to_owned();
        };
        let query: Vec<String> = query
            .split('&')
            .map(|parameter| match parameter.split_once('=') {
                Some((name, _)) if is_one_of(&name.to_ascii_lowercase(), self.proofs) => {
                    format!("{name}={PROOF}")
                }
                _ => parameter.to_owned(),
            })
            .collect();
        format!("{}?{}", parts.uri.path(), query.join("&"))
    }

    /// The headers of an answer that matter.
    pub(super) fn answered(&self, headers: &HeaderMap, hidden: &Hidden) -> BTreeMap<String, String> {
        pick(headers, self.answer_headers, hidden)
    }
}

fn pick(headers: &HeaderMap, names: &[&str], hidden: &Hidden) -> BTreeMap<String, String> {
    let mut picked: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        if !is_one_of(name.as_str(), names) {
            continue;
        }
        let value = hidden.hide_text(&String::from_utf8_lossy(value.as_bytes()));
        // Several of one name are one list: <https://www.rfc-editor.org/rfc/rfc9110#section-5.3>.
        picked
            .entry(name.as_str().to_owned())
            .and_modify(|all| all.push_str(&format!(", {value}")))
            .or_insert(value);
    }
    picked
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    })
}

/// A JSON document with its names in order: the SDKs write maps in an order that differs from run to run. Anything else is left as it is.
fn canonical(body: Vec<u8>) -> Vec<u8> {
    if !matches!(body.first(), Some(b'{' | b'[')) {
        return body;
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(mut document) => {
            document.sort_all_objects();
            document.to_string().into_bytes()
        }
        Err(_) => body,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const DIALECT: Dialect = Dialect {
        services: &[""],
        request_headers: &["x-amz-target", "x-amz-meta-*"],
        answer_headers: &["etag"],
        proofs: &["x-amz-signature", "x-amz-date"],
        waits: &["wait="],
        command: "record",
    };

    fn asked(target: &str, headers: &[(&str, &str)], body: &str) -> Asked {
        let mut request = Request::post(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        DIALECT.asked(
            "",
            &parts,
            &Bytes::copy_from_slice(body.as_bytes()),
            &Hidden::default(),
        )
    }

    #[test]
    fn only_named_headers_are_kept_so_that_no_token_is() {
        let asked = asked(
            "/",
            &[
                ("authorization", "AWS4-HMAC-SHA256 Signature=abc"),
                ("x-amz-security-token", "token"),
                ("cookie", "session"),
                ("x-new-kind-of-token", "token"),
                ("x-amz-target", "Service.Operation"),
                ("x-amz-meta-tenant", "blue"),
            ],
            "",
        );
        let kept: Vec<_> = asked.headers.keys().map(String::as_str).collect();
        assert_eq!(kept, ["x-amz-meta-tenant", "x-amz-target"]);
    }

    #[test]
    fn that_a_proof_is_there_is_compared_and_what_it_says_is_not() {
        let signed = |signature: &str| asked(&format!("/a?X-Amz-Signature={signature}&x=1"), &[], "");
        assert_eq!(signed("abc").line, "POST /a?X-Amz-Signature=***&x=1");
        assert_eq!(signed("abc"), signed("def"));
        assert_ne!(signed("abc"), asked("/a?x=1", &[], ""));
        assert_ne!(signed("abc"), asked("/a?X-Amz-Signature=abc&x=2", &[], ""));
    }

    #[test]
    fn only_a_request_that_asks_for_it_may_wait_for_its_answer() {
        for (target, body, may_wait) in [("/?wait=5", "", true), ("/", "wait=5", true), ("/", "", false)] {
            assert_eq!(
                DIALECT.may_wait(&asked(target, &[], body)),
                may_wait,
                "{target} {body}"
            );
        }
    }

    #[test]
    fn the_order_of_names_in_a_document_is_no_difference_and_that_of_a_list_is() {
        let of = |body: &str| asked("/", &[], body).body;
        assert_eq!(
            of(r#"{"b":{"d":1,"c":2},"a":[1,2]}"#),
            of(r#"{ "a":[1,2],"b":{"c":2,"d":1}}"#)
        );
        assert_ne!(of("[1,2]"), of("[2,1]"));
        assert_eq!(of("{ no document").shown(), "{ no document");
    }
}
