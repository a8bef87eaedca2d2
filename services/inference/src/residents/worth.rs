//! What a thing in memory is worth keeping.

use std::cmp::Ordering;

/// The worth of one thing; it changes with each use of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worth {
    /// What loading it again costs, per unit of its size.
    cost: f64,
    uses: u64,
    last_use: u64,
    value: f64,
}

impl Worth {
    /// The worth of what was just loaded, which is its first use: to load it costs `load_cost` and its size.
    pub(super) fn new(size: u64, load_cost: u64, use_: u64, clock: f64) -> Self {
        let size = size.max(1) as f64;
        let mut worth = Self { cost: (load_cost as f64 + size) / size, uses: 0, last_use: 0, value: 0.0 };
        worth.used(use_, clock);
        worth
    }

    /// Counts a use, the `use_`th of all.
    pub(super) fn used(&mut self, use_: u64, clock: f64) {
        self.uses += 1;
        self.last_use = use_;
        self.value = clock + self.uses as f64 * self.cost;
    }

    pub(super) fn value(&self) -> f64 {
        self.value
    }

    /// What goes first is less; of equals the one idle longer.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(self.last_use.cmp(&other.last_use))
    }
}
