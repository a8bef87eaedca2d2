//! An adapter of any method: what services read, train, load and apply without asking which one it is.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::Format;
use rootstock_model::{
    Adapter, Beginning, Bottleneck, Config, Decoder, EmbeddingChange, Gradients, HeadChange, Place,
    Projection, Update,
};

use crate::{
    BOTTLENECK_WEIGHTS_FILE, BottleneckAdapter, BottleneckConfig, CONFIG_FILE, LoraAdapter, LoraConfig,
    PeftError, TensorHeader, VirtualTokens, VirtualTokensConfig, WEIGHTS_FILE, check_tensors,
    config::Fields,
    expected_shapes,
    files::{Stored, read_config, save_files},
    header::admitted,
    read_header, resident_bytes,
};

/// The settings of an adapter, as its `adapter_config.json` tells them.
#[derive(Clone, Debug, PartialEq)]
pub enum AdapterConfig {
    /// Low-rank pairs beside frozen weights, and what PEFT's `LoraConfig` has besides.
    Lora(LoraConfig),
    /// Virtual tokens before each sequence: PEFT's prompt and prefix tuning.
    VirtualTokens(VirtualTokensConfig),
    /// Bottlenecks behind or beside blocks: the `adapters` library's.
    Bottleneck(BottleneckConfig),
}

/// An adapter in memory.
#[derive(Debug)]
pub enum AnyAdapter {
    /// That of [`AdapterConfig::Lora`].
    Lora(LoraAdapter),
    /// That of [`AdapterConfig::VirtualTokens`].
    VirtualTokens(VirtualTokens),
    /// That of [`AdapterConfig::Bottleneck`].
    Bottleneck(BottleneckAdapter),
}

impl AdapterConfig {
    /// Parses an `adapter_config.json`.
    ///
    /// # Errors
    /// Names the field that is missing, out of range, or asks for something that is not supported.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PeftError> {
        let fields = Fields::parse(bytes)?;
        if BottleneckConfig::is_type(fields.object()) {
            return BottleneckConfig::read(fields.object()).map(Self::Bottleneck);
        }
        match fields.text("peft_type")? {
            Some(name) if VirtualTokensConfig::is_type(&name) => {
                VirtualTokensConfig::read(&fields).map(Self::VirtualTokens)
            }
            _ => LoraConfig::from_json(bytes).map(Self::Lora),
        }
    }

    /// The name of the file with the weights, as the library that made the format looks for it.
    pub fn weights_file(&self) -> &'static str {
        match self {
            Self::Lora(_) | Self::VirtualTokens(_) => WEIGHTS_FILE,
            Self::Bottleneck(_) => BOTTLENECK_WEIGHTS_FILE,
        }
    }

    /// [`read_header`] of that file, which errors name.
    ///
    /// # Errors
    /// Those of [`read_header`].
    pub fn read_header(
        &self,
        reader: &mut impl Read,
        file_bytes: u64,
    ) -> Result<Vec<TensorHeader>, PeftError> {
        read_header(reader, file_bytes).map_err(|error| error.of_weights(self.weights_file()))
    }

    /// What the adapter's maker called the base model; a label, not a path to follow.
    pub fn base_model_name_or_path(&self) -> Option<&str> {
        match self {
            Self::Lora(config) => config.base_model_name_or_path.as_deref(),
            Self::VirtualTokens(config) => config.base_model_name_or_path.as_deref(),
            Self::Bottleneck(config) => config.base_model_name_or_path.as_deref(),
        }
    }

    /// Reads the header of the file of weights, of so many bytes, and checks that its tensors are exactly those that the settings ask for
    /// on this base model; no weight is read yet.
    ///
    /// # Errors
    /// Those of [`AdapterConfig::read_header`] and [`AdapterConfig::check_tensors`].
    pub fn admit<R: Read>(
        self,
        mut weights: R,
        file_bytes: u64,
        base: &Config,
    ) -> Result<Admitted<R>, PeftError> {
        let entries = admitted(&mut weights, file_bytes, |headers| self.check_tensors(base, headers));
        let entries = entries.map_err(|error| error.of_weights(self.weights_file()))?;
        Ok(Admitted { stored: Stored::new(weights, entries), config: self })
    }

    /// Checks that an adapter's tensors are exactly those that its settings ask for on this base model, in a dtype that is read.
    ///
    /// # Errors
    /// Names the first tensor that is unknown, stored twice, missing, of another shape, or of a dtype that is not read.
    pub fn check_tensors(&self, base: &Config, tensors: &[TensorHeader]) -> Result<(), PeftError> {
        match self {
            Self::Lora(config) => check_tensors(config, base, tensors),
            Self::VirtualTokens(config) => config.check_tensors(base, tensors),
            Self::Bottleneck(config) => config.check_tensors(base, tensors),
        }
    }

    /// The shape of every tensor that the settings ask for on this base model, by name.
    ///
    /// # Errors
    /// When the settings don't fit the base model.
    pub fn expected_shapes(&self, base: &Config) -> Result<BTreeMap<String, Vec<usize>>, PeftError> {
        match self {
            Self::Lora(config) => expected_shapes(config, base),
            Self::VirtualTokens(config) => config.expected_shapes(base),
            Self::Bottleneck(config) => Ok(config.expected_shapes(base)),
        }
    }

    /// Bytes that such an adapter takes when it is packed for serving, with the keys and values of its virtual tokens.
    ///
    /// # Errors
    /// When the settings don't fit the base model.
    pub fn resident_bytes(&self, base: &Config, format: Format) -> Result<usize, PeftError> {
        match self {
            Self::Lora(config) => resident_bytes(config, base, format),
            Self::VirtualTokens(config) => config.resident_bytes(base, format),
            Self::Bottleneck(config) => Ok(config.resident_bytes(base, format)),
        }
    }
}

