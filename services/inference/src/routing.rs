//! Which of an alias's two versions a request gets: by a hash of its key, so that the same key gets the same one.

use rootstock_artifacts::Digest;

use crate::store::Alias;

/// The numbers that 64 bits of a hash can be.
const HASHES: f64 = 18_446_744_073_709_551_616.0;

impl Alias {
    /// Its version, and its canary if it has one.
    pub(crate) fn versions(&self) -> Vec<Digest> {
        std::iter::once(self.digest).chain(self.canary.as_ref().map(|canary| canary.digest)).collect()
    }

    /// The version that a key gets, and whether it is the canary. Those below the canary's share get it, so a share that
    /// grows takes nobody off it.
    pub(crate) fn version_for(&self, key: &str) -> (Digest, bool) {
        match &self.canary {
            Some(canary) if self.place(key) < canary.share => (canary.digest, true),
            _ => (self.digest, false),
        }
    }

    /// Where a key lies in [0, 1): another place for each alias, so that the same people aren't always the first.
    fn place(&self, key: &str) -> f64 {
        let hash = Digest::of(format!("{}\n{key}", self.name).as_bytes());
        let first = hash.as_bytes().iter().take(8).fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
        first as f64 / HASHES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Canary, Running};

    fn alias(name: &str, share: Option<f64>) -> Alias {
        Alias {
            name: name.parse().unwrap(),
            digest: Digest::of(b"version"),
            generation: 1,
            etag: String::new(),
            update_micros: 0,
            base: None,
            history: Vec::new(),
            canary: share.map(|share| Canary { digest: Digest::of(b"canary"), share }),
            pinned: false,
            running: Running::Finish,
            retired: false,
        }
    }

    fn on_canary(alias: &Alias) -> Vec<usize> {
        (0..4000).filter(|key| alias.version_for(&key.to_string()).1).collect()
    }

    #[test]
    fn the_share_is_kept_and_a_share_that_grows_takes_nobody_off() {
        let (tenth, half) =
            (on_canary(&alias("adapters/a", Some(0.1))), on_canary(&alias("adapters/a", Some(0.5))));
        // Five standard deviations of a binomial distribution.
        assert!(
            tenth.len().abs_diff(400) < 95 && half.len().abs_diff(2000) < 159,
            "{} {}",
            tenth.len(),
            half.len()
        );
        assert!(tenth.iter().all(|key| half.contains(key)));
        assert!(on_canary(&alias("adapters/a", None)).is_empty());
    }

    #[test]
    fn each_alias_draws_anew() {
        assert_ne!(on_canary(&alias("adapters/a", Some(0.1))), on_canary(&alias("adapters/b", Some(0.1))));
    }
}
