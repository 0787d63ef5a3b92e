//! The rule that keeps the core neutral: no provider's name in it, neither in code nor in prose.

use super::Offence;
use super::source::SourceFile;

/// Words that name a provider, or a service that only one provider has. Compared without case, against words
/// cut at punctuation, at underscores and at a capital letter.
const PROVIDER_WORDS: [&str; 40] = [
    "alexa",
    "alibaba",
    "amazon",
    "amazonaws",
    "aws",
    "azure",
    "bigtable",
    "cloudflare",
    "cloudformation",
    "cloudwatch",
    "cognito",
    "cosmos",
    "cosmosdb",
    "dynamo",
    "dynamodb",
    "ec2",
    "entra",
    "eventarc",
    "eventbridge",
    "eventgrid",
    "eventhub",
    "eventhubs",
    "fargate",
    "firebase",
    "firestore",
    "gcp",
    "gcs",
    "google",
    "googleapis",
    "iam",
    "kinesis",
    "knative",
    "lambda",
    "microsoft",
    "pubsub",
    "s3",
    "servicebus",
    "sns",
    "spanner",
    "sqs",
];

/// One use of a provider's word that is allowed, and why.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Where: the end of the file's path.
    pub file: &'static str,
    /// The line must hold this text. Only the words inside it are excused.
    pub text: &'static str,
    /// Why the name cannot be avoided there.
    pub reason: &'static str,
}

/// Providers' names in `files` that nothing in `allowed` excuses, and excuses that excuse nothing.
#[must_use]
pub fn provider_names(files: &[SourceFile], allowed: &[Allowed]) -> Vec<Offence> {
    let mut offences = Vec::new();
    let mut used = vec![false; allowed.len()];
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            let mut rest = line.to_owned();
            for (excuse, used) in allowed.iter().zip(&mut used) {
                if file.path.ends_with(excuse.file) && rest.contains(excuse.text) {
                    rest = rest.replace(excuse.text, " ");
                    *used = true;
                }
            }
            if let Some(word) = words(&rest)
                .into_iter()
                .find(|w| PROVIDER_WORDS.contains(&w.as_str()))
            {
                offences.push(Offence::new(
                    format!("{}:{number}", file.path),
                    format!("`{word}` names a provider"),
                    "use the neutral word, or move what is particular to its adapter",
                ));
            }
        }
    }
    for (excuse, used) in allowed.iter().zip(used) {
        if !used {
            offences.push(Offence::new(
                excuse.file,
                format!(
                    "nothing there needs the excuse for `{}` ({})",
                    excuse.text, excuse.reason
                ),
                "delete it from the list",
            ));
        }
    }
    offences
}

/// The words of a line, in lower case: cut at everything that is not a letter or digit, and before a capital
/// that follows a small letter or starts a new word (`AWSEvent` is `aws`, `event`).
fn words(line: &str) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let after_small = at > 0 && (chars[at - 1].is_lowercase() || chars[at - 1].is_numeric());
        let before_small = chars.get(at + 1).is_some_and(|n| n.is_lowercase());
        let cut = c.is_uppercase() && (after_small || (before_small && word.len() > 1));
        if (cut || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    words.push(word);
    // `DynamoDB` and `CosmosDB` are cut before `DB`; `PubSub` and `Pub/Sub` into two words.
    if words.windows(2).any(|pair| pair == ["pub", "sub"]) {
        words.push("pubsub".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        !provider_names(&[SourceFile::new("core/a.rs", line)], &[]).is_empty()
    }

    #[test]
    fn a_providers_name_is_found_in_every_spelling() {
        for line in [
            "struct AwsEvent;",
            "fn from_sqs() {}",
            "/// As in DynamoDB.",
            "AWSEvent",
            "enum Kind { Lambda }",
            "a Pub/Sub push",
            "PubSub",
            "pubsub_topic",
            "https://docs.aws.amazon.com/x",
            "//! Google Cloud",
            "S3Bucket",
            "x-amzn // amazon",
        ] {
            assert!(found(line), "{line}");
        }
    }

    #[test]
    fn words_that_only_contain_a_name_are_not_one() {
        for line in [
            "lawsuit",
            "iambic gcps3x",
            "a public subject",
            "the cosmic dynamic",
            "publish; subscribe",
            "cx.raw()",
        ] {
            assert!(!found(line), "{line}");
        }
    }

    #[test]
    fn an_excuse_covers_its_text_in_its_file_and_nothing_else() {
        let allowed = [Allowed {
            file: "bucket.rs",
            text: "S3-compatible",
            reason: "the protocol's name",
        }];
        let file = |path: &str, text: &str| [SourceFile::new(path, text)];
        assert!(provider_names(&file("core/bucket.rs", "/// An S3-compatible store."), &allowed).is_empty());
        assert_eq!(
            provider_names(
                &file("core/bucket.rs", "/// An S3-compatible store on AWS."),
                &allowed
            )
            .len(),
            1
        );
        let elsewhere = provider_names(&file("core/queue.rs", "/// An S3-compatible store."), &allowed);
        assert_eq!(
            elsewhere.len(),
            2,
            "the name, and the excuse that nothing needs: {elsewhere:?}"
        );
    }
}
