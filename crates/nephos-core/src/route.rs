//! Routes: which destination a method and a path lead to, for gateways that hold the routes of an app, and for hosts whose one URL is the function's alone.

use std::collections::BTreeMap;

use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::event::Response;
use crate::handler::PathParams;
use crate::outcome::problem;
use crate::{Error, ErrorKind, Result};

/// One HTTP trigger, as deployment writes it for a host that matches routes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The method; any if `None`.
    pub method: Option<String>,
    /// The path, with parameters in braces (`/orders/{id}`); `{*rest}` at the end takes the rest.
    pub path: String,
}

/// Destinations by method and path.
///
/// ```
/// use http::Method;
/// use nephos_core::route::Routes;
///
/// let mut routes = Routes::default();
/// routes.add(Some(Method::GET), "/orders/{id}", "status", 1)?;
/// let (destination, params) = routes.find("/orders/7", &Method::HEAD).unwrap();
/// assert_eq!((*destination, params.0["id"].as_str()), (1, "7"));
/// # Ok::<(), nephos_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Routes<D> {
    paths: matchit::Router<usize>,
    /// By the paths' forms, in which parameters have no names: two routes on one path may name them differently.
    forms: BTreeMap<String, usize>,
    methods: Vec<Vec<Route<D>>>,
}

#[derive(Debug, Clone)]
struct Route<D> {
    /// Any, if `None`.
    method: Option<Method>,
    params: Vec<String>,
    function: String,
    destination: D,
}

/// Why a request leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No route has this path.
    NotFound,
    /// The path's parameters are not UTF-8.
    BadPath,
    /// The path has other methods: these, as `Allow` lists them.
    Method(String),
}

impl Refusal {
    /// The status of the answer: 404, 400 or 405.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadPath => StatusCode::BAD_REQUEST,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// What the caller is told.
    #[must_use]
    pub const fn detail(&self) -> &'static str {
        match self {
            Self::NotFound => "no function has this route",
            Self::BadPath => "the path is not UTF-8",
            Self::Method(_) => "the route has other methods",
        }
    }

    /// The value of the answer's `Allow`, which a 405 must have.
    #[must_use]
    pub fn allow(&self) -> Option<HeaderValue> {
        match self {
            Self::Method(allowed) => HeaderValue::try_from(allowed).ok(),
            Self::NotFound | Self::BadPath => None,
        }
    }

    /// The whole answer, the same on every target.
    #[must_use]
    pub fn response(&self) -> Response {
        let mut response = problem(self.status(), Some(self.detail()));
        if let Some(allowed) = self.allow() {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }
}

impl<D> Default for Routes<D> {
    fn default() -> Self {
        Self {
            paths: matchit::Router::new(),
            forms: BTreeMap::new(),
            methods: Vec::new(),
        }
    }
}

impl Routes<()> {
    /// The routes of the one function that `function` names, or of one whose name nobody asks for.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a method that is none, and as [`add`](Self::add).
    pub fn of(function: &str, specs: impl IntoIterator<Item = RouteSpec>) -> Result<Self> {
        let mut routes = Self::default();
        for RouteSpec { method, path } in specs {
            let method = method.as_deref().map(|name| parse_method(name, function));
            routes.add(method.transpose()?, &path, function, ())?;
        }
        Ok(routes)
    }
}

/// The method that a manifest writes, in any case.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if it is none.
pub fn parse_method(name: &str, function: &str) -> Result<Method> {
    name.to_ascii_uppercase()
        .parse()
        .map_err(|error: http::method::InvalidMethod| {
            Error::new(
                ErrorKind::InvalidArgument,
                "http.route",
                "there is no such method; see the function's `on` in nephos.toml",
            )
            .with("function", function)
            .with("method", name)
            .caused_by(error)
        })
}

impl<D> Routes<D> {
    /// Adds a route: `path` may have parameters in braces, and `{*rest}` at its end.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a path that is none, or that cannot be told apart from another; [`ErrorKind::AlreadyExists`] for one
    /// that another function has.
    pub fn add(&mut self, method: Option<Method>, path: &str, function: &str, destination: D) -> Result<()> {
        let (form, params) = form(path);
        let index = match self.forms.get(&form) {
            Some(index) => *index,
            None => {
                let index = self.methods.len();
                self.paths.insert(form.clone(), index).map_err(|error| {
                    Error::new(
                        ErrorKind::InvalidArgument,
                        "http.route",
                        "the route cannot be used beside the others; see the function's `on` in nephos.toml",
                    )
                    .with("function", function)
                    .with("path", path)
                    .caused_by(error)
                })?;
                self.forms.insert(form, index);
                self.methods.push(Vec::new());
                index
            }
        };
        let routes = &mut self.methods[index];
        if let Some(other) = routes.iter().find(|route| route.method == method) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "http.route",
                "two functions have the same route",
            )
            .with("path", path)
            .with("function", function)
            .with("other", &other.function));
        }
        routes.push(Route {
            method,
            params,
            function: function.to_owned(),
            destination,
        });
        Ok(())
    }

    /// Where a request leads, with the path's parameters, decoded. HEAD leads where GET does unless it has a route of its own.
    ///
    /// # Errors
    /// A [`Refusal`] where no route has this path and method.
    pub fn find(&self, path: &str, method: &Method) -> Result<(&D, PathParams), Refusal> {
        let matched = self.paths.at(path).map_err(|_| Refusal::NotFound)?;
        let routes = &self.methods[*matched.value];
        let with = |wanted: Option<&Method>| routes.iter().find(|route| route.method.as_ref() == wanted);
        let route = with(Some(method))
            .or_else(|| with(Some(&Method::GET)).filter(|_| *method == Method::HEAD))
            .or_else(|| with(None))
            .ok_or_else(|| Refusal::Method(allowed(routes)))?;
        let mut params = PathParams::default();
        for (name, (_, value)) in route.params.iter().zip(matched.params.iter()) {
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| Refusal::BadPath)?;
            params.0.insert(name.clone(), value.into_owned());
        }
        Ok((&route.destination, params))
    }
}

