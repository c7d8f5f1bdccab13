/**
 * The model of model_test.ts: a sorted map from keys to the text of their values, the operations of a
 * random history, and a run that applies a history to a store and to the map and compares every answer.
 *
 * Keys come from a fixed pool, so that histories hit the same keys again: the empty key, prefixes of
 * each other, bytes 0x00 and 0xff, the longest key, and 160 short ones for bulk. In the map a key is a
 * string of one character per byte, whose order is that of the bytes. A value's text says its type, so
 * -0 differs from 0, a bigint from a number, and NaN equals itself.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type Cursor,
  type Key,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  type Range,
  type Store,
  type Value,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { crashCopy } from "../store/file_systems.ts";

/** A value, by a kind and a number that chooses among its values. */
export interface ValueChoice {
  /** Index of a maker in `valueMakers`. */
  readonly kind: number;
  /** What it is made of. */
  readonly seed: number;
}

/** One change of one key; `value` undefined is a delete. */
export interface Change {
  /** Index into the pool of keys. */
  readonly key: number;
  /** The new value. */
  readonly value: ValueChoice | undefined;
}

/** A range by indexes into the pool of keys. */
export interface RangeChoice {
  readonly prefix: number | undefined;
  readonly gte: number | undefined;
  readonly gt: number | undefined;
  readonly lte: number | undefined;
  readonly lt: number | undefined;
  readonly reverse: boolean;
  readonly limit: number | undefined;
}

/** How a scan is asked for. */
export const scanForms = [
  "entries async",
  "entries sync",
  "keys async",
  "keys sync",
  "values async",
  "values sync",
  "nextMany",
  "toArray",
  "count",
  "visit",
] as const;

/** One step of a history. */
export type Step =
  | { do: "change"; change: Change; form: "sync" | "async" | "later" }
  | { do: "batch"; changes: readonly Change[]; form: "sync" | "array" | "chain" | "later" }
  | { do: "fill"; from: number; count: number; stride: number; bytes: number; seed: number }
  | { do: "get"; key: number; form: "get" | "getSync" | "has" | "hasSync" | "typed" }
  | { do: "getMany"; keys: readonly number[] }
  | { do: "scan"; range: RangeChoice; form: typeof scanForms[number] }
  | { do: "openCursor"; range: RangeChoice }
  | { do: "pull"; cursor: number; count: number; form: "sync" | "async" | "many" }
  | { do: "seek"; cursor: number; key: number }
  | { do: "closeCursor"; cursor: number }
  | { do: "flush" | "sync" | "turn" }
  | { do: "compact"; start: number | undefined; end: number | undefined }
  | { do: "reopen"; options: number; form: "async" | "sync" }
  | { do: "crash"; options: number; form: "async" | "sync"; afterTurn: boolean };

/** Options that a history may be run with; what they have in common is that tables are small. */
export const optionSets: readonly Options[] = [
  { memtableSizeBytes: 4096, blockSizeBytes: 256, compression: "none", l0CompactionTrigger: 2 },
  {
    memtableSizeBytes: 4096,
    blockSizeBytes: 1024,
    compression: "zstd",
    compressionLevel: 3,
    blockCacheSizeBytes: 0,
    maxLevels: 2,
    l0CompactionTrigger: 2,
    walSync: "write",
  },
  {
    memtableSizeBytes: 8192,
    blockSizeBytes: 512,
    compression: "snappy",
    blockCacheSizeBytes: 3000,
    bloomFalsePositiveRate: false,
    l0CompactionTrigger: 3,
    levelSizeMultiplier: 2,
    maxLevels: 4,
    walSync: "none",
  },
  {
    memtableSizeBytes: 65536,
    blockSizeBytes: 4096,
    compression: "none",
    bloomFalsePositiveRate: 0.5,
    blockCacheSizeBytes: 20_000,
    verifyChecksums: false,
    walSync: "interval",
    maxLevels: 3,
  },
  { preset: "low-memory", memtableSizeBytes: 16384, l0CompactionTrigger: 2, maxLevels: 7 },
  { memtableSizeBytes: 4096, compression: "snappy", levelSizeMultiplier: 2, maxLevels: 7 },
];

