/**
 * The watches of a store. The write path reports each commit twice: when it is made, and when it is
 * as durable as `walSync` promises. Between the two, the hub keeps a copy of the payload of the
 * commit's log record, which all watches share. Then it puts the commit into the queue of each
 * watch whose range it touches. A watch decodes a commit when the user reads it.
 *
 * While nobody watches, the store has no hub. The write path then only compares one field with
 * undefined.
 */

import { compareRanges } from "../../bytes/compare.ts";
import type { Commit } from "../../contract/watch.ts";
import { WatchQueue } from "../../contract/watch_queue.ts";
import type { Operation } from "../../contract/writer.ts";
import type { WatchOptions, WatchRange } from "../../contract/watch.ts";
import { StoreError } from "../../errors.ts";
import { bytesOfKey, compareKeys } from "../../iterator/key_spans.ts";
import { OPERATION_DELETE_RANGE } from "../../wal/log_format.ts";
import { type RangeOperation, rangeOperationAt } from "../../wal/range_operation.ts";
import { decodeText } from "../../value/text_codec.ts";
import type { Beginning } from "../../contract/range.ts";
import { emptyEntryView } from "../../iterator/entry_cursor.ts";
import type { Key, Value } from "../../value/value.ts";
import type { ValueReader } from "../../sstable/value_reader.ts";
import { isTombstone } from "../../value/value_codec.ts";
import { isReference } from "../../value/value_reference.ts";
import { type EntryDecoder, expiryOf } from "../read/entry_decoder.ts";
import type { CommitObserver } from "../state/commit_observer.ts";
import { type ResolvedRange, resolveRange } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";

/** The operations of a commit, encoded. */
interface Payload {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What the hub needs from a watch, whatever the types of its keys and values. */
type AnyQueue = Pick<WatchQueue<Payload>, "note" | "push" | "finish" | "fail">;

/** A commit that is not acknowledged yet, with the watches that will see it. */
interface Pending {
  readonly lastSequence: number;
  readonly payload: Payload;
  readonly watches: readonly AnyQueue[];
}

/** Reports the commits of one store to its watches. */
export class WatchHub implements CommitObserver {
  readonly #state: StoreState;
  readonly #watches = new Map<AnyQueue, ResolvedRange>();
  #pending: Pending[] = [];

