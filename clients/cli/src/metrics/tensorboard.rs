//! Metrics as a TensorBoard event file: TFRecords of `Event` messages (tensorflow/core/util/event.proto), of which this has the fields
//! that scalars need.
use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

use super::{Metrics, Point};

/// How TensorBoard recognises such a file.
pub(crate) const EVENT_FILE: &str = "events.out.tfevents.rootstock";
/// What the first event of a file says.
const VERSION: &str = "brain.Event:2";
/// The checksum of TFRecords: CRC-32C.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// What TFRecords add to a rotated checksum.
const MASK: u32 = 0xa282_ead8;

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// The bytes of the file.
pub(crate) fn tensorboard(metrics: &Metrics) -> Vec<u8> {
    let first = metrics.values().next().map_or(0.0, |point| point.time);
    let version = Entry { wall_time: first, file_version: Some(VERSION.to_owned()), ..Entry::default() };
    let entry = |(step, point): (&i64, &Point)| Entry {
        wall_time: point.time,
        step: *step,
        file_version: None,
        summary: Some(Summary { value: scalars(point) }),
    };
    std::iter::once(version).chain(metrics.iter().map(entry)).flat_map(|entry| record(&entry)).collect()
}

/// Under the names that transformers' Trainer gives them.
fn scalars(point: &Point) -> Vec<Scalar> {
    let told = point.progress.iter().flat_map(|progress| {
        [
            ("train/loss", progress.loss),
            ("train/learning_rate", progress.learning_rate),
            ("train/grad_norm", progress.grad_norm),
            ("train/epoch", progress.epoch),
            ("train/tokens_per_second", progress.tokens_per_second),
            ("train/resident_bytes", progress.resident_bytes as f64),
        ]
    });
    let held_out = point.eval_loss.map(|loss| ("eval/loss", loss));
    told.chain(held_out)
        .map(|(tag, value)| Scalar { tag: tag.to_owned(), simple_value: value as f32 })
        .collect()
}

/// Length, its checksum, the message, and its checksum.
fn record(entry: &Entry) -> Vec<u8> {
    let message = entry.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(&message);
    record.extend(masked(&message).to_le_bytes());
    record
}

fn masked(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::metrics;

    #[test]
    fn records_are_framed_and_hold_what_was_told() {
        let file = tensorboard(&metrics());
        let (mut rest, mut entries) = (file.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (head, behind) = rest.split_at(12);
            let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
            assert_eq!(head[8..], masked(&head[..8]).to_le_bytes());
            assert_eq!(behind[length..length + 4], masked(&behind[..length]).to_le_bytes());
            entries.push(Entry::decode(&behind[..length]).unwrap());
            rest = &behind[length + 4..];
        }
        assert_eq!(entries[0].file_version.as_deref(), Some(VERSION));
        let tags = |entry: &Entry| -> Vec<(String, f32)> {
            let values = entry.summary.iter().flat_map(|summary| &summary.value);
            values.map(|scalar| (scalar.tag.clone(), scalar.simple_value)).collect()
        };
        assert_eq!((entries.len(), entries[1].step, entries[2].step), (3, 1, 2));
        assert!(tags(&entries[1]).contains(&("train/loss".to_owned(), 3.0)));
        assert!(tags(&entries[2]).contains(&("eval/loss".to_owned(), 1.5)));
    }

    /// RFC 3720, B.4: the CRC-32C of 32 zeros.
    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(CHECKSUM.checksum(&[0; 32]), 0x8a91_36aa);
    }
}
