//! Names at a provider: cut to what it takes, and told apart by a hash where that would make two alike.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// A name of at most `max` bytes: `stack-name`, cut and told apart by a hash where that is longer.
#[must_use]
pub fn physical(stack: &str, name: &str, max: usize) -> String {
    let full = format!("{stack}-{name}");
    if full.len() <= max {
        return full;
    }
    let hash = short_hash(&[stack, name]);
    let kept: String = full.chars().take(max.saturating_sub(hash.len() + 1)).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

/// Eight hexadecimal digits of all parts.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(hasher.finalize().get(..4).unwrap_or_default())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The logical id of a part of what the manifest calls `name`: `Function`, `face-gate` → `FunctionFaceGate`. Letters and digits only. Two names
/// never share one: where the hyphens that are lost would tell them apart, a hash does.
#[must_use]
pub fn id(part: &str, name: &str) -> String {
    let mut id = String::with_capacity(part.len() + name.len());
    id.push_str(part);
    for word in name.split('-') {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            id.push(first.to_ascii_uppercase());
            id.extend(letters);
        }
    }
    let ambiguous = name
        .split('-')
        .skip(1)
        .any(|word| !word.starts_with(|letter: char| letter.is_ascii_lowercase()));
    if ambiguous {
        id.push_str(&short_hash(&[name]));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_ids_are_letters_and_digits_and_never_shared() {
        assert_eq!(id("Function", "face-gate"), "FunctionFaceGate");
        assert_eq!(id("Queue", "jobs"), "QueueJobs");
        let names = ["a-1", "a1", "a--b", "a-b", "ab", "a--1", "a-b-1", "a-b1"];
        let mut ids: Vec<String> = names.map(|name| id("Queue", name)).to_vec();
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|letter| letter.is_ascii_alphanumeric()))
        );
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), names.len());
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(physical("shop-prod", "place", 64), "shop-prod-place");
        let one = physical("shop-prod", &"x".repeat(70), 64);
        let other = physical("shop-prod", &"x".repeat(71), 64);
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(one, physical("shop-prod", &"x".repeat(70), 64));
    }

    #[test]
    fn the_parts_of_a_hash_do_not_run_together() {
        assert_ne!(short_hash(&["ab", "c"]), short_hash(&["a", "bc"]));
    }
}
