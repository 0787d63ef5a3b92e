//! `#[nephos::function]` and `nephos::main!`: what the compiler can say at once, and no more than a person would write by hand.
//!
//! Use them through the crate `nephos`; functions work without them, too (`nephos::Function::new`).

mod function;
mod main_fn;

use proc_macro::TokenStream;

/// Makes a function one that Nephos can call.
///
/// The function stays what it is and can still be called by its name. Beside it comes a hidden one, `__nephos_function_<name>`, of the same
/// visibility, by which `nephos::main!` finds it.
///
/// It takes one of three forms:
/// - `async fn name(event: E) -> R`
/// - `async fn name(event: E, cx: Context) -> R`
/// - `fn name() -> S`, where `S` is a whole HTTP service such as `axum::Router`; it is built once, when the process starts.
///
/// The function's name in nephos.toml is its name here with hyphens for underscores: `place_order` is `[function.place-order]`.
/// `#[nephos::function(name = "take-order")]` gives it another.
#[proc_macro_attribute]
pub fn function(options: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(options.into(), item.into()).into()
}

/// Writes the `main` of a process with these functions: `nephos::main!(recognise, orders::fulfil);`.
///
/// Each is a path to a function with `#[nephos::function]`. Which of them a process runs, its host says.
#[proc_macro]
pub fn main(functions: TokenStream) -> TokenStream {
    main_fn::expand(functions.into()).into()
}
