//! DynamoDB's numbers, which come as text with up to
//! [38 digits](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html), as JSON.

use serde_json::{Number, Value};

/// The number; one that fits none of JSON's in Rust stays what it is, as text: an altered one would be worse.
pub(crate) fn to_json(digits: String) -> Value {
    let whole = digits
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| digits.parse::<u64>().map(Number::from));
    match whole {
        Ok(whole) => Value::Number(whole),
        Err(_) => match digits.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(float) if is_exact(&digits) => Value::Number(float),
            _ => Value::String(digits),
        },
    }
}

/// Whether a binary floating point number tells the digits apart from their neighbours: 17 significant digits at most, as many as JSON writes of one.
fn is_exact(digits: &str) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or(digits);
    // Digits and perhaps a point and a sign, all of one byte: no need to copy them out.
    let is_nonzero = |byte: u8| byte.is_ascii_digit() && byte != b'0';
    let bytes = mantissa.as_bytes();
    let first = bytes.iter().position(|byte| is_nonzero(*byte));
    let last = bytes.iter().rposition(|byte| is_nonzero(*byte));
    let (Some(first), Some(last)) = (first, last) else {
        return true;
    };
    bytes[first..=last]
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .count()
        <= 17
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_never_altered() {
        for (digits, number) in [
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0.1", json!(0.1)),
            ("0.00000000015", json!(1.5e-10)),
            ("100000000000000000000000000", json!(1e26)),
            ("1.50", json!(1.5)),
            ("-0.00012345678901234567", json!(-0.000_123_456_789_012_345_67)),
            ("1E+20", json!(1e20)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("3.141592653589793238", json!("3.141592653589793238")),
            (
                "12345678901234567890123456789012345678",
                json!("12345678901234567890123456789012345678"),
            ),
            ("1E+400", json!("1E+400")),
        ] {
            assert_eq!(to_json(digits.to_owned()), number, "{digits}");
        }
    }
}