/// An adapter of which the settings and the header are read, and fit the base model.
pub struct Admitted<R> {
    config: AdapterConfig,
    stored: Stored<R>,
}

impl<R> fmt::Debug for Admitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<R: Read> Admitted<R> {
    /// The settings.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// Reads the weights, frozen in `dtype` (f32 or bf16); the base is of the shape that the adapter was admitted for.
    ///
    /// # Errors
    /// When the file can't be read, or holds a value that is not finite or is said to be the base's and isn't.
    pub fn load(mut self, base: &Decoder, dtype: DType, device: &Device) -> Result<AnyAdapter, PeftError> {
        let stored = &mut self.stored;
        let loaded = match &self.config {
            AdapterConfig::Lora(config) => {
                LoraAdapter::read(config, stored, (base, dtype, device)).map(AnyAdapter::Lora)
            }
            AdapterConfig::VirtualTokens(config) => {
                VirtualTokens::read(config, stored, (base, device)).map(AnyAdapter::VirtualTokens)
            }
            AdapterConfig::Bottleneck(config) => {
                BottleneckAdapter::read(config, stored, (base.config(), dtype, device))
                    .map(AnyAdapter::Bottleneck)
            }
        };
        loaded.map_err(|error| error.of_weights(self.config.weights_file()))
    }
}

impl AnyAdapter {
    /// Reads an adapter from its two files, of any name, into frozen weights of `dtype` (f32 or bf16).
    ///
    /// # Errors
    /// When a file is broken; when the settings ask for what is not supported; when a tensor fits nowhere, is missing, has another shape
    /// or dtype, or holds a value that is not finite.
    pub fn load_files(
        config: &Path,
        weights: &Path,
        base: &Decoder,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, PeftError> {
        let config = AdapterConfig::from_json(&read_config(config)?)?;
        let name = config.weights_file();
        let file = File::open(weights).map_err(|error| PeftError::io(name, error))?;
        let bytes = file.metadata().map_err(|error| PeftError::io(name, error))?.len();
        config.admit(BufReader::new(file), bytes, base.config())?.load(base, dtype, device)
    }

    fn adapter(&self) -> &dyn Adapter {
        match self {
            Self::Lora(adapter) => adapter,
            Self::VirtualTokens(adapter) => adapter,
            Self::Bottleneck(adapter) => adapter,
        }
    }

    /// The LoRA that can be part of a weighted sum; otherwise what keeps the adapter from it.
    ///
    /// # Errors
    /// Names what the adapter has that can't be added up.
    pub fn summand(&self) -> Result<&LoraAdapter, &'static str> {
        match self {
            Self::Lora(adapter) => adapter.beyond_lora().map_or(Ok(adapter), Err),
            Self::VirtualTokens(_) => Err("virtual tokens"),
            Self::Bottleneck(_) => Err("bottlenecks"),
        }
    }

