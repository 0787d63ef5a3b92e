//! The SDK's errors as ours: what kind by AWS's error code, whether trying again can help, and what to do. In one place, for all services.

mod codes;
pub(crate) mod credentials;

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use nephos_core::{Error, ErrorKind};

use self::credentials::NO_CREDENTIALS;

/// The fact of an error that holds AWS's own code for it (`ThrottlingException`).
pub const CODE: &str = "aws_error";

/// The error of one call. `operation` is `resource.verb`.
///
/// The kind follows AWS's code for the error (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html> and each service's own list); of a code
/// that is not known here, the HTTP status tells. AWS's sentence is the cause, without the values that it quotes.
pub fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match &error {
        SdkError::TimeoutError(_) => Error::new(
            ErrorKind::DeadlineExceeded,
            operation,
            "AWS did not answer in time; check the network, and raise the function's timeout if it is short",
        )
        .caused_by(chain(&error)),
        SdkError::ServiceError(context) => coded(
            operation,
            context.err().meta(),
            Some(context.raw().status().as_u16()),
        ),
        SdkError::ResponseError(context) => {
            // A proxy, or a connection that ended in the middle of an answer.
            Error::new(
                ErrorKind::Unavailable,
                operation,
                "the answer is not one of AWS; check what lies between here and the endpoint",
            )
            .with("status", context.raw().status().as_u16())
        }
        _ => not_sent(operation, &error),
    }
}

/// The error of one entry of a batch, which AWS tells by its code and a sentence.
pub fn of_entry(operation: &'static str, code: &str, sentence: Option<&str>) -> Error {
    let mut meta = ErrorMetadata::builder().code(code);
    if let Some(sentence) = sentence {
        meta = meta.message(sentence);
    }
    coded(operation, &meta.build(), None)
}

/// AWS's own code for the error, if it has one.
#[must_use]
pub fn code(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(name, value)| (name == CODE).then_some(value))
}

/// Whether AWS's code says that it is asked more often than it allows.
#[cfg(feature = "deploy")]
pub(crate) fn is_throttling(code: &str) -> bool {
    codes::THROTTLING.contains(&code)
}

fn coded(operation: &'static str, meta: &ErrorMetadata, status: Option<u16>) -> Error {
    // `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`
    let whole = meta.code().unwrap_or_default();
    let code = whole.rsplit(['#', '.']).next().unwrap_or(whole);
    let sentence = meta.message().unwrap_or_default();
    let meaning = codes::of_code(code, sentence).unwrap_or_else(|| codes::of_status(status));
    let mut error = meaning.error(operation);
    if !code.is_empty() {
        error = error.with(CODE, code);
    } else if let Some(status) = status {
        error = error.with("status", status);
    }
    error.caused_by(Told {
        sentence: without_values(sentence),
        request: meta.extra("aws_request_id").map(str::to_owned),
    })
}

/// A request that did not leave this machine, or whose answer did not come.
fn not_sent(operation: &'static str, error: &(dyn StdError + 'static)) -> Error {
    let text = chain(error);
    let new = |kind, message: &'static str| Error::new(kind, operation, message);
    let found = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
    let translated = match found {
        Some(found) => return credentials::failed(operation, found),
        None if is_about_credentials(&text) => new(ErrorKind::Unauthenticated, NO_CREDENTIALS),
        None if text.to_ascii_lowercase().contains("missing region")
            || text.contains("region must be set") =>
        {
            new(
                ErrorKind::InvalidArgument,
                "no region is chosen; set `region` of the target in nephos.toml, or AWS_REGION",
            )
        }
        None if text.contains("failed to construct request")
            || text.contains("was required but it was not set") =>
        {
            new(
                ErrorKind::InvalidArgument,
                "the request cannot be made of what was given",
            )
        }
        None => new(
            ErrorKind::Unavailable,
            "AWS cannot be reached; check the network, the region, and AWS_ENDPOINT_URL if it is set",
        ),
    };
    if text.contains(credentials::NOWHERE) {
        return translated;
    }
    translated.caused_by(text)
}

/// What went wrong before anything was sent, by the SDK's own words: it does not always have a type for it.
fn is_about_credentials(chain: &str) -> bool {
    let chain = chain.to_ascii_lowercase();
    ["credential", "no providers in chain", "identity"]
        .iter()
        .any(|word| chain.contains(word))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        (*error).source()
    })
}

/// The error and its causes on one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// AWS quotes what it refuses (`Value 'x' at 'y' failed to satisfy constraint`): that may be a payload.
fn without_values(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(start) = rest.find("alue '") {
        let (before, quoted) = rest.split_at(start + "alue '".len());
        text.push_str(before);
        text.push_str("…'");
        // The value may hold quotes itself: it ends where the sentence goes on.
        rest = ["' at '", "' for ", "' is "]
            .iter()
            .filter_map(|end| quoted.find(end))
            .min()
            .map_or("", |end| &quoted[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// What AWS said.
#[derive(Debug)]
struct Told {
    sentence: String,
    request: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sentence.is_empty() {
            "AWS said nothing more"
        } else {
            &self.sentence
        })?;
        match &self.request {
            Some(request) => write!(f, " (request {request})"),
            None => Ok(()),
        }
    }
}

impl StdError for Told {}

#[cfg(test)]
mod tests;
