//! HTTP: a URL for each function, or one API with a route for each trigger.

use nephos_core::Result;
use nephos_core::app::{FunctionSpec, Trigger};
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::function::{ALIAS, alias_id, seconds};
use super::layout::{Layout, has_http};
use super::trigger::allow;
use super::value::{attribute, reference, sub};
use super::{Output, name};

/// The API's logical id.
const API: &str = "Api";
/// The longest time that an HTTP API waits, in seconds:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const API_TIMEOUT: u64 = 30;

/// Adds the API, if HTTP triggers share one.
pub(super) fn add_api(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    if !layout.has_api {
        return Ok(());
    }
    body.add(
        API,
        Resource::new(
            "AWS::ApiGatewayV2::Api",
            "api",
            &layout.app.name,
            json!({"Name": layout.stack, "ProtocolType": "HTTP"}),
        ),
    )?;
    body.add(
        "ApiStage",
        Resource::new(
            "AWS::ApiGatewayV2::Stage",
            "stage",
            &layout.app.name,
            json!({"ApiId": reference(API), "StageName": "$default", "AutoDeploy": true}),
        ),
    )?;
    body.output("ApiUrl", attribute(API, "ApiEndpoint"), Output::ApiUrl);
    Ok(())
}

/// Adds the function's HTTP triggers.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<()> {
    if !has_http(spec) {
        return Ok(());
    }
    if layout.has_api {
        routes(body, function, spec)
    } else {
        url(layout, body, function)
    }
}

/// A URL that anyone may call: both permissions are needed since October 2025:
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>.
fn url(layout: &Layout<'_>, body: &mut Body, function: &str) -> Result<()> {
    let id = name::id("Url", function);
    let mode = if layout.settings.response_streaming {
        "RESPONSE_STREAM"
    } else {
        "BUFFERED"
    };
    body.add(
        &id,
        Resource::new(
            "AWS::Lambda::Url",
            "url",
            function,
            json!({
                "AuthType": "NONE",
                "InvokeMode": mode,
                "Qualifier": ALIAS,
                "TargetFunctionArn": reference(&name::id("Function", function)),
            }),
        )
        .after([alias_id(function)]),
    )?;
    let public = json!({
        "Action": "lambda:InvokeFunctionUrl",
        "FunctionName": reference(&alias_id(function)),
        "FunctionUrlAuthType": "NONE",
        "Principal": "*",
    });
    body.add(
        &name::trigger_id("Allow", function, &["url"]),
        Resource::new("AWS::Lambda::Permission", "permission", function, public),
    )?;
    allow(
        body,
        function,
        &name::trigger_id("Allow", function, &["through url"]),
        "*",
        &[("InvokedViaFunctionUrl", true.into())],
    )?;
    let output = Output::FunctionUrl {
        function: function.to_owned(),
    };
    body.output(&id, attribute(&id, "FunctionUrl"), output);
    Ok(())
}

fn routes(body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<()> {
    let timeout = seconds(spec.timeout);
    if timeout > API_TIMEOUT {
        body.note(format!(
            "function `{function}`: the HTTP API answers its callers with an error after {API_TIMEOUT} s, though the function may take {timeout} s"
        ));
    }
    let integration = name::id("Integration", function);
    body.add(
        &integration,
        Resource::new(
            "AWS::ApiGatewayV2::Integration",
            "integration",
            function,
            json!({
                "ApiId": reference(API),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": reference(&alias_id(function)),
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": timeout.clamp(1, API_TIMEOUT) * 1000,
            }),
        ),
    )?;
    allow(
        body,
        function,
        &name::trigger_id("Allow", function, &["api"]),
        "apigateway.amazonaws.com",
        &[(
            "SourceArn",
            sub(format!(
                "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{API}}}/*"
            )),
        )],
    )?;
    for trigger in &spec.on {
        let Trigger::Http { method, path } = trigger else {
            continue;
        };
        let key = route_key(method.as_deref(), path);
        let route: Value = json!({
            "ApiId": reference(API),
            "RouteKey": key,
            "Target": sub(format!("integrations/${{{integration}}}")),
        });
        body.add(
            &name::trigger_id("Route", function, &[&key]),
            Resource::new("AWS::ApiGatewayV2::Route", "route", function, route),
        )?;
    }
    Ok(())
}

/// `GET /files/{*rest}` → `GET /files/{rest+}`: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>.
fn route_key(method: Option<&str>, path: &str) -> String {
    let path = match path.rsplit_once("{*") {
        Some((start, rest)) => format!("{start}{{{}+}}", rest.trim_end_matches('}')),
        None => path.to_owned(),
    };
    format!("{} {path}", method.unwrap_or("ANY"))
}

#[cfg(test)]
mod tests {
    use super::route_key;

    #[test]
    fn routes_keep_their_parameters_and_say_any_method_and_the_rest_in_the_apis_words() {
        assert_eq!(route_key(Some("GET"), "/orders/{id}"), "GET /orders/{id}");
        assert_eq!(route_key(None, "/"), "ANY /");
        assert_eq!(
            route_key(Some("PUT"), "/files/{area}/{*rest}"),
            "PUT /files/{area}/{rest+}"
        );
    }
}
