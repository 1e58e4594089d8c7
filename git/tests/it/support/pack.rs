//! Packs that no honest server sends, byte by byte (gitformat-pack).

fn low_bits(number: usize, mask: usize) -> u8 {
    u8::try_from(number & mask).unwrap()
}

/// A zlib stream of stored (uncompressed) blocks.
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = data.chunks(65535).collect();
    for (at, block) in blocks.iter().enumerate() {
        let size = u16::try_from(block.len()).unwrap();
        out.push(u8::from(at + 1 == blocks.len()));
        out.extend(size.to_le_bytes().into_iter().chain((!size).to_le_bytes()));
        out.extend_from_slice(block);
    }
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    out.extend(((b << 16) | a).to_be_bytes());
    out
}

/// The start of a pack entry: its kind and the size of its content.
fn entry(kind: u8, mut size: usize) -> Vec<u8> {
    let mut out = vec![(kind << 4) | low_bits(size, 15)];
    size >>= 4;
    while size > 0 {
        *out.last_mut().unwrap() |= 0x80;
        out.push(low_bits(size, 0x7f));
        size >>= 7;
    }
    out
}

fn varint(mut size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = low_bits(size, 0x7f);
        size >>= 7;
        out.push(if size > 0 { low | 0x80 } else { low });
        if size == 0 {
            return out;
        }
    }
}

/// A pack of some kilobytes: a blob of 64 KiB, and deltas each of which makes `copies` copies of it. Each delta has a
/// sibling that is resolved later, so that all of them have to be kept.
pub(crate) fn delta_bomb(deltas: usize, copies: usize) -> Vec<u8> {
    let base = vec![0_u8; 0x10000];
    let mut pack =
        [b"PACK\0\0\0\x02".as_slice(), &u32::try_from(2 * deltas + 1).unwrap().to_be_bytes()].concat();
    let mut above = pack.len();
    pack.extend([entry(3, base.len()), zlib(&base)].concat());
    let mut size = base.len();
    for round in 0..deltas {
        let grown = copies * 0x10000;
        let mut next = 0;
        for sibling in [1_u8, 2] {
            // 0x80 copies the first 64 KiB; the three literal bytes at the end make each object another one.
            let tail = [3, sibling, low_bits(round, 0xff), low_bits(round >> 8, 0xff)];
            let delta = [varint(size), varint(grown + 3), vec![0x80; copies], tail.to_vec()].concat();
            next = pack.len();
            let mut distance = pack.len() - above;
            let mut bytes = vec![low_bits(distance, 0x7f)];
            while distance > 0x7f {
                distance = (distance >> 7) - 1;
                bytes.insert(0, 0x80 | low_bits(distance, 0x7f));
            }
            pack.extend([entry(6, delta.len()), bytes, zlib(&delta)].concat());
        }
        (above, size) = (next, grown + 3);
    }
    let hash = <sha1::Sha1 as sha1::Digest>::digest(&pack);
    pack.extend_from_slice(&hash);
    pack
}
