/** Moves all entries of one store to another, whatever the two are. */

import { createHash } from "node:crypto";
import {
  compareKeys,
  type Cursor,
  type Entry,
  keyBytes,
  type Range,
  type Reader,
  type Store,
  StoreError,
  type Value,
} from "@tinykvs/core/contract";
import { encodeValue } from "./value_codec.ts";

/** The bounds of a range that is copied. */
export type CopyRange = Pick<Range, "prefix" | "gte" | "gt" | "lte" | "lt">;

/** What `copyStore` may be told. An unknown name is a `TypeError`. */
export interface CopyOptions {
  /**
   * Goes on after a copy that was broken off: entries that the target has are compared and not
   * written again, and entries that the source does not have are removed. Without it the target
   * must be empty, or the range of it. Default false.
   */
  resume?: boolean;
  /**
   * Copies the keys of a range only. What the target has outside of it stays as it is, and does not
   * count. Default: all keys.
   */
  range?: CopyRange;
  /** The most entries of one write. Default 1000. */
  batchEntries?: number;
  /** Called after each write. */
  onProgress?: (progress: CopyProgress) => void;
  /** Ends the copy between two writes. */
  signal?: AbortSignal;
  /** Whether times of expiry are copied. Default true. */
  expiry?: boolean;
  /** Whether both sides are read at the end, and compared. Default true. */
  verify?: boolean;
}

/** How far a copy is. */
export interface CopyProgress {
  /** Entries of the source that were read. */
  readonly entries: number;
  /** Entries that were written to the target. */
  readonly written: number;
  /** Keys that were removed from the target. */
  readonly removed: number;
  /** The last key. */
  readonly key: Uint8Array;
}

/** What a copy did. */
export interface CopyReport {
  /** Entries of the source. */
  readonly entries: number;
  /** Entries that were written to the target. */
  readonly written: number;
  /** Keys that were removed from the target. */
  readonly removed: number;
  /** SHA-256 over all entries of the source's snapshot, as hexadecimal digits. */
  readonly digest: string;
}

type Item = [key: Uint8Array, value: Value, expiresAt?: number | undefined];

/** A reader whose scans show times of expiry. */
interface TimedReader extends Reader {
  timedEntries(range: Range): Cursor<Entry>;
}

/** A write ends when its keys and values have about this number of bytes. */
const BATCH_BYTES = 1024 * 1024;
const NAMES = [
  "resume",
  "range",
  "batchEntries",
  "onProgress",
  "signal",
  "verify",
  "expiry",
];
const RANGE_NAMES = ["prefix", "gte", "gt", "lte", "lt"];

/**
 * Copies every entry of `from`, as of the moment of the call, to `to`. The source may be written
 * meanwhile; the target must not be. At the end both sides are read and compared, value by value,
 * by a digest.
 *
 * A copy that was broken off, by an error, a signal or a crash, goes on with `resume`: it compares
 * what is there with a new snapshot of the source, and writes the difference.
 *
 * Entries keep their time of expiry. A scan of the contract does not show it, so `getEntry` is
 * called for each entry of the source, unless its snapshot has `timedEntries`, as those of
 * `@tinykvs/postgres` have. If no entry expires, `expiry: false` saves that.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import { copyStore } from "@tinykvs/postgres";
 *
 * await using from = await open("/from", { fileSystem: memoryFileSystem() });
 * await using to = await open("/to", { fileSystem: memoryFileSystem() });
 * await from.put("a", 1);
 * const { entries, written } = await copyStore(from, to);
 * console.log(entries, written); // 1 1
 * ```
 *
 * @throws {StoreError} ALREADY_EXISTS: the target is not empty, and `resume` is not set;
 *   CORRUPTION: the two sides differ at the end
 */
