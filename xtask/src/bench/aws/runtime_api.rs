//! A [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) of Lambda that costs little: one thread a connection, one invocation at a
//! time, an answer that lies ready. It waits for nothing while its gate is open, and holds the next invocation back while it is closed, so that two
//! functions can be measured in turn.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use xtask::shell::{Error, Result};

use super::wire::Connection;

/// Longer than any invocation that is worth measuring.
const LIMIT: Duration = Duration::from_secs(30);

/// What is looked for in a function's answer before it counts.
pub(crate) type Check = fn(&[u8]) -> bool;

/// The Runtime API of one function.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    /// Where it listens.
    pub(crate) at: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    gate: Mutex<Gate>,
    changed: Condvar,
    invocation: Vec<u8>,
    check: Check,
}

#[derive(Debug, Default)]
struct Gate {
    /// Which process it is for: connections of an earlier one, which still wait, get nothing any more.
    process: u64,
    /// Invocations that may still be handed out.
    left: u64,
    /// No invocation is handed out after this.
    until: Option<Instant>,
    /// Answers so far, all of them right.
    answered: u64,
    /// When the last one came.
    last_answer: Option<Instant>,
    /// When the first invocation was asked for.
    first_poll: Option<Instant>,
    /// The answer that was checked: all others are the same bytes.
    answer: Option<Vec<u8>>,
    failure: Option<String>,
}

impl RuntimeApi {
    /// Listens on a free port; hands out `event` again and again, with an answer to which `check` says yes.
    ///
    /// # Errors
    /// A machine without a free port.
    pub(crate) fn start(event: &[u8], check: Check) -> Result<Self> {
        let failed = |e: io::Error| Error::Other(format!("the Runtime API cannot listen: {e}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let state = Arc::new(State {
            gate: Mutex::default(),
            changed: Condvar::new(),
            invocation: invocation(event),
            check,
        });
        let shared = Arc::clone(&state);
        // It ends with the benchmark: a listener without clients costs nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(io::Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    if let Err(error) = serve(stream, &state) {
                        state.fail(format!("the function's connection broke: {error}"));
                    }
                });
            }
        });
        Ok(Self { at, state })
    }

    /// Waits for the first question for an invocation since the last [`forget`](Self::forget).
    ///
    /// # Errors
    /// A function that does not ask within half a minute.
    pub(crate) fn first_poll(&self) -> Result<Instant> {
        self.wait(|gate| gate.first_poll)
    }

    /// Takes the next process for a new one.
    pub(crate) fn forget(&self) {
        let mut gate = self.lock();
        *gate = Gate {
            process: gate.process + 1,
            ..Gate::default()
        };
        drop(gate);
        self.state.changed.notify_all();
    }

    /// Hands out `count` invocations.
    ///
    /// # Errors
    /// A wrong answer, or one that does not come.
    pub(crate) fn invoke(&self, count: u64) -> Result<()> {
        let goal = {
            let mut gate = self.lock();
            gate.left = count;
            gate.until = None;
            gate.answered + count
        };
        self.state.changed.notify_all();
        self.wait(|gate| (gate.answered >= goal).then_some(()))
    }

    /// Hands out invocations for so long; gives their number a second.
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke).
    pub(crate) fn rate(&self, duration: Duration) -> Result<f64> {
        let (before, started) = {
            let mut gate = self.lock();
            let started = Instant::now();
            gate.left = u64::MAX;
            gate.until = Some(started + duration);
            gate.last_answer = None;
            (gate.answered, started)
        };
        self.state.changed.notify_all();
        // Closed by the thread that hands them out, once the last one is answered.
        let (answered, last) = self.wait(|gate| match (gate.left, gate.last_answer) {
            (0, Some(last)) => Some((gate.answered - before, last)),
            _ => None,
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a count of invocations fits")]
        Ok(answered as f64 / (last - started).as_secs_f64())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.state.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, done: impl Fn(&Gate) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + LIMIT;
        let mut gate = self.lock();
        loop {
            if let Some(failure) = &gate.failure {
                return Err(Error::Other(failure.clone()));
            }
            if let Some(found) = done(&gate) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Other(
                    "the function did not ask, or answer, in time".to_owned(),
                ));
            }
            gate = self
                .state
                .changed
                .wait_timeout(gate, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(gate, _)| gate);
        }
    }
}

