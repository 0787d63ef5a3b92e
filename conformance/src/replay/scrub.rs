//! What must not be in a recording: known values are hidden in every form in which a protocol may carry them, and shown again, in the same form, where a replay needs them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What URLs leave as it is: <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The shortest form that is looked for: what is shorter is found where it is not meant, and hides nothing.
const SHORTEST: usize = 3;

/// The shortest part of Base64 that is looked for where the value is only a part of what was encoded.
const SHORTEST_PART: usize = 6;

/// The shortest form that a finished recording must not have: the text around may have a shorter one by chance.
const SHORTEST_LEAK: usize = 6;

/// Values with a name each, in all their forms.
#[derive(Clone, Default)]
pub(super) struct Hidden {
    /// The form and what stands for it, the longest form first.
    forms: Vec<Form>,
}

#[derive(Clone)]
struct Form {
    text: Vec<u8>,
    stands: Vec<u8>,
    /// Whether it is a secret, or only what differs from one run to the next.
    is_secret: bool,
}

// Values are not for logs.
impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hidden")
            .field("forms", &self.forms.len())
            .finish()
    }
}

impl Hidden {
    /// From now on this value is hidden; `name` stands for it.
    pub(super) fn secret(&mut self, name: &str, value: &[u8]) {
        self.add(name, value, true);
    }

    /// From now on this value is hidden, and another is told in its place for good: an account's number by that of nobody's.
    pub(super) fn replaced(&mut self, value: &str, stand_in: &str) {
        let theirs = forms(stand_in.as_bytes());
        self.insert(value.as_bytes(), true, |form| {
            let same = theirs.iter().find(|(name, _)| name == form);
            same.map_or_else(|| stand_in.as_bytes().to_vec(), |(_, text)| text.clone())
        });
    }

    /// From now on this value is replaced, although everyone may see it: it is another one in each run.
    pub(super) fn varying(&mut self, name: &str, value: &str) {
        self.add(name, value.as_bytes(), false);
    }

    fn add(&mut self, name: &str, value: &[u8], is_secret: bool) {
        self.insert(value, is_secret, |form| {
            format!("{{{{{name}.{form}}}}}").into_bytes()
        });
    }

    fn insert(&mut self, value: &[u8], is_secret: bool, stands: impl Fn(&str) -> Vec<u8>) {
        for (form, text) in forms(value) {
            if text.len() < SHORTEST || self.forms.iter().any(|known| known.text == text) {
                continue;
            }
            self.forms.push(Form {
                text,
                stands: stands(&form),
                is_secret,
            });
        }
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    }

    /// The bytes without any of the values.
    pub(super) fn hide(&self, bytes: &[u8]) -> Vec<u8> {
        let mut hidden = bytes.to_vec();
        for form in &self.forms {
            replace(&mut hidden, &form.text, &form.stands);
        }
        hidden
    }

    pub(super) fn hide_text(&self, text: &str) -> String {
        into_text(self.hide(text.as_bytes()))
    }

    /// The bytes with the values where they were.
    pub(super) fn show(&self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = bytes.to_vec();
        // The other way round: what stands for one value may have had another in it.
        for form in self.forms.iter().rev() {
            replace(&mut shown, &form.stands, &form.text);
        }
        shown
    }

    pub(super) fn show_text(&self, text: &str) -> String {
        into_text(self.show(text.as_bytes()))
    }

    /// What stands for a secret that the text has all the same.
    pub(super) fn leak(&self, text: &str) -> Option<String> {
        self.forms
            .iter()
            .filter(|form| form.is_secret && form.text.len() >= SHORTEST_LEAK)
            .find(|form| memmem::find(text.as_bytes(), &form.text).is_some())
            .map(|form| String::from_utf8_lossy(&form.stands).into_owned())
    }
}

/// Text stays text: what stands for a form is ASCII, and a form is cut out of text at the borders of characters.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let found: Vec<usize> = memmem::find_iter(bytes, from).collect();
    if found.is_empty() {
        return;
    }
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for begin in found {
        replaced.extend_from_slice(&bytes[at..begin]);
        replaced.extend_from_slice(to);
        at = begin + from.len();
    }
    replaced.extend_from_slice(&bytes[at..]);
    *bytes = replaced;
}

/// A value's forms by name.
fn forms(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![("text".to_owned(), value.to_vec())];
    if let Ok(text) = std::str::from_utf8(value) {
        let quoted = serde_json::Value::from(text).to_string();
        forms.push(("json".to_owned(), quoted.as_bytes()[1..quoted.len() - 1].to_vec()));
        forms.push(("json-ascii".to_owned(), ascii_json(&quoted[1..quoted.len() - 1])));
        forms.push(("xml".to_owned(), xml(text).into_bytes()));
    }
    let url = percent_encode(value, &UNRESERVED).to_string();
    forms.push(("form".to_owned(), url.replace("%20", "+").into_bytes()));
    forms.push((
        "url-all".to_owned(),
        percent_encode(value, NON_ALPHANUMERIC).to_string().into_bytes(),
    ));
    forms.push(("url".to_owned(), url.into_bytes()));
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(("hex-upper".to_owned(), hex.to_ascii_uppercase().into_bytes()));
    forms.push(("hex".to_owned(), hex.into_bytes()));
    for (name, alphabet) in [("base64", STANDARD), ("base64url", URL_SAFE)] {
        let whole = alphabet.encode(value);
        forms.push((name.to_owned(), whole.into_bytes()));
        // As a part of something larger it begins at one of three places of a group, and only those characters are its own that have no bit of a neighbour.
        for before in 0..3_usize {
            let mut within = vec![0; before];
            within.extend_from_slice(value);
            let own = (before * 8).div_ceil(6)..within.len() * 8 / 6;
            let encoded = alphabet.encode(&within);
            let part = encoded.get(own).unwrap_or_default();
            if part.len() >= SHORTEST_PART {
                forms.push((format!("{name}-{before}"), part.as_bytes().to_vec()));
            }
        }
    }
    forms
}

