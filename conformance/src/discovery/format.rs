//! Single values: types, formats (<https://developers.google.com/discovery/v1/type-format>), enumerations.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::Level;

/// Padding may be left out, as Google's own clients do for the alphabet of URLs.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What is wrong with a value.
type Wrong = Option<(Level, String)>;

/// Holds a value of JSON that is neither object nor list against its schema.
pub(super) fn check(schema: &Value, value: &Value) -> Wrong {
    let kind = schema["type"].as_str().unwrap_or_default();
    let format = schema["format"].as_str().unwrap_or_default();
    let fits = match kind {
        "string" => match value {
            Value::String(text) => return text_of(schema, format, text),
            Value::Number(_) if matches!(format, "int64" | "uint64") => {
                return wrong(format!(
                    "is the number {value}, but of type {format}, which goes as text"
                ));
            }
            // The parser of protocol buffers takes the numbers of enumerations too, which the documents do not have.
            Value::Number(number) if schema.get("enum").is_some() && number.is_u64() => {
                let what = format!("is the number {number} of an enumeration, which no document tells");
                return Some((Level::Warning, what));
            }
            _ => false,
        },
        "integer" => match value {
            Value::Number(_) if is_in_range(format, &value.to_string()) => true,
            Value::Number(_) => return wrong(format!("{value} is no {format}")),
            _ => false,
        },
        "number" => {
            value.is_number()
                || value
                    .as_str()
                    .is_some_and(|text| matches!(text, "NaN" | "Infinity" | "-Infinity"))
        }
        "boolean" => value.is_boolean(),
        _ => return wrong(format!("has the type `{kind}`, which is not known")),
    };
    if fits {
        None
    } else {
        wrong(format!("is {}, not {}", name(value), article(kind)))
    }
}

/// Holds the text of a query's parameter against it.
pub(super) fn check_text(parameter: &Value, text: &str) -> Wrong {
    let format = parameter["format"].as_str().unwrap_or_default();
    let kind = parameter["type"].as_str().unwrap_or_default();
    let fits = match kind {
        "integer" => is_in_range(format, text),
        "number" => text.parse::<f64>().is_ok(),
        "boolean" => matches!(text, "true" | "false"),
        _ => return text_of(parameter, format, text),
    };
    if fits {
        None
    } else {
        wrong(format!("`{text}` is not {}", article(kind)))
    }
}

fn text_of(schema: &Value, format: &str, text: &str) -> Wrong {
    if let Some(values) = schema["enum"].as_array() {
        let Some(at) = values.iter().position(|value| value == text) else {
            let known: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            return wrong(format!("`{text}` is none of {}", known.join(", ")));
        };
        if schema["enumDeprecated"][at] == true {
            return Some((Level::Warning, format!("`{text}` is deprecated")));
        }
    }
    let fits = match format {
        "int64" | "uint64" => is_in_range(format, text),
        "google-duration" => is_duration(text),
        "google-datetime" | "date-time" => DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "byte" => STANDARD.decode(text).is_ok() || URL_SAFE.decode(text).is_ok(),
        _ => true,
    };
    if fits {
        None
    } else {
        wrong(format!("`{text}` is no {format}"))
    }
}

fn is_in_range(format: &str, text: &str) -> bool {
    match format {
        "uint32" => text.parse::<u32>().is_ok(),
        "uint64" => text.parse::<u64>().is_ok(),
        "int64" => text.parse::<i64>().is_ok(),
        _ => text.parse::<i32>().is_ok(),
    }
}

/// Seconds with up to nine digits behind the point, and `s` (<https://protobuf.dev/reference/protobuf/google.protobuf/#duration>).
fn is_duration(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else {
        return false;
    };
    let number = number.strip_prefix('-').unwrap_or(number);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((seconds, rest)) => digits(seconds) && digits(rest) && rest.len() <= 9,
        None => digits(number),
    }
}

fn wrong(what: String) -> Wrong {
    Some((Level::Error, what))
}

/// What a value is, for people.
pub(super) fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(kind: &str, format: &str, value: Value) -> bool {
        check(&json!({"type": kind, "format": format}), &value).is_none()
    }

    #[test]
    fn values_have_the_forms_that_google_documents() {
        for (format, good, bad) in [
            ("google-duration", "1.500s", "1500ms"),
            ("google-duration", "600s", "600"),
            ("google-duration", "0.000000001s", "0.0000000001s"),
            ("google-datetime", "2026-01-02T03:04:05.6Z", "2026-01-02 03:04:05"),
            ("byte", "aGk=", "a b"),
            ("byte", "aGk_", "hi!"),
            ("int64", "-9223372036854775808", "9223372036854775808"),
            ("uint64", "18446744073709551615", "-1"),
            ("date", "2026-02-28", "2026-02-30"),
        ] {
            assert!(fits("string", format, json!(good)), "{good}");
            assert!(!fits("string", format, json!(bad)), "{bad}");
        }
        assert!(fits("integer", "int32", json!(5)) && !fits("integer", "int32", json!(5.5)));
        assert!(!fits("integer", "int32", json!(2_147_483_648_i64)));
        assert!(!fits("string", "int64", json!(5)), "it goes as text");
        assert!(fits("number", "double", json!(0.5)) && !fits("number", "double", json!("0.5")));
        assert!(!fits("boolean", "", json!("true")));
    }
}