const BULK_KEYS = 160;
const BULK_START = 40;

/** The number of keys in the pool. */
export const keyCount: number = BULK_START + BULK_KEYS;

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

interface PoolKey {
  readonly bytes: Uint8Array;
  readonly binary: string;
  /** The key as text where it is UTF-8. */
  readonly text: string | undefined;
}

function poolKey(key: string | readonly number[] | Uint8Array): PoolKey {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : Uint8Array.from(key);
  let text: string | undefined;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    // Not UTF-8, which is what this asks.
    assert.ok(error instanceof TypeError);
  }
  return { bytes, binary: latin1(bytes), text };
}

const pool: readonly PoolKey[] = [
  ...["", "a", "a\0", "a\0\0", "aa", "aaaaaaaa", "aaaaaaaab", "aaaaaaaaaaaaaaaa", "ab", "b", "ba"],
  ...["ä", "ß", "€", "日本", "😀", "\uffff", "\ufeffbom", "\0", "\0a", "zzzz", "k", "k0", "k00"],
  [0xff],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0x00],
  [0xfe, 0xff],
  [0xff, 0x00],
  [0x61, 0xff],
  [0x61, 0xff, 0xff],
  [0x6b, 0x30, 0xff],
  "p".repeat(300),
  "p".repeat(300) + "q",
  "p".repeat(299),
  "m".repeat(5000),
  "m".repeat(65536),
  "k0" + "x".repeat(100),
  "k1" + "x".repeat(100),
  "k1" + "x".repeat(99) + "y",
  ...Array.from({ length: BULK_KEYS }, (_, n) => `k${String(n * 7).padStart(4, "0")}`),
].map(poolKey);
assert.equal(pool.length, keyCount);

function bytesOf(seed: number, length: number): Uint8Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Half of it is easy to compress.
    bytes[i] = (i & 64) === 0 ? state >>> 24 : 0x41;
  }
  return bytes;
}

/** Makers of values of every type; the last ones are larger than blocks and than the memtable. */
export const valueMakers: readonly ((seed: number) => Value)[] = [
  (seed) => BigInt(seed) - 500n,
  (seed) => [2n ** 53n - 1n, -(2n ** 53n) + 1n, 0n, -1n][seed % 4]!,
  (seed) => seed * 1.25 - 300,
  (seed) => [NaN, Infinity, -Infinity, -0, 0, 5e-324, Number.MAX_VALUE][seed % 7]!,
  (seed) => seed % 2 === 0,
  (seed) => `value ${seed}`,
  (seed) => ["", "ä€😀", "\0", "x".repeat(seed % 300), "日".repeat(seed % 90)][seed % 5]!,
  (seed) => new Uint8Array(seed % 3 === 0 ? 0 : 1).fill(seed),
  (seed) => bytesOf(seed, seed % 400),
  (seed) => ({ id: seed, name: `n${seed}`, nested: [1, 2.5, null, { deep: true }], ["é"]: "ü" }),
  (seed) => seed % 2 === 0 ? {} : { bytes: bytesOf(seed, 10), list: [] },
  (seed) => seed % 2 === 0 ? [] : ["a", seed, [false]],
  (seed) => bytesOf(seed, 900 + seed),
  (seed) => "long ".repeat(250 + seed % 100),
  (seed) => bytesOf(seed, 5000 + seed),
  (seed) => bytesOf(seed, seed % 10 === 0 ? 70_000 : 9000),
];

