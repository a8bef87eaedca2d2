//! "Did you mean": the known key nearest to a mistyped one.

/// Names further away than this many edits aren't suggested.
const MAX_EDITS: usize = 3;

/// The known key nearest to a mistyped one, unless none is near.
pub(crate) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let (distance, nearest) = known.iter().map(|known| (edits(name, known), known)).min()?;
    (distance <= MAX_EDITS && distance < name.chars().count()).then_some(nearest.as_str())
}

/// The Levenshtein distance, in one row of the table.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_key_and_nonsense_finds_none() {
        let known = ["learning_rate".to_owned(), "max_steps".to_owned()];
        assert_eq!(nearest("leraning_rate", &known), Some("learning_rate"));
        assert_eq!(nearest("max_step", &known), Some("max_steps"));
        assert_eq!(nearest("xyzzy", &known), None);
    }
}
