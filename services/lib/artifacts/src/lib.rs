//! Digests, manifests, file checks, the blob store and the local content-addressed cache.
#![deny(unsafe_code)]

pub mod blob_store;
pub mod cache;
pub mod check;
mod digest;
pub mod faults;
mod fsync;
mod kind;
mod manifest;
pub mod mmap;
mod name;

pub use blob_store::{BlobStore, BlobStoreOptions, StoreError, UploadStatus};
pub use cache::{Cache, CacheError, Lease};
pub use check::{Header, HeaderError, TensorInfo};
pub use digest::{Digest, DigestError, Hasher};
pub use faults::Faults;
pub use kind::{Kind, UnknownKind};
pub use manifest::{BlobRef, Manifest};
pub use mmap::MappedFile;
pub use name::{AliasName, ArtifactName, Id, NameError};
