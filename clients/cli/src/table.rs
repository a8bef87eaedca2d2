//! Tables for people; what they show is serialised as it is for scripts.
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Characters of a digest that a list shows: the algorithm and enough to tell versions apart.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// What can be a row of a table.
pub(crate) trait Tabular: Serialize {
    /// Titles of the columns.
    const HEADER: &'static [&'static str];

    /// What stands below them.
    fn cells(&self) -> Vec<String>;

    /// The same where there is room for all of it.
    fn details(&self) -> Vec<String> {
        self.cells()
    }
}

impl<T: Tabular> Tabular for &T {
    const HEADER: &'static [&'static str] = T::HEADER;

    fn cells(&self) -> Vec<String> {
        (*self).cells()
    }
}

/// Things below each other, with a line of titles.
pub(crate) fn list<T: Tabular>(rows: &[T]) -> String {
    let mut table = plain();
    table.set_header(T::HEADER.iter().copied());
    for row in rows {
        table.add_row(row.cells());
    }
    trimmed(&table)
}

/// One thing, a line for each field.
pub(crate) fn fields<T: Tabular>(thing: &T) -> String {
    let mut table = plain();
    for (title, cell) in T::HEADER.iter().zip(thing.details()) {
        table.add_row([(*title).to_owned(), cell]);
    }
    trimmed(&table)
}

fn plain() -> Table {
    let mut table = Table::new();
    // Names and digests are copied from here: cells are never wrapped.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn trimmed(table: &Table) -> String {
    // The table sets a space before its first column.
    let line = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A number of bytes for people.
pub(crate) fn bytes(bytes: i64) -> String {
    indicatif::HumanBytes(u64::try_from(bytes).unwrap_or_default()).to_string()
}

/// What may not be there.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A text that may be empty.
pub(crate) fn text_or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// A digest for a list; scripts take the whole of it from `--json`.
pub(crate) fn short(digest: &str) -> String {
    text_or_dash(digest.get(..SHORT_DIGEST).unwrap_or(digest))
}

/// A moment, to the second.
pub(crate) fn time(time: Option<&str>) -> String {
    let time = time.unwrap_or_default();
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text_or_dash(time),
    }
}

/// A text of at most so many characters, on one line.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let line = text.replace(['\n', '\r', '\t'], " ");
    if line.chars().count() <= width {
        return line;
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair(&'static str, i64);

    impl Tabular for Pair {
        const HEADER: &'static [&'static str] = &["NAME", "SIZE"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.into(), bytes(self.1)]
        }
    }

    #[test]
    fn a_list_has_titles_and_a_thing_has_a_line_for_each_field() {
        let listed = list(&[Pair("a", 10), Pair("bbbbbbbb", 4096)]);
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [vec!["NAME", "SIZE"], vec!["a", "10", "B"], vec!["bbbbbbbb", "4.00", "KiB"]]);
        assert_eq!(fields(&Pair("a", 10)).lines().count(), 2);
    }

    #[test]
    fn what_is_long_is_short_in_a_list() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        assert_eq!((short(&digest).as_str(), short("").as_str()), ("sha256:abababababab", "-"));
        assert_eq!(time(Some("2026-01-02T03:04:05.678901Z")), "2026-01-02T03:04:05Z");
        assert_eq!(
            (time(Some("2026-01-02T03:04:05Z")).as_str(), time(None).as_str()),
            ("2026-01-02T03:04:05Z", "-")
        );
        assert_eq!((cut("问答\n答", 4).as_str(), cut("abcdef", 4).as_str()), ("问答 答", "abc…"));
    }
}
