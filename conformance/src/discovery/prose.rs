//! What the first words of a field's description say: the documents have no other place for it (<https://google.aip.dev/203>).

use serde_json::Value;

/// What the service does with a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Behaviour {
    pub(super) required: bool,
    pub(super) output_only: bool,
    pub(super) immutable: bool,
    /// `Required, except when …`: needed when a resource is made.
    pub(super) required_at_first: bool,
}

/// Reads it from a schema or a parameter.
pub(super) fn behaviour(schema: &Value) -> Behaviour {
    let mut found = Behaviour {
        output_only: schema["readOnly"] == true,
        required: schema["required"] == true,
        ..Behaviour::default()
    };
    let mut rest = schema["description"].as_str().unwrap_or_default().trim_start();
    if rest.starts_with("Required, except when used with Update") {
        found.required_at_first = true;
    }
    // Google's own order varies: `Required. Immutable.`, `Optional. Output only.`
    while let Some(end) = rest.find(['.', ':']) {
        let (sentence, after) = rest.split_at(end);
        match sentence.to_ascii_lowercase().as_str() {
            "required" => found.required = true,
            "output only" => found.output_only = true,
            "immutable" => found.immutable = true,
            "optional" | "identifier" | "input only" | "unordered list" => {}
            _ => break,
        }
        rest = after.trim_start_matches(['.', ':']).trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_first_words_count() {
        let of = |description: &str| behaviour(&json!({"description": description}));
        assert!(of("Required. The image.").required);
        assert!(of("REQUIRED: The policy.").required);
        let both = of("Required. Immutable. The bus.");
        assert!(both.required && both.immutable);
        assert!(of("Optional. Output only. True if so.").output_only);
        assert!(!of("Optional. The name. Required for functions.").required);
        assert!(!of("Required by some.").required);
        assert!(of("Required, except when used with UpdateJob. The time.").required_at_first);
        assert!(behaviour(&json!({"readOnly": true})).output_only);
    }
}
