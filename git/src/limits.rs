//! Caps on what a repository may cost: bytes, objects, files and time.

use std::time::Duration;

/// Caps for one request. The defaults suit a configuration repository; each error names the cap that was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the handshake and of the list of refs.
    pub advertisement_bytes: u64,
    /// Refs that `list_refs` returns at most.
    pub refs: usize,
    /// Bytes received for one fetch (the pack, compressed).
    pub pack_bytes: u64,
    /// Objects in one fetch.
    pub objects: u32,
    /// Bytes of a single unpacked object; also what one allocation may take while a pack is indexed.
    pub object_bytes: usize,
    /// Bytes that all objects of one fetch unpack to; with `object_bytes` it bounds the memory that a fetch takes.
    pub unpacked_bytes: usize,
    /// Bytes of one file that is read.
    pub blob_bytes: u64,
    /// Bytes of all files that one call reads.
    pub read_bytes: u64,
    /// Files that one call lists.
    pub files: usize,
    /// Entries (files, folders, links) that one call looks at.
    pub tree_entries: usize,
    /// Folders within folders.
    pub tree_depth: usize,
    /// Time to resolve, connect and agree on encryption.
    pub connect_timeout: Duration,
    /// Longest time without a single byte from the server.
    pub idle_timeout: Duration,
    /// Time for the whole call, waiting for another user of the same mirror included.
    pub overall_timeout: Duration,
    /// Size of a mirror (bytes on disk) above which it is thrown away and fetched anew, which drops the objects of
    /// superseded commits.
    pub mirror_bytes: u64,
    /// Packs in a mirror above which the same happens; every download adds one.
    pub mirror_packs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            advertisement_bytes: 16 * MIB,
            refs: 10_000,
            pack_bytes: 256 * MIB,
            objects: 200_000,
            object_bytes: 64 << 20,
            unpacked_bytes: 256 << 20,
            blob_bytes: 4 * MIB,
            read_bytes: 64 * MIB,
            files: 20_000,
            tree_entries: 200_000,
            tree_depth: 64,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            overall_timeout: Duration::from_mins(2),
            mirror_bytes: 512 * MIB,
            mirror_packs: 64,
        }
    }
}
