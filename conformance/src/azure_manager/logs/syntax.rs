//! From a query's text to its parts: what a query of logs needs of KQL, and no more. What is not known is refused.
//!
//! <https://learn.microsoft.com/kusto/query>

use super::value::{Value, moment, span};
use super::{Unanswered, Understood};

/// A query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) tables: Vec<String>,
    pub(super) stages: Vec<Stage>,
}

/// What stands between two bars.
#[derive(Debug)]
pub(super) enum Stage {
    Where(Scalar),
    Extend(Vec<(String, Scalar)>),
    Project(Vec<(String, Scalar)>),
    /// Column or expression, and whether it falls.
    Order(Vec<(Scalar, bool)>),
    Take(usize),
}

/// Something that has a value in each row.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Column(String),
    Literal(Value),
    Call(String, Vec<Self>),
    /// An operator of two sides (`==`, `and`, `has`).
    Two(String, Box<Self>, Box<Self>),
    In(Box<Self>, Vec<Self>, String),
    Between(Box<Self>, Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &[
    "==", "!=", "=~", "!~", "<=", ">=", "..", "|", "(", ")", ",", "=", "<", ">", "+", "-", ";", "*",
];
const COMPARISONS: &[&str] = &["==", "!=", "=~", "!~", "<=", ">=", "<", ">"];
const WORDS: &[&str] = &[
    "contains",
    "!contains",
    "has",
    "!has",
    "startswith",
    "!startswith",
    "endswith",
    "contains_cs",
    "has_cs",
];

fn wrong<T>(message: impl Into<String>, at: usize) -> Understood<T> {
    Err(Unanswered::Syntax {
        message: message.into(),
        at,
    })
}

fn tokens(text: &str) -> Understood<Vec<(Token, usize)>> {
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
fn quoted(rest: &str, at: usize) -> Understood<(String, usize)> {
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

pub(super) fn parse(text: &str) -> Understood<Query> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        length: text.len(),
    };
    let query = parser.query()?;
    parser.skip(";");
    if parser.at < parser.tokens.len() {
        return parser.wrong("there is something after its end");
    }
    Ok(query)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    length: usize,
}

impl Parser {
    fn wrong<T>(&self, message: impl Into<String>) -> Understood<T> {
        wrong(
            message,
            self.tokens.get(self.at).map_or(self.length, |(_, at)| *at),
        )
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn skip(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(other)) if *other == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Understood<()> {
        if self.skip(sign) {
            Ok(())
        } else {
            self.wrong(format!("'{sign}' is missing"))
        }
    }

    fn skip_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(other)) if other == word);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Understood<String> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.wrong("a name is missing"),
        }
    }

    fn query(&mut self) -> Understood<Query> {
        let mut tables = Vec::new();
        let mut stages = Vec::new();
        if self.skip_word("union") {
            if self.skip_word("isfuzzy") {
                self.expect("=")?;
                self.word()?;
            }
            loop {
                let bracket = self.skip("(");
                tables.push(self.word()?);
                if bracket {
                    self.expect(")")?;
                }
                if !self.skip(",") {
                    break;
                }
            }
        } else {
            tables.push(self.word()?);
        }
        while self.skip("|") {
            self.stage(&mut tables, &mut stages)?;
        }
        Ok(Query { tables, stages })
    }

    fn stage(&mut self, tables: &mut Vec<String>, stages: &mut Vec<Stage>) -> Understood<()> {
        let name = self.word()?;
        let stage = match name.as_str() {
            "where" | "filter" => Stage::Where(self.scalar()?),
            "extend" => Stage::Extend(self.named()?),
            "project" => Stage::Project(self.named()?),
            "order" | "sort" => {
                if !self.skip_word("by") {
                    return self.wrong("'by' is missing");
                }
                Stage::Order(self.orders()?)
            }
            "take" | "limit" => Stage::Take(self.count()?),
            "top" => {
                let count = self.count()?;
                if !self.skip_word("by") {
                    return self.wrong("'by' is missing");
                }
                stages.push(Stage::Order(self.orders()?));
                Stage::Take(count)
            }
            // The rows of other tables, before anything else is done.
            "union" if stages.is_empty() => loop {
                tables.push(self.word()?);
                if !self.skip(",") {
                    return Ok(());
                }
            },
            other => {
                self.at -= 1;
                return self.wrong(format!("the operator '{other}' is not known here"));
            }
        };
        stages.push(stage);
        Ok(())
    }

    fn count(&mut self) -> Understood<usize> {
        match self.peek().cloned() {
            Some(Token::Number(text)) => {
                self.at += 1;
                text.parse().or_else(|_| self.wrong("a number is none"))
            }
            _ => self.wrong("a number is missing"),
        }
    }

    fn orders(&mut self) -> Understood<Vec<(Scalar, bool)>> {
        let mut all = Vec::new();
        loop {
            let by = self.scalar()?;
            // Without a word, it falls.
            let rises = self.skip_word("asc");
            if !rises {
                self.skip_word("desc");
            }
            all.push((by, !rises));
            if !self.skip(",") {
                return Ok(all);
            }
        }
    }

    fn named(&mut self) -> Understood<Vec<(String, Scalar)>> {
        let mut all = Vec::new();
        loop {
            let named = matches!(self.tokens.get(self.at + 1), Some((Token::Sign("="), _)));
            if named {
                let name = self.word()?;
                self.expect("=")?;
                all.push((name, self.scalar()?));
            } else {
                match self.scalar()? {
                    Scalar::Column(name) => all.push((name.clone(), Scalar::Column(name))),
                    other => all.push((format!("Column{}", all.len() + 1), other)),
                }
            }
            if !self.skip(",") {
                return Ok(all);
            }
        }
    }

    fn scalar(&mut self) -> Understood<Scalar> {
        let mut left = self.both()?;
        while self.skip_word("or") {
            left = Scalar::Two("or".to_owned(), Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Understood<Scalar> {
        let mut left = self.comparison()?;
        while self.skip_word("and") {
            left = Scalar::Two("and".to_owned(), Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Understood<Scalar> {
        let left = self.sum()?;
        match self.peek().cloned() {
            Some(Token::Sign(sign)) if COMPARISONS.contains(&sign) => {
                self.at += 1;
                Ok(Scalar::Two(
                    sign.to_owned(),
                    Box::new(left),
                    Box::new(self.sum()?),
                ))
            }
            Some(Token::Word(word)) if WORDS.contains(&word.as_str()) => {
                self.at += 1;
                Ok(Scalar::Two(word, Box::new(left), Box::new(self.sum()?)))
            }
            Some(Token::Word(word)) if matches!(word.as_str(), "in" | "!in") => {
                self.at += 1;
                let word = if self.skip("=") {
                    wrong("'=' is not known here", self.at)?
                } else {
                    word
                };
                self.expect("(")?;
                let list = self.list()?;
                Ok(Scalar::In(Box::new(left), list, word))
            }
            Some(Token::Word(word)) if word == "between" => {
                self.at += 1;
                self.expect("(")?;
                let from = self.sum()?;
                self.expect("..")?;
                let to = self.sum()?;
                self.expect(")")?;
                Ok(Scalar::Between(Box::new(left), Box::new(from), Box::new(to)))
            }
            _ => Ok(left),
        }
    }

    fn sum(&mut self) -> Understood<Scalar> {
        let mut left = self.one()?;
        while let Some(Token::Sign(sign @ ("+" | "-"))) = self.peek().cloned() {
            self.at += 1;
            left = Scalar::Two(sign.to_owned(), Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    /// The rest of a list in brackets.
    fn list(&mut self) -> Understood<Vec<Scalar>> {
        let mut all = Vec::new();
        if self.skip(")") {
            return Ok(all);
        }
        loop {
            all.push(self.scalar()?);
            if self.skip(")") {
                return Ok(all);
            }
            self.expect(",")?;
        }
    }

    fn one(&mut self) -> Understood<Scalar> {
        if self.skip("(") {
            let inner = self.scalar()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Some(token) = self.peek().cloned() else {
            return self.wrong("a value is missing");
        };
        self.at += 1;
        Ok(match token {
            Token::Text(text) => Scalar::Literal(Value::Text(text)),
            Token::Number(text) => {
                let value = text
                    .parse()
                    .map(Value::Long)
                    .ok()
                    .or_else(|| span(&text).map(Value::Span));
                match value {
                    Some(value) => Scalar::Literal(value),
                    None => return self.wrong(format!("'{text}' is no number and no span of time")),
                }
            }
            Token::Word(word) => match word.as_str() {
                "true" => Scalar::Literal(Value::Bool(true)),
                "false" => Scalar::Literal(Value::Bool(false)),
                other => match other.strip_prefix("datetime:") {
                    Some(inner) => Scalar::Literal(moment(inner).map_or(Value::Null, Value::Time)),
                    None if self.skip("(") => Scalar::Call(word, self.list()?),
                    None => Scalar::Column(word),
                },
            },
            Token::Sign(sign) => {
                self.at -= 1;
                return self.wrong(format!("'{sign}' stands where a value should"));
            }
        })
    }
}
