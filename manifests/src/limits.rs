//! Caps on what a repository may ask us to read. Each protects the operator's memory and time.

/// How much is read at most. Everything is counted before it is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of one commit together.
    pub total_bytes: u64,
    /// Files of one commit that are read.
    pub files: usize,
    /// Documents in one file.
    pub documents_per_file: usize,
    /// Objects in one commit; the inventory in status holds no more.
    pub objects: usize,
    /// Levels of nesting in one document.
    pub depth: usize,
    /// Scalars, lists and maps in one file, after aliases are expanded.
    pub nodes: usize,
    /// The same in all files of one commit together.
    pub total_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 4 * 1024 * 1024,
            total_bytes: 64 * 1024 * 1024,
            files: 10_000,
            documents_per_file: 2_000,
            objects: 5_000,
            depth: 64,
            nodes: 100_000,
            total_nodes: 2_000_000,
        }
    }
}
