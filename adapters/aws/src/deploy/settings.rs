//! What `[target.aws]` says: read once, every mistake named before anything is rendered or sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use nephos_core::app::App;
use nephos_core::deploy::settings::Reader;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// How long logs are kept where nothing is said.
const DEFAULT_LOG_RETENTION_DAYS: u32 = 30;
/// What CloudWatch Logs takes: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
const LOG_RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
/// The longest name of a stack: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>.
const MAX_STACK_NAME: usize = 128;

/// The processors that functions run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Architecture {
    /// 64-bit x86.
    #[default]
    X86_64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// Lambda's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// What takes HTTP requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpFront {
    /// A URL for each function: no extra price, no limit of time but the function's own.
    #[default]
    FunctionUrl,
    /// One HTTP API of API Gateway for all functions, a route for each trigger; cuts at 30 s.
    HttpApi,
}

/// Which functions get their `max_instances` as reserved concurrency. A reservation is taken from what all functions of the account
/// share, so it is not made for every function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reserve {
    /// Those with fewer than the manifest's default of 10: there the limit is meant.
    #[default]
    Few,
    /// All.
    All,
    /// None: for accounts whose limit is too low for any reservation.
    None,
}

/// The settings of a target on AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `region`: where it is deployed; the SDK's default chain decides if `None`.
    pub region: Option<String>,
    /// `profile`: which profile of the shared files is used.
    pub profile: Option<String>,
    /// `architecture`: `x86_64` (the default) or `arm64`; what the binary was built for.
    pub architecture: Architecture,
    /// `log_retention_days`: how long logs are kept; 30 if not said.
    pub log_retention_days: u32,
    /// `tracing`: whether X-Ray traces invocations; off if not said.
    pub tracing: bool,
    /// `http`: `function_url` (the default) or `http_api`.
    pub http: HttpFront,
    /// `response_streaming`: whether function URLs stream the response (up to 200 MB) instead of buffering it (up to 6 MB); off if not said.
    pub response_streaming: bool,
    /// `stack`: the stack's name, if it is not `<app>-<target>`.
    pub stack: Option<String>,
    /// `artifact_bucket`: a bucket of yours for the code, instead of the one that deployment makes.
    pub artifact_bucket: Option<String>,
    /// `reserve_concurrency`: `few` (the default), `all` or `none`.
    pub reserve_concurrency: Reserve,
    /// `permissions_boundary`: the ARN of the policy that bounds all roles.
    pub permissions_boundary: Option<String>,
    /// `user_pool`: the Cognito user pool of `auth` triggers, by id or ARN.
    pub user_pool: Option<String>,
    /// `mail_rule_set`: an SES rule set of yours that `email` triggers add their rules to, instead of one of their own.
    pub mail_rule_set: Option<String>,
    /// `skills`: the id of each skill that a `voice` trigger names.
    pub skills: BTreeMap<String, String>,
    /// `secrets`: secrets that exist already, by name in the manifest: the ARN or name in Secrets Manager; or, of a
    /// parameter of Systems Manager, its ARN, or `ssm:` and its name.
    pub secrets: BTreeMap<String, String>,
    /// `tags`: tags of your own on every resource that takes tags.
    pub tags: BTreeMap<String, String>,
    /// `overrides`: a JSON merge patch (RFC 7396) over the rendered template.
    pub overrides: Value,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            architecture: Architecture::default(),
            log_retention_days: DEFAULT_LOG_RETENTION_DAYS,
            tracing: false,
            http: HttpFront::default(),
            response_streaming: false,
            stack: None,
            artifact_bucket: None,
            reserve_concurrency: Reserve::default(),
            permissions_boundary: None,
            user_pool: None,
            mail_rule_set: None,
            skills: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tags: BTreeMap::new(),
            overrides: Value::Null,
        }
    }
}

