//! Which instruction set the kernels use: the best the processor has, unless the environment asks for a lesser one.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU8, Ordering},
};

use parking_lot::Mutex;

#[cfg(target_arch = "x86_64")]
mod amx;

/// The variable that asks for a path by name.
pub const DISPATCH_VARIABLE: &str = "ROOTSTOCK_DISPATCH";

/// A set of instructions that the kernels are compiled for, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dispatch {
    /// What every processor of the architecture has.
    Portable = 1,
    /// AVX2 with FMA: 8 numbers at a time.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL): 16 numbers at a time.
    Avx512,
    /// AVX-512 with dot products of bf16 pairs.
    Avx512Bf16,
    /// That, and products of bf16 matrices in tile registers (AMX).
    AmxBf16,
}

impl Dispatch {
    /// All paths, least first.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::AmxBf16];

    /// Its name, as the environment variable takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512_bf16",
            Self::AmxBf16 => "amx_bf16",
        }
    }

    /// Whether this processor can take it.
    pub fn is_present(self) -> bool {
        self <= best()
    }
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a path can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatchError {
    /// No path has this name.
    Unknown(String),
    /// The processor lacks its instructions.
    Absent(Dispatch),
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known = Dispatch::ALL.map(Dispatch::name).join(", ");
                write!(f, "{DISPATCH_VARIABLE}: {name:?} is no dispatch path; use one of {known}")
            }
            Self::Absent(path) => {
                write!(f, "{DISPATCH_VARIABLE}: this processor can't take {path}; its best is {}", best())
            }
        }
    }
}

impl std::error::Error for DispatchError {}

impl FromStr for Dispatch {
    type Err = DispatchError;

    fn from_str(name: &str) -> Result<Self, DispatchError> {
        let path = Self::ALL.into_iter().find(|path| path.name() == name);
        path.ok_or_else(|| DispatchError::Unknown(name.to_owned()))
    }
}

/// The path in use; 0 until the first kernel asks.
static CHOSEN: AtomicU8 = AtomicU8::new(0);
/// Held while a path is forced.
static FORCED: Mutex<()> = Mutex::new(());

/// The path that the kernels of this process take. A wish of the environment that can't be met is passed over here; a program
/// asks [`requested_dispatch`] when it starts and refuses it.
#[inline]
pub fn dispatch() -> Dispatch {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => choose(),
        chosen => Dispatch::ALL[usize::from(chosen) - 1],
    }
}

#[cold]
fn choose() -> Dispatch {
    let chosen = requested_dispatch().ok().flatten().unwrap_or_else(best);
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

/// The path that the environment asks for, if it does.
///
/// # Errors
/// When no path has that name, or this processor lacks it.
pub fn requested_dispatch() -> Result<Option<Dispatch>, DispatchError> {
    let Some(name) = std::env::var_os(DISPATCH_VARIABLE) else { return Ok(None) };
    let path: Dispatch = name.to_string_lossy().parse()?;
    if path.is_present() { Ok(Some(path)) } else { Err(DispatchError::Absent(path)) }
}

/// Runs `work` with every kernel of the process on one path, as tests and checks do. Calls wait for each other.
///
/// # Errors
/// When this processor lacks the path.
pub fn with_dispatch<T>(path: Dispatch, work: impl FnOnce() -> T) -> Result<T, DispatchError> {
    /// Puts the path back, also when `work` panics.
    struct Restore(Dispatch);
    impl Drop for Restore {
        fn drop(&mut self) {
            CHOSEN.store(self.0 as u8, Ordering::Relaxed);
        }
    }
    if !path.is_present() {
        return Err(DispatchError::Absent(path));
    }
    let _alone = FORCED.lock();
    let _restore = Restore(dispatch());
    CHOSEN.store(path as u8, Ordering::Relaxed);
    Ok(work())
}

#[cfg(target_arch = "x86_64")]
fn best() -> Dispatch {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("fma")) {
        Dispatch::Portable
    } else if !(has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")) {
        Dispatch::Avx2
    } else if !has!("avx512bf16") {
        Dispatch::Avx512
    } else if amx::available() {
        Dispatch::AmxBf16
    } else {
        Dispatch::Avx512Bf16
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Dispatch {
    Dispatch::Portable
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn names_are_parsed_back_and_others_are_refused_with_the_known_ones() {
        for path in Dispatch::ALL {
            assert_eq!(path.name().parse(), Ok(path));
        }
        let error = "avx3".parse::<Dispatch>().unwrap_err().to_string();
        assert!(error.contains("avx512_bf16"), "{error}");
    }

    #[test]
    fn the_portable_path_is_everywhere_and_better_ones_include_lesser_ones() {
        assert!(Dispatch::Portable.is_present());
        assert!(Dispatch::ALL.is_sorted_by_key(|path| std::cmp::Reverse(path.is_present())));
    }

    /// Runs this crate's other tests once more on each lesser path that the processor has, each in a process of its own.
    #[test]
    fn every_other_path_passes_the_same_tests() {
        const ITSELF: &str = "every_other_path_passes_the_same_tests";
        let others = Dispatch::ALL.into_iter().filter(|path| path.is_present() && *path != dispatch());
        if std::env::var_os(DISPATCH_VARIABLE).is_some() {
            // Asked for by hand, or by this test.
            return;
        }
        let given: Vec<String> = std::env::args().collect();
        let skipped = given.windows(2).filter(|pair| pair[0] == "--skip").flatten();
        for path in others {
            let run = Command::new(std::env::current_exe().unwrap())
                .args(["--skip", ITSELF, "--quiet"])
                .args(skipped.clone())
                .env(DISPATCH_VARIABLE, path.name())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success(), "on {path}:\n{told}{}", String::from_utf8_lossy(&run.stderr));
            assert!(told.contains("test result: ok") && !told.contains(" 0 passed"), "{told}");
        }
    }
}
