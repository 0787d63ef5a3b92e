//! Just enough Rust lexing to know code from comments and string literals, so that a rule about code does
//! not fire on a sentence about it.

/// The source with each character that is not of the wanted class replaced by a space. Line breaks stay, so
/// line numbers do too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Code alone: comments and the insides of literals are blank.
    pub code: String,
    /// Comments alone, with their markers.
    pub comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Comment,
    Literal,
}

/// Splits Rust source into code and comments.
#[must_use]
pub fn split(source: &str) -> Split {
    let chars: Vec<char> = source.chars().collect();
    let classes = classify(&chars);
    let keep = |wanted: Class| {
        chars
            .iter()
            .zip(&classes)
            .map(|(&c, &class)| if c == '\n' || class == wanted { c } else { ' ' })
            .collect::<String>()
    };
    Split {
        code: keep(Class::Code),
        comments: keep(Class::Comment),
    }
}

fn classify(chars: &[char]) -> Vec<Class> {
    let mut classes = vec![Class::Code; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let (end, class) = token(chars, at);
        classes[at..end].fill(class);
        at = end;
    }
    classes
}

/// The end and class of the token that starts at `at`; always moves on by at least one character.
fn token(chars: &[char], at: usize) -> (usize, Class) {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => (line_end(chars, at), Class::Comment),
        '/' if next == Some('*') => (block_comment_end(chars, at), Class::Comment),
        '"' => (string_end(chars, at + 1), Class::Literal),
        '\'' => char_literal_end(chars, at).map_or((at + 1, Class::Code), |end| (end, Class::Literal)),
        'r' if !in_word(chars, at) => {
            raw_string_end(chars, at + 1).map_or((at + 1, Class::Code), |end| (end, Class::Literal))
        }
        'b' if !in_word(chars, at) && next == Some('r') => {
            raw_string_end(chars, at + 2).map_or((at + 1, Class::Code), |end| (end, Class::Literal))
        }
        _ => (at + 1, Class::Code),
    }
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..]
        .iter()
        .position(|&c| c == '\n')
        .map_or(chars.len(), |n| at + n)
}

fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a character literal, or `None` for a lifetime.
fn char_literal_end(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at + 1)? {
        '\\' => {
            let close = chars.get(at + 3..)?.iter().position(|&c| c == '\'')?;
            Some(at + 3 + close + 1)
        }
        _ => (chars.get(at + 2) == Some(&'\'')).then_some(at + 3),
    }
}

/// The end of a raw string whose hashes or quote start at `at`, or `None` where it is none.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    let open = at + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut end = open + 1;
    while end < chars.len() {
        let closes = chars[end] == '"'
            && chars[end + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes;
        if closes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        split(source)
            .code
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(
            code("a(); // b()\n/* c() /* d() */ e() */ f(\"g()\");"),
            "a(); f( );"
        );
        assert_eq!(code("let x = r#\"y(\" )\"# ; z"), "let x = ; z");
        assert_eq!(code("br\"q\" + b\"\\\"r\" ; s"), "+ b ; s");
    }

    #[test]
    fn lifetimes_stay_code_and_char_literals_do_not() {
        assert_eq!(
            code("fn f<'a>(x: &'a str) { '\"' ; '\\'' ; '\\u{41}' ; end }"),
            "fn f<'a>(x: &'a str) { ; ; ; end }"
        );
    }

    #[test]
    fn identifiers_that_end_in_r_do_not_open_a_raw_string() {
        assert_eq!(code("for\"a\" b"), "for b");
        assert_eq!(code("r#type = 1"), "r#type = 1");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = "/* a\nb */ c\n\"d\ne\" f";
        assert_eq!(split(source).code.lines().count(), source.lines().count());
        assert_eq!(split(source).comments.lines().next(), Some("/* a"));
    }

    #[test]
    fn an_unfinished_literal_or_comment_ends_with_the_file() {
        for source in ["\"a", "/* a", "r#\"a", "'", "'\\", "b", "r"] {
            assert_eq!(
                split(source).code.chars().count(),
                source.chars().count(),
                "{source}"
            );
        }
    }
}
