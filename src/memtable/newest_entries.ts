/**
 * The newest version of every key of a memtable as plain memory, for a flush in another thread.
 *
 * The memory holds a copy of the arena and, after it, the offset of the newest version of each key,
 * in key order. That takes 4 bytes per key, less than the tree, and is made by a walk over the
 * leaves. The offsets are signed, because no copy comes near 2 GiB: JavaScriptCore's last compiler
 * (Bun 1.4) makes floating-point numbers of unsigned ones here, which spread to every length and
 * offset of the table, and slow a flush down to less than half (decision 9). The caller sends
 * buffers and not views: Deno 2.9 takes seconds to send a view of some megabytes to another thread,
 * because it visits all its indices.
 */

import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntrySequence,
  type EntryView,
  type Position,
} from "../iterator/entry_cursor.ts";
import { bytesOfKey, type KeySpan, viewOfKey } from "../iterator/key_spans.ts";
import type { Task } from "../platform/task.ts";
import { EntryArena, type SharedBytes } from "./entry_arena.ts";
import type { Memtable } from "./memtable.ts";

/** Bytes that are copied between two points where the task may be paused. */
const BYTES_PER_PAUSE = 64 * 1024;
/** Entries whose memory is read ahead together: see `NewestCursor`. */
const TOUCHED = 64;

/** A span without views, which would carry their whole buffers. */
export interface PlainSpan {
  /** The first key. */
  readonly lower: Uint8Array;
  /** The first key after the span. */
  readonly upper: Uint8Array;
}

/** A span as it is sent. */
export function plainSpan({ lower, upper }: KeySpan): PlainSpan {
  return { lower: bytesOfKey(lower).slice(), upper: bytesOfKey(upper).slice() };
}

/** The span that was sent. */
export function spanOf({ lower, upper }: PlainSpan): KeySpan {
  return { lower: viewOfKey(lower), upper: viewOfKey(upper) };
}

/** The newest version of every key. */
export interface NewestEntries {
  /** Entries and, after them at the next multiple of 4, their order. */
  readonly memory: SharedBytes;
  /** Bytes of entries. */
  readonly usedBytes: number;
  /** Number of keys. */
  readonly keyCount: number;
  /** The deleted ranges: the bytes of the first key, and of the first key after the range. */
  readonly spans: readonly PlainSpan[];
  /** Values kept outside. They are not copied. */
  readonly largeValues: readonly SharedBytes[];
}

/** Bytes of memory that `copyNewest` fills. */
export function newestBytes(memtable: Memtable): number {
  return orderStart(memtable.usedBytes.length) + 4 * memtable.keyCount;
}

/**
 * Copies what a flush of a frozen memtable needs to `memory`, from its start on. It may be paused
 * every 64 KiB: the system makes the pages of new memory now, which took 10 ms for 4 MiB on a
 * virtual machine.
 */
export function* copyNewest(memtable: Memtable, memory: SharedBytes): Task<NewestEntries> {
  const { usedBytes } = memtable;
  const { length } = usedBytes;
  const bytes = new Uint8Array(memory, 0, length);
  for (let at = 0; at < length; at += BYTES_PER_PAUSE) {
    if (at > 0) yield undefined;
    bytes.set(usedBytes.subarray(at, at + BYTES_PER_PAUSE), at);
  }
  const order = new Int32Array(memory, orderStart(length), memtable.keyCount);
  const keyCount = memtable.fillOrder(order);
  const spans = memtable.deletedSpans.map(plainSpan);
  return { memory, usedBytes: length, keyCount, spans, largeValues: memtable.largeBuffers() };
}

/** Goes through the entries of a copy, maybe in another thread. */
export function newestSequence(
  { memory, usedBytes, keyCount, largeValues }: NewestEntries,
): EntrySequence {
  const bytes = new Uint8Array(memory, 0, usedBytes);
  const order = new Int32Array(memory, orderStart(usedBytes), keyCount);
  const arena = new EntryArena(0);
  arena.adopt(bytes, largeValues);
  return new NewestCursor(arena, order);
}

function orderStart(usedBytes: number): number {
  return Math.ceil(usedBytes / 4) * 4;
}

/**
 * Walks the order. It first reads a byte of each cache line of the next entries, for the reason
 * that `Memtable.touchEntries` gives.
 */
class NewestCursor implements EntrySequence {
  readonly entry: EntryView = emptyEntryView();
  readonly #arena: EntryArena;
  readonly #order: Int32Array;
  #at = 0;
  /** Not read: it keeps engines from leaving out the accesses. */
  touched = 0;

  constructor(arena: EntryArena, order: Int32Array) {
    this.#arena = arena;
    this.#order = order;
  }

  seekToStart(): Position {
    this.#at = -1;
    return this.advance();
  }

  advance(): Position {
    const at = ++this.#at;
    const entry = this.#order[at];
    if (entry === undefined) return AT_END;
    if (at % TOUCHED === 0) this.touched = this.#touch(at);
    this.#arena.show(entry, this.entry);
    return AT_ENTRY;
  }

  #touch(from: number): number {
    const { bytes } = this.#arena;
    const order = this.#order;
    const last = bytes.length - 1;
    const end = Math.min(from + TOUCHED, order.length);
    let sum = 0;
    for (let at = from; at < end; at++) {
      const entry = order[at]!;
      sum += bytes[entry]! + bytes[Math.min(entry + 64, last)]! +
        bytes[Math.min(entry + 128, last)]!;
    }
    return sum;
  }
}
