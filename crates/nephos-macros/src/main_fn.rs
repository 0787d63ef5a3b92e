//! The `main` of a function's process.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Error, Path, Token};

use crate::function::sibling;

pub(crate) fn expand(functions: TokenStream) -> TokenStream {
    let parsed = Punctuated::<Path, Token![,]>::parse_terminated.parse2(functions);
    let made = parsed.and_then(|mut paths| {
        if paths.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "name the functions: `nephos::main!(recognise, orders::fulfil);`",
            ));
        }
        for path in &mut paths {
            if let Some(last) = path.segments.last_mut() {
                last.ident = sibling(&last.ident);
            }
        }
        Ok(paths)
    });
    match made {
        Ok(paths) => {
            let constructors = paths.iter();
            quote! {
                fn main() -> ::std::process::ExitCode {
                    ::nephos::run([#(#constructors()),*])
                }
            }
        }
        Err(error) => {
            let error = error.into_compile_error();
            quote! {
                #error
                fn main() {}
            }
        }
    }
}
