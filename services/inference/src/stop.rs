//! Finds stop strings in text that comes in pieces, and holds back what might yet become one.

/// Ends a text before the first stop string that is complete in it.
///
/// Of several the one that is complete first counts, and of those that end together the longest; so the result is the
/// same however the text is cut into pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopFilter {
    stops: Vec<String>,
    /// The end of the text so far that is the beginning of a stop string.
    held: String,
    stopped: bool,
}

/// What became of a piece of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filtered {
    /// The text that is certain now.
    pub(crate) text: String,
    /// Whether a stop string was found; nothing comes after it.
    pub(crate) stopped: bool,
}

impl StopFilter {
    /// A filter for these strings, none of which is empty.
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new(), stopped: false }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str) -> Filtered {
        if self.stopped {
            return Filtered { text: String::new(), stopped: true };
        }
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        if let Some(start) = self.find(&text) {
            self.stopped = true;
            text.truncate(start);
        } else {
            let keep = self.possible_beginning(&text);
            self.held = text.split_off(text.len() - keep);
        }
        Filtered { text, stopped: self.stopped }
    }

    /// Ends the text: what was held back is text after all.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the stop string begins that is complete first.
    fn find(&self, text: &str) -> Option<usize> {
        let found =
            self.stops.iter().filter_map(|stop| text.find(stop).map(|start| (start + stop.len(), start)));
        found.min().map(|(_, start)| start)
    }

    /// The length of the longest end of `text` with which a stop string begins.
    fn possible_beginning(&self, text: &str) -> usize {
        let of = |stop: &String| {
            let beginnings = stop.char_indices().map(|(length, _)| length).skip(1);
            beginnings.filter(|&length| text.ends_with(&stop[..length])).max()
        };
        self.stops.iter().filter_map(of).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
