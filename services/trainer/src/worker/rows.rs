//! Rows of token ids to train on, and the padded batches made of them.

use std::sync::Arc;

use rootstock_kernels::Random;
use rootstock_model::Batch;
use rootstock_text::{Denoised, IGNORE_INDEX, MaskedExample, Replacement, SupervisedExample, TokenDropout};

use super::{
    apart::fingerprint, infilling::Infilling, labelled::Labelled, masked::MaskedTexts, questions::Question,
};

/// The rows of a data set.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    /// Blocks of text, in which each token is learned from those before it.
    Causal(Vec<Vec<u32>>),
    /// Questions and answers, of which the answers are learned.
    Supervised(Vec<Question>),
    /// Texts out of which spans are cut, which are learned.
    Infilling(Infilling),
    /// Texts of which tokens are hidden, which are learned.
    Masked(MaskedTexts),
    /// Texts with labels, which are learned.
    Labelled(Labelled),
}

/// How rows are changed each time they are seen, from a seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Augment {
    dropout: TokenDropout,
    span_shuffle: f64,
    seed: u64,
}

impl Augment {
    /// None where nothing is to be left out or moved, and there is only one wording of each question.
    pub(crate) fn new(
        (instruction_token_dropout, span_shuffle): (f64, f64),
        paraphrases: bool,
        seed: u64,
    ) -> Option<Self> {
        let dropout = TokenDropout::new(instruction_token_dropout, Replacement::Remove).ok()?;
        let changes = dropout.probability() > 0.0 || span_shuffle > 0.0 || paraphrases;
        changes.then_some(Self { dropout, span_shuffle, seed })
    }

    /// A question as it is seen in the pass `epoch`: one of its wordings, spans of it moved, tokens of it left out.
    fn seen(&self, question: &Question, row: usize, epoch: u64) -> SupervisedExample {
        let random = |what| Random::named(self.seed, what).child(epoch).child(row as u64);
        let wordings = &question.wordings;
        let drawn = (random("paraphrase").uniform(0) * wordings.len() as f64) as usize;
        let example = &wordings[drawn.min(wordings.len() - 1)];
        let (spans, tokens) = (random("span shuffle"), random("instruction token dropout"));
        let example = example.shuffled(self.span_shuffle, |n| spans.uniform(n));
        example.augmented(&self.dropout, |n| tokens.uniform(n))
    }
}

