//! A Runtime API for one function process: hands out invocations, keeps the answers.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::convert::Infallible;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// How long anything may take: far more than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An invocation to hand out.
pub(crate) struct Invocation {
    id: String,
    deadline: u128,
    trace: Option<&'static str>,
    body: Bytes,
}

/// What the function answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    /// Whether it went to `/response`, not to `/error`.
    pub(crate) is_response: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer of an invocation that went well.
    #[track_caller]
    pub(crate) fn response(&self) -> Value {
        assert!(self.is_response, "{self:?}");
        self.json()
    }

    /// The type and message of an invocation that failed.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        assert!(!self.is_response, "{self:?}");
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        (text("errorType"), text("errorMessage"))
    }
}

/// The server, and the function process that it serves.
pub(crate) struct RuntimeApi {
    pub(crate) function: Child,
    invocations: mpsc::UnboundedSender<Invocation>,
    answers: mpsc::UnboundedReceiver<Answer>,
    next_id: u32,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.function.kill();
        let _ = self.function.wait();
    }
}

impl RuntimeApi {
    /// Starts the function of this name with these variables besides Lambda's own.
    pub(crate) async fn start(function: &str, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (invocations, pending) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let pending = Arc::new(Mutex::new(pending));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (pending, answered) = (Arc::clone(&pending), answered.clone());
                let service = service_fn(move |request| {
                    let (pending, answered) = (Arc::clone(&pending), answered.clone());
                    async move { Ok::<_, Infallible>(serve(request, &pending, &answered).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let function = command(address, function, variables)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            function,
            invocations,
            answers,
            next_id: 0,
        }
    }

    /// Hands out an invocation with a minute of time, and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Answer {
        self.invoke_within(Duration::from_secs(60), event).await
    }

    pub(crate) async fn invoke_within(&mut self, time: Duration, event: &Value) -> Answer {
        self.hand_out((now() + time).as_millis(), None, event);
        self.answer().await
    }

    /// Hands out an invocation with this deadline, in milliseconds since 1970.
    pub(crate) fn hand_out(&mut self, deadline: u128, trace: Option<&'static str>, event: &Value) {
        self.next_id += 1;
        let invocation = Invocation {
            id: format!("i-{}", self.next_id),
            deadline,
            trace,
            body: event.to_string().into(),
        };
        assert!(self.invocations.send(invocation).is_ok(), "the server has ended");
    }

    /// The next answer, which must be that of the last invocation.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.answers.recv());
        let answer = answer.await.expect("the function does not answer").unwrap();
        assert_eq!(answer.id, format!("i-{}", self.next_id));
        answer
    }

    /// How the process ended.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(status) = self.function.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the process does not end")
    }

    /// Waits until the function says that it waits. The server has a thread of its own.
    pub(crate) fn wait_for_start(&mut self) {
        let mut said = [0; 8];
        let stdout = self.function.stdout.as_mut().unwrap();
        stdout.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"waiting\n");
    }

    pub(crate) fn terminate(&self) {
        let status = Command::new("kill")
            .arg("-TERM")
            .arg(self.function.id().to_string())
            .status();
        assert!(status.unwrap().success());
    }
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// This very program as a function on Lambda.
pub(crate) fn command(
    address: impl std::fmt::Display,
    function: &str,
    variables: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "shop-probe-1X2Y")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("NEPHOS_APP", "shop")
        .env("NEPHOS_FUNCTION", function)
        .envs(variables.iter().copied())
        .stderr(Stdio::null());
    command
}

async fn serve(
    request: Request<Incoming>,
    pending: &Mutex<mpsc::UnboundedReceiver<Invocation>>,
    answered: &mpsc::UnboundedSender<Answer>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/2018-06-01/runtime/invocation/");
    let Some(path) = path.map(str::to_owned) else {
        return status(StatusCode::NOT_FOUND);
    };
    if parts.method == Method::GET && path == "next" {
        let Some(invocation) = pending.lock().await.recv().await else {
            return status(StatusCode::GONE);
        };
        let mut response = Response::builder()
            .header("lambda-runtime-aws-request-id", invocation.id)
            .header("lambda-runtime-deadline-ms", invocation.deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:shop",
            );
        if let Some(trace) = invocation.trace {
            response = response.header("lambda-runtime-trace-id", trace);
        }
        return response.body(Full::new(invocation.body)).unwrap();
    }
    let (id, kind) = path.split_once('/').unwrap();
    let is_response = match kind {
        "response" => true,
        "error" => false,
        _ => return status(StatusCode::NOT_FOUND),
    };
    let body = body.collect().await.unwrap().to_bytes();
    let answer = Answer {
        id: id.to_owned(),
        is_response,
        headers: parts.headers,
        body,
    };
    // A test that has given up listens no more.
    let _ = answered.send(answer);
    status(StatusCode::ACCEPTED)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
