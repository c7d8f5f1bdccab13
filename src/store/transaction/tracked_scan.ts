/**
 * The scans of a transaction. They also show what the transaction has written, and they note how
 * far they have read.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { AT_END, AT_ENTRY, type Position } from "../../iterator/entry_cursor.ts";
import type { KeyBound } from "../../memtable/memtable.ts";
import { EntryScan } from "../read/entry_scan.ts";
import type { NewestSource } from "../read/scan_sources.ts";
import type { BoundKey, ResolvedRange } from "../state/range.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import type { ReadSet, ReadStretch } from "./read_set.ts";

/** What a scan needs from its transaction. */
export interface ScanOwner {
  /** What the transaction has read. */
  readonly readSet: ReadSet;
  /** @throws {ClosedError} the transaction is over */
  requireOpen(): void;
}

/**
 * Scans the entries that a lease and a transaction show. The scan counts as a read of one range of
 * keys: from its start to the last entry that it has shown, or to the end of its own range if it
 * has reached that.
 */
export class TrackedScan extends EntryScan {
  readonly #owner: ScanOwner;
  readonly #bounds: ResolvedRange;
  #shown = 0;
  /** Whether the caller has moved the scan to the end, which reads nothing. */
  #isSentToEnd = false;
  #from: BoundKey | undefined;
  /** The range that the scan has read since its start or its last seek. */
  #stretch: ReadStretch | undefined;
  /** The last key that the scan has shown, which is the end of the range. */
  #last: ByteWriter | undefined;

  /** Makes a scan that has not started. `own` are the entries of the transaction. */
  constructor(
    owner: ScanOwner,
    own: NewestSource | undefined,
    state: StoreState,
    lease: Lease,
    range: ResolvedRange,
    keysOnly: boolean,
  ) {
    // A range that is dead for other readers may have entries in this transaction, and the reverse.
    const dead = own === undefined ? state.deadRanges : undefined;
    super(lease, range, state.options.verifyChecksums, keysOnly, dead, own);
    this.#owner = owner;
    this.#bounds = range;
    this.#from = range.reverse ? range.upper : range.lower;
  }

  override next(): Position {
    this.#owner.requireOpen();
    return this.#note(super.next());
  }

  override resume(): Position {
    this.#owner.requireOpen();
    return this.#note(super.resume());
  }

  override seek(key: BoundKey): void {
    super.seek(key);
    this.#from = key;
    this.#stretch = undefined;
    this.#last = undefined;
    this.#isSentToEnd = false;
  }

  override end(): void {
    super.end();
    this.#isSentToEnd = true;
  }

  #note(position: Position): Position {
    if (position === AT_ENTRY) {
      this.#shown++;
      this.#noteEntry();
    } else if (position === AT_END && !this.#isSentToEnd && this.#shown < this.#bounds.limit) {
      const stretch = this.#begun();
      const { lower, upper, reverse } = this.#bounds;
      if (reverse) stretch.lower = boundOf(lower);
      else stretch.upper = boundOf(upper);
    }
    return position;
  }

  #noteEntry(): void {
    const { keyBytes, keyView, keyStart, keyEnd } = this.entry;
    const stretch = this.#begun();
    const last = this.#last ??= new ByteWriter(64);
    const before = last.bytes.length;
    last.length = 0;
    last.appendRange(keyBytes, keyView, keyStart, keyEnd);
    // The range includes the key itself. Forward, the first key after a key is that key and a zero
    // byte.
    if (!this.#bounds.reverse) last.appendUint8(0);
    if (last.bytes.length > before) this.#owner.readSet.grown(last.bytes.length - before);
    if (this.#bounds.reverse) stretch.lower = last;
    else stretch.upper = last;
  }

  #begun(): ReadStretch {
    if (this.#stretch !== undefined) return this.#stretch;
    const from = boundOf(this.#from);
    this.#stretch = this.#bounds.reverse
      ? { lower: undefined, upper: from }
      : { lower: from, upper: undefined };
    this.#owner.readSet.noteStretch(this.#stretch);
    this.#owner.readSet.grown(from?.length ?? 0);
    return this.#stretch;
  }
}

function boundOf(key: BoundKey | undefined): KeyBound | undefined {
  return key && { view: key.view, length: key.bytes.length };
}