/// The methods of a path, as `Allow` lists them.
fn allowed<D>(routes: &[Route<D>]) -> String {
    let mut names: Vec<_> = routes
        .iter()
        .filter_map(|route| route.method.as_ref().map(Method::as_str))
        .collect();
    if names.contains(&"GET") && !names.contains(&"HEAD") {
        names.push("HEAD");
    }
    names.sort_unstable();
    names.join(", ")
}

/// The path with its parameters numbered instead of named, and their names.
fn form(path: &str) -> (String, Vec<String>) {
    let mut form = String::with_capacity(path.len());
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(open) = rest.find('{') {
        form.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        // A doubled brace is one that is meant.
        if let Some(after) = after.strip_prefix('{') {
            form.push_str("{{");
            rest = after;
            continue;
        }
        let Some(close) = after.find('}') else {
            // The router says what is wrong with it.
            form.push_str(&rest[open..]);
            return (form, names);
        };
        let (star, name) = match after[..close].strip_prefix('*') {
            Some(name) => ("*", name),
            None => ("", &after[..close]),
        };
        form.push_str(&format!("{{{star}p{}}}", names.len()));
        names.push(name.to_owned());
        rest = &after[close + 1..];
    }
    form.push_str(rest);
    (form, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes<u8> {
        let mut routes = Routes::default();
        routes.add(Some(Method::GET), "/orders/{id}", "get", 1).unwrap();
        routes
            .add(Some(Method::PUT), "/orders/{order}", "put", 2)
            .unwrap();
        routes.add(None, "/orders/new", "new", 3).unwrap();
        routes
            .add(Some(Method::GET), "/files/{*rest}", "files", 4)
            .unwrap();
        routes
    }

    fn find(path: &str, method: Method) -> Result<(u8, Vec<(String, String)>), Refusal> {
        let routes = routes();
        let (destination, params) = routes.find(path, &method)?;
        Ok((*destination, params.0.into_iter().collect()))
    }

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn each_method_has_its_own_route_and_its_own_names() {
        assert_eq!(find("/orders/7", Method::GET), Ok((1, pair("id", "7"))));
        assert_eq!(find("/orders/7", Method::PUT), Ok((2, pair("order", "7"))));
        assert_eq!(find("/orders/7", Method::HEAD), Ok((1, pair("id", "7"))));
        assert_eq!(find("/orders/new", Method::DELETE), Ok((3, Vec::new())));
        assert_eq!(
            find("/files/a/b.txt", Method::GET),
            Ok((4, pair("rest", "a/b.txt")))
        );
    }

    #[test]
    fn parameters_are_decoded_once() {
        assert_eq!(
            find("/orders/a%2Fb%20%25", Method::GET),
            Ok((1, pair("id", "a/b %")))
        );
        assert_eq!(find("/orders/%ff", Method::GET), Err(Refusal::BadPath));
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        assert_eq!(find("/nothing", Method::GET), Err(Refusal::NotFound));
        assert_eq!(
            find("/orders/7", Method::POST),
            Err(Refusal::Method("GET, HEAD, PUT".to_owned()))
        );
    }

    #[test]
    fn one_route_is_one_functions() {
        let error = routes()
            .add(Some(Method::GET), "/orders/{x}", "late", 9)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let text = error.to_string();
        assert!(text.contains("late") && text.contains("get"), "{text}");
        let error = routes().add(None, "/files/{", "bad", 9).unwrap_err();
        assert!(error.to_string().contains("bad"), "{error}");
    }

    #[test]
    fn what_leads_nowhere_is_answered_alike_everywhere() {
        let refused = |path: &str, method: Method| routes().find(path, &method).unwrap_err().response();
        let response = refused("/orders/7", Method::POST);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD, PUT");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let response = refused("/nothing", Method::GET);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers().get(header::ALLOW), None);
        assert_eq!(
            refused("/orders/%ff", Method::GET).status(),
            StatusCode::BAD_REQUEST
        );
    }

    #[test]
    fn routes_that_are_none_are_refused_at_the_start() {
        for (method, path, named) in [
            (None, "/files/{", "path=/files/{"),
            (Some("G T"), "/", "method=G T"),
        ] {
            let spec = RouteSpec {
                method: method.map(str::to_owned),
                path: path.to_owned(),
            };
            let error = Routes::of("place", [spec]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            let text = error.to_string();
            assert!(text.contains(named) && text.contains("function=place"), "{text}");
        }
    }
}
