//! From token ids to the text a client may see: whole characters, and nothing that may yet become a stop string.

use rootstock_text::StreamDecoder;

use crate::stop::{Filtered, StopFilter};

/// The text of one sequence. Without a tokenizer there is none.
#[derive(Debug)]
pub(super) struct TextStream {
    decoder: Option<StreamDecoder>,
    stop: StopFilter,
}

impl TextStream {
    pub(super) fn new(decoder: Option<StreamDecoder>, stops: Vec<String>) -> Self {
        Self { decoder, stop: StopFilter::new(stops) }
    }

    /// Takes the next id. `stops` says whether stop strings count yet; once they do they count from there on.
    pub(super) fn push(&mut self, id: u32, stops: bool) -> Filtered {
        let text = self.decoder.as_mut().and_then(|decoder| decoder.push(id)).unwrap_or_default();
        if stops { self.stop.push(&text) } else { Filtered { text, stopped: false } }
    }

    /// Ends the text: what was held back comes out.
    pub(super) fn finish(&mut self) -> Filtered {
        let rest = self.decoder.as_mut().and_then(StreamDecoder::flush);
        let mut filtered = self.stop.push(&rest.unwrap_or_default());
        if !filtered.stopped {
            filtered.text.push_str(&self.stop.finish());
        }
        filtered
    }
}
