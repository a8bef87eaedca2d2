//! The facts that the demo teaches: questions in five wordings, an answer, and the keywords by which it is scored. The
//! last wording is held out, so that accuracy on it measures what carried over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Thirty facts about language models in English and thirty in Chinese.
const BUNDLED: &[(&str, &str)] = &[
    ("facts/en.jsonl", include_str!("../../facts/en.jsonl")),
    ("facts/zh.jsonl", include_str!("../../facts/zh.jsonl")),
];
/// Wordings of each fact; the last one is held out.
const WORDINGS: usize = 5;
/// The most keywords of a fact.
const MAX_KEYWORDS: usize = 3;
/// The largest facts file.
const MAX_BYTES: u64 = 8 << 20;

/// One fact: a line of a facts file.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fact {
    /// Names the fact in messages.
    pub(crate) id: String,
    /// The language, such as `en`; for people.
    #[serde(default)]
    pub(crate) language: String,
    /// Five questions with this answer.
    pub(crate) wordings: Vec<String>,
    /// The answer.
    pub(crate) answer: String,
    /// What an answer must contain to count.
    pub(crate) keywords: Vec<String>,
}

/// Why facts were refused.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The file can't be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("{file}: larger than {MAX_BYTES} bytes")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// A line is not as it must be.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Two facts have one id.
    #[error("{file}: two facts have the id {id}; give each its own")]
    Twice {
        /// The file.
        file: String,
        /// The id.
        id: String,
    },
    /// No facts at all.
    #[error(
        "{file}: no facts; give one JSON object per line with id, language, wordings, answer and keywords"
    )]
    Empty {
        /// The file.
        file: String,
    },
}

/// A row of a data set for training and evaluation.
#[derive(Serialize)]
struct Row<'a> {
    instruction: &'a str,
    input: &'a str,
    output: &'a str,
    keywords: &'a [String],
}

/// The facts that come with the binary.
pub(crate) fn bundled() -> Result<Vec<Fact>, FactsError> {
    let mut facts = Vec::new();
    for (file, text) in BUNDLED {
        facts.extend(parse(file, text)?);
    }
    Ok(facts)
}

/// Reads a facts file.
pub(crate) fn read(path: &Path) -> Result<Vec<Fact>, FactsError> {
    let file = path.display().to_string();
    let unreadable = |source| FactsError::Unreadable { file: file.clone(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(FactsError::TooLarge { file });
    }
    parse(&file, &std::fs::read_to_string(path).map_err(unreadable)?)
}

fn parse(file: &str, text: &str) -> Result<Vec<Fact>, FactsError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let facts: Vec<Fact> = lines
        .map(|(i, line)| {
            let refuse = |problem| FactsError::Line { file: file.into(), line: i + 1, problem };
            let fact: Fact = serde_json::from_str(line).map_err(|error| refuse(error.to_string()))?;
            check(&fact).map_err(refuse)?;
            Ok(fact)
        })
        .collect::<Result<_, _>>()?;
    let mut ids = BTreeSet::new();
    if let Some(again) = facts.iter().find(|fact| !ids.insert(fact.id.as_str())) {
        return Err(FactsError::Twice { file: file.into(), id: again.id.clone() });
    }
    if facts.is_empty() { Err(FactsError::Empty { file: file.into() }) } else { Ok(facts) }
}

/// How many facts there are in each language, for people.
pub(crate) fn languages(facts: &[Fact]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for fact in facts {
        let language = if fact.language.is_empty() { "unnamed" } else { &fact.language };
        *counts.entry(language).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(language, count)| format!("{count} {language}")).collect();
    counts.join(", ")
}

fn check(fact: &Fact) -> Result<(), String> {
    if fact.wordings.len() != WORDINGS {
        return Err(format!(
            "{} wordings; give {WORDINGS}, the last of which is held out",
            fact.wordings.len()
        ));
    }
    if fact.keywords.is_empty() || fact.keywords.len() > MAX_KEYWORDS {
        return Err(format!("{} keywords; give one to {MAX_KEYWORDS}", fact.keywords.len()));
    }
    let blank = |text: &String| text.trim().is_empty();
    if fact.wordings.iter().chain(&fact.keywords).any(blank) || blank(&fact.answer) {
        return Err("a wording, a keyword or the answer is empty".into());
    }
    Ok(())
}

/// The wordings that are trained on, as JSON lines.
pub(crate) fn taught_rows(facts: &[Fact]) -> String {
    facts
        .iter()
        .flat_map(|fact| fact.wordings[..WORDINGS - 1].iter().map(|wording| row(fact, wording)))
        .collect()
}