/// One row as it is fed to the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Example {
    pub(crate) input_ids: Vec<u32>,
    pub(crate) labels: Vec<i64>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Causal(blocks) => blocks.len(),
            Self::Supervised(questions) => questions.len(),
            Self::Infilling(infilling) => infilling.texts.len(),
            Self::Masked(masked) => masked.len(),
            Self::Labelled(labelled) => labelled.rows.len(),
        }
    }

    /// Whether one of the questions is put in several ways.
    pub(crate) fn has_other_wordings(&self) -> bool {
        matches!(self, Self::Supervised(questions) if questions.iter().any(|question| question.wordings.len() > 1))
    }

    /// A row as it is validated: as it is, or always with the same tokens cut out or hidden.
    pub(crate) fn example(&self, row: usize) -> Example {
        match self {
            Self::Causal(blocks) => {
                let labels = blocks[row].iter().map(|id| i64::from(*id)).collect();
                Example { input_ids: blocks[row].clone(), labels }
            }
            Self::Supervised(questions) => Example::from(questions[row].wordings[0].clone()),
            Self::Infilling(infilling) => Example::from(infilling.fixed(row)),
            Self::Masked(masked) => Example::from(masked.fixed(row)),
            Self::Labelled(labelled) => labelled.rows[row].clone(),
        }
    }

    /// The rows of several data sets one after the other; `None` where they are of different kinds.
    pub(crate) fn joined(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Causal(mut before), Self::Causal(after)) => {
                before.extend(after);
                Self::Causal(before)
            }
            (Self::Supervised(mut before), Self::Supervised(after)) => {
                before.extend(after);
                Self::Supervised(before)
            }
            (Self::Infilling(before), Self::Infilling(after)) => Self::Infilling(before.joined(after)),
            (Self::Masked(before), Self::Masked(after)) => Self::Masked(before.joined(after)),
            (Self::Labelled(before), Self::Labelled(after)) => Self::Labelled(before.joined(after)),
            _ => return None,
        })
    }

    /// A row as it is seen in the pass `epoch`.
    pub(crate) fn augmented(&self, row: usize, epoch: u64, augment: Option<&Augment>) -> Example {
        match (self, augment) {
            (Self::Supervised(questions), Some(augment)) => {
                Example::from(augment.seen(&questions[row], row, epoch))
            }
            (Self::Infilling(infilling), _) => Example::from(infilling.drawn(row, epoch)),
            (Self::Masked(masked), _) => Example::from(masked.drawn(row, epoch)),
            _ => self.example(row),
        }
    }

    /// The same rows, of which those that are changed each time they are seen are changed by this seed.
    pub(super) fn drawn_by(rows: &Arc<Self>, seed: u64) -> Arc<Self> {
        match &**rows {
            Self::Infilling(infilling) => Arc::new(Self::Infilling(infilling.drawn_by(seed))),
            Self::Masked(masked) => Arc::new(Self::Masked(masked.drawn_by(seed))),
            Self::Causal(_) | Self::Supervised(_) | Self::Labelled(_) => Arc::clone(rows),
        }
    }

    /// The rows with these numbers.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Causal(blocks) => Self::Causal(rows.iter().map(|row| blocks[*row].clone()).collect()),
            Self::Supervised(questions) => {
                Self::Supervised(rows.iter().map(|row| questions[*row].clone()).collect())
            }
            Self::Infilling(infilling) => Self::Infilling(infilling.select(rows)),
            Self::Masked(masked) => Self::Masked(masked.select(rows)),
            Self::Labelled(labelled) => Self::Labelled(labelled.select(rows)),
        }
    }

    /// All tokens, and those of them that carry loss.
    pub(crate) fn tokens(&self) -> (u64, u64) {
        let count = |row| {
            let example = self.example(row);
            (example.input_ids.len() as u64, self.loss_tokens(&example.labels))
        };
        (0..self.len()).map(count).fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
    }

    fn loss_tokens(&self, labels: &[i64]) -> u64 {
        match self {
            Self::Masked(_) | Self::Labelled(_) => {
                labels.iter().filter(|label| **label != IGNORE_INDEX).count() as u64
            }
            Self::Causal(_) | Self::Supervised(_) | Self::Infilling(_) => loss_tokens(labels),
        }
    }

    /// What each row says, to tell whether others say the same. Texts have none: how they are cut depends on what stands around them.
    pub(super) fn fingerprints(&self) -> Vec<u64> {
        match self {
            Self::Supervised(_) => (0..self.len()).map(|row| fingerprint(&self.example(row))).collect(),
            Self::Labelled(labelled) => labelled.said().map(|said| fingerprint(&said)).collect(),
            Self::Causal(_) | Self::Infilling(_) | Self::Masked(_) => Vec::new(),
        }
    }

    /// The highest token id, if there is any.
    pub(crate) fn highest_id(&self) -> Option<u32> {
        match self {
            Self::Infilling(infilling) => infilling.highest_id(),
            Self::Masked(masked) => masked.highest_id(),
            Self::Supervised(questions) => {
                let wordings = questions.iter().flat_map(|question| &question.wordings);
                wordings.flat_map(|example| example.input_ids.iter().copied()).max()
            }
            _ => (0..self.len()).filter_map(|row| self.example(row).input_ids.into_iter().max()).max(),
        }
    }
}

impl From<Denoised> for Example {
    fn from(row: Denoised) -> Self {
        Self { labels: row.labels(), input_ids: row.input_ids }
    }
}

impl From<MaskedExample> for Example {
    fn from(row: MaskedExample) -> Self {
        Self { input_ids: row.input_ids, labels: row.labels }
    }
}

impl From<SupervisedExample> for Example {
    fn from(example: SupervisedExample) -> Self {
        Self { input_ids: example.input_ids, labels: example.labels }
    }
}

/// Labels that are learned: the first position has nothing before it to be predicted from.
pub(crate) fn loss_tokens(labels: &[i64]) -> u64 {
    labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).count() as u64
}

