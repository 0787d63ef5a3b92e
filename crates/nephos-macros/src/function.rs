//! The attribute on a function.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::{Error, FnArg, Ident, ItemFn, LitStr, PatType, Result, Signature};

/// The hidden sibling's name.
pub(crate) fn sibling(function: &Ident) -> Ident {
    format_ident!("__nephos_function_{}", function.unraw(), span = function.span())
}

/// What becomes of the function. After an error it is left as it was, so that its callers do not fail, too.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let made = syn::parse2::<ItemFn>(item.clone())
        .map_err(|error| {
            Error::new(
                error.span(),
                "`#[nephos::function]` goes on a function: `async fn name(event: E, cx: Context) -> R`",
            )
        })
        .and_then(|function| {
            let name = name(options, &function.sig)?;
            constructor(&function, &name)
        });
    match made {
        Ok(constructor) => quote! { #item #constructor },
        Err(error) => {
            let error = error.into_compile_error();
            quote! { #item #error }
        }
    }
}

fn name(options: TokenStream, signature: &Signature) -> Result<LitStr> {
    let mut name = None;
    let parser = syn::meta::parser(|option| {
        if !option.path.is_ident("name") {
            return Err(option.error("the only option is `name = \"…\"`"));
        }
        let given: LitStr = option.value()?.parse()?;
        if given.value().is_empty() {
            return Err(Error::new(given.span(), "the name is empty"));
        }
        name = Some(given);
        Ok(())
    });
    parser.parse2(options)?;
    if let Some(name) = name {
        return Ok(name);
    }
    let span = signature.ident.span();
    match default_name(&signature.ident) {
        name if name.is_empty() => Err(Error::new(
            span,
            "underscores alone make no name for nephos.toml; add `name = \"…\"`",
        )),
        name => Ok(LitStr::new(&name, span)),
    }
}

/// The manifest's names have hyphens, as every target takes those; Rust's have underscores. Ones at the ends, which only silence a warning, are
/// no part of the name.
fn default_name(function: &Ident) -> String {
    function.unraw().to_string().trim_matches('_').replace('_', "-")
}

fn constructor(function: &ItemFn, name: &LitStr) -> Result<TokenStream> {
    let ItemFn { vis, sig, .. } = function;
    let ident = &sig.ident;
    let made = match (sig.asyncness, arguments(sig)?.as_slice()) {
        (None, []) => {
            let span = sig.output.span();
            quote_spanned! { span => ::nephos::__private::function_of_service(#name, #ident()) }
        }
        (None, _) => {
            return Err(Error::new(
                sig.fn_token.span,
                "a function that takes an event must be `async fn`",
            ));
        }
        (Some(_), []) => {
            return Err(Error::new(
                sig.paren_token.span.join(),
                "a function takes its event as the first argument: `event: E`",
            ));
        }
        (Some(_), [event]) => called("function_of_event", event, name, ident),
        (Some(_), [event, _context]) => called("function_of_event_and_context", event, name, ident),
        (Some(_), [_, _, third, ..]) => {
            return Err(Error::new(
                third.span(),
                "a function takes its event and perhaps a `Context`, nothing else; resources come from the context",
            ));
        }
    };
    let sibling = sibling(ident);
    let cfgs = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    Ok(quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(unreachable_pub)]
        #vis fn #sibling() -> ::nephos::Function {
            #made.at(::core::concat!(::core::file!(), ":", ::core::line!()))
        }
    })
}

/// The call has the place of the event's type, so that the compiler points there when the type does not fit.
fn called(maker: &str, event: &PatType, name: &LitStr, ident: &Ident) -> TokenStream {
    let ty = &event.ty;
    let span: Span = ty.span();
    let maker = Ident::new(maker, span);
    quote_spanned! { span => ::nephos::__private::#maker::<#ty, _, _, _>(#name, #ident) }
}

fn arguments(signature: &Signature) -> Result<Vec<&PatType>> {
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a function cannot be generic: its event is of one type",
        ));
    }
    if let Some(unsafety) = &signature.unsafety {
        return Err(Error::new(unsafety.span, "a function cannot be `unsafe`"));
    }
    signature
        .inputs
        .iter()
        .map(|argument| match argument {
            FnArg::Receiver(receiver) => Err(Error::new(
                receiver.self_token.span,
                "a function cannot be a method: it keeps no state between invocations",
            )),
            FnArg::Typed(typed) => match &*typed.ty {
                syn::Type::ImplTrait(generic) => Err(Error::new(
                    generic.span(),
                    "a function cannot be generic: its event is of one type",
                )),
                _ => Ok(typed),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Ident, Span, default_name};

    #[test]
    fn underscores_become_hyphens_and_a_raw_identifier_is_its_word() {
        for (function, name) in [
            ("recognise", "recognise"),
            ("place_order", "place-order"),
            ("_place_order_", "place-order"),
            ("v2_of_it", "v2-of-it"),
        ] {
            assert_eq!(default_name(&Ident::new(function, Span::call_site())), name);
        }
        assert_eq!(default_name(&Ident::new_raw("match", Span::call_site())), "match");
        assert_eq!(
            default_name(&Ident::new_raw("place_order", Span::call_site())),
            "place-order"
        );
    }
}
