//! "Did you mean": the known key nearest to a mistyped one.

/// Names further away than this many edits aren't suggested.
const MAX_EDITS: usize = 3;

/// What to add to the refusal of an unknown key.
pub(crate) fn hint(name: &str, known: &[String]) -> String {
    let nearest = known.iter().map(|known| (edits(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= MAX_EDITS && distance < name.chars().count() => {
            format!("did you mean {known}?")
        }
        _ => format!("known are {}", known.join(", ")),
    }
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
    fn a_typo_finds_its_key_and_nonsense_lists_them() {
        let known = ["learning_rate".to_owned(), "max_steps".to_owned()];
        assert_eq!(hint("leraning_rate", &known), "did you mean learning_rate?");
        assert_eq!(hint("max_step", &known), "did you mean max_steps?");
        assert_eq!(hint("xyzzy", &known), "known are learning_rate, max_steps");
    }
}
