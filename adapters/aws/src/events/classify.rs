//! What a document is, by two or three fields that AWS documents: no type is tried and given up.

use std::fmt;

use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text::Text;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A request to a [function URL](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html), or to an
    /// [HTTP API](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html): payload format 2.0.
    Http,
    /// A [notification of S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
    Bucket,
    /// [Messages of SQS](https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
    Queue,
    /// A [notification of SNS](https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html).
    Topic,
    /// [Records of Kinesis](https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html).
    Stream,
    /// [Changes of DynamoDB](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
    Table,
    /// A tick of EventBridge Scheduler, with the input that deployment gave the schedule.
    Schedule,
    /// A tick of an EventBridge [rule with a schedule](https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-event.html).
    Rule,
    /// A [receipt of SES](https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html).
    Email,
    /// A [trigger of a Cognito user pool](https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html).
    Auth,
    /// A [request of the Alexa Skills Kit](https://developer.amazon.com/en-US/docs/alexa/custom-skills/request-and-response-json-reference.html).
    Voice,
    /// Anything else, as it came.
    Raw,
}

impl Kind {
    /// Whether Lambda takes [partial failures](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html) of it.
    #[must_use]
    pub const fn has_records(self) -> bool {
        matches!(self, Self::Queue | Self::Stream | Self::Table)
    }
}

/// What `document` is.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no text, or no JSON, as far as it had to be read.
pub fn classify(document: &[u8]) -> Result<Kind> {
    let mut probe = Probe::default();

    let mut json = serde_json::Deserializer::from_str(super::text(document)?);
    match json.deserialize_any(Top(&mut probe)) {
        Ok(()) => json
            .end()
            .map_err(|error| super::malformed("the document is not JSON", error))?,
        // The source of the first record says it all: the rest is left to the codec.
        Err(_) if probe.source.is_some_and(|kind| kind != Kind::Raw) => {}
        // A field that is of another type than the kinds have.
        Err(error) if error.is_data() => return Ok(Kind::Raw),
        Err(error) => {
            return Err(
                Error::new(ErrorKind::Decode, super::DECODE, "the document is not JSON").caused_by(error),
            );
        }
    }
    Ok(probe.kind())
}

/// What the documented fields say.
#[derive(Default)]
struct Probe {
    source: Option<Kind>,
    schedule: bool,
    scheduled_event: bool,
    events_source: bool,
    format_2: bool,
    http_context: bool,
    raw_path: bool,
    authorizer: bool,
    trigger_source: bool,
    user_pool: bool,
    request_type: bool,
    session: bool,
}

impl Probe {
    fn kind(&self) -> Kind {
        if let Some(kind) = self.source {
            kind
        } else if self.schedule {
            Kind::Schedule
        } else if self.scheduled_event && self.events_source {
            Kind::Rule
        } else if self.format_2 && self.http_context && self.raw_path && !self.authorizer {
            Kind::Http
        } else if self.trigger_source && self.user_pool {
            Kind::Auth
        } else if self.request_type && self.session {
            Kind::Voice
        } else {
            Kind::Raw
        }
    }
}

#[derive(Deserialize)]
struct RequestContext {
    #[serde(default)]
    http: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(default, borrow)]
    schedule: Text<'a>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(default, borrow, rename = "type")]
    ty: Text<'a>,
}

struct Top<'p>(&'p mut Probe);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
        let probe = self.0;
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            match name.as_deref().unwrap_or_default() {
                "Records" => {
                    fields.next_value_seed(First(probe))?;
                }
                "nephos" => probe.schedule = fields.next_value::<Own<'de>>()?.schedule.0.is_some(),
                "detail-type" => {
                    probe.scheduled_event = fields.next_value::<Text<'de>>()?.is("Scheduled Event");
                }
                "source" => probe.events_source = fields.next_value::<Text<'de>>()?.is("aws.events"),
                "version" => probe.format_2 = fields.next_value::<Text<'de>>()?.is("2.0"),
                "requestContext" => {
                    probe.http_context = fields.next_value::<RequestContext>()?.http.is_some();
                }
                "rawPath" => probe.raw_path = fields.next_value::<Text<'de>>()?.0.is_some(),
                "type" => probe.authorizer = fields.next_value::<Text<'de>>()?.is("REQUEST"),
                "triggerSource" => probe.trigger_source = fields.next_value::<Text<'de>>()?.0.is_some(),
                "userPoolId" => probe.user_pool = fields.next_value::<Text<'de>>()?.0.is_some(),
                "request" => probe.request_type = fields.next_value::<Request<'de>>()?.ty.0.is_some(),
                "session" | "context" => {
                    fields.next_value::<IgnoredAny>()?;
                    probe.session = true;
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The source of the first record of a list.
struct First<'p>(&'p mut Probe);

impl<'de> DeserializeSeed<'de> for First<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> std::result::Result<(), A::Error> {
        records.next_element_seed(Source(self.0))?;
        while records.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

struct Source<'p>(&'p mut Probe);

impl<'de> DeserializeSeed<'de> for Source<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Source<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            // SNS writes it with a capital.
            if name.is("eventSource") || name.is("EventSource") {
                let source = fields.next_value::<Text<'de>>()?;
                let kind = source.as_deref().and_then(of_source).unwrap_or(Kind::Raw);
                self.0.source = Some(kind);
                if kind != Kind::Raw {
                    return Err(known());
                }
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The kind of a record from this service.
pub(super) fn of_source(source: &str) -> Option<Kind> {
    Some(match source {
        "aws:s3" => Kind::Bucket,
        "aws:sqs" => Kind::Queue,
        "aws:sns" => Kind::Topic,
        "aws:kinesis" => Kind::Stream,
        "aws:dynamodb" => Kind::Table,
        "aws:ses" => Kind::Email,
        _ => return None,
    })
}

/// Ends the reading: nothing that follows can change the answer.
fn known<E: de::Error>() -> E {
    E::custom("known")
}
