//! Requests to Cosmos DB that a shared key signs: <https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};

use super::{Key, date, pass_on};

/// Signs requests to Cosmos DB.
#[derive(Debug)]
pub(crate) struct MasterKey(pub(crate) Key);

#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait is written so, and another lifetime would be another method"
)]
#[async_trait]
impl Policy for MasterKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let date = date();
        let method = request.method().as_str().to_ascii_lowercase();
        let (kind, link) = resource(request.url());
        let text = format!("{method}\n{kind}\n{link}\n{}\n\n", date.to_ascii_lowercase());
        let signature = self.0.sign(&text)?;
        request.insert_header("x-ms-date", date);
        request.insert_header(
            "authorization",
            url_encode(&format!("type=master&ver=1.0&sig={signature}")),
        );
        pass_on(context, request, next).await
    }
}

/// The kind of resource that a URL names, and its link: of a list, that of whose list it is.
fn resource(url: &Url) -> (String, String) {
    let segments: Vec<&str> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    let is_list = segments.len() % 2 == 1;
    let end = segments.len() - usize::from(is_list);
    let kind = if is_list {
        segments.last()
    } else {
        segments.iter().rev().nth(1)
    };
    (
        kind.copied().unwrap_or_default().to_owned(),
        segments[..end].join("/"),
    )
}

pub(crate) fn url_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>, with its date.
    #[test]
    fn a_request_to_cosmos_is_of_the_resource_or_of_whose_list_it_is() {
        for (path, kind, link) in [
            ("/dbs", "dbs", ""),
            ("/dbs/a", "dbs", "dbs/a"),
            ("/dbs/a/colls/b/docs", "docs", "dbs/a/colls/b"),
            ("/dbs/a/colls/b/docs/c", "docs", "dbs/a/colls/b/docs/c"),
        ] {
            let url = Url::parse(&format!("https://a.documents.azure.com{path}")).unwrap();
            assert_eq!(resource(&url), (kind.to_owned(), link.to_owned()), "{path}");
        }
        let key = Key::read(
            "K",
            "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw==",
        )
        .unwrap();
        let signature = key
            .sign("get\ndbs\ndbs/ToDoList\nthu, 27 apr 2017 00:51:12 gmt\n\n")
            .unwrap();
        assert_eq!(signature, "c09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu+c+c=");
    }
}
