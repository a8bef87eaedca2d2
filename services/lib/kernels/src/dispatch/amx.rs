//! Whether tile registers can be used: the processor has them, and the system keeps them for this process.

use std::{arch::asm, sync::OnceLock};

/// `cpuid`'s leaf of extended features; what it says of AMX, in its last register.
const FEATURES: u32 = 7;
const AMX_BF16: u32 = 1 << 22;
const AMX_TILE: u32 = 1 << 24;
/// The states that the system must save and restore: configuration and contents of tiles.
const STATES: u64 = 0b11 << 17;

/// Whether this process may use tile registers for bf16; asks the system for them, which it wants before they are touched.
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && saved_by_the_system() && permitted())
}

fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid_count, __get_cpuid_max};
    let wanted = AMX_BF16 | AMX_TILE;
    __get_cpuid_max(0).0 >= FEATURES && __cpuid_count(FEATURES, 0).edx & wanted == wanted
}

/// Only asked where AVX is there, and with it the instruction.
fn saved_by_the_system() -> bool {
    let (low, high): (u32, u32);
    // SAFETY: it reads a register that says which states are saved.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    (u64::from(high) << 32 | u64::from(low)) & STATES == STATES
}

/// Linux makes room for tiles in a process that asks (`arch_prctl(2)`), for all of its threads.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let answer: isize;
    // SAFETY: the call reads and writes no memory of the process; it destroys the two registers that any call does.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