  /** Makes the hub of a store. The hub is the store's observer while there is a watch. */
  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Starts a watch. */
  open<KeyOut extends Key, V extends Value>(
    range: ResolvedRange,
    decoder: EntryDecoder<KeyOut, V>,
    options: WatchOptions | undefined,
    onEnd: (watch: WatchQueue<Payload, KeyOut, V>) => void,
  ): WatchQueue<Payload, KeyOut, V> {
    const { turns } = this.#state;
    const encoding = range.keyEncoding ?? this.#state.options.keyEncoding;
    const watch: WatchQueue<Payload, KeyOut, V> = new WatchQueue<Payload, KeyOut, V>({
      show: (payload) => commitOf(payload, range, decoder, encoding),
      onEnd: () => {
        this.#watches.delete(watch);
        if (this.#watches.size === 0) this.#close();
        onEnd(watch);
      },
      pause: () => turns.due(),
    }, options);
    this.#watches.set(watch, range);
    this.#state.observer = this;
    return watch;
  }

  committed(
    lastSequence: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const size = end - start;
    const watches: AnyQueue[] = [];
    for (const [watch, range] of this.#watches) {
      if (touches(range, view, start, end) && watch.note(size)) watches.push(watch);
    }
    if (watches.length === 0) return;
    const copy = bytes.slice(start, end);
    const payload = { bytes: copy, view: new DataView(copy.buffer) };
    try {
      inlineValue(payload, this.#state.versions.values.reader);
    } catch (error) {
      // The commit stands. Its watches can't show it.
      for (const watch of watches) watch.fail(error as Error);
      return;
    }
    this.#pending.push({ lastSequence, payload, watches });
  }

  acknowledged(sequence: number): void {
    const pending = this.#pending;
    let count = 0;
    for (; count < pending.length; count++) {
      const { lastSequence, payload, watches } = pending[count]!;
      if (lastSequence > sequence) break;
      for (const watch of watches) watch.push(payload, payload.bytes.length);
    }
    if (count === pending.length) this.#pending = [];
    else if (count > 0) this.#pending = pending.slice(count);
  }

  ended(failure: Error | undefined): void {
    for (const watch of [...this.#watches.keys()]) {
      if (failure === undefined) watch.finish();
      else watch.fail(failure);
    }
  }

  #close(): void {
    this.#pending = [];
    if (this.#state.observer === this) this.#state.observer = undefined;
  }
}

/**
 * Puts the value of a stream in place of the reference to it. The value is read at once: its file
 * may be gone when a watch shows the commit. The put of a stream is a commit of its own.
 */
function inlineValue(payload: { -readonly [P in keyof Payload]: Payload[P] }, values: ValueReader) {
  const { bytes, view } = payload;
  const keyEnd = 5 + view.getUint32(1, true);
  const valueStart = keyEnd + 4;
  if (bytes[0] === OPERATION_DELETE_RANGE || !isReference(bytes, valueStart)) return;
  const entry = emptyEntryView();
  entry.valueBytes = bytes;
  entry.valueView = view;
  entry.valueStart = valueStart;
  entry.valueEnd = bytes.length;
  const { bytes: read, start } = values.readSync(values.requestOf(entry));
  const value = read.subarray(start);
  const whole = new Uint8Array(valueStart + value.length);
  whole.set(bytes.subarray(0, valueStart));
  whole.set(value, valueStart);
  payload.bytes = whole;
  payload.view = new DataView(whole.buffer);
  payload.view.setUint32(keyEnd, value.length, true);
}

/** One hub for all handles of a store. */
const hubs = new WeakMap<StoreState, WatchHub>();

/** The watches of one handle of a store. */
export class Watches<KeyOut extends Key = Key, V extends Value = Value> {
  readonly #state: StoreState;
  readonly #decoder: EntryDecoder<KeyOut, V>;
  readonly #open = new Set<WatchQueue<Payload, KeyOut, V>>();

  /** Starts without watches. */
  constructor(state: StoreState, decoder: EntryDecoder<KeyOut, V>) {
    this.#state = state;
    this.#decoder = decoder;
  }

  /** Starts a watch. @throws {TypeError | RangeError} the range or an option is not valid */
  open(range: WatchRange, options: WatchOptions | undefined): WatchQueue<Payload, KeyOut, V> {
    this.#state.requireOpen();
    const resolved = resolveRange(range);
    // Getters of the range may have closed the store.
    this.#state.requireOpen();
    if (this.#state.failure !== undefined) throw this.#state.failure;
    const { directory, options: { readOnly } } = this.#state;
    if (readOnly) {
      const why = "it is open read-only, and shows one moment";
      throw new StoreError("READ_ONLY", `Cannot watch "${directory}": ${why}`);
    }
    const hub = hubs.get(this.#state) ?? new WatchHub(this.#state);
    hubs.set(this.#state, hub);
    const watch = hub.open(resolved, this.#decoder, options, (ended) => this.#open.delete(ended));
    this.#open.add(watch);
    return watch;
  }

  /** Ends the open watches of this handle, which is being closed. Its store may stay open. */
  close(): void {
    for (const watch of [...this.#open]) watch.finish();
  }
}

/** The part of a deleted range that lies in the range of a watch, or undefined. */
function partOf(
  { lower, upper }: RangeOperation,
  range: ResolvedRange,
): { lower: DataView; upper: DataView | undefined } | undefined {
  const first = range.lower === undefined || compareKeys(lower, range.lower.view) > 0
    ? lower
    : range.lower.view;
  const end = range.upper === undefined ||
      (upper !== undefined && compareKeys(upper, range.upper.view) < 0)
    ? upper
    : range.upper.view;
  if (end !== undefined && compareKeys(first, end) >= 0) return undefined;
  return { lower: first, upper: end };
}

/** Whether one of the operations is on a key in the range. */
function touches(range: ResolvedRange, view: DataView, start: number, end: number): boolean {
  if (range.lower === undefined && range.upper === undefined) return true;
  for (let at = start; at < end;) {
    const keyEnd = at + 5 + view.getUint32(at + 1, true);
    const next = keyEnd + 4 + view.getUint32(keyEnd, true);
    const isTouched = view.getUint8(at) === OPERATION_DELETE_RANGE
      ? partOf(rangeOperationAt(view, at + 1, keyEnd, next), range) !== undefined
      : isInside(range, view, at + 5, keyEnd);
    if (isTouched) return true;
    at = next;
  }
  return false;
}

function isInside(
  { lower, upper }: ResolvedRange,
  key: DataView,
  start: number,
  end: number,
): boolean {
  return (lower === undefined ||
    compareRanges(key, start, end, lower.view, 0, lower.bytes.length) >= 0) &&
    (upper === undefined ||
      compareRanges(key, start, end, upper.view, 0, upper.bytes.length) < 0);
}

/** Decodes what a commit did to the keys of a range. */
function commitOf<KeyOut, V>(
  { bytes, view }: Payload,
  range: ResolvedRange,
  decoder: EntryDecoder<KeyOut, V>,
  encoding: "utf8" | "bytes",
): Commit<KeyOut, V> {
  const operations: Operation<KeyOut, V>[] = [];
  const takeKey = decoder.keys[encoding];
  const entry = emptyEntryView();
  entry.keyBytes = entry.valueBytes = bytes;
  entry.keyView = entry.valueView = view;
  for (let at = 0; at < bytes.length; at = entry.valueEnd) {
    entry.keyStart = at + 5;
    entry.keyEnd = entry.keyStart + view.getUint32(at + 1, true);
    entry.valueStart = entry.keyEnd + 4;
    entry.valueEnd = entry.valueStart + view.getUint32(entry.keyEnd, true);
    if (view.getUint8(at) === OPERATION_DELETE_RANGE) {
      const part = partOf(rangeOperationAt(view, at + 1, entry.keyEnd, entry.valueEnd), range);
      if (part !== undefined) {
        operations.push({
          type: "deleteRange",
          range: {
            ...(part.lower.byteLength === 0 ? {} : { gte: boundOf<KeyOut>(part.lower, encoding) }),
            ...(part.upper === undefined ? {} : { lt: boundOf<KeyOut>(part.upper, encoding) }),
          },
        });
      }
      continue;
    }
    if (!isInside(range, view, entry.keyStart, entry.keyEnd)) continue;
    const key = takeKey(entry);
    if (isTombstone(bytes, entry.valueStart)) operations.push({ type: "delete", key });
    else {
      // What has expired since was a put.
      const put = { type: "put", key, value: decoder.value(entry) } as const;
      const expiresAt = expiryOf(entry);
      operations.push(expiresAt === undefined ? put : { ...put, expiresAt });
    }
  }
  return { operations };
}

/** A bound of a range. Bytes that are not text, as after a prefix, are shown as bytes. */
function boundOf<KeyOut>(key: DataView, encoding: "utf8" | "bytes"): Beginning<KeyOut> {
  const bytes = bytesOfKey(key);
  const text = encoding === "utf8" ? decodeText(bytes, 0, bytes.length) : undefined;
  return (text ?? bytes.slice()) as Beginning<KeyOut>;
}
