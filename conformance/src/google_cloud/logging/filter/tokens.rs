//! The words and signs of a query.

use super::{Operator, wrong};
use crate::google_cloud::error::Outcome;

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Compare(Operator),
    /// Text without quotes, at its points; a part of it may have quotes of its own.
    Word(Vec<String>),
    /// Text in quotes.
    Text(String),
}

const SIGNS: &str = "()=!<>:\"~";

/// Reads all of a query's.
pub(super) fn read(text: &str) -> Outcome<Vec<Token>> {
    let mut reader = Reader {
        rest: text.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    while let Some(token) = reader.token(tokens.last())? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Reader {
    rest: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn follows(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(index, c)| self.rest.get(self.at + index) == Some(&c))
    }

    fn token(&mut self, last: Option<&Token>) -> Outcome<Option<Token>> {
        loop {
            if self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            } else if self.follows("--") {
                // A comment, to the end of its line.
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else {
                break;
            }
        }
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        if self.follows("=~") || self.follows("!~") {
            return Err(wrong("this stand-in does not have regular expressions"));
        }
        let signs = [
            ("!=", Token::Compare(Operator::Unequal)),
            (">=", Token::Compare(Operator::GreaterOrEqual)),
            ("<=", Token::Compare(Operator::LessOrEqual)),
            ("=", Token::Compare(Operator::Equal)),
            (">", Token::Compare(Operator::Greater)),
            ("<", Token::Compare(Operator::Less)),
            (":", Token::Compare(Operator::Has)),
            ("(", Token::Open),
            (")", Token::Close),
        ];
        for (sign, token) in signs {
            if self.follows(sign) {
                self.at += sign.len();
                return Ok(Some(token));
            }
        }
        // A minus before a comparison means NOT; before a value it is a part of it.
        if first == '-' && !matches!(last, Some(Token::Compare(_))) {
            self.at += 1;
            return Ok(Some(Token::Not));
        }
        if first == '"' {
            return self.quoted().map(Token::Text).map(Some);
        }
        self.word().map(Some)
    }

    fn quoted(&mut self) -> Outcome<String> {
        let mut text = String::new();
        self.at += 1;
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let escaped = self.peek().ok_or_else(|| wrong("quotes are not closed"))?;
                    self.at += 1;
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                }
                _ => text.push(c),
            }
        }
        Err(wrong("quotes are not closed"))
    }

    fn word(&mut self) -> Outcome<Token> {
        let mut parts = vec![String::new()];
        let mut is_plain = true;
        while let Some(c) = self.peek() {
            let is_part_begun = parts.last().is_some_and(|part| !part.is_empty());
            match c {
                '.' => parts.push(String::new()),
                '"' if parts.len() > 1 && !is_part_begun => {
                    is_plain = false;
                    let text = self.quoted()?;
                    parts.pop();
                    parts.push(text);
                    continue;
                }
                _ if c.is_whitespace() || SIGNS.contains(c) => break,
                _ => {
                    if let Some(part) = parts.last_mut() {
                        part.push(c);
                    }
                }
            }
            self.at += 1;
        }
        let keyword = match parts.as_slice() {
            [word] if is_plain => word.as_str(),
            _ => "",
        };
        match keyword {
            "AND" => Ok(Token::And),
            "OR" => Ok(Token::Or),
            "NOT" => Ok(Token::Not),
            _ if parts == [""] => Err(wrong("a sign is not expected there")),
            _ => Ok(Token::Word(parts)),
        }
    }
}