/** The text of a value in the map. */
export function textOf(value: Value | undefined): string {
  switch (typeof value) {
    case "undefined":
      return "absent";
    case "string":
      return `string ${value}`;
    case "number":
      return `number ${Object.is(value, -0) ? "-0" : value}`;
    case "object":
      return value instanceof Uint8Array
        ? `bytes ${latin1(value)}`
        : `record ${
          JSON.stringify(value, (_, item) => item instanceof Uint8Array ? latin1(item) : item)
        }`;
    default:
      return `${typeof value} ${value}`;
  }
}

const typedNames = {
  bigint: "Int64",
  number: "Float64",
  boolean: "Bool",
  string: "String",
  bytes: "Bytes",
  record: "Map",
} as const;

type Entry = [string, string];

interface HeldCursor {
  readonly cursor: Cursor<[string | Uint8Array, Value]>;
  readonly range: RangeChoice;
  /** What it has to show, in its direction, without the limit. */
  readonly entries: readonly Entry[];
  at: number;
  remaining: number;
  isEnded: boolean;
}

/** What a run answers, for the comparison of runs under different options. */
export interface RunResult {
  /** The answers of every step as text. */
  readonly answers: readonly string[];
  /** Largest number of tables and the deepest level seen, which tell whether the run was worth it. */
  readonly maxTables: number;
  readonly deepestLevel: number;
}

/** Runs one history. Throws an AssertionError at the first answer that the map does not give. */
export async function runHistory(
  steps: readonly Step[],
  sets: { first: number; fixed: boolean; keysAsText: boolean },
): Promise<RunResult> {
  const run = new Run(sets);
  await run.start();
  try {
    for (const [at, step] of steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        if (error instanceof Error) error.message = `step ${at} (${step.do}): ${error.message}`;
        throw error;
      }
    }
    await run.finish();
  } finally {
    await run.dispose();
  }
  return run;
}

class Run implements RunResult {
  readonly answers: string[] = [];
  maxTables = 0;
  deepestLevel = 0;
  readonly #sets: { first: number; fixed: boolean; keysAsText: boolean };
  #fileSystem: FileSystem = memoryFileSystem();
  #store!: Store;
  #model = new Map<string, string>();
  #sorted: Entry[] | undefined;
  /** The map as of the last moment at which nothing was under way, and what was issued since. */
  #acknowledged = new Map<string, string>();
  #issued: (readonly [string, string | undefined][])[] = [];
  #underWay: Promise<void>[] = [];
  #cursors: HeldCursor[] = [];

  constructor(sets: { first: number; fixed: boolean; keysAsText: boolean }) {
    this.#sets = sets;
  }