export async function copyStore(
  from: Store,
  to: Store,
  options: CopyOptions = {},
): Promise<CopyReport> {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) {
      throw new TypeError(`Cannot copy: unknown option "${name}"`);
    }
  }
  for (const name of Object.keys(options.range ?? {})) {
    if (!RANGE_NAMES.includes(name)) {
      throw new TypeError(
        `Cannot copy: unknown name "${name}" in the range, expected ${RANGE_NAMES.join(", ")}`,
      );
    }
  }
  const {
    resume = false,
    range: bounds = {},
    batchEntries = 1000,
    signal,
    verify = true,
    expiry = true,
    onProgress,
  } = options;
  if (!(Number.isSafeInteger(batchEntries) && batchEntries >= 1)) {
    throw new RangeError(
      `Cannot copy: "batchEntries" is ${batchEntries}, expected an integer from 1`,
    );
  }
  if (
    !resume &&
    (await to.keys({ ...bounds, limit: 1, keyEncoding: "bytes" }).toArray()).length > 0
  ) {
    throw new StoreError(
      "ALREADY_EXISTS",
      "Cannot copy: the target is not empty; use { resume: true } to make it equal to the source",
    );
  }
  const range: Range = {
    ...bounds,
    keyEncoding: "bytes",
    ...(signal === undefined ? {} : { signal }),
  };
  using source = from.snapshot();
  const target = new Target(to, batchEntries, onProgress);
  await target.copy(expiry ? timed(source, range) : groups(source, range), resume, range);
  const report = target.report();
  if (!verify) return report;
  const found = await digestWithin(to, range);
  if (found.digest === report.digest) return report;
  throw new StoreError(
    "CORRUPTION",
    `The copy differs from its source: ${found.entries} entries with the digest ` +
      `${found.digest}, expected ${report.entries} with ${report.digest}; was the target written ` +
      "by somebody else? Copy again with { resume: true }",
  );
}

/**
 * The number of entries, and SHA-256 over all keys and values in their order: two stores with the
 * same content have the same, whatever they are.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import { digestOf } from "@tinykvs/postgres";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("a", 1);
 * console.log((await digestOf(store)).entries); // 1
 * ```
 */
export async function digestOf(
  reader: Reader,
  signal?: AbortSignal,
): Promise<{ readonly entries: number; readonly digest: string }> {
  return await digestWithin(reader, {
    keyEncoding: "bytes",
    ...(signal === undefined ? {} : { signal }),
  });
}

async function digestWithin(
  reader: Reader,
  range: Range,
): Promise<{ readonly entries: number; readonly digest: string }> {
  const digest = new Digest();
  for await (const items of groups(reader, range)) {
    for (const item of items) digest.add(item);
  }
  return { entries: digest.entries, digest: digest.finish() };
}

/** Entries in groups, keys as bytes. */
async function* groups(reader: Reader, range: Range): AsyncGenerator<Item[]> {
  await using cursor = reader.entries(range);
  for (;;) {
    const items = await cursor.nextMany(1000);
    if (items.length > 0) yield items as Item[];
    if (items.length < 1000) return;
  }
}

/** As `groups`, with times of expiry. */
async function* timed(reader: Reader, range: Range): AsyncGenerator<Item[]> {
  if (typeof (reader as TimedReader).timedEntries === "function") {
    await using cursor = (reader as TimedReader).timedEntries(range);
    for (;;) {
      const entries = await cursor.nextMany(1000);
      yield entries.map((
        { key, value, expiresAt },
      ): Item => [key as Uint8Array, value, expiresAt]);
      if (entries.length < 1000) return;
    }
  }
  for await (const items of groups(reader, range)) {
    const entries: (Entry | undefined)[] = await Promise.all(
      items.map(([key]) => reader.getEntry(key)),
    );
    // An entry that expires meanwhile is not missed by anybody.
    yield items.map((
      [key, value],
      at,
    ): Item => [key, value, entries[at]?.expiresAt]);
  }
}

class Digest {
  readonly #hash = createHash("sha256");
  readonly #lengths = new DataView(new ArrayBuffer(8));
  entries = 0;

