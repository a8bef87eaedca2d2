//! Checks of files by their outside: names, pickles, safetensors headers, and which files a kind must have.
pub mod files;
pub mod pickle;
pub mod safetensors;

pub use files::{MAX_FILE_NAME_BYTES, MAX_FILES, check_file_name, missing_file};
pub use pickle::{MAGIC_BYTES, is_pickle};
pub use safetensors::{Header, HeaderError, TensorInfo};
