//! The one line by which a crate runs the suite over its adapter.

/// The `main` of a test that runs the suite over an adapter's harness: what `tests/conformance.rs` holds, beside `harness = false` for it in `Cargo.toml`.
///
/// ```
/// use nephos_conformance::{Harness, Mode};
///
/// #[derive(Debug)]
/// struct MyHarness;
///
/// impl Harness for MyHarness {
///     fn adapter(&self) -> &'static str {
///         "mine"
///     }
///
///     fn mode(&self) -> Mode {
///         Mode::Emulator
///     }
///     // Here follow a fresh resource of each kind that the adapter has, events, a deployment.
/// }
///
/// nephos_conformance::suite!(MyHarness, groups: ["queue", "table"]);
/// # let _: fn() -> std::process::ExitCode = main;
/// ```
///
/// Settings follow the harness, each at most once: `groups` ([`Suite::groups`](crate::Suite::groups), without which all run), `exceptions`
/// ([`Suite::exceptions`](crate::Suite::exceptions)), `unproven` ([`Suite::unproven`](crate::Suite::unproven)), `declared`
/// ([`Suite::declared`](crate::Suite::declared)).
#[macro_export]
macro_rules! suite {
    (@set $suite:expr,) => { $suite };
    (@set $suite:expr, groups: $groups:expr $(, $($rest:tt)*)?) => {
        $crate::suite!(@set $suite.groups(&$groups), $($($rest)*)?)
    };
    (@set $suite:expr, exceptions: $exceptions:expr $(, $($rest:tt)*)?) => {
        $crate::suite!(@set $suite.exceptions(&$exceptions), $($($rest)*)?)
    };
    (@set $suite:expr, unproven: $rules:expr $(, $($rest:tt)*)?) => {
        $crate::suite!(@set $suite.unproven(&$rules), $($($rest)*)?)
    };
    (@set $suite:expr, declared: $file:expr $(, $($rest:tt)*)?) => {
        $crate::suite!(@set $suite.declared($file), $($($rest)*)?)
    };
    ($harness:expr $(, $($settings:tt)*)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::suite!(@set $crate::Suite::new($harness), $($($settings)*)?).main()
        }
    };
}
