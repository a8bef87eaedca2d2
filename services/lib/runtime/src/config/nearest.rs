//! "did you mean": the known name nearest to a mistyped one.

/// Names further away than this many edits aren't suggested.
const MAX_EDITS: usize = 3;

/// `; did you mean X?` where something is near, else the list of what there is.
pub(super) fn hint(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (edits(name, known), known)).min();
    match near {
        Some((distance, known)) if distance <= MAX_EDITS && distance < name.chars().count() => {
            format!("; did you mean {known}?")
        }
        _ => format!("; known are {}", known.join(", ")),
    }
}

/// The Levenshtein distance, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_nonsense_lists_them() {
        let known = ["listen", "max_models", "drain_grace"];
        assert_eq!(hint("max_model", &known), "; did you mean max_models?");
        assert_eq!(hint("lisetn", &known), "; did you mean listen?");
        assert_eq!(hint("qqqqqqqq", &known), "; known are listen, max_models, drain_grace");
    }
}
