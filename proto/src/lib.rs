//! The gRPC contract of Rootstock: the code generated from the protobuf sources beside it, and their descriptors.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    reason = "generated code; the protobuf sources are documented"
)]

/// Names, digests and error reasons.
pub mod common {
    /// Version 1.
    pub mod v1 {
        include!("gen/rootstock.common.v1.rs");
    }
}

/// Artifacts, blobs and aliases.
pub mod checkpoint {
    /// Version 1.
    pub mod v1 {
        include!("gen/rootstock.checkpoint.v1.rs");
    }
}

/// Text to token ids and back.
pub mod tokenization {
    /// Version 1.
    pub mod v1 {
        include!("gen/rootstock.tokenization.v1.rs");
    }
}

/// Training jobs and their workers.
pub mod training {
    /// Version 1.
    pub mod v1 {
        include!("gen/rootstock.training.v1.rs");
    }
}

/// Generation, adapters and evaluation.
pub mod inference {
    /// Version 1.
    pub mod v1 {
        include!("gen/rootstock.inference.v1.rs");
    }
}

/// The descriptors of every package, for reflection: an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");
