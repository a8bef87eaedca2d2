//! How far masked and infilling pre-training must come on languages that can be learnt: to losses below what anybody reaches who
//! doesn't look at what the objective shows.

use rootstock_kernels::Random;
use rootstock_model::Task;

use super::{
    encoders::{encoder, tokenizer},
    *,
};
use crate::{
    spec::Masked,
    worker::masked::{MaskedTexts, Words},
};

/// Steps of a run: as many as take each objective far below its bar.
const STEPS: u64 = 1500;

fn lessons() -> Arguments {
    Arguments {
        length: Length::Steps(STEPS),
        batch_size: 32,
        accumulation: 1,
        learning_rate: 5e-3,
        warmup: Warmup::Ratio(0.1),
        weight_decay: 0.0,
        logging_steps: STEPS,
        ..short()
    }
}

/// Losses on held-out texts before training and after it.
fn held_out_losses(learner: Trainee, (train, validation): (Rows, Rows)) -> [f64; 2] {
    let script = Script::default();
    let prepared = Prepared { stages: vec![stage(train, validation)], ..prepared(learner, lessons(), 0) };
    run(prepared, &script).unwrap();
    let loss = |event: &Event| match event {
        Event::Evaluated(evaluated) => Some(evaluated.eval_loss),
        _ => None,
    };
    let losses: Vec<f64> = script.events.borrow().iter().filter_map(loss).collect();
    println!("held-out losses {losses:?}");
    losses.try_into().unwrap()
}

/// Texts of 12 letters drawn from a to d, and between each two of them the one of 16 other letters that stands for this pair.
fn pairs(texts: std::ops::Range<u64>) -> Rows {
    let tokenizer = tokenizer();
    let documents = texts.map(|text| {
        let random = Random::named(7, "pairs").child(text);
        let drawn: Vec<u8> = (0..12).map(|i| (4.0 * random.uniform(i)) as u8).collect();
        let between = drawn.windows(2).flat_map(|pair| [b'e' + 4 * pair[0] + pair[1], b'a' + pair[1]]);
        let text = String::from_utf8([b'a' + drawn[0]].into_iter().chain(between).collect()).unwrap();
        let encoding = tokenizer.encode(&text, false).unwrap();
        let offsets = encoding.offsets.iter().map(|range| (range.start as u32, range.end as u32));
        Words::of_piece(&text, encoding.ids, offsets, &tokenizer)
    });
    let objective = Masked { mlm_probability: 0.15, whole_word_mask: false, block_size: 32 };
    Rows::Masked(MaskedTexts::new(documents.collect::<Vec<_>>(), &tokenizer, (&objective, 5)).unwrap())
}

/// Chance among the 20 letters is ln 20 = 3.0. Who sees only what comes before a hidden letter must guess the next drawn one, which 12
/// of 23 letters begin to tell of: 12/23 ln 4 = 0.72, or 0.24 x chance. Who sees both sides knows every letter, but for those whose
/// neighbours are hidden or replaced too: here 0.097, or 0.03 x chance.
#[test]
fn masked_training_learns_to_look_at_both_sides() {
    let chance = 20_f64.ln();
    let rows = (pairs(0..1000), pairs(1000..1200));
    let [before, after] = held_out_losses(encoder(Task::MaskedLm, 0.0).into(), rows);
    assert!(before > chance, "{before}");
    assert!(after < 0.1 * chance, "{after} of {chance}");
}

/// Texts of 12 letters, each the next one in one of four circles of 13; `starts` says which letters they begin with.
fn circles(starts: impl Fn(u32) -> bool) -> Rows {
    const AROUND: u32 = 13;
    let of_circle = |circle: u32| {
        let starts: Vec<u32> = (0..AROUND).filter(|start| starts(*start)).collect();
        starts.into_iter().map(move |start| {
            (start..start + AROUND - 1).map(|n| AROUND * circle + n % AROUND).collect::<Vec<_>>()
        })
    };
    let spans = Corruption::Spans { rate: 0.3, mean_length: 2.0 };
    let denoisers = vec![Denoiser { corruption: spans, prefix: None, weight: 1.0 }];
    let denoising = Denoising::new(denoisers, vec![61, 62], 63).unwrap();
    let (infilling, dropped) = Infilling::new((0..4).flat_map(of_circle), denoising, (24, 5)).unwrap();
    assert_eq!(dropped, 0);
    Rows::Infilling(infilling)
}

/// Chance among the 52 letters is ln 52 = 4.0. Of each text 4 letters are cut out in two spans, so that 6 tokens are told: these
/// letters, the sentinel between them, and the end. Who doesn't look at the text around the spans must guess the first letter at least:
/// ln 52 / 6 = 0.66, or 0.17 x chance. Who does knows the circle, where a span begins and where it ends: here 0.063, or 0.02 x chance.
#[test]
fn infilling_learns_to_look_at_what_stands_around_a_span() {
    let chance = 52_f64.ln();
    let rows = (circles(|start| start % 4 != 3), circles(|start| start % 4 == 3));
    let [before, after] = held_out_losses(full(), rows);
    assert!(before > chance, "{before}");
    assert!(after < 0.08 * chance, "{after} of {chance}");
}
