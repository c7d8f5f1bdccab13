/**
 * Memory to read stored blocks into, kept from one read to the next and shared by all stores of the realm.
 * A buffer for each read would be garbage outside of the JavaScript heap, about as much as the blocks that come
 * of it; and the pages of a new one are made by the first read into it, which on Bun took a tenth of a scan.
 */

/** Memory with a view on it. */
export interface ReadBuffer {
  /** The memory. */
  readonly bytes: Uint8Array;
  /** A view on it. */
  readonly view: DataView;
}

/** The sizes that are kept, and how many of each. What is larger is made to measure. */
const kept: readonly {
  readonly bytes: number;
  readonly most: number;
  readonly free: ReadBuffer[];
}[] = [
  // A block of 16 KiB that does not compress, and its footer; one `getMany` has at most so many reads in flight.
  { bytes: 17 * 1024, most: 64, free: [] },
  // What a merge reads ahead, and what a scan does.
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

/** Gives a read buffer back. No read into it may be under way, and nobody may look at it any more. */
export function giveReadBuffer(buffer: ReadBuffer): void {
  for (const { bytes, most, free } of kept) {
    if (buffer.bytes.length === bytes && free.length < most) free.push(buffer);
  }
}
