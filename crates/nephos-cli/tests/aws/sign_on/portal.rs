//! The portal of single sign-on, and a person's files for it. The emulator has no portal: this one is a server on a socket that gives what AWS documents, to
//! whoever shows the right token: <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html> and
//! <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sdk::Sdk;
use crate::support::{Aws, Project};

/// The token of whoever is signed in.
pub(super) const TOKEN: &str = "token-of-ann";
/// What a new token is given for.
const RENEWAL: &str = "renewal-of-ann";
const ACCOUNT: &str = "000000000000";
const START: &str = "https://team.awsapps.com/start";
/// The name of the file that keeps the token: SHA-1 of the session's name, `team`.
const TOKEN_FILE: &str = "d25187dc137f35c88bc80ec8c3ffbdb17b5eb873.json";
const HOUR: Duration = Duration::from_secs(3600);

/// Credentials that end.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
}

impl Keys {
    /// What the emulator takes for the account's root.
    pub(super) fn root() -> Self {
        let [id, secret, token] = ["test", "test", "session"].map(str::to_owned);
        Self { id, secret, token }
    }
}

/// A request: what it is for, and what it shows.
struct Request {
    line: String,
    token: String,
    body: String,
}

/// A running portal. Ends when dropped.
pub(super) struct Portal {
    port: u16,
    served: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Portal {
    /// With these roles, assigned to whoever has [`TOKEN`].
    pub(super) fn start<const N: usize>(roles: [(&'static str, Keys); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&served);
        let roles = BTreeMap::from(roles);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A connection that says nothing is the end.
                let Some((request, mut stream)) = read(stream.unwrap()) else {
                    return;
                };
                let (status, what, body) = answer(&roles, &request);
                log.lock().unwrap().push(what.to_owned());
                let body = body.to_string();
                let length = body.len();
                let kind = serde_json::from_str::<Value>(&body).unwrap()["__type"]
                    .as_str()
                    .map(|kind| format!("x-amzn-errortype: {kind}\r\n"))
                    .unwrap_or_default();
                write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{kind}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        Self {
            port,
            served,
            thread: Some(thread),
        }
    }

    fn count(&self, what: &str) -> usize {
        let served = self.served.lock().unwrap();
        served.iter().filter(|served| *served == what).count()
    }

    /// How often it gave the credentials of a role.
    pub(super) fn gave(&self, role: &str) -> usize {
        self.count(role)
    }

    /// How often it gave a new token.
    pub(super) fn renewed(&self) -> usize {
        self.count(RENEWAL)
    }

    /// How often it was asked for anything.
    pub(super) fn asked(&self) -> usize {
        self.served.lock().unwrap().len()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the portal failed");
        }
    }
}

fn read(stream: TcpStream) -> Option<(Request, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let value = |name: &str| {
        head.iter()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(there, value)| there.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let length = value("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = Request {
        line: head[0].clone(),
        token: value("x-amz-sso_bearer_token").unwrap_or_default(),
        body: String::from_utf8(body).unwrap(),
    };
    Some((request, reader.into_inner()))
}

/// Status and body, and what is to be remembered of it.
fn answer<'r>(roles: &'r BTreeMap<&'static str, Keys>, request: &Request) -> (u16, &'r str, Value) {
    let refused =
        |status, kind: &str, message: &str| (status, "refused", json!({"__type": kind, "message": message}));
    if request.line.starts_with("POST /token ") {
        let asked: Value = serde_json::from_str(&request.body).unwrap();
        if asked["grantType"] == "refresh_token" && asked["refreshToken"] == RENEWAL {
            let token = json!({"accessToken": TOKEN, "tokenType": "Bearer", "expiresIn": HOUR.as_secs(), "refreshToken": RENEWAL});
            return (200, RENEWAL, token);
        }
        return refused(400, "InvalidGrantException", "Invalid refresh token provided");
    }
    let address = request.line.split(' ').nth(1).unwrap();
    let query = address
        .strip_prefix("/federation/credentials?")
        .unwrap_or_else(|| panic!("{} is not of the portal", request.line));
    let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    if request.token != TOKEN {
        return refused(401, "UnauthorizedException", "Session token not found or invalid");
    }
    match roles.get_key_value(query["role_name"]) {
        Some((role, keys)) if query["account_id"] == ACCOUNT => {
            let ends = DateTime::<Utc>::from(SystemTime::now() + HOUR).timestamp_millis();
            let credentials = json!({
                "accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": keys.token, "expiration": ends,
            });
            (200, role, json!({"roleCredentials": credentials}))
        }
        _ => refused(403, "ForbiddenException", "No access"),
    }
}

/// A person's home, with profiles of single sign-on: `dev` and `reader` by a session, `old` by an address alone.
pub(super) struct SignIn {
    home: TempDir,
    portal: String,
}

impl SignIn {
    pub(super) fn new(portal: &Portal) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".aws/sso/cache")).unwrap();
        let profile = |name: &str, role: &str, by: &str| {
            format!("[profile {name}]\n{by}\nsso_account_id = {ACCOUNT}\nsso_role_name = {role}\n")
        };
        let address = format!("sso_region = us-east-1\nsso_start_url = {START}");
        let config = [
            profile("dev", "Deployer", "sso_session = team"),
            profile("reader", "Reader", "sso_session = team"),
            profile("old", "Deployer", &address),
            format!("[sso-session team]\n{address}\n"),
        ];
        std::fs::write(home.path().join(".aws/config"), config.concat()).unwrap();
        let portal = format!("http://127.0.0.1:{}", portal.port);
        Self { home, portal }
    }

    fn token_file(&self) -> PathBuf {
        self.home.path().join(".aws/sso/cache").join(TOKEN_FILE)
    }

    fn keep(&self, token: &str, ends: SystemTime, more: &[(&str, Value)]) {
        let time = |time| {
            DateTime::<Utc>::from(time)
                .format("%Y-%m-%dT%H:%M:%SZ")
                .to_string()
        };
        let mut kept =
            json!({"startUrl": START, "region": "us-east-1", "accessToken": token, "expiresAt": time(ends)});
        kept["registrationExpiresAt"] = time(SystemTime::now() + 24 * HOUR).into();
        for (name, value) in more {
            kept[name] = value.clone();
        }
        std::fs::write(self.token_file(), kept.to_string()).unwrap();
    }

    /// As `aws sso login` leaves it.
    pub(super) fn signed_in(&self, token: &str) {
        self.keep(token, SystemTime::now() + HOUR, &[]);
    }

    /// Signed in an hour too long ago.
    pub(super) fn ended(&self) {
        self.keep("token-of-yesterday", SystemTime::now() - HOUR, &[]);
    }

    /// The same, with what a new token is given for.
    pub(super) fn ended_but_renewable(&self) {
        let more = [
            ("clientId", "client".into()),
            ("clientSecret", "secret".into()),
            ("refreshToken", RENEWAL.into()),
        ];
        self.keep("token-of-yesterday", SystemTime::now() - HOUR, &more);
    }

    /// The token that is kept.
    pub(super) fn token(&self) -> String {
        let kept: Value = serde_json::from_slice(&std::fs::read(self.token_file()).unwrap()).unwrap();
        kept["accessToken"].as_str().unwrap().to_owned()
    }

    /// What tells a program of AWS of this home, and of a profile if there is a name.
    fn variables(&self, profile: &str) -> Vec<(String, String)> {
        let home = self.home.path().to_str().unwrap();
        let mut variables = vec![
            ("HOME", home),
            ("AWS_ENDPOINT_URL_SSO", &self.portal),
            ("AWS_ENDPOINT_URL_SSO_OIDC", &self.portal),
        ];
        if !profile.is_empty() {
            variables.push(("AWS_PROFILE", profile));
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The command at the emulator, for the target, without keys but those of the profile.
    pub(super) fn command(&self, aws: &Aws, project: &Project, profile: &str, args: &[&str]) -> Command {
        let mut command = aws.command(project, args);
        command
            .args(["--target", "aws"])
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .envs(self.variables(profile));
        command
    }

    /// AWS's SDK for Python in the same place.
    pub(super) fn python(&self, aws: &Aws, profile: &str) -> Sdk {
        let mut variables = aws.emulator.environment();
        variables.retain(|(name, _)| !name.contains("ACCESS_KEY"));
        variables.extend(self.variables(profile));
        Sdk::start(variables)
    }
}
