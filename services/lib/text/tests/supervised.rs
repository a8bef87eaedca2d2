//! Supervised examples: loss on the answer alone, and an account of every token.

use proptest::prelude::*;
use rootstock_text::{
    EncodedPrompt, IGNORE_INDEX, PromptError, PromptTemplate, Row, Supervised, SupervisedCounts,
    TextTokenizer, Truncation, encode_row, supervised_example,
};

use crate::fixtures::{FILES, TOKENIZER};

const EOS: u32 = 7;

fn example(prompt: &[u32], answer: &[u32], max_length: usize, truncation: Truncation) -> Supervised {
    supervised_example(&EncodedPrompt::opaque(prompt.to_vec()), answer, EOS, (max_length, truncation))
}

#[test]
fn loss_is_on_the_answer_and_its_eos() {
    let Supervised::Kept { example, cut } = example(&[1, 2], &[3, 4], 10, Truncation::Drop) else {
        panic!("it fits")
    };
    assert_eq!(example.input_ids, [1, 2, 3, 4, EOS]);
    assert_eq!(example.labels, [IGNORE_INDEX, IGNORE_INDEX, 3, 4, i64::from(EOS)]);
    assert_eq!((example.prompt_len, example.answer_len(), cut), (2, 3, 0));
}

#[test]
fn cut_at_the_right_a_long_answer_loses_its_end_and_a_long_prompt_the_example() {
    let cut = |prompt, answer, length| example(prompt, answer, length, Truncation::Right);
    let Supervised::Kept { example: kept, cut: lost } = cut(&[1, 2], &[3, 4, 5], 4) else {
        panic!("it fits")
    };
    assert_eq!((kept.input_ids.as_slice(), lost), (&[1, 2, 3, 4][..], 2));
    assert_eq!(cut(&[1, 2], &[3, 4], 2), Supervised::Dropped { tokens: 5 });
}

#[test]
fn cut_at_the_left_a_row_keeps_the_end_of_its_answer_and_its_eos() {
    let prompt = EncodedPrompt { ids: vec![1, 2, 3, 4], user: vec![0..1, 2..4] };
    let cut = |length| {
        let example = supervised_example(&prompt, &[5, 6], EOS, (length, Truncation::Left));
        let Supervised::Kept { example, cut } = example else { panic!("something is kept") };
        (example, cut)
    };
    let (kept, lost) = cut(5);
    assert_eq!((kept.input_ids.as_slice(), kept.prompt_len, lost), (&[3, 4, 5, 6, EOS][..], 2, 2));
    assert_eq!(kept.labels, [IGNORE_INDEX, IGNORE_INDEX, 5, 6, i64::from(EOS)]);
    assert_eq!(kept.user, vec![0..2], "the user's words move along");
    let (kept, lost) = cut(2);
    assert_eq!((kept.input_ids.as_slice(), kept.prompt_len, lost), (&[6, EOS][..], 0, 5));
}

#[test]
fn what_must_not_be_cut_is_left_out_whole() {
    for truncation in [Truncation::Drop, Truncation::Error] {
        assert_eq!(example(&[1, 2], &[3, 4], 4, truncation), Supervised::Dropped { tokens: 5 });
        assert!(matches!(example(&[1, 2], &[3, 4], 5, truncation), Supervised::Kept { cut: 0, .. }));
    }
}

#[test]
fn a_row_becomes_prompt_answer_and_eos() {
    let row = Row {
        instruction: "什么是适配器?".into(), output: "一个小矩阵。".into(), ..Row::default()
    };
    for template in PromptTemplate::ALL {
        let example =
            encode_row(&TOKENIZER, template, &row, (512, Truncation::Drop)).unwrap().into_example().unwrap();
        let text = TOKENIZER.decode(&example.input_ids, false);
        let prompt = template.render(&row, &TOKENIZER).unwrap().text;
        let answer = template.answer(&row, &TOKENIZER).unwrap();
        assert_eq!(text, format!("{prompt}{answer}<|im_end|>"));
        assert_eq!(TOKENIZER.decode(&example.input_ids[..example.prompt_len], false), prompt);
        let user = example.user.first().unwrap().clone();
        assert!(TOKENIZER.decode(&example.input_ids[user], false).contains("什么是适配器"));
    }
}

#[test]
fn a_tokenizer_without_eos_is_refused() {
    let tokenizer = TextTokenizer::from_files(&FILES.tokenizer_json, None).unwrap();
    let row = Row { instruction: "a".into(), input: String::new(), output: "b".into(), ..Row::default() };
    assert_eq!(
        encode_row(&tokenizer, PromptTemplate::QaEn, &row, (64, Truncation::Drop)),
        Err(PromptError::NoEos)
    );
}

proptest! {
    #[test]
    fn every_token_is_kept_or_counted_as_cut(
        rows in prop::collection::vec((0_usize..20, 0_usize..20), 0..20),
        max_length in 0_usize..30,
        truncation in prop::sample::select(vec![Truncation::Drop, Truncation::Left, Truncation::Right]),
    ) {
        let mut counts = SupervisedCounts::default();
        for &(prompt, answer) in &rows {
            let outcome = example(&vec![1; prompt], &vec![2; answer], max_length, truncation);
            counts.record(&outcome);
            if let Some(example) = outcome.into_example() {
                prop_assert!(example.input_ids.len() <= max_length);
                prop_assert_eq!(example.labels.len(), example.input_ids.len());
                prop_assert!(example.answer_len() > 0);
            }
        }
        let tokens: usize = rows.iter().map(|(prompt, answer)| prompt + answer + 1).sum();
        prop_assert_eq!(counts.tokens_kept + counts.tokens_cut, tokens as u64);
        prop_assert_eq!(counts.kept + counts.dropped, rows.len() as u64);
    }
}
