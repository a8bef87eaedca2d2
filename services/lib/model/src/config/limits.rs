//! The ranges of a `config.json`: what is computed from its numbers must fit in memory and in their types, whoever wrote them.

use super::{Config, ConfigError, RopeScaling, invalid};

/// The most layers; published models have up to 126.
pub const MAX_LAYERS: usize = 1024;
/// The most of every width, of the vocabulary and of the context; a weight then has at most 2^48 numbers.
pub const MAX_WIDTH: usize = 1 << 24;
/// The rotary base; published models have up to 10^7.
const ROPE_THETA: std::ops::RangeInclusive<f64> = 1.0..=1e12;
/// How far the rotary frequencies may be stretched; transformers expects at least 1.
const ROPE_FACTOR: std::ops::RangeInclusive<f64> = 1.0..=1e6;
/// What sines and cosines may be multiplied by; YaRN's largest is 2.4 for the largest factor.
const ROPE_MAGNITUDE: std::ops::RangeInclusive<f64> = 1e-3..=1e3;
/// The largest spread of freshly drawn weights.
const MAX_INITIALIZER_RANGE: f64 = 1e3;

/// Checks all of it.
///
/// # Errors
/// Names the first field that does not fit.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    check_sizes(config)?;
    check_heads(config)?;
    check_tokens(config)?;
    check_rope(config)?;
    check_layers(config)?;
    if !(config.rms_norm_eps > 0.0 && config.rms_norm_eps < 1.0) {
        return Err(invalid("rms_norm_eps", "must lie between 0 and 1"));
    }
    if !(0.0..=MAX_INITIALIZER_RANGE).contains(&config.initializer_range) {
        let problem = format!("must not be negative, nor above {MAX_INITIALIZER_RANGE}");
        return Err(invalid("initializer_range", &problem));
    }
    Ok(())
}

fn check_sizes(config: &Config) -> Result<(), ConfigError> {
    let sizes = [
        ("vocab_size", config.vocab_size, MAX_WIDTH),
        ("hidden_size", config.hidden_size, MAX_WIDTH),
        ("intermediate_size", config.intermediate_size, MAX_WIDTH),
        ("num_hidden_layers", config.num_hidden_layers, MAX_LAYERS),
        ("num_attention_heads", config.num_attention_heads, MAX_WIDTH),
        ("num_key_value_heads", config.num_key_value_heads, MAX_WIDTH),
        ("head_dim", config.head_dim, MAX_WIDTH),
        ("max_position_embeddings", config.max_position_embeddings, MAX_WIDTH),
    ];
    match sizes.into_iter().find(|(_, size, most)| !(1..=*most).contains(size)) {
        Some((field, size, most)) => {
            Err(invalid(field, &format!("is {size}, but must be at least 1 and at most {most}")))
        }
        None => Ok(()),
    }
}

fn check_heads(config: &Config) -> Result<(), ConfigError> {
    if !config.num_attention_heads.is_multiple_of(config.num_key_value_heads) {
        return Err(invalid("num_key_value_heads", "must divide num_attention_heads"));
    }
    if !config.head_dim.is_multiple_of(2) {
        return Err(invalid("head_dim", "must be even, because rotary embedding turns pairs"));
    }
    match config.num_attention_heads.checked_mul(config.head_dim) {
        Some(width) if width <= MAX_WIDTH => Ok(()),
        _ => {
            let problem = format!("times head_dim ({}) must be at most {MAX_WIDTH}", config.head_dim);
            Err(invalid("num_attention_heads", &problem))
        }
    }
}

fn check_tokens(config: &Config) -> Result<(), ConfigError> {
    let bos = config.bos_token_id.iter().map(|id| ("bos_token_id", id));
    let eos = config.eos_token_ids.iter().map(|id| ("eos_token_id", id));
    match bos.chain(eos).find(|(_, id)| **id as usize >= config.vocab_size) {
        Some((field, id)) => {
            Err(invalid(field, &format!("is {id}, but must be below vocab_size ({})", config.vocab_size)))
        }
        None => Ok(()),
    }
}

fn check_rope(config: &Config) -> Result<(), ConfigError> {
    let within = |field: &str, value: f64, range: &std::ops::RangeInclusive<f64>| {
        let problem =
            || format!("is {value:e}, but must lie between {:e} and {:e}", range.start(), range.end());
        if range.contains(&value) { Ok(()) } else { Err(invalid(field, &problem())) }
    };
    let original = |positions: usize| {
        let field = "rope_scaling.original_max_position_embeddings";
        let problem = || format!("must be at least 1 and at most {MAX_WIDTH}");
        if (1..=MAX_WIDTH).contains(&positions) { Ok(()) } else { Err(invalid(field, &problem())) }
    };
    within("rope_theta", config.rope_theta, &ROPE_THETA)?;
    match config.rope_scaling {
        RopeScaling::None => Ok(()),
        RopeScaling::Linear { factor } => within("rope_scaling.factor", factor, &ROPE_FACTOR),
        RopeScaling::Dynamic { factor, original_max_position_embeddings } => {
            within("rope_scaling.factor", factor, &ROPE_FACTOR)?;
            original(original_max_position_embeddings)?;
            if config.head_dim > 2 { Ok(()) } else { Err(invalid("head_dim", "must be above 2 for dynamic")) }
        }
        RopeScaling::Yarn {
            factor,
            original_max_position_embeddings,
            beta_fast,
            beta_slow,
            attention_factor,
            ..
        } => {
            within("rope_scaling.factor", factor, &ROPE_FACTOR)?;
            original(original_max_position_embeddings)?;
            if config.rope_theta <= 1.0 {
                return Err(invalid("rope_theta", "must be above 1 with yarn"));
            }
            if !(0.0 < beta_slow && beta_slow < beta_fast && beta_fast.is_finite()) {
                return Err(invalid("rope_scaling.beta_slow", "must be positive and below beta_fast"));
            }
            within("rope_scaling.attention_factor", attention_factor, &ROPE_MAGNITUDE)
        }
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings,
        } => {
            within("rope_scaling.factor", factor, &ROPE_FACTOR)?;
            if !(0.0 < low_freq_factor && low_freq_factor < high_freq_factor && high_freq_factor.is_finite())
            {
                let problem = "must be positive and below high_freq_factor";
                return Err(invalid("rope_scaling.low_freq_factor", problem));
            }
            original(original_max_position_embeddings)
        }
    }
}

fn check_layers(config: &Config) -> Result<(), ConfigError> {
    match config.layers.sliding_window {
        Some(window) if !(1..=MAX_WIDTH).contains(&window) => {
            let problem = format!("is {window}, but must be at least 1 and at most {MAX_WIDTH}");
            Err(invalid("sliding_window", &problem))
        }
        _ => Ok(()),
    }
}