impl State {
    fn fail(&self, what: String) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.failure.get_or_insert(what);
        drop(gate);
        self.changed.notify_all();
    }

    /// Blocks until an invocation may be handed out; false once the process is not the one that is measured.
    fn admit(&self, process: u64) -> bool {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.first_poll.is_none() && gate.process == process {
            gate.first_poll = Some(Instant::now());
            self.changed.notify_all();
        }
        loop {
            if gate.process != process {
                return false;
            }
            if gate.left > 0 && gate.until.is_some_and(|until| Instant::now() >= until) {
                gate.left = 0;
                self.changed.notify_all();
            }
            if gate.left > 0 {
                gate.left -= 1;
                return true;
            }
            gate = self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts an answer; the first is checked, the others must be the same.
    fn answered(&self, body: &[u8]) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let is_right = match &gate.answer {
            Some(first) => first == body,
            None => (self.check)(body),
        };
        if !is_right {
            let text = String::from_utf8_lossy(body).into_owned();
            gate.failure.get_or_insert(format!(
                "a wrong answer: {}",
                text.chars().take(400).collect::<String>()
            ));
        } else if gate.answer.is_none() {
            gate.answer = Some(body.to_vec());
        }
        gate.answered += 1;
        gate.last_answer = Some(Instant::now());
        // Waking somebody for each answer would cost a system call that nobody needs: only the last of a count is waited for.
        if gate.left == 0 || !is_right {
            self.changed.notify_all();
        }
    }
}

/// What the Runtime API says of an invocation: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next>.
fn invocation(event: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: 4102444800000\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n\
         lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\
         content-length: {}\r\n\r\n",
        event.len()
    )
    .into_bytes();
    answer.extend_from_slice(event);
    answer
}

fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    const ACCEPTED: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    let mut connection = Connection::new(stream)?;
    let process = state.gate.lock().unwrap_or_else(PoisonError::into_inner).process;
    while let Some(request) = connection.next()? {
        if request.method() == "GET" {
            if !state.admit(process) {
                return Ok(());
            }
            connection.stream.write_all(&state.invocation)?;
            continue;
        }
        if request.path().ends_with("/response") {
            state.answered(&request.body);
        } else {
            let said = String::from_utf8_lossy(&request.body);
            state.fail(format!("the function said at {}: {said}", request.path()));
        }
        connection.stream.write_all(ACCEPTED)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A function that answers each event with `answer`, until it is told no more.
    fn function(api: &RuntimeApi, answer: &'static str) {
        let at = api.at;
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(at).unwrap();
            let mut read = [0; 4096];
            loop {
                let next = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";
                // The API has no more for a process of before.
                if stream.write_all(next).is_err() || !stream.read(&mut read).is_ok_and(|length| length > 0) {
                    return;
                }
                let post = format!(
                    "POST /2018-06-01/runtime/invocation/8476a536/response HTTP/1.1\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                );
                stream.write_all(post.as_bytes()).unwrap();
                let _ = stream.read(&mut read).unwrap();
            }
        });
    }

    #[test]
    fn invocations_are_counted_and_the_gate_holds_them_back_in_between() {
        let api = RuntimeApi::start(b"{}", |body| body == b"right").unwrap();
        function(&api, "right");
        let first = api.first_poll().unwrap();
        assert!(
            api.lock().answered == 0,
            "nothing is handed out before the gate opens"
        );
        api.invoke(7).unwrap();
        assert_eq!(api.lock().answered, 7);
        assert!(api.rate(Duration::from_millis(20)).unwrap() > 0.0);
        assert_eq!(api.first_poll().unwrap(), first);
    }

    #[test]
    fn a_process_of_before_takes_nothing_away_from_the_next() {
        let api = RuntimeApi::start(b"{}", |body| body == b"right").unwrap();
        function(&api, "wrong");
        api.first_poll().unwrap();
        api.forget();
        function(&api, "right");
        api.first_poll().unwrap();
        api.invoke(3).unwrap();
    }

    #[test]
    fn a_wrong_answer_is_an_error_and_no_figure() {
        let api = RuntimeApi::start(b"{}", |body| body == b"right").unwrap();
        function(&api, "wrong");
        let error = api.invoke(1).unwrap_err().to_string();
        assert!(error.contains("a wrong answer: wrong"), "{error}");
    }
}
