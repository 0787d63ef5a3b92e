//! Batches, split as a service demands: for drivers.

/// What a service takes at once.
#[derive(Debug, Clone, Copy)]
pub struct PartLimits {
    /// The most entries.
    pub entries: usize,
    /// The most bytes of all entries together.
    pub bytes: usize,
}

/// The parts of `batch`, each within `limits`, in order. No part is empty; an entry above the limit is a part alone, for the service to refuse.
pub fn parts<T>(
    mut batch: &[T],
    limits: PartLimits,
    bytes: impl Fn(&T) -> usize,
) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut total = 0;
        let fitting = batch
            .iter()
            .take(limits.entries)
            .take_while(|entry| {
                total += bytes(entry);
                total <= limits.bytes
            })
            .count();
        let (part, rest) = batch.split_at_checked(fitting.max(1))?;
        batch = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PartLimits = PartLimits {
        entries: 10,
        bytes: 100,
    };

    #[test]
    fn a_batch_is_split_by_number_and_by_size_and_nothing_is_lost() {
        let many = [1; 21];
        let by_number: Vec<usize> = parts(&many, LIMITS, |size| *size).map(<[usize]>::len).collect();
        assert_eq!(by_number, [10, 10, 1]);

        let sizes = [50, 50, 1, 200, 3];
        let by_size: Vec<&[usize]> = parts(&sizes, LIMITS, |size| *size).collect();
        assert_eq!(by_size, [&sizes[..2], &sizes[2..3], &sizes[3..4], &sizes[4..]]);

        assert_eq!(parts(&[], LIMITS, |_: &usize| 1).count(), 0);
    }
}
