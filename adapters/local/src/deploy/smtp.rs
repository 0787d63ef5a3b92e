//! The SMTP listener for e-mail triggers.
