//! The memory of a training step, counted allocation by allocation, is what the formula says. Alone in its binary, because it counts
//! for the whole process.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::{Device, Var};
use rootstock_kernels::{AdamW, AdamWOptions, StepRates, with_threads};
use rootstock_model::{
    Batch, Config, Decoder, DropoutKey, Gradients, Recompute, activation_bytes, forward_backward,
};

/// Counts the bytes in use, and the most there were.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's; counting changes nothing about it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(used, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 4;

fn config(vocab_size: usize, tie_word_embeddings: bool) -> Config {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 1, "hidden_size": 64,
        "intermediate_size": 192, "num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "initializer_range": 0.2, "eos_token_id": 0}"#;
    Config { vocab_size, tie_word_embeddings, ..Config::from_json(json).unwrap() }
}

fn batch(tokens: usize) -> Batch {
    let input_ids: Vec<u32> = (0..tokens as u32).map(|i| i * 37 % 96).collect();
    let labels = input_ids.iter().map(|id| i64::from(*id)).collect();
    Batch { rows: ROWS, seq_len: tokens / ROWS, input_ids, labels }
}

/// Bytes that a step takes beyond the weights.
fn peak(decoder: &Decoder, variables: &[(String, Var)], batch: &Batch) -> usize {
    // What threads keep for their next job is there before anything is counted.
    drop(gradients(decoder, variables, batch));
    counted(|| drop(gradients(decoder, variables, batch))).1
}

fn gradients(decoder: &Decoder, variables: &[(String, Var)], batch: &Batch) -> Gradients {
    forward_backward(decoder, None, variables, batch, 1.0, DropoutKey::default()).unwrap().1
}

/// What the work gives, and the most bytes there were meanwhile beyond those before.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let made = work();
    (made, PEAK.load(Ordering::Relaxed) - before)
}

#[test]
fn a_step_takes_what_its_layers_keep_and_the_work_on_one_of_them() {
    let mut decoder = Decoder::init(config(96, true), 1, &Device::Cpu).unwrap();
    // The lowest of all weights, so that the backward pass goes through every layer and leaves next to nothing.
    let lowest = |name: &str| name == "model.layers.0.input_layernorm.weight";
    let variables = decoder.set_trainable_where(None, lowest).unwrap();
    hold(&mut decoder, &variables, 0);
    // Beside its weights and moments, full training has the gradients, and two layers' weights packed for their products.
    let variables = decoder.set_trainable(None).unwrap();
    let gradients: usize =
        variables.iter().map(|(_, variable)| variable.elem_count() * size_of::<f32>()).sum();
    let layers = decoder.config().num_hidden_layers;
    hold(&mut decoder, &variables, gradients + 2 * gradients / layers);
    hold_rows();
    hold_top_layer();
}

/// Where the top layer alone is trained, the others keep nothing of their activations, and nothing has a gradient but its weights.
fn hold_top_layer() {
    let mut decoder = Decoder::init(config(96, true), 1, &Device::Cpu).unwrap();
    let variables = decoder.set_trainable_where(None, |name| name.contains("layers.11.")).unwrap();
    let bytes: usize = variables.iter().map(|(_, variable)| variable.elem_count() * size_of::<f32>()).sum();
    let config = decoder.config().clone();
    let layer = activation_bytes(&config, 1024, Recompute::Never) / config.num_hidden_layers;
    let batch = batch(1024);
    let peak = with_threads(1, || peak(&decoder, &variables, &batch));
    // Its activations and the work on it, or on another layer; its gradients, and its weights packed twice.
    assert!((layer..layer * 235 / 100 + 3 * bytes).contains(&peak), "{peak} bytes, {layer} for a layer");
    let names: Vec<String> = gradients(&decoder, &variables, &batch).0.into_keys().collect();
    assert!(names.len() == 9 && names.iter().all(|name| name.contains("layers.11.")), "{names:?}");
}

/// The gradient of an embedding that is no output projection too is as long as the batch's different tokens, until the optimizer has
/// used it.
fn hold_rows() {
    const DIFFERENT: usize = 96;
    let mut decoder = Decoder::init(config(20_000, false), 1, &Device::Cpu).unwrap();
    let variables = decoder.set_trainable(None).unwrap();
    let bytes = |variable: &Var| variable.elem_count() * size_of::<f32>();
    let all: usize = variables.iter().map(|(_, variable)| bytes(variable)).sum();
    let (_, embedding) = variables.iter().find(|(name, _)| name.contains("embed_tokens")).unwrap();
    let table = bytes(embedding);
    let kept = all - table + DIFFERENT * decoder.config().hidden_size * size_of::<f32>();
    let mut optimizer = AdamW::new(AdamWOptions::default());
    for moments in [2 * all, 0] {
        let before = USED.load(Ordering::Relaxed);
        let mut sum = gradients(&decoder, &variables, &batch(512));
        let held = USED.load(Ordering::Relaxed) - before;
        assert!((kept..kept + table / 4).contains(&held), "{held} bytes held for {kept} of gradients");
        let (_, beside) = counted(|| {
            sum.clip(1.0).unwrap();
            optimizer.step(&variables, &sum.0, |_| StepRates { lr: 0.1, weight_decay: 0.1 }).unwrap();
        });
        assert!(
            (moments..moments + table / 4).contains(&beside),
            "{beside} bytes beside {moments} of moments"
        );
    }
}

/// Compares a step's memory with the formula, and what it has beside activations.
fn hold(decoder: &mut Decoder, variables: &[(String, Var)], beside: usize) {
    let config = decoder.config().clone();
    for tokens in [512, 1024] {
        let (batch, all) = (batch(tokens), activation_bytes(&config, tokens, Recompute::Never));
        let layer = all / config.num_hidden_layers;
        for recompute in [Recompute::Never, Recompute::Always, Recompute::Within(all / 2)] {
            decoder.set_recompute(recompute);
            let kept = activation_bytes(&config, tokens, recompute);
            let peak = with_threads(1, || peak(decoder, variables, &batch));
            // Gradients of one layer and their packed forms; and where all layers run again, what one of them keeps meanwhile.
            let work = layer * if recompute == Recompute::Always { 235 } else { 135 } / 100;
            assert!((kept..kept + work + beside).contains(&peak), "{recompute:?}: {peak} bytes, {kept} kept");
        }
    }
}
