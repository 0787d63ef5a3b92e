//! One SMTP session (RFC 5321): commands in, replies and messages out. Pure; the protocol's syntax is `smtp-proto`'s.

use std::borrow::Cow;
use std::slice::Iter;

use nephos_core::event::Envelope;
use smtp_proto::request::receiver::{DataReceiver, DummyDataReceiver, RequestReceiver};
use smtp_proto::{Error as SmtpError, Request};

/// The largest message, in bytes.
pub(super) const MAX_MESSAGE: usize = 32 << 20;
/// The most recipients of one message.
const MAX_RECIPIENTS: usize = 100;

pub(super) const GREETING: &str = "220 nephos ESMTP\r\n";
pub(super) const ACCEPTED: &str = "250 2.0.0 accepted\r\n";
pub(super) const NOT_A_MESSAGE: &str = "554 5.6.0 that is no e-mail message\r\n";
pub(super) const TRY_LATER: &str = "451 4.3.0 the message could not be kept, try later\r\n";
pub(super) const TOO_SILENT: &str = "421 4.4.2 silent for too long\r\n";

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More bytes are needed.
    More,
    /// Say this.
    Reply(Cow<'static, str>),
    /// A whole message came: keep it, then say so.
    Message(Envelope, Vec<u8>),
    /// Say this and hang up.
    End(&'static str),
}

fn reply(text: &'static str) -> Step {
    Step::Reply(Cow::Borrowed(text))
}

/// A session.
pub(super) struct Session {
    greeted: bool,
    commands: RequestReceiver,
    envelope: Option<Envelope>,
    data: Option<Data>,
}

enum Data {
    Kept(DataReceiver, Vec<u8>),
    /// It is too large: read on to its end, keep nothing.
    TooLarge(DummyDataReceiver),
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            greeted: false,
            commands: RequestReceiver::default(),
            envelope: None,
            data: None,
        }
    }

    /// Reads on until there is something to say. `known` tells whether a recipient is one of ours.
    pub(super) fn next(&mut self, bytes: &mut Iter<'_, u8>, known: &impl Fn(&str) -> bool) -> Step {
        if self.data.is_some() {
            return self.message(bytes);
        }
        if bytes.as_slice().is_empty() {
            return Step::More;
        }
        let request = match self.commands.ingest(bytes) {
            Ok(request) => request.into_owned(),
            Err(SmtpError::NeedsMoreData { .. }) => return Step::More,
            Err(SmtpError::ResponseTooLong) => return Step::End("500 5.5.6 the line is too long\r\n"),
            Err(SmtpError::UnknownCommand | SmtpError::InvalidResponse { .. }) => {
                return reply("500 5.5.1 there is no such command\r\n");
            }
            Err(SmtpError::InvalidSenderAddress | SmtpError::InvalidRecipientAddress) => {
                return reply("501 5.1.3 that is no address\r\n");
            }
            Err(_) => return reply("501 5.5.4 the command cannot be read\r\n"),
        };
        self.command(request, known)
    }

    fn command(&mut self, request: Request<String>, known: &impl Fn(&str) -> bool) -> Step {
        match request {
            Request::Ehlo { .. } => {
                self.greet();
                Step::Reply(Cow::Owned(format!(
                    "250-nephos\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {MAX_MESSAGE}\r\n"
                )))
            }
            Request::Helo { .. } => {
                self.greet();
                reply("250 nephos\r\n")
            }
            Request::Mail { .. } if !self.greeted => reply("503 5.5.1 say EHLO first\r\n"),
            Request::Mail { .. } if self.envelope.is_some() => {
                reply("503 5.5.1 there is a sender already\r\n")
            }
            Request::Mail { from } if from.size > MAX_MESSAGE => {
                reply("552 5.3.4 the message is too large\r\n")
            }
            Request::Mail { from } => {
                self.envelope = Some(Envelope {
                    from: from.address,
                    to: Vec::new(),
                });
                reply("250 2.1.0 sender taken\r\n")
            }
            Request::Rcpt { to } => match &mut self.envelope {
                None => reply("503 5.5.1 say MAIL first\r\n"),
                Some(_) if !known(&to.address) => {
                    reply("550 5.1.1 no function takes mail for this address\r\n")
                }
                Some(envelope) if envelope.to.len() >= MAX_RECIPIENTS => {
                    reply("452 4.5.3 too many recipients\r\n")
                }
                Some(envelope) => {
                    envelope.to.push(to.address);
                    reply("250 2.1.5 recipient taken\r\n")
                }
            },
            Request::Data => match &self.envelope {
                Some(envelope) if !envelope.to.is_empty() => {
                    self.data = Some(Data::Kept(DataReceiver::new(), Vec::new()));
                    reply("354 go on, end with a dot on a line of its own\r\n")
                }
                _ => reply("503 5.5.1 say MAIL and RCPT first\r\n"),
            },
            Request::Rset => {
                self.envelope = None;
                reply("250 2.0.0 forgotten\r\n")
            }
            Request::Noop { .. } => reply("250 2.0.0 here\r\n"),
            Request::Vrfy { .. } => reply("252 2.1.5 send it and see\r\n"),
            Request::Quit => Step::End("221 2.0.0 bye\r\n"),
            // What follows a chunk's command is its bytes: they must not be taken for commands.
            Request::Bdat { .. } | Request::Burl { .. } => Step::End("502 5.5.1 chunks are not taken\r\n"),
            _ => reply("502 5.5.1 not offered\r\n"),
        }
    }

    fn greet(&mut self) {
        self.greeted = true;
        self.envelope = None;
    }

    fn message(&mut self, bytes: &mut Iter<'_, u8>) -> Step {
        let Some(data) = &mut self.data else {
            return Step::More;
        };
        let ended = match data {
            Data::Kept(receiver, kept) => receiver.ingest(bytes, kept),
            Data::TooLarge(receiver) => receiver.ingest(bytes),
        };
        if !ended {
            if let Data::Kept(receiver, kept) = data
                && kept.len() > MAX_MESSAGE
            {
                *data = Data::TooLarge(DummyDataReceiver::new_data(receiver));
            }
            return Step::More;
        }
        let envelope = self.envelope.take().unwrap_or_default();
        match self.data.take() {
            Some(Data::Kept(_, kept)) if kept.len() <= MAX_MESSAGE => Step::Message(envelope, kept),
            _ => reply("552 5.3.4 the message is too large\r\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a conversation in pieces of `size` bytes; a message is answered with what a listener would say.
    fn converse(text: &[u8], size: usize) -> (Vec<String>, Vec<(Envelope, Vec<u8>)>) {
        let mut session = Session::new();
        let (mut replies, mut messages) = (Vec::new(), Vec::new());
        let known = |address: &str| address.ends_with("@example.net");
        for chunk in text.chunks(size) {
            let mut bytes = chunk.iter();
            loop {
                match session.next(&mut bytes, &known) {
                    Step::More => break,
                    Step::Reply(text) => replies.push(text[..3].to_owned()),
                    Step::Message(envelope, source) => {
                        replies.push(ACCEPTED[..3].to_owned());
                        messages.push((envelope, source));
                    }
                    Step::End(text) => {
                        replies.push(text[..3].to_owned());
                        return (replies, messages);
                    }
                }
            }
        }
        (replies, messages)
    }

    const PIPELINED: &[u8] = b"EHLO me\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<eve@elsewhere>\r\nDATA\r\n\
        Subject: hi\r\n\r\n..dotted\r\nplain\r\n.\r\nQUIT\r\n";

    #[test]
    fn a_pipelined_message_comes_over_whole_in_pieces_of_any_size() {
        for size in [1, 2, 7, 4096] {
            let (replies, messages) = converse(PIPELINED, size);
            assert_eq!(
                replies,
                ["250", "250", "250", "550", "354", "250", "221"],
                "{size}"
            );
            let [(envelope, source)] = messages.as_slice() else {
                panic!("{messages:?}")
            };
            assert_eq!(
                (envelope.from.as_str(), envelope.to.as_slice()),
                ("ann@example.org", &["bob@example.net".to_owned()][..])
            );
            assert_eq!(
                String::from_utf8_lossy(source).trim_end(),
                "Subject: hi\r\n\r\n.dotted\r\nplain"
            );
        }
    }

    #[test]
    fn what_is_out_of_order_is_refused_and_the_session_goes_on() {
        let text = b"MAIL FROM:<a@b>\r\nHELO me\r\nDATA\r\nRCPT TO:<bob@example.net>\r\nBOGUS\r\nNOOP\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n";
        let (replies, messages) = converse(text, 4096);
        assert_eq!(
            replies,
            ["503", "250", "503", "503", "500", "250", "250", "250", "221"]
        );
        assert!(messages.is_empty());
    }

    #[test]
    fn a_message_that_is_too_large_is_read_to_its_end_and_refused() {
        let mut text = b"EHLO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".to_vec();
        text.extend(b"0123456789abcde\r\n".repeat(MAX_MESSAGE / 16));
        text.extend(b".\r\nNOOP\r\n");
        let (replies, messages) = converse(&text, 16 << 10);
        assert_eq!(replies, ["250", "250", "250", "354", "552", "250"]);
        assert!(messages.is_empty());
        let (replies, _) = converse(b"EHLO me\r\nMAIL FROM:<a@b.c> SIZE=999999999\r\n", 4096);
        assert_eq!(replies, ["250", "552"]);
    }
}
