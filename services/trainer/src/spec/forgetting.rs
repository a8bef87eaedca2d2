//! What a job does against forgetting, checked.

use rootstock_artifacts::ArtifactName;

/// Which rows Fisher information is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fisher {
    /// `None` takes all.
    pub(crate) max_rows: Option<usize>,
}

/// Earlier data that is seen again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) dataset: ArtifactName,
    /// Its share of the rows, above 0 and below 1.
    pub(crate) ratio: f64,
}

/// What must be left of earlier data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retention {
    pub(crate) dataset: ArtifactName,
    /// Its loss before training over that after it; 0 fails nothing.
    pub(crate) min_ratio: f64,
}

/// Elastic weight consolidation: by which Fisher information weights are held, and how strongly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Elastic {
    pub(crate) fisher: ArtifactName,
    pub(crate) lambda: f64,
}
