//! Which messages a subscription gets: <https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax>.

use std::collections::BTreeMap;

use super::super::invalid;
use crate::google_cloud::error::Outcome;

/// The longest, in bytes.
const LONGEST: usize = 256;

/// A filter, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Has(String),
    Is(String, String),
    Begins(String, String),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 8] = ["!=", "=", "(", ")", ",", ".", ":", "-"];

impl Filter {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        if text.len() > LONGEST {
            return Err(invalid("A filter has at most 256 bytes."));
        }
        let read = || {
            let tokens = tokens(text)?;
            let mut reader = Reader { tokens: &tokens };
            let filter = reader.any()?;
            reader.tokens.is_empty().then_some(filter)
        };
        read().ok_or_else(|| invalid(format!("Invalid filter: {text}")))
    }

    pub(super) fn fits(&self, attributes: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Has(name) => attributes.contains_key(name),
            Self::Is(name, value) => attributes.get(name) == Some(value),
            Self::Begins(name, start) => attributes.get(name).is_some_and(|value| value.starts_with(start)),
            Self::Not(filter) => !filter.fits(attributes),
            Self::All(filters) => filters.iter().all(|filter| filter.fits(attributes)),
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(attributes)),
        }
    }
}

fn tokens(mut text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    loop {
        text = text.trim_start();
        let Some(first) = text.chars().next() else {
            return Some(tokens);
        };
        if first == '"' {
            let (value, rest) = quoted(&text[1..])?;
            tokens.push(Token::Text(value));
            text = rest;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| text.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            text = &text[sign.len()..];
        } else {
            // A name that has other signs stands in quotes.
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
            if end == 0 {
                return None;
            }
            tokens.push(Token::Word(text[..end].to_owned()));
            text = &text[end..];
        }
    }
}

/// Text up to its quote, and what is behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(signs.next()?.1),
            sign => value.push(sign),
        }
    }
    None
}

struct Reader<'a> {
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn skip(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.first() == Some(token);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn sign(&mut self, sign: &'static str) -> Option<()> {
        self.skip(&Token::Sign(sign)).then_some(())
    }

    /// Conditions with `AND` or with `OR` between them; both only with parentheses.
    fn any(&mut self) -> Option<Filter> {
        let first = self.condition()?;
        let word = |text: &str| Token::Word(text.to_owned());
        for (between, make) in [
            (word("AND"), Filter::All as fn(Vec<Filter>) -> Filter),
            (word("OR"), Filter::Any),
        ] {
            if self.tokens.first() == Some(&between) {
                let mut all = vec![first];
                while self.skip(&between) {
                    all.push(self.condition()?);
                }
                return Some(make(all));
            }
        }
        Some(first)
    }

    fn condition(&mut self) -> Option<Filter> {
        match self.next()? {
            Token::Sign("-") => Some(Filter::Not(Box::new(self.condition()?))),
            Token::Word(word) if word == "NOT" => Some(Filter::Not(Box::new(self.condition()?))),
            Token::Sign("(") => {
                let filter = self.any()?;
                self.sign(")")?;
                Some(filter)
            }
            Token::Word(word) if word == "hasPrefix" => {
                self.sign("(")?;
                self.skip(&Token::Word("attributes".to_owned())).then_some(())?;
                self.sign(".")?;
                let name = self.name()?;
                self.sign(",")?;
                let start = self.text()?;
                self.sign(")")?;
                Some(Filter::Begins(name, start))
            }
            Token::Word(word) if word == "attributes" => match self.next()? {
                Token::Sign(":") => Some(Filter::Has(self.name()?)),
                Token::Sign(".") => {
                    let name = self.name()?;
                    match self.next()? {
                        Token::Sign("=") => Some(Filter::Is(name, self.text()?)),
                        Token::Sign("!=") => {
                            let is = Filter::Is(name, self.text()?);
                            Some(Filter::Not(Box::new(is)))
                        }
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(name) | Token::Text(name) => Some(name),
            Token::Sign(_) => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        match self.next()? {
            Token::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_googles_page_says() {
        let attributes: BTreeMap<String, String> = [("lang", "en-GB"), ("a b", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (filter, fits) in [
            ("attributes:lang", true),
            ("attributes:\"a b\"", true),
            ("NOT attributes:lang", false),
            ("-attributes:other", true),
            ("attributes.lang = \"en-GB\"", true),
            ("attributes.lang != \"en-GB\"", false),
            ("attributes.other != \"x\"", true),
            (
                "hasPrefix(attributes.lang, \"en\") AND NOT hasPrefix(attributes.lang, \"en-U\")",
                true,
            ),
            ("attributes:x OR (attributes:lang AND attributes:y)", false),
        ] {
            assert_eq!(Filter::read(filter).unwrap().fits(&attributes), fits, "{filter}");
        }
        let long = format!("attributes:{}", "x".repeat(256));
        for filter in [
            "attributes.a == \"1\"",
            "attributes.a = 1",
            "attributes:a AND attributes:b OR attributes:c",
            "data:x",
            "(attributes:a",
            "attributes.a = \"open",
            &long,
        ] {
            assert!(Filter::read(filter).is_err(), "{filter}");
        }
    }
}