impl Settings {
    /// Reads the settings of a target; the defaults if the manifest has none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an unknown key, a value of the wrong type or form, and a name that the app does not have.
    pub fn of(app: &App, target: &str) -> Result<Self> {
        let Some(value) = app.targets.get(target) else {
            return Ok(Self::default());
        };
        let mut reader = Reader::new(target, value)?;
        let mut settings = Self {
            region: reader.text("region")?,
            profile: reader.text("profile")?,
            stack: reader.text("stack")?,
            artifact_bucket: reader.text("artifact_bucket")?,
            permissions_boundary: reader.text("permissions_boundary")?,
            user_pool: reader.text("user_pool")?,
            mail_rule_set: reader.text("mail_rule_set")?,
            skills: reader.texts("skills")?,
            secrets: reader.texts("secrets")?,
            tags: reader.texts("tags")?,
            overrides: reader.table("overrides")?,
            ..Self::default()
        };
        if let Some(choice) = reader.choice(
            "architecture",
            &[("x86_64", Architecture::X86_64), ("arm64", Architecture::Arm64)],
        )? {
            settings.architecture = choice;
        }
        let fronts = [
            ("function_url", HttpFront::FunctionUrl),
            ("http_api", HttpFront::HttpApi),
        ];
        if let Some(choice) = reader.choice("http", &fronts)? {
            settings.http = choice;
        }
        let reserves = [
            ("few", Reserve::Few),
            ("all", Reserve::All),
            ("none", Reserve::None),
        ];
        if let Some(choice) = reader.choice("reserve_concurrency", &reserves)? {
            settings.reserve_concurrency = choice;
        }
        if let Some(flag) = reader.flag("tracing")? {
            settings.tracing = flag;
        }
        if let Some(flag) = reader.flag("response_streaming")? {
            settings.response_streaming = flag;
        }
        if let Some(days) = reader.number("log_retention_days", &LOG_RETENTION_DAYS)? {
            settings.log_retention_days = days;
        }
        reader.finish()?;
        settings.check(app, target)?;
        Ok(settings)
    }

    /// The stack's name: `stack`, or `<app>-<target>`.
    #[must_use]
    pub fn stack_name(&self, app: &App, target: &str) -> String {
        match &self.stack {
            Some(stack) => stack.clone(),
            None => format!("{}-{target}", app.name),
        }
    }

    fn check(&self, app: &App, target: &str) -> Result<()> {
        let wrong = |key: &'static str, value: &str, message: &'static str| {
            Err(Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
                .with("key", format!("target.{target}.{key}"))
                .with("value", value))
        };
        if let Some(region) = self.region.as_deref().filter(|region| !is_region(region)) {
            return wrong(
                "region",
                region,
                "that is not the form of a region; write it as in \"eu-west-1\"",
            );
        }
        if let Some(stack) = self.stack.as_deref().filter(|stack| !is_stack(stack)) {
            return wrong(
                "stack",
                stack,
                "a stack's name is lower-case letters, digits and hyphens, at most 128, and begins with a letter",
            );
        }
        if let Some(bucket) = self.artifact_bucket.as_deref().filter(|name| !is_bucket(name)) {
            return wrong(
                "artifact_bucket",
                bucket,
                "S3 refuses this name of a bucket; it is 3 to 63 lower-case letters, digits, hyphens and dots",
            );
        }
        if let Some(arn) = self
            .permissions_boundary
            .as_deref()
            .filter(|arn| !arn.starts_with("arn:"))
        {
            return wrong(
                "permissions_boundary",
                arn,
                "a permissions boundary is the ARN of a policy",
            );
        }
        if let Some(pool) = self.user_pool.as_deref().filter(|pool| !is_user_pool(pool)) {
            return wrong(
                "user_pool",
                pool,
                "that is not a user pool; write its id as in \"eu-west-1_a1B2c3D4e\", or its ARN",
            );
        }
        for (name, id) in &self.skills {
            if !id.starts_with("amzn1.ask.skill.") {
                return wrong(
                    "skills",
                    name,
                    "a skill's id begins with `amzn1.ask.skill.`; the Alexa developer console shows it",
                );
            }
        }
        for name in self.secrets.keys() {
            if !matches!(
                app.resources.get(name),
                Some(nephos_core::app::Resource::Secret(_))
            ) {
                return wrong("secrets", name, "the manifest declares no secret of this name");
            }
        }
        for key in self.tags.keys() {
            if key.starts_with("aws:") || key.starts_with("nephos:") {
                return wrong(
                    "tags",
                    key,
                    "tags that begin with `aws:` or `nephos:` are not yours to set",
                );
            }
        }
        if self.response_streaming && self.http == HttpFront::HttpApi {
            return wrong(
                "response_streaming",
                "true",
                "an HTTP API buffers its responses; choose http = \"function_url\", or leave it out",
            );
        }
        Ok(())
    }
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let word = |word: &&str| !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(word)
        && !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_stack(text: &str) -> bool {
    (1..=MAX_STACK_NAME).contains(&text.len())
        && text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket(text: &str) -> bool {
    let inner = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|letter| inner(letter) || letter == b'-' || letter == b'.')
        && [text.bytes().next(), text.bytes().next_back()]
            .into_iter()
            .flatten()
            .all(inner)
        && !text.contains("..")
}

fn is_user_pool(text: &str) -> bool {
    if text.starts_with("arn:") {
        return text.contains(":cognito-idp:") && text.contains(":userpool/");
    }
    text.split_once('_').is_some_and(|(region, id)| {
        is_region(region) && !id.is_empty() && id.bytes().all(|letter| letter.is_ascii_alphanumeric())
    })
}
