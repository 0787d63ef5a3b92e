//! What deployment itself sends to Azure Resource Manager, against the typed models of Azure's own clients; a template's resources are held to them where they are rendered.

use std::process::Output;

use nephos_conformance::arm_models;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::account::{Account, Project, SHOP, done, output};

/// A method, a path and a body.
type Request = (String, String, Value);

#[tokio::test(flavor = "multi_thread")]
async fn what_deployment_sends_fits_the_models_and_each_mistake_in_it_is_found() {
    let (azure, project) = (Account::start().await, Project::new(SHOP));
    done(&deploy_by_one_who_may_not_write(&azure, &project).await);
    // What changes in an app that is there is asked for first.
    project.write(&SHOP.replace("[queue.jobs]\n", "[queue.jobs]\n[queue.more]\n"));
    azure.deployed(&project).await;
    let sent: Vec<Request> = (azure.manager.requests().into_iter())
        // Tokens, packages and logs are asked for at other hosts than the manager's.
        .filter(|one| one.path.starts_with("/subscriptions/") && !one.body.is_null())
        .map(|one| (one.method, one.path, one.body))
        .collect();
    assert_eq!(found(&sent), Vec::<String>::new());

    let group = one(&sent, "PUT", "/resourcegroups/shop?");
    let stack = one(&sent, "PUT", "/deploymentStacks/");
    let what_if = one(&sent, "POST", "/whatIf");
    let role = one(&sent, "PUT", "/roleAssignments/");
    // Which request, where in it, which field, what is put there (null takes it away), and what must be said of it.
    let seeds = [
        (group, "", "locaton", json!("westeurope"), "no such field"),
        (group, "", "location", Value::Null, "needs location"),
        (group, "/tags", "app", json!(1), "must be str"),
        (stack, "/properties", "denySetting", json!({}), "no such field"),
        (
            stack,
            "/properties",
            "actionOnUnmanage",
            Value::Null,
            "needs actionOnUnmanage",
        ),
        (
            stack,
            "/properties",
            "provisioningState",
            json!("succeeded"),
            "only the service sets it",
        ),
        (
            stack,
            "/properties/denySettings",
            "applyToChildScopes",
            json!("no"),
            "must be bool",
        ),
        (what_if, "/properties", "mode", Value::Null, "needs mode"),
        (
            what_if,
            "/properties/whatIfSettings",
            "format",
            json!("x"),
            "no such field",
        ),
        (
            role,
            "/properties",
            "principalId",
            Value::Null,
            "needs principalId",
        ),
        (role, "/properties", "principal", json!("x"), "no such field"),
    ];
    for (request, place, field, wrong, said) in seeds {
        let (method, path, mut body) = request.clone();
        let object = body.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
        if wrong.is_null() {
            object.remove(field).unwrap();
        } else {
            object.insert(field.to_owned(), wrong);
        }
        let told = found(&[(method, path, body)]);
        assert!(told.iter().any(|one| one.contains(said)), "{field}: {told:?}");
    }
    let elsewhere = (group.0.clone(), "/subscriptions/s/unknown".to_owned(), json!({}));
    assert!(found(&[elsewhere])[0].contains("no models"));
}

/// Deploys as somebody whom the storage account refuses until a role is assigned.
async fn deploy_by_one_who_may_not_write(azure: &Account, project: &Project) -> Output {
    let blobs = azure.azurite.account().blobs.clone();
    let there = blobs
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = gate.local_addr().unwrap().to_string();
    let storage = azure.storage(project).await;
    let endpoints = json!({format!("https://{storage}.blob.core.windows.net"): blobs.replace(&there, &here)});
    let mut command = azure
        .command(project, &["deploy", "--target", "azure", "--yes", "--binary"])
        .await;
    command
        .arg(project.binary())
        .env("NEPHOS_AZURE_ENDPOINTS", endpoints.to_string());
    let deploying = output(command);
    let guarding = async {
        loop {
            let (mut asked, _) = gate.accept().await.unwrap();
            if azure.requests("PUT", "/roleAssignments/") > 0 {
                let mut store = TcpStream::connect(&there).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut asked, &mut store).await });
                continue;
            }
            let read = asked.read(&mut [0; 8192]).await.unwrap();
            assert_ne!(read, 0);
            asked.write_all(REFUSED.as_bytes()).await.unwrap();
        }
    };
    tokio::select! {
        output = deploying => output,
        () = guarding => unreachable!("it has no end"),
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>
const REFUSED: &str = "HTTP/1.1 403 This request is not authorized to perform this operation using this permission.\r\n\
    x-ms-error-code: AuthorizationPermissionMismatch\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The errors of these requests; a value that an enumeration does not list is one, too: here all are known.
fn found(requests: &[Request]) -> Vec<String> {
    let told = requests
        .iter()
        .map(|(method, path, body)| (method.as_str(), path.as_str(), body));
    let findings = arm_models::requests(told).unwrap();
    findings
        .into_iter()
        .map(|one| format!("{}: {}", one.place, one.what))
        .collect()
}

fn one<'a>(sent: &'a [Request], method: &str, part: &str) -> &'a Request {
    let is_it = |one: &&Request| one.0 == method && one.1.to_lowercase().contains(&part.to_lowercase());
    sent.iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{method} {part} was not sent: {sent:#?}"))
}
