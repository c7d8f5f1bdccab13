/**
 * The files of the fault file system: live content, durable content, and the ordered writes between
 * the two. Content never changes, and thousands of crash states share it. Appending to a file
 * writes into the buffer after the part that others see.
 */

/** Content that never changes: the first `size` bytes of `bytes`, and a hash of them. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly low: number;
  readonly high: number;
}

/** A write that is not durable yet. */
export interface PendingWrite {
  readonly position: number;
  readonly data: Uint8Array;
  /** Live content after this write. */
  readonly after: Content;
}

/** No bytes. */
export const EMPTY: Content = {
  bytes: new Uint8Array(0),
  size: 0,
  low: 0x811c9dc5,
  high: 0x2545f491,
};
/** Nothing that a test writes is larger; the limit keeps a wild position from taking all memory. */
export const MAX_FILE_BYTES: number = 2 ** 28;

/** A file, apart from its names. */
export class File {
  live: Content = EMPTY;
  durable: Content = EMPTY;
  pending: PendingWrite[] = [];
  /** Handles that are open on it. */
  openHandles = 0;
  /**
   * Whether bytes after `live.size` may be written in place: nobody else appends to that buffer.
   */
  ownsBuffer = false;
  /** Whether live content is the durable one with the pending writes: not after a failed sync. */
  isLinear = true;

  write(from: Uint8Array, offset: number, length: number, position: number): void {
    const { live } = this;
    const end = position + length;
    const size = Math.max(live.size, end);
    let { bytes } = live;
    const isAppend = position === live.size;
    if (!isAppend || !this.ownsBuffer || size > bytes.length) {
      bytes = new Uint8Array(Math.max(256, isAppend ? size * 2 : size));
      bytes.set(live.bytes.subarray(0, live.size));
      this.ownsBuffer = true;
    }
    bytes.set(from.subarray(offset, offset + length), position);
    this.live = isAppend ? hashed(bytes, size, live) : hashed(bytes, size, EMPTY);
    this.pending.push({ position, data: bytes.subarray(position, end), after: this.live });
  }

  /** Makes the pending writes up to and with `last` durable. */
  sync(last: PendingWrite | undefined): void {
    const count = last === undefined ? 0 : this.pending.indexOf(last) + 1;
    if (count === 0) return;
    this.durable = this.isLinear
      ? last!.after
      : applied(this.durable, this.pending.slice(0, count));
    this.pending = this.pending.slice(count);
  }

  /** What a failed sync does: what is pending will never be durable. */
  dropPending(revert: boolean): void {
    if (this.pending.length === 0) return;
    this.pending = [];
    this.isLinear = revert;
    if (!revert) return;
    this.live = this.durable;
    this.ownsBuffer = false;
  }

  copy(): File {
    const copy = new File();
    copy.live = this.live;
    copy.durable = this.durable;
    copy.pending = this.pending.slice();
    copy.isLinear = this.isLinear;
    return copy;
  }
}

/** The content with writes applied, in its own buffer. */
export function applied(
  base: Content,
  writes: readonly { readonly position: number; readonly data: Uint8Array }[],
): Content {
  let size = base.size;
  for (const { position, data } of writes) size = Math.max(size, position + data.length);
  const bytes = new Uint8Array(size);
  bytes.set(base.bytes.subarray(0, base.size));
  for (const { position, data } of writes) bytes.set(data, position);
  return hashed(bytes, size, EMPTY);
}

/** Content whose first part is that of `known`, hashed from there. */
export function hashed(bytes: Uint8Array, size: number, known: Content): Content {
  let { low, high } = known;
  for (let i = known.size; i < size; i++) {
    low = Math.imul(low ^ bytes[i]!, 0x01000193);
    high = Math.imul(high ^ (high >>> 15) ^ bytes[i]!, 0x2c1b3c6d);
  }
  return { bytes, size, low, high };
}