  async start(): Promise<void> {
    this.#store = await open("/model", this.#options(this.#sets.first));
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    if (this.#store.status === "open") await this.#store.close();
  }

  async step(step: Step): Promise<void> {
    const store = this.#store;
    switch (step.do) {
      case "change":
        return await this.#change(step.change, step.form);
      case "batch":
        return await this.#batch(step.changes, step.form);
      case "fill":
        return this.#fill(step.from, step.count, step.stride, step.bytes, step.seed);
      case "get":
        return await this.#get(step.key, step.form);
      case "getMany": {
        const expected = step.keys.map((key) => this.#model.get(this.#binary(key)) ?? "absent");
        const values = await store.getMany(step.keys.map((key) => this.#key(key)));
        return this.#compare(values.map(textOf), expected);
      }
      case "scan":
        return await this.#scan(step.range, step.form);
      case "openCursor":
        return this.#openCursor(step.range);
      case "pull":
        return await this.#pull(step.cursor, step.count, step.form);
      case "seek":
        return this.#seek(step.cursor, step.key);
      case "closeCursor": {
        const [held] = this.#cursors.splice(step.cursor % Math.max(1, this.#cursors.length), 1);
        return await held?.cursor.close();
      }
      case "flush":
        await store.flush();
        return await this.#settle();
      case "sync":
        await store.sync();
        return await this.#settle();
      case "turn":
        return await systemScheduler.yield();
      case "compact": {
        const range: { start?: Key; end?: Key } = {};
        if (step.start !== undefined) range.start = this.#key(step.start);
        if (step.end !== undefined) range.end = this.#key(step.end);
        await store.compact(range);
        return await this.#settle();
      }
      case "reopen":
        return await this.#reopen(step.options, step.form);
      case "crash":
        return await this.#crash(step.options, step.form, step.afterTurn);
    }
  }

  /** Reads everything once more, in every way. */
  async finish(): Promise<void> {
    await this.#settle();
    const everything: RangeChoice = {
      prefix: undefined,
      gte: undefined,
      gt: undefined,
      lte: undefined,
      lt: undefined,
      reverse: false,
      limit: undefined,
    };
    await this.#scan(everything, "entries sync");
    await this.#scan({ ...everything, reverse: true }, "entries async");
    for (let key = 0; key < keyCount; key++) {
      const expected = this.#model.get(this.#binary(key)) ?? "absent";
      this.#compare([textOf(this.#store.getSync(this.#key(key)))], [expected]);
    }
    for (const held of this.#cursors) await this.#drain(held);
    this.#look();
  }

  #options(set: number): Options {
    const index = this.#sets.fixed ? this.#sets.first : set % optionSets.length;
    return {
      ...optionSets[index]!,
      fileSystem: this.#fileSystem,
      keyEncoding: this.#sets.keysAsText ? "utf8" : "bytes",
    };
  }

  /** The pool's key; a store that reads keys as text gets only keys that are. */
  #pooled(key: number): PoolKey {
    const found = pool[key]!;
    return this.#sets.keysAsText && found.text === undefined ? pool[1]! : found;
  }

  #binary(key: number): string {
    return this.#pooled(key).binary;
  }

  /** The key in one of the forms that a caller may use. */
  #key(key: number): Key {
    const { bytes, text } = this.#pooled(key);
    return text !== undefined && (this.#sets.keysAsText || key % 2 === 0) ? text : bytes.slice();
  }

  #binaryOf(key: string | Uint8Array): string {
    assert.equal(typeof key, this.#sets.keysAsText ? "string" : "object");
    return typeof key === "string" ? latin1(new TextEncoder().encode(key)) : latin1(key);
  }

  #compare(actual: readonly string[], expected: readonly string[]): void {
    for (let i = 0; i < Math.max(actual.length, expected.length); i++) {
      if (actual[i] !== expected[i]) {
        assert.fail(
          `answer ${i} of ${actual.length}, expected ${expected.length}: ` +
            `${shown(actual[i])}, expected ${shown(expected[i])}`,
        );
      }
    }
    this.answers.push(`${actual.length}:${actual.map((text) => text.slice(0, 40)).join()}`);
  }

  #apply(changes: readonly [string, string | undefined][]): void {
    this.#issued.push(changes);
    this.#sorted = undefined;
    applyTo(this.#model, changes);
  }

  /** Waits for everything that was issued. */
  async #settle(): Promise<void> {
    await Promise.all(this.#underWay.splice(0));
    this.#acknowledgeAll();
  }

  /** Also what is under way is safe when a later write is: the order of calls is that of writes. */
  #acknowledgeAll(): void {
    for (const changes of this.#issued.splice(0)) applyTo(this.#acknowledged, changes);
  }

  #modelChange({ key, value }: Change): [string, string | undefined] {
    return [this.#binary(key), value === undefined ? undefined : textOf(makeValue(value))];
  }

  async #change(change: Change, form: "sync" | "async" | "later"): Promise<void> {
    const key = this.#key(change.key);
    const value = change.value === undefined ? undefined : makeValue(change.value);
    if (form === "sync") {
      if (value === undefined) this.#store.deleteSync(key);
      else this.#store.putSync(key, value);
      this.#spoil(key, value);
      this.#apply([this.#modelChange(change)]);
      this.#acknowledgeAll();
      return;
    }
    const done = value === undefined ? this.#store.delete(key) : this.#store.put(key, value);
    this.#spoil(key, value);
    this.#apply([this.#modelChange(change)]);
    this.#underWay.push(done);
    if (form === "async") {
      await done;
      this.#acknowledgeAll();
    }
  }