  add([key, value]: Item): void {
    const bytes = encodeValue(value);
    this.#lengths.setUint32(0, key.length);
    this.#lengths.setUint32(4, bytes.length);
    this.#hash.update(new Uint8Array(this.#lengths.buffer));
    this.#hash.update(key);
    this.#hash.update(bytes);
    this.entries++;
  }

  finish(): string {
    return this.#hash.digest("hex");
  }
}

/** The entries that the target has already, one after the other. */
class Present {
  readonly #groups: AsyncGenerator<Item[]>;
  #items: Item[] = [];
  #at = 0;

  constructor(reader: Reader, range: Range) {
    this.#groups = groups(reader, range);
  }

  /** The next one that was not passed. */
  async peek(): Promise<Item | undefined> {
    if (this.#at < this.#items.length) return this.#items[this.#at];
    const step = await this.#groups.next();
    this.#items = step.done === true ? [] : step.value;
    this.#at = 0;
    return this.#items[0];
  }

  pass(): void {
    this.#at++;
  }

  async close(): Promise<void> {
    await this.#groups.return(undefined);
  }
}

class Target {
  readonly #to: Store;
  readonly #batchEntries: number;
  readonly #onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly #digest = new Digest();
  #batch: ReturnType<Store["batch"]>;
  #bytes = 0;
  #written = 0;
  #removed = 0;
  #last: Uint8Array = new Uint8Array();

  constructor(
    to: Store,
    batchEntries: number,
    onProgress: CopyOptions["onProgress"],
  ) {
    this.#to = to;
    this.#batch = to.batch();
    this.#batchEntries = batchEntries;
    this.#onProgress = onProgress;
  }

  report(): CopyReport {
    return {
      entries: this.#digest.entries,
      written: this.#written,
      removed: this.#removed,
      digest: this.#digest.finish(),
    };
  }

  async copy(
    source: AsyncGenerator<Item[]>,
    resume: boolean,
    range: Range,
  ): Promise<void> {
    const view = resume ? this.#to.snapshot() : undefined;
    const present = view && new Present(view, range);
    try {
      for await (const items of source) {
        for (const item of items) {
          this.#digest.add(item);
          if (!await this.#isPresent(present, item)) await this.#put(item);
          this.#last = keyBytes(item[0]);
        }
      }
      for (
        let rest = await present?.peek();
        rest !== undefined;
        rest = await present!.peek()
      ) {
        await this.#remove(rest[0]);
        present!.pass();
      }
      await this.#flush();
    } finally {
      await present?.close();
      view?.close();
    }
  }

  /** Passes the target's entries up to the item, and removes those that the source lacks. */
  async #isPresent(present: Present | undefined, item: Item): Promise<boolean> {
    for (
      let found = await present?.peek();
      found !== undefined;
      found = await present!.peek()
    ) {
      const order = compareKeys(found[0], item[0]);
      if (order > 0) return false;
      present!.pass();
      if (order === 0) {
        return compareKeys(encodeValue(found[1]), encodeValue(item[1])) === 0;
      }
      await this.#remove(found[0]);
    }
    return false;
  }

  async #put([key, value, expiresAt]: Item): Promise<void> {
    this.#batch.put(key, value, expiresAt === undefined ? undefined : { expiresAt });
    this.#written++;
    this.#bytes += key.length + encodeValue(value).length;
    await this.#flushIfFull();
  }

  async #remove(key: Uint8Array): Promise<void> {
    this.#batch.delete(key);
    this.#removed++;
    this.#bytes += key.length;
    await this.#flushIfFull();
  }

  async #flushIfFull(): Promise<void> {
    if (
      this.#batch.length >= this.#batchEntries || this.#bytes >= BATCH_BYTES
    ) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#batch.write();
    this.#batch = this.#to.batch();
    this.#bytes = 0;
    this.#onProgress?.({
      entries: this.#digest.entries,
      written: this.#written,
      removed: this.#removed,
      key: this.#last,
    });
  }
}
