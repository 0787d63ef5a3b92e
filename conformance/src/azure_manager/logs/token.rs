//! The words, texts, numbers and signs of a query.

use super::value::moment;
use super::{Unanswered, Understood};

const SIGNS: &[&str] = &[
    "==", "!=", "=~", "!~", "<=", ">=", "..", "|", "(", ")", ",", "=", "<", ">", "+", "-", ";", "*",
];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

pub(super) fn wrong<T>(message: impl Into<String>, at: usize) -> Understood<T> {
    Err(Unanswered::Syntax {
        message: message.into(),
        at,
    })
}

pub(super) fn tokens(text: &str) -> Understood<Vec<(Token, usize)>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if c == '"' || c == '\'' || rest.starts_with("@\"") || rest.starts_with("@'") {
            let (value, length) = quoted(rest, at)?;
            all.push((Token::Text(value), at));
            at += length;
        } else if c.is_alphabetic()
            || c == '_'
            || (c == '!' && rest[1..].starts_with(|c: char| c.is_alphabetic()))
        {
            let end = rest[1..]
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .map_or(rest.len(), |end| end + 1);
            let word = &rest[..end];
            // What is between the brackets of a moment is no expression.
            if word == "datetime" && rest[end..].starts_with('(') {
                let close = rest
                    .find(')')
                    .map_or_else(|| wrong("a bracket is not closed", at), Ok)?;
                let inner = &rest[end + 1..close];
                if moment(inner).is_none() {
                    return wrong(format!("'{inner}' is no datetime"), at);
                }
                all.push((Token::Word(format!("datetime:{inner}")), at));
                at += close + 1;
                continue;
            }
            all.push((Token::Word(word.to_owned()), at));
            at += end;
        } else if c.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            all.push((Token::Number(rest[..end].to_owned()), at));
            at += end;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            all.push((Token::Sign(sign), at));
            at += sign.len();
        } else {
            return wrong(format!("'{c}' is not known"), at);
        }
    }
    Ok(all)
}

/// A text in quotation marks, and how long it is with them.
pub(super) fn quoted(rest: &str, at: usize) -> Understood<(String, usize)> {
    let verbatim = rest.starts_with('@');
    let start = usize::from(verbatim);
    let mut chars = rest[start..].char_indices();
    let Some((_, mark)) = chars.next() else {
        return wrong("a text has no end", at);
    };
    let mut value = String::new();
    while let Some((place, c)) = chars.next() {
        if c == mark {
            return Ok((value, start + place + 1));
        }
        if c == '\\' && !verbatim {
            match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, other @ ('\\' | '"' | '\''))) => value.push(other),
                _ => return wrong("what follows a backslash is not known", at + place),
            }
        } else if c == '\n' {
            break;
        } else {
            value.push(c);
        }
    }
    wrong("a text has no end", at)
}
