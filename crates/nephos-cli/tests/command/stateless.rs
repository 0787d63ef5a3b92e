//! `nephos check --stateless` on functions that keep state, and on ones that do not.

use crate::support::{app, done, nephos, refused, stdout};

const STEADY: &str = r#"[function.steady]
on = [{ http = "GET /steady" }]
"#;

const STEADY_CODE: &str = r#"
#[nephos::function]
async fn steady(_: http::Request) -> Result<String> {
    Ok("always this".to_owned())
}
"#;

const COUNTING_CODE: &str = r#"
static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

#[nephos::function]
async fn count_calls(_: http::Request) -> Result<String> {
    let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
    Ok(calls.to_string())
}
"#;

#[test]
fn only_a_function_that_keeps_state_between_invocations_is_reported() {
    let head = "use nephos::prelude::*;\n";
    let dir = app(
        "stateless",
        &[],
        &format!("app = \"stateless\"\n{STEADY}[function.count-calls]\non = [{{ http = \"GET /count\" }}]\n"),
        &format!("{head}{STEADY_CODE}{COUNTING_CODE}nephos::main!(steady, count_calls);\n"),
    );
    let args = ["check", "--stateless", dir.to_str().unwrap()];
    let output = nephos(&args);
    refused(
        &output,
        1,
        &["1 function(s) keep state between invocations", "table"],
    );
    let out = stdout(&output);
    assert!(
        out.contains("keeps state count-calls") && out.contains("1 | 200 2 | 200 3"),
        "{out}"
    );
    assert!(out.contains("ok steady: 3 calls answered alike"), "{out}");

    app(
        "stateless",
        &[],
        &format!("app = \"stateless\"\n{STEADY}"),
        &format!("{head}{STEADY_CODE}nephos::main!(steady);\n"),
    );
    let out = done(&nephos(&args));
    assert!(out.contains("ok steady: 3 calls answered alike"), "{out}");
}
