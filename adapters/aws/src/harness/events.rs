//! Events as Lambda hands them to a function's process, and as the host reads them.

mod documents;
mod records;

use std::sync::Arc;

use bytes::Bytes;
use nephos_conformance::alexa;
use nephos_conformance::happening::{
    Asked, Delivered, EVERY_MORNING, Happening, ITEM_KEYS, NAMES, Native, ROUTE, What,
};
use nephos_core::resource::Drivers;
use nephos_core::resource::bucket::Bucket;
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::emulator::{ACCOUNT, REGION, Service};
use crate::events::{TableKeys, Wiring, decode};
use crate::host::mail;
use crate::resources::AwsDrivers;

/// What the keys of stored mails begin with.
const MAILS: &str = "in/";

/// Makes payloads and reads them. Mails are stored as SES stores them, in a bucket, which is made with the first.
#[derive(Debug, Default)]
pub(super) struct Events {
    mails: OnceCell<(Bucket, Arc<dyn Drivers>)>,
}

impl Events {
    /// The documents that AWS has for it.
    ///
    /// # Errors
    /// If the message of an e-mail cannot be stored.
    pub(super) async fn native(&self, service: &Service, happening: &Happening) -> Result<Vec<Native>> {
        let documents: Vec<(&'static str, Value)> = match &happening.what {
            What::Http(asked) => requests(happening, asked),
            What::Bucket(event) => documents::bucket(happening, event),
            What::Queue(messages) => vec![("SQS", records::queue(messages))],
            What::Topic(notification) => vec![("SNS", documents::topic(notification))],
            What::Stream(entries) => vec![("Kinesis", records::stream(entries))],
            What::Table(changes) => records::table(changes),
            What::Schedule(tick) => documents::schedule(happening, tick),
            What::Email(email) => {
                self.store(service, &happening.id, &email.source).await?;
                vec![("SES", documents::email(happening, email))]
            }
            What::Auth(step) => vec![("Cognito", documents::auth(step)?)],
            What::Voice(request) => {
                let skill = physical(&request.skill);
                vec![("Alexa Skills Kit", alexa::document(happening, request, &skill)?)]
            }
            What::Raw(raw) => return Ok(vec![native("a direct invocation", raw.bytes.clone())]),
        };
        Ok(documents
            .into_iter()
            .map(|(form, document)| native(form, document.to_string().into()))
            .collect())
    }

    /// As the host of a function reads it.
    ///
    /// # Errors
    /// The host's.
    pub(super) async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        let stored = self.mails.get();
        let wiring = wiring(stored.map(|(bucket, _)| bucket.name()))?;
        let decoded = decode(native.message.body(), &wiring)?;
        if let Some(refusal) = decoded.refusal {
            return Err(Error::new(
                ErrorKind::NotFound,
                "harness.events",
                "the request was refused before the handler",
            )
            .with("status", refusal.status()));
        }
        let mut delivered = Vec::with_capacity(decoded.events.len());
        for mut event in decoded.events {
            if let Some((_, drivers)) = stored {
                mail::complete(&mut event, drivers).await?;
            }
            // Lambda says nothing of it: the context's own.
            delivered.push(Delivered { event, attempt: 1 });
        }
        Ok(delivered)
    }

    async fn store(&self, service: &Service, id: &str, source: &Bytes) -> Result<()> {
        let (bucket, _) = self
            .mails
            .get_or_try_init(|| async {
                let bucket = super::resources::bucket(service).await?;
                let drivers: Arc<dyn Drivers> = Arc::new(AwsDrivers::new(&service.config()));
                Ok::<_, Error>((bucket, drivers))
            })
            .await?;
        bucket
            .put(&format!("{MAILS}{id}"), source.clone())
            .await
            .map(drop)
    }
}

/// What Lambda hands over is a document alone: what else it says is in the headers of its answer, which the host's own tests hold.
fn native(form: &'static str, document: Bytes) -> Native {
    Native {
        form,
        message: http::Request::new(document),
        is_document: true,
    }
}

/// A function URL and an HTTP API, with the body as text where it is one.
fn requests(happening: &Happening, asked: &Asked) -> Vec<(&'static str, Value)> {
    let mut forms = vec![
        (
            "function URL, base64",
            documents::function_url(happening, asked, true),
        ),
        ("HTTP API, base64", documents::http_api(happening, asked, true)),
    ];
    if std::str::from_utf8(&asked.body).is_ok() {
        forms.push(("function URL", documents::function_url(happening, asked, false)));
        forms.push(("HTTP API", documents::http_api(happening, asked, false)));
    }
    forms
}

/// What a thing of this name in the manifest is called on AWS.
fn physical(name: &str) -> String {
    let arn =
        |service: &str, what: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{what}nephos-{name}-1X2Y");
    match name {
        "photos" => format!("nephos-{name}-1x2y"),
        "jobs" => arn("sqs", ""),
        "news" => arn("sns", ""),
        "readings" => arn("kinesis", "stream/"),
        "items" => arn("dynamodb", "table/"),
        EVERY_MORNING => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/nephos-morning-1X2Y"),
        other => format!("amzn1.ask.skill.{other}-1x2y"),
    }
}

/// What deployment tells the process of what it watches.
fn wiring(mails: Option<&str>) -> Result<Wiring> {
    let (key, sort) = ITEM_KEYS;
    let keys = TableKeys {
        key: key.to_owned(),
        sort: Some(sort.to_owned()),
    };
    let (method, path) = ROUTE;
    let route = RouteSpec {
        method: Some(method.to_owned()),
        path: path.to_owned(),
    };
    Ok(Wiring {
        sources: NAMES
            .into_iter()
            .map(|name| (physical(name), name.to_owned()))
            .collect(),
        keys: [("items".to_owned(), keys)].into(),
        routes: Some(Routes::of("probe", [route])?),
        mail: mails.map(|bucket| (bucket.to_owned(), MAILS.to_owned())),
    })
}
