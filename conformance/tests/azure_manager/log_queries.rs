//! Queries of logs: what they find, and which are refused.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use http::{Method, StatusCode};
use nephos_conformance::azure_manager::Line;
use serde_json::{Value, json};

use crate::client::{Answered, Azure, LOGS, MANAGEMENT, send, token};

struct Logs {
    azure: Azure,
    component: String,
    now: DateTime<Utc>,
}

impl Logs {
    async fn start() -> Self {
        let azure = Azure::start().await;
        let component = azure.id("Microsoft.Insights/components/insights");
        let body =
            json!({"location": "swedencentral", "kind": "web", "properties": {"Application_Type": "web"}});
        azure.manager.put(&component, "2020-02-02", &body).unwrap();
        let now = Utc::now();
        for (role, minutes, text, severity, exception) in [
            ("a", 90, "an hour ago", 1, None),
            ("a", 3, "third", 1, None),
            ("b", 2, "of b", 2, None),
            ("a", 1, "it failed", 3, Some("Broken")),
        ] {
            azure.manager.log(Line {
                role: role.to_owned(),
                at: now - Duration::minutes(minutes),
                text: text.to_owned(),
                severity,
                exception: exception.map(str::to_owned),
            });
        }
        Self {
            azure,
            component,
            now,
        }
    }

    async fn ask_with(&self, audience: &str, query: &str) -> Answered {
        let token = token(&self.azure.manager, audience).await;
        let path = format!("/logs/v1{}/query", self.component);
        let body = json!({"query": query}).to_string().into();
        send(
            &self.azure.manager,
            Method::POST,
            &path,
            &[("authorization", &format!("Bearer {token}"))],
            Some(body),
        )
        .await
        .unwrap()
    }

    async fn table(&self, query: &str) -> Value {
        let answer = self.ask_with(LOGS, query).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.json());
        answer.json()["tables"][0].clone()
    }

    async fn texts(&self, query: &str) -> Vec<String> {
        let rows = self.table(query).await["rows"].clone();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row[0].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_find_filter_order_and_shape() {
    let logs = Logs::start().await;
    let moment = (logs.now - Duration::minutes(2)).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let from = (logs.now - Duration::minutes(3)).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let cases = [
        ("AppTraces | where AppRoleName == 'a' | order by TimeGenerated asc | project Message".to_owned(), vec!["an hour ago", "third"]),
        ("AppTraces | where AppRoleName in ('a', \"b\") and TimeGenerated > ago(1h) | sort by TimeGenerated desc | project Message".to_owned(), vec!["of b", "third"]),
        (format!("AppTraces | where TimeGenerated >= datetime({moment}) | project Message"), vec!["of b"]),
        (format!("AppTraces | where TimeGenerated between (datetime({from}) .. datetime({moment})) | order by TimeGenerated asc | project Message"), vec!["third", "of b"]),
        ("union AppTraces, AppExceptions | where AppRoleName == \"a\" | order by TimeGenerated desc | take 2 | project Text = coalesce(Message, OuterMessage)".to_owned(), vec!["it failed", "third"]),
        ("AppTraces | union AppExceptions | where SeverityLevel >= 2 | order by TimeGenerated asc | project strcat(Type, ' ', tostring(SeverityLevel))".to_owned(), vec!["AppTraces 2", "AppExceptions 3"]),
        ("AppTraces | where Message has 'b' or (Message contains 'HOUR') | top 1 by TimeGenerated asc | project Message".to_owned(), vec!["an hour ago"]),
        ("AppTraces | extend Short = iff(AppRoleName !in ('a'), 'x', Message) | where Short == 'x' // a comment\n| project Short | limit 5".to_owned(), vec!["x"]),
    ];
    for (query, expected) in cases {
        assert_eq!(logs.texts(&query).await, expected, "{query}");
    }
    let late = "AppTraces | where TimeGenerated < ago(1h) and ingestion_time() > ago(10m) and isnotempty(_ItemId) | project Message";
    assert_eq!(
        logs.texts(late).await,
        ["an hour ago"],
        "what comes late is found by when it came"
    );
    let table = logs
        .table("AppTraces | project TimeGenerated, AppRoleName, SeverityLevel, Message | take 1")
        .await;
    assert_eq!(
        table["columns"],
        json!([
            {"name": "TimeGenerated", "type": "datetime"}, {"name": "AppRoleName", "type": "string"},
            {"name": "SeverityLevel", "type": "int"}, {"name": "Message", "type": "string"},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_are_not_right_are_refused() {
    let logs = Logs::start().await;
    for (query, inner) in [
        ("AppTraces | where", "SyntaxError"),
        ("AppTraces | where AppRoleName = 'a'", "SyntaxError"),
        ("AppTraces | where AppRoleName == 'a", "SyntaxError"),
        ("AppTraces | evaluate bag_unpack(Properties)", "SyntaxError"),
        (
            "AppTraces | where TimeGenerated > datetime(yesterday)",
            "SyntaxError",
        ),
        ("AppTraces | where Nothing == 'a'", "SemanticError"),
        ("AppTraces | where AppRoleName > 1", "SemanticError"),
        ("AppTraces | project nothing(Message)", "SemanticError"),
        (
            "AppTraces | project Message | where AppRoleName == 'a'",
            "SemanticError",
        ),
        ("Nothing | take 1", "SemanticError"),
    ] {
        let answer = logs.ask_with(LOGS, query).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "BadArgumentError"),
            "{query}"
        );
        assert_eq!(answer.json()["error"]["innererror"]["code"], inner, "{query}");
    }
    assert_eq!(
        logs.ask_with(MANAGEMENT, "AppTraces").await.status,
        StatusCode::UNAUTHORIZED
    );
    logs.azure.manager.deny_logs();
    let denied = logs.ask_with(LOGS, "AppTraces").await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "InsufficientAccessError")
    );
    logs.azure.manager.allow_all();
    logs.azure.manager.delete(&logs.component).unwrap();
    assert_eq!(
        logs.ask_with(LOGS, "AppTraces").await.status,
        StatusCode::NOT_FOUND
    );
}