/// JSON's text in ASCII only.
fn ascii_json(quoted: &str) -> Vec<u8> {
    let mut ascii = String::new();
    for c in quoted.chars() {
        if c.is_ascii() {
            ascii.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    ascii.into_bytes()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "hunter2-ünïque/&+";

    fn hidden() -> Hidden {
        let mut hidden = Hidden::default();
        hidden.secret("secret-1", SECRET.as_bytes());
        hidden
    }

    #[test]
    fn a_value_is_hidden_in_every_form_and_shown_again() {
        let hidden = hidden();
        let base64 = |before: &str| STANDARD.encode(format!("{before}{SECRET} and more"));
        let forms = [
            SECRET.to_owned(),
            serde_json::json!({ "value": SECRET }).to_string(),
            r#"{"value":"hunter2-\u00fcn\u00efque/&+"}"#.to_owned(),
            "Value=hunter2-%C3%BCn%C3%AFque%2F%26%2B&Version=1".to_owned(),
            "<Value>hunter2-ünïque/&amp;+</Value>".to_owned(),
            base64(""),
            base64("a"),
            base64("ab"),
            URL_SAFE.encode(SECRET),
        ];
        for text in forms {
            let without = hidden.hide_text(&text);
            for part in ["hunter2", "que/", "dW50ZXIy", "h1bnRlcj", "odW50ZX"] {
                assert!(!without.contains(part), "{part} is left of {text}: {without}");
            }
            assert_ne!(without, text);
            assert_eq!(hidden.leak(&without), None, "{without}");
            assert_eq!(hidden.show_text(&without), text);
            assert!(hidden.leak(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_a_word_of_what_stands_for_another_is_no_trouble() {
        let mut hidden = hidden();
        hidden.secret("secret-2", b"secret");
        hidden.secret("secret-3", b"text");
        let text = format!("secret {SECRET} text");
        assert!(!hidden.hide_text(&text).contains("hunter2"));
        assert_eq!(hidden.show_text(&hidden.hide_text(&text)), text);
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_is_left_alone() {
        let mut hidden = Hidden::default();
        hidden.secret("secret-1", b"x");
        assert_eq!(hidden.hide_text("x-ray"), "x-ray");
        assert_eq!(hidden.hide_text("eA=="), "{{secret-1.base64}}");
    }

    #[test]
    fn an_account_becomes_that_of_nobody_in_every_form() {
        let mut hidden = Hidden::default();
        hidden.replaced("123456789012", "000000000000");
        for (text, expected) in [
            (
                "arn:aws:sns:eu-west-1:123456789012:news".to_owned(),
                "arn:aws:sns:eu-west-1:000000000000:news".to_owned(),
            ),
            (
                STANDARD.encode("to 123456789012."),
                STANDARD.encode("to 000000000000."),
            ),
        ] {
            // At the borders of Base64 a character is half another's, and stays.
            let without = hidden.hide_text(&text);
            assert_eq!(without.len(), expected.len());
            assert!(
                !without.contains("123456789012") && !without.contains("IzNDU2Nzg5MDEy"),
                "{without}"
            );
            assert_eq!(hidden.leak(&without), None);
        }
        assert_eq!(hidden.hide_text("a 123456789012"), "a 000000000000");
    }

    #[test]
    fn what_varies_is_replaced_and_is_no_leak() {
        let mut hidden = Hidden::default();
        hidden.varying("endpoint", "127.0.0.1:4566");
        let text = "http://127.0.0.1:4566/q http%3A%2F%2F127.0.0.1%3A4566";
        assert_eq!(
            hidden.hide_text(text),
            "http://{{endpoint.text}}/q http%3A%2F%2F{{endpoint.form}}"
        );
        assert_eq!(hidden.leak(text), None);
    }

    proptest! {
        #[test]
        fn no_bytes_hold_a_value_once_it_is_hidden_and_none_are_lost(
            value in proptest::collection::vec(any::<u8>(), 8..40),
            before in proptest::collection::vec(any::<u8>(), 0..9),
            behind in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut hidden = Hidden::default();
            hidden.secret("secret-1", &value);
            let plain = [before, value.clone(), behind].concat();
            for bytes in [plain.clone(), STANDARD.encode(&plain).into_bytes(), URL_SAFE.encode(&plain).into_bytes()] {
                let without = hidden.hide(&bytes);
                prop_assert!(without != bytes);
                prop_assert!(memmem::find(&without, &value).is_none());
                prop_assert_eq!(hidden.show(&without), bytes);
            }
        }
    }
}
