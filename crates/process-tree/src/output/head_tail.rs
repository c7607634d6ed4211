//! Keeps the head and the tail of a stream within a limit. Pure: bytes in, a decision out.

/// The most of a stream's end that is held in memory until the stream ends.
const MAX_TAIL_BYTES: u64 = 1 << 20;

/// Splits a stream into a head that can be written at once, a part that is dropped, and a tail.
#[derive(Debug)]
pub(super) struct HeadTail {
    head_left: u64,
    tail: Ring,
    seen: u64,
}

impl HeadTail {
    /// Keeps at most `limit` bytes: half of them, at most 1 MiB, as the tail.
    pub(super) fn new(limit: u64) -> Self {
        let tail = (limit / 2).min(MAX_TAIL_BYTES);
        Self {
            head_left: limit - tail,
            tail: Ring::new(usize::try_from(tail).expect("the tail is at most 1 MiB")),
            seen: 0,
        }
    }

    /// Takes the next bytes of the stream and gives back those that belong to the head.
    pub(super) fn push<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        self.seen += chunk.len() as u64;
        let head = usize::try_from(self.head_left)
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        self.head_left -= head as u64;
        let (head, rest) = chunk.split_at(head);
        self.tail.push(rest);
        head
    }

    /// Bytes taken so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// What comes after the head: the marker line (empty if nothing was dropped) and the tail.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        let marker = match self.tail.dropped {
            0 => Vec::new(),
            dropped => format!("\n[harness: {dropped} bytes dropped]\n").into_bytes(),
        };
        (marker, self.tail.into_bytes())
    }
}

/// The last bytes pushed into it. Memory is taken as it fills, so a quiet stream costs nothing.
#[derive(Debug)]
struct Ring {
    bytes: Vec<u8>,
    capacity: usize,
    /// Where the next byte goes once the ring is full; the oldest byte is there.
    next: usize,
    dropped: u64,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: Vec::new(),
            capacity,
            next: 0,
            dropped: 0,
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        // Of a chunk longer than the ring only the end can stay.
        let skip = chunk.len().saturating_sub(self.capacity);
        self.dropped += skip as u64;
        let mut chunk = &chunk[skip..];

        let room = (self.capacity - self.bytes.len()).min(chunk.len());
        self.bytes.extend_from_slice(&chunk[..room]);
        chunk = &chunk[room..];

        self.dropped += chunk.len() as u64;
        while !chunk.is_empty() {
            let run = (self.capacity - self.next).min(chunk.len());
            self.bytes[self.next..self.next + run].copy_from_slice(&chunk[..run]);
            self.next = (self.next + run) % self.capacity;
            chunk = &chunk[run..];
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.rotate_left(self.next);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(limit: u64, chunks: &[&[u8]]) -> Vec<u8> {
        let mut keep = HeadTail::new(limit);
        let mut kept = Vec::new();
        for chunk in chunks {
            kept.extend_from_slice(keep.push(chunk));
        }
        let (marker, tail) = keep.finish();
        kept.extend(marker);
        kept.extend(tail);
        kept
    }

    #[test]
    fn a_stream_within_the_limit_is_kept_as_it_is() {
        assert_eq!(keep(8, &[b"abc", b"", b"defgh"]), b"abcdefgh");
    }

    #[test]
    fn the_middle_is_dropped_and_marked() {
        let kept = keep(8, &[b"abcdefghij"]);
        assert_eq!(kept, b"abcd\n[harness: 2 bytes dropped]\nghij");
    }

    #[test]
    fn a_limit_of_zero_keeps_only_the_marker() {
        assert_eq!(keep(0, &[b"abc"]), b"\n[harness: 3 bytes dropped]\n");
    }

    #[test]
    fn any_chunking_keeps_the_same_bytes() {
        let stream: Vec<u8> = (0u8..=255).cycle().take(1000).collect();
        let whole = keep(100, &[&stream]);
        for size in 1..130 {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(keep(100, &chunks), whole, "chunks of {size}");
        }
        assert!(whole.starts_with(&stream[..50]));
        assert!(whole.ends_with(&stream[950..]));
    }
}
