/**
 * Memory to read stored blocks into, kept from one read to the next and shared by all stores of the
 * realm. A buffer for each read would be garbage outside of the JavaScript heap, about as much as
 * the blocks themselves. And the first read into a new buffer makes its pages, which takes a share
 * of a scan on Bun (docs/measurements/0008-reads.md).
 */

/** Memory with a view of it. */
export interface ReadBuffer {
  /** The memory. */
  readonly bytes: Uint8Array;
  /** A view of it. */
  readonly view: DataView;
}

/** The sizes that are kept, and how many of each. Larger buffers are made with the exact length. */
const kept: readonly {
  readonly bytes: number;
  readonly most: number;
  readonly free: ReadBuffer[];
}[] = [
  // A block of 16 KiB that does not compress, and its footer; one `getMany` has at most this number
  // of reads in flight.
  { bytes: 17 * 1024, most: 64, free: [] },
  // The read-ahead of a merge, and that of a scan.
  { bytes: 64 * 1024, most: 8, free: [] },
  { bytes: 128 * 1024, most: 4, free: [] },
];

/** A buffer that nobody else has. */
export function newReadBuffer(length: number): ReadBuffer {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** A buffer of at least `length` bytes, the caller's until `giveReadBuffer`. */
export function takeReadBuffer(length: number): ReadBuffer {
  for (const { bytes, free } of kept) {
    if (length <= bytes) return free.pop() ?? newReadBuffer(bytes);
  }
  return newReadBuffer(length);
}

/** Returns a read buffer. No read into it may be under way, and nobody may use it any more. */
export function giveReadBuffer(buffer: ReadBuffer): void {
  for (const { bytes, most, free } of kept) {
    if (buffer.bytes.length === bytes && free.length < most) free.push(buffer);
  }
}
