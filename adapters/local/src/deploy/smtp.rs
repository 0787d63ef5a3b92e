//! The SMTP listener for e-mail triggers.
//!
//! Takes mail on this machine for the addresses that functions have triggers on, without TLS or authentication. A message is accepted only once it
//! lies in the inbox of every trigger that it fits.

mod session;

use std::sync::Arc;
use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::{App, Trigger};
use nephos_core::event::{Data, Email, Envelope, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::session::{Session, Step};
use super::pump::source::{Router, address_fits};

/// How long a client may be silent (RFC 5321, 4.5.3.2.7).
const SILENCE: Duration = Duration::from_secs(300);
/// How long sessions may go on once the listener is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, app: Arc<App>, router: Arc<Router>, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (app, router, stop) = (Arc::clone(&app), Arc::clone(&router), stop.clone());
                sessions.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        ended = converse(stream, &app, &router) => {
                            if let Err(error) = ended {
                                tracing::debug!(%error, "an SMTP session broke off");
                            }
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an SMTP connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    sessions.close();
    if tokio::time::timeout(DRAIN, sessions.wait()).await.is_err() {
        tracing::debug!("SMTP sessions were still open");
    }
}

async fn converse(mut stream: TcpStream, app: &App, router: &Router) -> std::io::Result<()> {
    let known = |recipient: &str| {
        app.functions
            .values()
            .flat_map(|spec| &spec.on)
            .any(|trigger| matches!(trigger, Trigger::Email { address } if address_fits(address, recipient)))
    };
    let mut session = Session::new();
    let mut buffer = vec![0; 16 << 10];
    stream.write_all(session::GREETING.as_bytes()).await?;
    loop {
        let read = match tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
            Ok(read) => read?,
            Err(_) => return stream.write_all(session::TOO_SILENT.as_bytes()).await,
        };
        if read == 0 {
            return Ok(());
        }
        let mut bytes = buffer[..read].iter();
        loop {
            match session.next(&mut bytes, &known) {
                Step::More => break,
                // Small and rare: each is written for itself.
                Step::Reply(reply) => stream.write_all(reply.as_bytes()).await?,
                Step::Message(envelope, source) => {
                    let reply = match take(router, envelope, source).await {
                        Ok(()) => session::ACCEPTED,
                        Err(error) => {
                            tracing::warn!(error = %error.chain(), "an e-mail was not taken");
                            if error.kind() == nephos_core::ErrorKind::Decode {
                                session::NOT_A_MESSAGE
                            } else {
                                session::TRY_LATER
                            }
                        }
                    };
                    stream.write_all(reply.as_bytes()).await?;
                }
                Step::End(reply) => return stream.write_all(reply.as_bytes()).await,
            }
        }
    }
}

async fn take(router: &Router, envelope: Envelope, source: Vec<u8>) -> Result<()> {
    let email = Email::parse(envelope, source.into())?;
    router
        .emit(Event::of(Data::Email(Box::new(email))))
        .await
        .map(drop)
}