/// Pads rows on the right to the longest. What stands in the padding is never seen: no later token attends to it, and
/// it carries no loss.
pub(crate) fn batch(examples: &[Example]) -> Batch {
    let seq_len = examples.iter().map(|example| example.input_ids.len()).max().unwrap_or(0);
    let mut batch = Batch {
        rows: examples.len(),
        seq_len,
        input_ids: Vec::with_capacity(examples.len() * seq_len),
        labels: Vec::with_capacity(examples.len() * seq_len),
    };
    for (row, example) in examples.iter().enumerate() {
        batch.input_ids.extend_from_slice(&example.input_ids);
        batch.input_ids.resize((row + 1) * seq_len, 0);
        batch.labels.extend_from_slice(&example.labels);
        batch.labels.resize((row + 1) * seq_len, IGNORE_INDEX);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(prompt: std::ops::Range<u32>, answer: &[u32]) -> SupervisedExample {
        let prompt_len = prompt.len();
        let input_ids: Vec<u32> = prompt.chain(answer.iter().copied()).collect();
        let label = |(i, id): (usize, &u32)| if i < prompt_len { IGNORE_INDEX } else { i64::from(*id) };
        let labels = input_ids.iter().enumerate().map(label).collect();
        SupervisedExample { input_ids, labels, prompt_len, user: vec![1..prompt_len - 1] }
    }

    #[test]
    fn rows_are_padded_on_the_right_and_padding_carries_no_loss() {
        let rows = Rows::Causal(vec![vec![1, 2, 3], vec![4]]);
        let batch = batch(&[rows.example(0), rows.example(1)]);
        assert_eq!((batch.rows, batch.seq_len), (2, 3));
        assert_eq!(batch.input_ids, [1, 2, 3, 4, 0, 0]);
        assert_eq!(batch.labels, [1, 2, 3, 4, IGNORE_INDEX, IGNORE_INDEX]);
    }

    #[test]
    fn the_first_token_of_a_block_and_the_tokens_of_a_prompt_are_not_learned() {
        let blocks = Rows::Causal(vec![vec![5, 6, 7]]);
        assert_eq!(blocks.tokens(), (3, 2));
        let questions = Rows::Supervised(vec![question(10..20, &[7, 8, 9]).into()]);
        assert_eq!(questions.tokens(), (13, 3));
        assert_eq!(questions.highest_id(), Some(19));
    }

    #[test]
    fn dropout_leaves_out_words_of_the_question_anew_in_each_pass() {
        let rows = Rows::Supervised(vec![question(100..140, &[7, 8, 9]).into()]);
        let augment = Augment::new((0.5, 0.0), false, 3).unwrap();
        let seen = |epoch| rows.augmented(0, epoch, Some(&augment));
        let (first, second) = (seen(0), seen(1));
        assert!(first.input_ids.len() < 43 && first != second);
        assert_eq!(first, seen(0), "the same pass gives the same row");
        for example in [first, second] {
            assert_eq!((example.input_ids[0], loss_tokens(&example.labels)), (100, 3));
            assert!(example.input_ids.ends_with(&[139, 7, 8, 9]));
        }
        assert_eq!(Augment::new((0.0, 0.0), false, 3), None);
        assert_eq!(rows.augmented(0, 0, None), rows.example(0));
    }

    #[test]
    fn rows_of_one_kind_are_joined_and_others_are_not() {
        let joined = Rows::Causal(vec![vec![0]]).joined(Rows::Causal(vec![vec![1], vec![2]])).unwrap();
        assert_eq!((joined.len(), joined.example(2).input_ids), (3, vec![2]));
        assert!(joined.joined(Rows::Supervised(vec![])).is_none());
    }

    #[test]
    fn each_pass_draws_one_of_the_wordings_and_moves_spans_of_it() {
        let mut row = Question::from(question(100..120, &[7, 8, 9]));
        row.wordings.push(question(200..220, &[7, 8, 9]));
        let rows = Rows::Supervised(vec![row]);
        assert_eq!(rows.highest_id(), Some(219));
        let words = Augment::new((0.0, 0.0), true, 3).unwrap();
        let first = |augment: &Augment, epoch| rows.augmented(0, epoch, Some(augment)).input_ids[0];
        let drawn: Vec<u32> = (0..64).map(|epoch| first(&words, epoch)).collect();
        let others = drawn.iter().filter(|id| **id == 200).count();
        assert!((20..=44).contains(&others), "{others} of 64");
        assert!(drawn.iter().all(|id| [100, 200].contains(id)));
        let moved = Augment::new((0.0, 0.5), false, 3).unwrap();
        let seen = |epoch| rows.augmented(0, epoch, Some(&moved)).input_ids;
        assert!(seen(0) != seen(1) && seen(0) == seen(0));
        let mut sorted = seen(0);
        sorted[..20].sort_unstable();
        assert!(sorted.starts_with(&[sorted[0], sorted[0] + 1]) && seen(0).ends_with(&[7, 8, 9]));
        assert_eq!(rows.example(0).input_ids[0], 100, "validation has the instruction as it is");
    }

    #[test]
    fn selected_rows_keep_the_order_asked_for() {
        let rows = Rows::Causal(vec![vec![0], vec![1], vec![2]]);
        let Rows::Causal(blocks) = rows.select(&[2, 0]) else { panic!("of another kind") };
        assert_eq!(blocks, [[2], [0]]);
    }
}
