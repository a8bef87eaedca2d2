//! Blocks of text for pre-training: documents in a row with EOS between, or each by itself; nothing is lost uncounted.

/// The shortest block that has a next token to learn.
const SHORTEST: usize = 2;

/// Blocks of token ids, and the account of where every token went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CausalBlocks {
    /// Blocks of exactly `block_size` ids; the last may be shorter.
    pub blocks: Vec<Vec<u32>>,
    /// Documents that held tokens.
    pub documents: usize,
    /// Tokens of the documents.
    pub tokens: usize,
    /// EOS tokens put between documents.
    pub separators: usize,
    /// Tokens left out: a last block of one token has nothing to predict.
    pub cut: usize,
}

impl CausalBlocks {
    /// Tokens in all blocks: `tokens + separators - cut`.
    pub fn kept(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }
}

/// Puts documents in a row with `eos` between (none: nothing between) and cuts the row into blocks of
/// `block_size` ids (at least 2). The remainder stays as a shorter last block.
pub fn causal_blocks<D>(documents: D, eos: Option<u32>, block_size: usize) -> CausalBlocks
where
    D: IntoIterator<Item = Vec<u32>>,
{
    let block_size = block_size.max(SHORTEST);
    let mut packed = CausalBlocks::default();
    let mut open: Vec<u32> = Vec::with_capacity(block_size);
    for document in documents.into_iter().filter(|document| !document.is_empty()) {
        let separator = eos.filter(|_| packed.documents > 0);
        packed.documents += 1;
        packed.tokens += document.len();
        packed.separators += usize::from(separator.is_some());
        for id in separator.into_iter().chain(document) {
            open.push(id);
            if open.len() == block_size {
                packed.blocks.push(std::mem::replace(&mut open, Vec::with_capacity(block_size)));
            }
        }
    }
    if open.len() >= SHORTEST {
        packed.blocks.push(open);
    } else {
        packed.cut = open.len();
    }
    packed
}

/// Cuts each document by itself into blocks of `block_size` ids (at least 2), so that no block holds tokens of two. What remains of
/// each stays as a shorter block, but for a single token, which is cut and counted.
pub fn document_blocks<D>(documents: D, block_size: usize) -> CausalBlocks
where
    D: IntoIterator<Item = Vec<u32>>,
{
    let mut packed = CausalBlocks::default();
    for document in documents.into_iter().filter(|document| !document.is_empty()) {
        packed.documents += 1;
        packed.tokens += document.len();
        for block in document.chunks(block_size.max(SHORTEST)) {
            if block.len() >= SHORTEST {
                packed.blocks.push(block.to_vec());
            } else {
                packed.cut += block.len();
            }
        }
    }
    packed
}
