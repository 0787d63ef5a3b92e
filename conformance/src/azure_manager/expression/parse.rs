//! From the text between an expression's brackets to its tree.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use super::{Expression, Fault, functions};

/// The expression that a text is.
pub(in super::super) fn parse(text: &str) -> Result<Expression, Fault> {
    let mut parser = Parser {
        text,
        rest: text.chars().peekable(),
    };
    let expression = parser.expression()?;
    parser.space();
    if parser.rest.next().is_some() {
        return parser.wrong("there is something after its end");
    }
    Ok(expression)
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn wrong<T>(&self, what: &str) -> Result<T, Fault> {
        Fault::invalid(format!(
            "The template language expression '{}' is not valid: {what}. Please see https://aka.ms/arm-functions for usage details.",
            self.text
        ))
    }

    fn space(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        word
    }

    fn expression(&mut self) -> Result<Expression, Fault> {
        self.space();
        let mut value = match self.rest.peek() {
            Some('\'') => Expression::Literal(self.quoted()?.into()),
            Some(c) if c.is_ascii_digit() || *c == '-' => self.number()?,
            Some(c) if c.is_alphabetic() => self.call()?,
            _ => return self.wrong("a function, a text or a number is missing"),
        };
        loop {
            self.space();
            match self.rest.peek() {
                Some('.') => {
                    self.rest.next();
                    let name = self.word();
                    if name.is_empty() {
                        return self.wrong("the name of a property is missing after a point");
                    }
                    value = Expression::Field(Box::new(value), name);
                }
                Some('[') => {
                    self.rest.next();
                    let index = self.expression()?;
                    self.space();
                    if self.rest.next() != Some(']') {
                        return self.wrong("a bracket is not closed");
                    }
                    value = Expression::Index(Box::new(value), Box::new(index));
                }
                _ => return Ok(value),
            }
        }
    }

    /// A text in single quotation marks; two of them are one.
    fn quoted(&mut self) -> Result<String, Fault> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('\'') if self.rest.next_if_eq(&'\'').is_some() => text.push('\''),
                Some('\'') => return Ok(text),
                Some(c) => text.push(c),
                None => return self.wrong("a text has no end"),
            }
        }
    }

    fn number(&mut self) -> Result<Expression, Fault> {
        let mut digits = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_digit() || *c == '-') {
            digits.push(c);
        }
        match digits.parse::<i64>() {
            Ok(number) => Ok(Expression::Literal(Value::from(number))),
            Err(_) => self.wrong("a number is none"),
        }
    }

    fn call(&mut self) -> Result<Expression, Fault> {
        let name = self.word();
        self.space();
        if self.rest.next() != Some('(') {
            return self.wrong("a function has no arguments");
        }
        let mut arguments = Vec::new();
        self.space();
        if self.rest.next_if_eq(&')').is_none() {
            loop {
                arguments.push(self.expression()?);
                self.space();
                match self.rest.next() {
                    Some(',') => {}
                    Some(')') => break,
                    _ => return self.wrong("brackets do not fit"),
                }
            }
        }
        functions::check(&name, arguments.len())?;
        Ok(Expression::Call(name, arguments))
    }
}