    /// Bytes the weights take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Lora(adapter) => adapter.bytes(),
            Self::VirtualTokens(adapter) => adapter.bytes(),
            Self::Bottleneck(adapter) => adapter.bytes(),
        }
    }

    /// The variables to train, in order of names; empty when the adapter is frozen.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        match self {
            Self::Lora(adapter) => adapter.parameters(),
            Self::VirtualTokens(adapter) => adapter.parameters(),
            Self::Bottleneck(adapter) => adapter.parameters(),
        }
    }

    /// The variables whose gradients the model gives: those to train, unless something stands between them.
    pub fn differentiated(&self) -> Vec<(String, Var)> {
        match self {
            Self::Lora(adapter) => adapter.parameters(),
            Self::VirtualTokens(adapter) => adapter.differentiated(),
            Self::Bottleneck(adapter) => adapter.parameters(),
        }
    }

    /// Lets what the model is given follow what was trained.
    ///
    /// # Errors
    /// When memory for it is not to be had.
    pub fn refresh(&self) -> candle_core::Result<()> {
        match self {
            Self::Lora(_) | Self::Bottleneck(_) => Ok(()),
            Self::VirtualTokens(adapter) => adapter.refresh(),
        }
    }

    /// The gradients of what is trained, from those that the model gives.
    ///
    /// # Errors
    /// When memory for them is not to be had.
    pub fn pull_back(&self, gradients: Gradients) -> candle_core::Result<Gradients> {
        match self {
            Self::Lora(_) | Self::Bottleneck(_) => Ok(gradients),
            Self::VirtualTokens(adapter) => adapter.pull_back(gradients),
        }
    }

    /// A view of the same weights that records nothing for a backward pass and drops nothing out; it follows every refresh.
    pub fn frozen(&self) -> Self {
        match self {
            Self::Lora(adapter) => Self::Lora(adapter.frozen()),
            Self::VirtualTokens(adapter) => Self::VirtualTokens(adapter.frozen()),
            Self::Bottleneck(adapter) => Self::Bottleneck(adapter.frozen()),
        }
    }

    /// Writes the two files of the adapter's directory, which is made when it is not there; returns their names.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, dir: &Path) -> Result<[&'static str; 2], PeftError> {
        let (config, weights, file) = match self {
            Self::Lora(adapter) => (adapter.config().to_json(), adapter.weights_bytes()?, WEIGHTS_FILE),
            Self::VirtualTokens(adapter) => (adapter.config_json(), adapter.weights_bytes()?, WEIGHTS_FILE),
            Self::Bottleneck(adapter) => {
                (adapter.config_json(), adapter.weights_bytes()?, BOTTLENECK_WEIGHTS_FILE)
            }
        };
        save_files(dir, &config, (file, &weights))?;
        Ok([CONFIG_FILE, file])
    }
}

impl From<LoraAdapter> for AnyAdapter {
    fn from(adapter: LoraAdapter) -> Self {
        Self::Lora(adapter)
    }
}

impl From<VirtualTokens> for AnyAdapter {
    fn from(adapter: VirtualTokens) -> Self {
        Self::VirtualTokens(adapter)
    }
}

impl From<BottleneckAdapter> for AnyAdapter {
    fn from(adapter: BottleneckAdapter) -> Self {
        Self::Bottleneck(adapter)
    }
}

impl Adapter for AnyAdapter {
    fn update(&self, layer: usize, projection: Projection) -> Update<'_> {
        self.adapter().update(layer, projection)
    }

    fn bias(&self, layer: usize, projection: Projection) -> Option<&Tensor> {
        self.adapter().bias(layer, projection)
    }

    fn head(&self) -> HeadChange<'_> {
        self.adapter().head()
    }

    fn embedding(&self) -> EmbeddingChange<'_> {
        self.adapter().embedding()
    }

    fn beginning(&self) -> Option<Beginning<'_>> {
        self.adapter().beginning()
    }

    fn bottleneck(&self, layer: usize, place: Place) -> Option<&Bottleneck> {
        self.adapter().bottleneck(layer, place)
    }
}
