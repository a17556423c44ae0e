//! Which row of the table of positions each token takes.

/// The rows for the tokens of one text: `first`, `first + 1` and so on.
///
/// RoBERTa, XLM-RoBERTa and MPNet keep the rows before `first` for padding and know padding by its id, `first - 1`, also
/// where a text spells it out (`<pad>`): such a token takes the row of its id, and the tokens after it count on without it.
/// So does this, unless `first` is 0. A row is never above `first + ids.len() - 1`.
pub(crate) fn position_rows(ids: &[u32], first: usize) -> impl Iterator<Item = usize> {
    let mut next = first;
    ids.iter().map(move |&id| match first.checked_sub(1) {
        Some(padding) if id as usize == padding => padding,
        _ => {
            next += 1;
            next - 1
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_takes_its_own_row_where_it_has_one() {
        let rows = |ids: &[u32], first| position_rows(ids, first).collect::<Vec<_>>();
        assert_eq!(rows(&[0, 7, 1, 8, 1, 2], 2), [2, 3, 1, 4, 1, 5]);
        assert_eq!(rows(&[0, 7, 1, 8], 0), [0, 1, 2, 3]);
        assert_eq!(rows(&[0, 7, 0, 8], 1), [0, 1, 0, 2]);
    }
}
