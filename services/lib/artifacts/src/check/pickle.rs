//! Tells pickles, which may run code when read, by their names and by their first bytes.

/// How many bytes from the start [`is_pickle`] needs to see.
pub const MAGIC_BYTES: usize = 9;

/// File endings under which pickles are written.
const ENDINGS: [&str; 10] =
    [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz"];
/// Pickle's PROTO opcode, which opens every pickle of protocol 2 and later.
const PROTO: u8 = 0x80;
/// What a zip archive starts with, the container of `torch.save`.
const ZIP: &[u8] = b"PK\x03\x04";

/// Whether a file must be taken for a pickle (or a container of pickles), by its name or by its first
/// [`MAGIC_BYTES`] bytes.
pub fn is_pickle(name: &str, first_bytes: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    if ENDINGS.iter().any(|ending| name.ends_with(ending)) || first_bytes.starts_with(ZIP) {
        return true;
    }
    // The length of a safetensors header may begin with the same two bytes; there the header's brace follows it.
    let protocol =
        first_bytes.starts_with(&[PROTO]) && first_bytes.get(1).is_some_and(|p| (2..=5).contains(p));
    let safetensors = first_bytes.get(4..9) == Some(b"\0\0\0\0{");
    protocol && !safetensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickles_are_told_by_name() {
        for name in ["pytorch_model.bin", "optimizer.PT", "last.ckpt", "rows.pkl"] {
            assert!(is_pickle(name, b""), "{name}");
        }
        assert!(!is_pickle("model.safetensors", b"\x10\0\0\0\0\0\0\0{"));
    }

    #[test]
    fn pickles_are_told_by_magic_whatever_they_are_called() {
        // First bytes of pickle.dumps({}) for protocols 2 to 5, of torch.save, and of its legacy form.
        for magic in
            [&b"\x80\x02}q\0."[..], b"\x80\x05}\x94.", b"PK\x03\x04\0\0\x08\x08\0", b"\x80\x02\x8a\x0al\xfc"]
        {
            assert!(is_pickle("model.safetensors", magic));
        }
    }

    #[test]
    fn a_safetensors_header_of_640_bytes_is_no_pickle() {
        let mut file = 0x0280_u64.to_le_bytes().to_vec();
        file.push(b'{');
        assert!(!is_pickle("model.safetensors", &file));
    }
}