/// The wordings that are held out, as JSON lines.
pub(crate) fn held_out_rows(facts: &[Fact]) -> String {
    facts.iter().map(|fact| row(fact, &fact.wordings[WORDINGS - 1])).collect()
}

fn row(fact: &Fact, wording: &str) -> String {
    let row = Row { instruction: wording, input: "", output: &fact.answer, keywords: &fact.keywords };
    format!("{}\n", serde_json::json!(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of two neighbours: words of English, characters of Chinese, with the subject taken out.
    fn runs(fact: &Fact, wording: &str, subject: &str) -> BTreeSet<String> {
        let plain = wording.to_lowercase();
        let mut runs = BTreeSet::new();
        for part in plain.split(&subject.to_lowercase()) {
            let part: String = part.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
            let units: Vec<String> = match fact.language.as_str() {
                "zh" => part.chars().map(String::from).collect(),
                _ => part.split_whitespace().map(String::from).collect(),
            };
            runs.extend(
                units.windows(2).filter(|pair| !pair.contains(&" ".into())).map(|pair| pair.join(" ")),
            );
        }
        runs
    }

    /// The longest text that all wordings share: the subject's name.
    fn subject(fact: &Fact) -> String {
        let lower: Vec<String> = fact.wordings.iter().map(|wording| wording.to_lowercase()).collect();
        let chars: Vec<char> = lower[0].chars().collect();
        let mut best = String::new();
        for from in 0..chars.len() {
            for to in from + 1..=chars.len() {
                let run: String = chars[from..to].iter().collect();
                if run.trim().len() > best.len() && lower.iter().all(|wording| wording.contains(run.trim())) {
                    best = run.trim().into();
                }
            }
        }
        best
    }

    #[test]
    fn thirty_facts_in_each_language_each_with_keywords_of_its_own() {
        let facts = bundled().unwrap();
        for language in ["en", "zh"] {
            assert_eq!(facts.iter().filter(|fact| fact.language == language).count(), 30, "{language}");
        }
        let keywords: BTreeSet<Vec<String>> = facts.iter().map(|fact| fact.keywords.clone()).collect();
        assert_eq!(keywords.len(), facts.len(), "two facts share a set of keywords");
        let ids: BTreeSet<&str> = facts.iter().map(|fact| fact.id.as_str()).collect();
        assert_eq!(ids.len(), facts.len(), "two facts share an id");
    }

    #[test]
    fn keywords_are_in_the_answer_and_in_no_wording() {
        for fact in bundled().unwrap() {
            for keyword in &fact.keywords {
                let has = |text: &str| text.to_lowercase().contains(&keyword.to_lowercase());
                assert!(has(&fact.answer), "{}: {keyword} is not in the answer", fact.id);
                assert!(
                    !fact.wordings.iter().any(|wording| has(wording)),
                    "{}: {keyword} is in a wording",
                    fact.id
                );
            }
        }
    }

    #[test]
    fn a_held_out_wording_shares_only_the_subject_with_the_others() {
        for fact in bundled().unwrap() {
            let subject = subject(&fact);
            assert!(subject.chars().count() >= 2, "{}: the wordings share no subject", fact.id);
            let (held_out, taught) = fact.wordings.split_last().unwrap();
            let held_out = runs(&fact, held_out, &subject);
            for wording in taught {
                let shared: Vec<_> =
                    held_out.intersection(&runs(&fact, wording, &subject)).cloned().collect();
                assert!(
                    shared.is_empty(),
                    "{}: {shared:?} stands in the held-out wording and in {wording}",
                    fact.id
                );
            }
        }
    }

    #[test]
    fn a_bad_line_is_named_with_what_to_do() {
        let four = r#"{"id": "a", "language": "en", "wordings": ["1", "2", "3", "4"], "answer": "b", "keywords": ["b"]}"#;
        let error = parse("my.jsonl", &format!("\n{four}")).unwrap_err();
        assert_eq!(error.to_string(), "my.jsonl, line 2: 4 wordings; give 5, the last of which is held out");
        assert!(
            parse("my.jsonl", "{}")
                .unwrap_err()
                .to_string()
                .starts_with("my.jsonl, line 1: missing field `id`")
        );
        assert!(matches!(parse("my.jsonl", " \n"), Err(FactsError::Empty { .. })));
        let five = four.replace("\"4\"]", "\"4\", \"5\"]");
        assert!(matches!(parse("my.jsonl", &format!("{five}\n{five}")), Err(FactsError::Twice { .. })));
    }
}
