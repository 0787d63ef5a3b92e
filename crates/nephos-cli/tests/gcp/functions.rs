//! A program that is deployed: static, of nothing but the standard library, and built in a moment. It says which functions it has, which are the words of its last line.

fn main() {
    let bytes = std::fs::read("/proc/self/exe").unwrap_or_default();
    let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let names = String::from_utf8_lossy(&bytes[start..]).into_owned();
    // The first word tells one version from another.
    let functions: Vec<String> = names
        .split(' ')
        .skip(1)
        .map(|name| format!(r#"{{"name":"{name}","trigger":null,"shape":"whole","event_type":"Event"}}"#))
        .collect();
    println!("[{}]", functions.join(","));
}
