//! Blocks for pre-training: nothing is lost, and what is cut is counted.

use proptest::prelude::*;
use rootstock_text::{causal_blocks, document_blocks};

const EOS: u32 = 99;

#[test]
fn documents_stand_in_a_row_with_eos_between() {
    let packed = causal_blocks(vec![vec![1, 2, 3], vec![], vec![4, 5]], Some(EOS), 4);
    assert_eq!(packed.blocks, [vec![1, 2, 3, EOS], vec![4, 5]]);
    assert_eq!((packed.documents, packed.tokens, packed.separators, packed.cut), (2, 5, 1, 0));
}

#[test]
fn a_last_block_of_one_token_is_cut_and_counted() {
    let packed = causal_blocks(vec![vec![1, 2, 3, 4, 5]], None, 4);
    assert_eq!(packed.blocks, [vec![1, 2, 3, 4]]);
    assert_eq!((packed.kept(), packed.cut), (4, 1));
}

proptest! {
    #[test]
    fn blocks_of_documents_by_themselves_keep_every_token_and_cross_no_end(
        lengths in prop::collection::vec(0_usize..30, 0..12),
        block_size in 0_usize..20,
    ) {
        // Each document is of one token alone, so a block says which one it is from.
        let documents = lengths.iter().enumerate().map(|(id, length)| vec![id as u32; *length]);
        let packed = document_blocks(documents, block_size);
        prop_assert!(packed.blocks.iter().all(|block| block.iter().all(|id| *id == block[0])));
        prop_assert!(packed.blocks.iter().all(|block| (2..=block_size.max(2)).contains(&block.len())));
        prop_assert_eq!(packed.kept() + packed.cut, lengths.iter().sum::<usize>());
        prop_assert!(packed.cut <= lengths.len() && packed.separators == 0);
    }

    #[test]
    fn every_token_is_kept_in_order_or_counted_as_cut(
        documents in prop::collection::vec(prop::collection::vec(0_u32..50, 0..30), 0..12),
        block_size in 0_usize..20,
        with_eos in any::<bool>(),
    ) {
        let eos = with_eos.then_some(EOS);
        let packed = causal_blocks(documents.clone(), eos, block_size);
        let mut row: Vec<u32> = Vec::new();
        for document in documents.iter().filter(|d| !d.is_empty()) {
            if !row.is_empty() {
                row.extend(eos);
            }
            row.extend(document);
        }
        prop_assert_eq!(packed.tokens + packed.separators, row.len());
        prop_assert_eq!(packed.kept() + packed.cut, row.len());
        prop_assert_eq!(packed.blocks.concat(), &row[..packed.kept()]);
        prop_assert!(packed.cut <= 1);
        let whole = packed.blocks.len().saturating_sub(1);
        prop_assert!(packed.blocks[..whole].iter().all(|b| b.len() == block_size.max(2)));
    }
}
