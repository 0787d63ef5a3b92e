//! Byte ranges of what is read: one at a time. <https://cloud.google.com/storage/docs/xml-api/reference-headers#range>

use std::ops::Range;

use super::error::{Outcome, Refusal};

/// The part of a content that a `Range` asks for; `None` is all of it, because a header that is no range is none.
pub(super) fn read(header: Option<&str>, size: usize) -> Outcome<Option<Range<usize>>> {
    let Some(header) = header else {
        return Ok(None);
    };
    let Some(spec) = header.strip_prefix("bytes=") else {
        return Ok(None);
    };
    if spec.contains(',') {
        return Err(Refusal::not_built("more than one range in a request"));
    }
    let Some((first, last)) = spec.split_once('-') else {
        return Ok(None);
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Err(Refusal::range());
            }
            size.saturating_sub(suffix)..size
        }
        _ => return Ok(None),
    };
    if range.start >= size {
        return Err(Refusal::range());
    }
    Ok(Some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let of = |header| read(Some(header), 10).map_err(|refusal| refusal.status);
        assert_eq!(of("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(of("bytes=2-"), Ok(Some(2..10)));
        assert_eq!(of("bytes=8-99"), Ok(Some(8..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=-99"), Ok(Some(0..10)));
        assert_eq!(of("bytes=10-"), Err(416));
        assert_eq!(of("bytes=-0"), Err(416));
        assert_eq!(of("bytes=0-1,3-4"), Err(400));
        assert_eq!(of("bytes=5-2"), Ok(None));
        assert_eq!(of("lines=1-2"), Ok(None));
        assert_eq!(
            read(Some("bytes=0-"), 0).map_err(|refusal| refusal.status),
            Err(416)
        );
    }
}
