//! What sets the layers of one model apart: windows on some of them, and layers that don't rotate.

use serde_json::{Map, Value, json};

use super::{Config, ConfigError, Family, fields::Fields, invalid};

const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";
/// Qwen's first layer with a window, unless said otherwise.
const MAX_WINDOW_LAYERS: usize = 28;
/// Of so many layers of SmolLM 3, the last one does not rotate.
const NO_ROPE_INTERVAL: usize = 4;
/// Transformers' window, where a family has one and the configuration leaves the field out.
const WINDOW: usize = 4096;

/// How the layers differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Tokens that a layer with a window sees, its own included.
    pub sliding_window: Option<usize>,
    /// Layers that see everything even so, in order.
    pub full: Vec<usize>,
    /// Layers that don't rotate queries and keys, in order.
    pub unrotated: Vec<usize>,
}

impl Layers {
    /// The window of a layer.
    pub(crate) fn window(&self, layer: usize) -> Option<usize> {
        self.sliding_window.filter(|_| self.full.binary_search(&layer).is_err())
    }

    /// Whether a layer rotates queries and keys.
    pub(crate) fn rotates(&self, layer: usize) -> bool {
        self.unrotated.binary_search(&layer).is_err()
    }

    pub(super) fn parse(fields: &Fields, family: Family, count: usize) -> Result<Self, ConfigError> {
        let unrotated = if family == Family::SmolLm3 { unrotated(fields, count)? } else { Vec::new() };
        let sliding_window = window(fields, family)?;
        let full = match (sliding_window, layer_types(fields, count)?) {
            (None, Some(types)) if types.contains(&SLIDING) => {
                return Err(invalid(
                    "layer_types",
                    "asks for sliding_attention, but there is no sliding_window",
                ));
            }
            (None, _) => Vec::new(),
            (Some(_), Some(types)) if family == Family::Mistral && types.contains(&FULL) => {
                return Err(invalid(
                    "layer_types",
                    "asks for full_attention, which mistral has beside no window",
                ));
            }
            (Some(_), Some(types)) => (0..count).filter(|layer| types[*layer] == FULL).collect(),
            (Some(_), None) => match family {
                Family::Llama | Family::Mistral => Vec::new(),
                Family::Qwen2 | Family::Qwen3 => {
                    (0..count.min(fields.count_or("max_window_layers", MAX_WINDOW_LAYERS)?)).collect()
                }
                Family::SmolLm3 => (0..count).filter(|l| unrotated.binary_search(l).is_err()).collect(),
            },
        };
        // A window on no layer is none.
        let sliding_window = sliding_window.filter(|_| full.len() < count);
        let full = if sliding_window.is_some() { full } else { Vec::new() };
        Ok(Self { sliding_window, full, unrotated })
    }

    /// Writes the fields that this family has.
    pub(super) fn write(&self, config: &Config, fields: &mut Map<String, Value>) {
        let count = config.num_hidden_layers;
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        if config.family != Family::Llama {
            put("sliding_window", json!(self.sliding_window));
        }
        if !matches!(config.family, Family::Llama | Family::Mistral) {
            let kind = |layer| if self.window(layer).is_some() { SLIDING } else { FULL };
            put("layer_types", (0..count).map(kind).collect());
            put("use_sliding_window", json!(self.sliding_window.is_some()));
        }
        if matches!(config.family, Family::Qwen2 | Family::Qwen3) {
            // What readers that know no layer_types go by.
            let first = (0..count).find(|layer| self.window(*layer).is_some());
            put("max_window_layers", json!(first.unwrap_or(count)));
        }
        if config.family == Family::SmolLm3 {
            put("no_rope_layers", (0..count).map(|layer| u8::from(self.rotates(layer))).collect());
        }
    }
}

fn window(fields: &Fields, family: Family) -> Result<Option<usize>, ConfigError> {
    let given = || {
        let default = (!fields.has("sliding_window") && family != Family::SmolLm3).then_some(WINDOW);
        fields.get("sliding_window").map_or(Ok(default), |_| fields.size("sliding_window").map(Some))
    };
    match family {
        Family::Llama => {
            fields.refuse_on("sliding_window")?;
            Ok(None)
        }
        Family::Mistral => given(),
        _ if fields.flag_or("use_sliding_window", false)? => given(),
        _ => Ok(None),
    }
}

fn layer_types(fields: &Fields, count: usize) -> Result<Option<Vec<&str>>, ConfigError> {
    let Some(value) = fields.get("layer_types") else { return Ok(None) };
    let types: Option<Vec<&str>> =
        value.as_array().map(|types| types.iter().map(|one| one.as_str().unwrap_or_default()).collect());
    match types.filter(|types| types.iter().all(|one| [FULL, SLIDING].contains(one))) {
        Some(types) if types.len() == count => Ok(Some(types)),
        _ => {
            let problem = format!("must name \"{FULL}\" or \"{SLIDING}\" for each of {count} layers");
            Err(invalid("layer_types", &problem))
        }
    }
}

/// SmolLM 3's layers without rotation: those with a 0, or the last of each so many.
fn unrotated(fields: &Fields, count: usize) -> Result<Vec<usize>, ConfigError> {
    let field = "no_rope_layers";
    let Some(value) = fields.get(field) else {
        let interval = fields.size_or("no_rope_layer_interval", NO_ROPE_INTERVAL)?;
        return Ok((0..count).filter(|layer| (layer + 1).is_multiple_of(interval)).collect());
    };
    let flags = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if flags.len() < count || !flags.iter().all(|flag| matches!(flag.as_u64(), Some(0 | 1))) {
        return Err(invalid(field, &format!("must hold 0 or 1 for each of {count} layers")));
    }
    Ok((0..count).filter(|layer| flags[*layer] == 0).collect())
}
