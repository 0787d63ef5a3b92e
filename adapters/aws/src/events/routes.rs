//! The paths of a function's own HTTP triggers, for a URL that is the function's alone: no gateway has matched them.

use std::collections::BTreeMap;

use http::{HeaderValue, Method, StatusCode, header};
use nephos_core::event::Response;
use nephos_core::handler::PathParams;
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// One route, as deployment writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The method; any if `None`.
    pub method: Option<String>,
    /// The path, with parameters in braces (`/orders/{id}`); `{*rest}` at the end takes the rest.
    pub path: String,
}

/// A function's routes.
#[derive(Debug, Clone)]
pub struct Routes {
    paths: matchit::Router<usize>,
    methods: Vec<Vec<Route>>,
}

#[derive(Debug, Clone)]
struct Route {
    /// Any, if `None`.
    method: Option<Method>,
    params: Vec<String>,
}

impl Routes {
    /// Routes of these paths and methods.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a path or method that is none, or two paths that cannot be told apart.
    pub fn new(specs: impl IntoIterator<Item = RouteSpec>) -> Result<Self> {
        let mut routes = Self {
            paths: matchit::Router::new(),
            methods: Vec::new(),
        };
        // In a form, parameters have no names: two routes on one path may name them differently.
        let mut forms = BTreeMap::new();
        for RouteSpec { method, path } in specs {
            let refused = || {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "host.start",
                    "the function's route cannot be used; see its `on` in nephos.toml",
                )
                .with("path", &path)
            };
            let method = method
                .map(|method| {
                    Method::from_bytes(method.as_bytes())
                        .map_err(|error| refused().with("method", &method).caused_by(error))
                })
                .transpose()?;
            let (form, params) = form(&path);
            let index = match forms.get(&form) {
                Some(index) => *index,
                None => {
                    let index = routes.methods.len();
                    routes
                        .paths
                        .insert(form.clone(), index)
                        .map_err(|error| refused().caused_by(error))?;
                    forms.insert(form, index);
                    routes.methods.push(Vec::new());
                    index
                }
            };
            if let Some(on_path) = routes.methods.get_mut(index) {
                on_path.push(Route { method, params });
            }
        }
        Ok(routes)
    }

    /// The parameters of the route that a request takes, decoded. HEAD takes that of GET unless it has a route of its own.
    ///
    /// # Errors
    /// The answer to a request that takes none: 404, 405 with what the path allows, or 400 if a parameter is not UTF-8.
    pub fn find(&self, path: &str, method: &Method) -> std::result::Result<PathParams, Box<Response>> {
        let not_found = || refuse(StatusCode::NOT_FOUND, "no function has this route");
        let matched = self.paths.at(path).map_err(|_| not_found())?;
        let routes = self.methods.get(*matched.value).ok_or_else(not_found)?;
        let with = |wanted: Option<&Method>| routes.iter().find(|route| route.method.as_ref() == wanted);
        let route = with(Some(method))
            .or_else(|| with(Some(&Method::GET)).filter(|_| *method == Method::HEAD))
            .or_else(|| with(None))
            .ok_or_else(|| {
                let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "the route has other methods");
                if let Ok(allowed) = HeaderValue::try_from(allowed(routes)) {
                    response.headers_mut().insert(header::ALLOW, allowed);
                }
                response
            })?;
        let mut params = PathParams::default();
        for (name, (_, value)) in route.params.iter().zip(matched.params.iter()) {
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| refuse(StatusCode::BAD_REQUEST, "the path is not UTF-8"))?;
            params.0.insert(name.clone(), value.into_owned());
        }
        Ok(params)
    }
}

/// [Problem details](https://www.rfc-editor.org/rfc/rfc9457), as every target answers.
fn refuse(status: StatusCode, detail: &'static str) -> Box<Response> {
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(problem.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    Box::new(response)
}

/// The methods of a path, as `Allow` lists them.
fn allowed(routes: &[Route]) -> String {
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
    while let Some((before, after)) = rest.split_once('{') {
        form.push_str(before);
        // A doubled brace is one that is meant.
        if let Some(after) = after.strip_prefix('{') {
            form.push_str("{{");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            // The router says what is wrong with it.
            form.push('{');
            rest = after;
            break;
        };
        let (star, name) = match name.strip_prefix('*') {
            Some(name) => ("*", name),
            None => ("", name),
        };
        form.push_str(&format!("{{{star}p{}}}", names.len()));
        names.push(name.to_owned());
        rest = after;
    }
    form.push_str(rest);
    (form, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let spec = |method: Option<&str>, path: &str| RouteSpec {
            method: method.map(str::to_owned),
            path: path.to_owned(),
        };
        Routes::new([
            spec(Some("GET"), "/orders/{id}"),
            spec(Some("PUT"), "/orders/{order}"),
            spec(None, "/orders/new"),
            spec(Some("GET"), "/files/{*rest}"),
        ])
        .unwrap()
    }

    fn find(path: &str, method: Method) -> std::result::Result<Vec<(String, String)>, (u16, String)> {
        match routes().find(path, &method) {
            Ok(params) => Ok(params.0.into_iter().collect()),
            Err(response) => {
                let allowed = response.headers().get(header::ALLOW);
                let allowed = allowed.map_or("", |value| value.to_str().unwrap());
                Err((response.status().as_u16(), allowed.to_owned()))
            }
        }
    }

    #[test]
    fn each_method_has_its_own_names_and_parameters_are_decoded_once() {
        let pair = |name: &str, value: &str| Ok(vec![(name.to_owned(), value.to_owned())]);
        assert_eq!(find("/orders/7", Method::GET), pair("id", "7"));
        assert_eq!(find("/orders/7", Method::HEAD), pair("id", "7"));
        assert_eq!(find("/orders/7", Method::PUT), pair("order", "7"));
        assert_eq!(find("/orders/new", Method::DELETE), Ok(Vec::new()));
        assert_eq!(find("/files/a/b.txt", Method::GET), pair("rest", "a/b.txt"));
        assert_eq!(find("/orders/a%2Fb%20%25", Method::GET), pair("id", "a/b %"));
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        assert_eq!(find("/nothing", Method::GET), Err((404, String::new())));
        assert_eq!(
            find("/orders/7", Method::POST),
            Err((405, "GET, HEAD, PUT".to_owned()))
        );
        assert_eq!(find("/orders/%ff", Method::GET), Err((400, String::new())));
    }

    #[test]
    fn routes_that_are_none_are_refused_at_the_start() {
        for (method, path) in [(None, "/files/{"), (Some("G T"), "/")] {
            let spec = RouteSpec {
                method: method.map(str::to_owned),
                path: path.to_owned(),
            };
            let error = Routes::new([spec]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