  /** Buffers that were handed in are the caller's again. */
  #spoil(key: Key, value: Value | undefined): void {
    if (typeof key !== "string") key.fill(0x55);
    if (value instanceof Uint8Array) value.fill(0x55);
  }

  async #batch(
    changes: readonly Change[],
    form: "sync" | "array" | "chain" | "later",
  ): Promise<void> {
    const store = this.#store;
    const operations = changes.map(({ key, value }) =>
      value === undefined
        ? { type: "delete" as const, key: this.#key(key) }
        : { type: "put" as const, key: this.#key(key), value: makeValue(value) }
    );
    let done: Promise<void> | undefined;
    if (form === "sync") {
      store.writeSync(operations);
    } else if (form === "chain") {
      const batch = store.batch();
      for (const operation of operations) {
        if (operation.type === "put") batch.put(operation.key, operation.value);
        else batch.delete(operation.key);
      }
      done = batch.write();
    } else {
      done = store.write(operations);
    }
    for (const operation of operations) {
      this.#spoil(operation.key, operation.type === "put" ? operation.value : undefined);
    }
    this.#apply(changes.map((change) => this.#modelChange(change)));
    if (done !== undefined) {
      this.#underWay.push(done);
      if (form === "later") return;
      await done;
    }
    this.#acknowledgeAll();
  }

  #fill(from: number, count: number, stride: number, bytes: number, seed: number): void {
    for (let i = 0; i < count; i++) {
      const key = BULK_START + (from + i * stride) % BULK_KEYS;
      const value = bytesOf(seed + i, bytes);
      this.#store.putSync(this.#key(key), value);
      this.#apply([[this.#binary(key), textOf(value)]]);
    }
    this.#acknowledgeAll();
  }

  async #get(
    key: number,
    form: "get" | "getSync" | "has" | "hasSync" | "typed",
  ): Promise<void> {
    const store = this.#store;
    const expected = this.#model.get(this.#binary(key)) ?? "absent";
    const given = this.#key(key);
    switch (form) {
      case "get":
        return this.#compare([textOf(await store.get(given))], [expected]);
      case "getSync":
        return this.#compare([textOf(store.getSync(given))], [expected]);
      case "has":
        return this.#compare([String(await store.has(given))], [String(expected !== "absent")]);
      case "hasSync":
        return this.#compare([String(store.hasSync(given))], [String(expected !== "absent")]);
      case "typed": {
        const type = expected.slice(0, expected.indexOf(" ")) as keyof typeof typedNames;
        const name = expected === "absent" ? "Int64" : typedNames[type];
        this.#compare([textOf(await store[`get${name}`](given))], [expected]);
        if (expected === "absent") return;
        const wrong = name === "Bool" ? "Bytes" : "Bool";
        return await assert.rejects(store[`get${wrong}`](given), { code: "TYPE_MISMATCH" });
      }
    }
  }

  /** The entries of the map in a range and its direction, without the limit. */
  #select(range: RangeChoice): Entry[] {
    this.#sorted ??= [...this.#model].sort(([a], [b]) => a < b ? -1 : 1);
    const { prefix, gte, gt, lte, lt, reverse } = range;
    const found = this.#sorted.filter(([key]) =>
      (prefix === undefined || key.startsWith(this.#binary(prefix))) &&
      (gte === undefined || key >= this.#binary(gte)) &&
      (gt === undefined || key > this.#binary(gt)) &&
      (lte === undefined || key <= this.#binary(lte)) &&
      (lt === undefined || key < this.#binary(lt))
    );
    return reverse ? found.reverse() : found;
  }

  #range(range: RangeChoice): Range {
    const given: Range = {};
    for (const name of ["prefix", "gte", "gt", "lte", "lt"] as const) {
      const key = range[name];
      if (key !== undefined) given[name] = this.#key(key);
    }
    if (range.reverse) given.reverse = true;
    if (range.limit !== undefined) given.limit = range.limit;
    return given;
  }

  async #scan(range: RangeChoice, form: typeof scanForms[number]): Promise<void> {
    const store = this.#store;
    const given = this.#range(range);
    const expected = this.#select(range).slice(0, range.limit);
    const keys = expected.map(([key]) => key);
    const values = expected.map(([, value]) => value);
    const both = expected.map(([key, value]) => key + value);
    const found: string[] = [];
    const entry = ([key, value]: [string | Uint8Array, Value]): string =>
      this.#binaryOf(key) + textOf(value);
    switch (form) {
      case "entries async":
        for await (const item of store.entries(given)) found.push(entry(item));
        return this.#compare(found, both);
      case "entries sync":
        for (const item of store.entries(given)) found.push(entry(item));
        return this.#compare(found, both);
      case "keys async":
        for await (const key of store.keys(given)) found.push(this.#binaryOf(key));
        return this.#compare(found, keys);
      case "keys sync":
        for (const key of store.keys(given)) found.push(this.#binaryOf(key));
        return this.#compare(found, keys);
      case "values async":
        for await (const value of store.values(given)) found.push(textOf(value));
        return this.#compare(found, values);
      case "values sync":
        for (const value of store.values(given)) found.push(textOf(value));
        return this.#compare(found, values);
      case "nextMany": {
        const cursor = store.entries(given);
        for (;;) {
          const items = await cursor.nextMany(7);
          for (const item of items) found.push(entry(item));
          if (items.length < 7) break;
        }
        return this.#compare(found, both);
      }
      case "toArray":
        return this.#compare((await store.entries(given).toArray()).map(entry), both);
      case "count":
        return this.#compare([String(await store.count(given))], [String(expected.length)]);
      case "visit":
        return await this.#visit(range);
    }
  }

  async #visit({ prefix, gte, lt, limit }: RangeChoice): Promise<void> {
    const bounds = { gt: undefined, lte: undefined, reverse: false, limit: undefined };
    const range: RangeChoice = gte !== undefined && lt !== undefined
      ? { ...bounds, prefix: undefined, gte, lt }
      : { ...bounds, prefix: prefix ?? 0, gte: undefined, lt: undefined };
    const most = Math.max(1, limit ?? Infinity);
    const expected = this.#select(range).slice(0, most).map(([key, value]) => key + value);
    const found: string[] = [];
    const visit = (key: string | Uint8Array, value: Value): boolean | void => {
      found.push(this.#binaryOf(key) + textOf(value));
      if (found.length >= most) return false;
    };
    if (range.prefix !== undefined) {
      await this.#store.scanPrefix(this.#key(range.prefix), visit);
    } else {
      await this.#store.scanRange(this.#key(range.gte!), this.#key(range.lt!), visit);
    }
    this.#compare(found, expected);
  }

  #openCursor(range: RangeChoice): void {
    if (this.#cursors.length >= 6) return;
    this.#cursors.push({
      cursor: this.#store.entries(this.#range(range)),
      range,
      entries: this.#select(range),
      at: 0,
      remaining: range.limit ?? Infinity,
      isEnded: false,
    });
  }

  #held(cursor: number): HeldCursor | undefined {
    return this.#cursors[cursor % Math.max(1, this.#cursors.length)];
  }

  async #pull(cursor: number, count: number, form: "sync" | "async" | "many"): Promise<void> {
    const held = this.#held(cursor);
    if (held === undefined) return;
    const items: [string | Uint8Array, Value][] = [];
    if (form === "sync") {
      const iterator = held.cursor[Symbol.iterator]();
      while (items.length < count) {
        const { done, value } = iterator.next();
        if (done) break;
        items.push(value);
      }
    } else if (form === "many") {
      items.push(...await held.cursor.nextMany(count));
    } else {
      // Calls that overlap.
      const iterator = held.cursor[Symbol.asyncIterator]();
      const results = await Promise.all(Array.from({ length: count }, () => iterator.next()));
      for (const { done, value } of results) if (!done) items.push(value);
    }
    const room = Math.min(count, held.remaining);
    const expected = held.isEnded ? [] : held.entries.slice(held.at, held.at + room);
    held.at += expected.length;
    held.remaining -= expected.length;
    if (expected.length < count) held.isEnded = true;
    this.#compare(
      items.map(([key, value]) => this.#binaryOf(key) + textOf(value)),
      expected.map(([key, value]) => key + value),
    );
  }

  #seek(cursor: number, key: number): void {
    const held = this.#held(cursor);
    if (held === undefined) return;
    if (held.isEnded) {
      assert.throws(() => held.cursor.seek(this.#key(key)), { code: "CLOSED" });
      return;
    }
    held.cursor.seek(this.#key(key));
    const wanted = this.#binary(key);
    const at = held.entries.findIndex(([entry]) =>
      held.range.reverse ? entry <= wanted : entry >= wanted
    );
    held.at = at < 0 ? held.entries.length : at;
  }

  async #drain(held: HeldCursor): Promise<void> {
    while (!held.isEnded) await this.#pull(this.#cursors.indexOf(held), 50, "many");
  }

  async #dropCursors(): Promise<void> {
    for (const { cursor } of this.#cursors.splice(0)) await cursor.close();
  }

  async #reopen(set: number, form: "async" | "sync"): Promise<void> {
    this.#look();
    if (set % 2 === 0) await this.#dropCursors();
    const left = this.#cursors.splice(0);
    if (form === "sync") {
      this.#store.closeSync();
      await this.#settle();
      this.#store = openSync("/model", this.#options(set));
    } else {
      await this.#store.close();
      await this.#settle();
      this.#store = await open("/model", this.#options(set));
    }
    // A cursor that is still open when its store is closed says so, and nothing else.
    for (const { cursor, isEnded } of left) {
      if (!isEnded) await assert.rejects(cursor.nextMany(1), { code: "CLOSED" });
    }
  }

  /** Goes on with a copy of the files as they are now, as after a kill: the old store is left alone. */
  async #crash(set: number, form: "async" | "sync", afterTurn: boolean): Promise<void> {
    this.#look();
    if (afterTurn) await Promise.resolve();
    const killed = this.#store;
    const underWay = this.#underWay.splice(0);
    this.#fileSystem = crashCopy(this.#fileSystem, "/model");
    await this.#dropCursors();
    await Promise.allSettled(underWay);
    await killed.close();
    const options = this.#options(set);
    this.#store = form === "sync" ? openSync("/model", options) : await open("/model", options);
    const found = new Map<string, string>();
    for (const [key, value] of this.#store.entries()) {
      found.set(this.#binaryOf(key), textOf(value));
    }
    // The state is that after some prefix of what was issued, with all that was acknowledged.
    const prefix = this.#acknowledged;
    const issued = this.#issued.splice(0);
    while (!sameMaps(found, prefix)) {
      const next = issued.shift();
      if (next === undefined) {
        assert.fail(`the recovered state, ${found.size} keys, is no prefix of the history`);
      }
      applyTo(prefix, next);
    }
    this.#model = new Map(prefix);
    this.#sorted = undefined;
  }

  #look(): void {
    const { levels } = this.#store.stats();
    this.maxTables = Math.max(this.maxTables, levels.reduce((sum, { tables }) => sum + tables, 0));
    for (const { level, tables } of levels) {
      if (tables > 0 && level > this.deepestLevel) this.deepestLevel = level;
    }
  }
}

function makeValue({ kind, seed }: ValueChoice): Value {
  return valueMakers[kind]!(seed);
}

function applyTo(map: Map<string, string>, changes: readonly [string, string | undefined][]): void {
  for (const [key, value] of changes) {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
}

function sameMaps(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

function shown(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text.slice(0, 80));
}
