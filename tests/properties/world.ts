/**
 * One run of a history: the store, the map that says what it must answer, and what both have gone
 * through. The commands work on it; what is compared after every step is in inspection.ts.
 */

import assert from "node:assert/strict";
import {
  type EmbeddedCursor,
  type EmbeddedSnapshot,
  type EmbeddedStore,
  type Key,
  open,
  openSync,
  type Options,
  type Range,
  type Value,
} from "../../mod.ts";
import { Random } from "../support/random.ts";
import { HistoryFileSystem, HistoryScheduler, settled } from "./environment.ts";
import { latin1, pool, type PoolKey } from "./keys.ts";
import { optionSets } from "./option_sets.ts";
import { type Entry, type MapChange, type RangeChoice, SortedMap } from "./sorted_map.ts";
import { checkNeighbours, fillNeighbours, throughSub } from "./sub_store.ts";
import { takeText } from "./values.ts";

/** Where the store is. */
export const DIRECTORY = "/model";
/** The prefix of a sub counts. */
const MAX_SUB_KEY_BYTES = 65_000;

/** How a history is run. */
export interface WorldOptions {
  /** Index of the first set of options. */
  readonly first: number;
  /** Whether it stays in force to the end, and another set must give the same answers. */
  readonly isFixed: boolean;
  /** Whether the store reads keys as text; then all are. */
  readonly keysAsText: boolean;
  /** Whether all reads and writes go through a sub, with others beside it. */
  readonly isSub?: boolean;
  /** Whether files offer asynchronous calls. */
  readonly asyncFiles: boolean;
  /** What decides the course of everything asynchronous. */
  readonly seed: number;
}

/** A cursor that stays open over several steps. */
export interface HeldCursor {
  readonly cursor: EmbeddedCursor<[string | Uint8Array, Value]>;
  readonly range: RangeChoice;
  /** What it has to show, in its direction, without the limit. */
  readonly entries: readonly Entry[];
  at: number;
  remaining: number;
  /** Whether the last step found the end. */
  isEnded: boolean;
  /** Whether an asynchronous loop has gone through it, so that its end closes it. */
  isLooped: boolean;
  /** Whether its end has closed it. */
  isClosed: boolean;
}

/** The run. */
export class World {
  /** The answers of every step as text, for the comparison of runs under different options. */
  readonly answers: string[] = [];
  /**
   * Largest number of tables and the deepest level seen, which tell whether the run was worth it.
   */
  maxTables = 0;
  deepestLevel = 0;
  /** Keys whose value has expired while the store was open. */
  expired = 0;
  /** Cursors that stay open. */
  readonly cursors: HeldCursor[] = [];
  /** Snapshots that stay open, with what they must show. */
  readonly snapshots: { readonly snapshot: EmbeddedSnapshot; readonly model: SortedMap }[] = [];
  /** The state of the store. */
  model: SortedMap = new SortedMap();
  /** Keys of the pool that the last step changed. */
  readonly touched: number[] = [];
  /** The files. */
  files: HistoryFileSystem;
  /** The time. */
  readonly scheduler: HistoryScheduler;
  /** What decides, besides the history. */
  readonly random: Random;
  readonly options: WorldOptions;
  /** The store that was opened. */
  #opened!: EmbeddedStore;
  /** The store, or its sub. */
  #store!: EmbeddedStore;
  /** The state as of the last moment at which nothing was under way, and what was issued since. */
  #acknowledged = new SortedMap();
  #issued: (readonly MapChange[])[] = [];
  #underWay: Promise<PromiseSettledResult<void>>[] = [];

  /** Makes a run; `start` opens its store. */
  constructor(options: WorldOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.scheduler = new HistoryScheduler(new Random(options.seed ^ 0x5bd1e995));
    this.files = new HistoryFileSystem(this.random, options.asyncFiles);
  }

  /** The store. */
  get store(): EmbeddedStore {
    return this.#store;
  }

  /** Opens the store for the first time. */
  async start(): Promise<void> {
    const options = this.storeOptions(this.options.first);
    this.#use(await settled(open(DIRECTORY, options), "open"));
    if (this.options.isSub) await settled(fillNeighbours(this.#opened), "the neighbours");
  }

  /** Gives everything back, whatever has happened. */
  async dispose(): Promise<void> {
    const closing = this.#store.status === "open" ? [this.#store.close()] : [];
    await settled(Promise.allSettled([...this.abandon(), ...closing]), "the last close");
  }

  /** The options of a set, or of the first one if that is fixed. */
  storeOptions(set: number): Options {
    const index = this.options.isFixed ? this.options.first : set;
    return {
      ...optionSets[index % optionSets.length]!,
      fileSystem: this.files,
      keyEncoding: this.options.keysAsText ? "utf8" : "bytes",
    };
  }

  /** Opens the store again; it must be closed. */
  async open(set: number, form: "async" | "sync"): Promise<void> {
    const options = this.storeOptions(set);
    this.#use(
      form === "sync"
        ? openSync(DIRECTORY, options)
        : await settled(open(DIRECTORY, options), "open"),
    );
  }

  /** Requires what must hold of what is beside the sub, if the history goes through one. */
  checkNeighbours(): void {
    if (this.options.isSub) checkNeighbours(this.#opened);
  }

  #use(opened: EmbeddedStore): void {
    this.#opened = opened;
    this.#store = this.options.isSub ? throughSub(opened) : opened;
  }

  /**
   * The pool's key; a store that reads keys as text gets only keys that are, a sub none of the
   * longest.
   */
  pooled(key: number): PoolKey {
    const found = pool[key % pool.length]!;
    if (this.options.keysAsText && found.text === undefined) return pool[1]!;
    return this.options.isSub && found.bytes.length > MAX_SUB_KEY_BYTES ? pool[1]! : found;
  }

  /** A key as the model knows it. */
  binary = (key: number): string => this.pooled(key).binary;

  /** The key in one of the forms that a caller may use; its bytes are the caller's. */
  key(key: number): Key {
    const { bytes, text } = this.pooled(key);
    return text !== undefined && (this.options.keysAsText || key % 2 === 0) ? text : bytes.slice();
  }

  /** A key that the store handed out, as the model knows it. */
  binaryOf(key: string | Uint8Array): string {
    assert.equal(typeof key, this.options.keysAsText ? "string" : "object");
    if (typeof key === "string") return latin1(new TextEncoder().encode(key));
    const binary = latin1(key);
    key.fill(0x55);
    return binary;
  }

  /** An entry that the store handed out, as text. */
  entryText = ([key, value]: [string | Uint8Array, Value]): string =>
    this.binaryOf(key) + takeText(value);

  /** The time of day, by which values expire. */
  get nowMs(): number {
    return this.scheduler.wallMs();
  }

  /** Lets time pass. What expires meanwhile is gone. */
  pass(durationMs: number): void {
    this.scheduler.pass(durationMs);
    this.expired += this.model.expire(this.nowMs);
  }

  /** The text of a key's value, or "absent". */
  expected(key: number): string {
    return this.model.get(this.binary(key)) ?? "absent";
  }

  /** A range in the form of the store. */
  range(range: RangeChoice): Range {
    const given: Range = {};
    for (const name of ["prefix", "gte", "gt", "lte", "lt"] as const) {
      const key = range[name];
      if (key !== undefined) given[name] = this.key(key);
    }
    if (range.reverse) given.reverse = true;
    if (range.limit !== undefined) given.limit = range.limit;
    return given;
  }

  /** The entries of the map in a range and its direction, without the limit. */
  select(range: RangeChoice): Entry[] {
    return this.model.select(range, this.binary);
  }

  /** Requires that answers are the expected ones, and notes them. */
  compare(actual: readonly string[], expected: readonly string[]): void {
    this.require(actual, expected);
    if (!this.options.isFixed) return;
    this.answers.push(`${actual.length}:${actual.map((text) => text.slice(0, 40)).join()}`);
  }

  /** Requires that answers are the expected ones. */
  require(actual: readonly string[], expected: readonly string[]): void {
    for (let i = 0; i < Math.max(actual.length, expected.length); i++) {
      if (actual[i] !== expected[i]) {
        assert.fail(
          `answer ${i} of ${actual.length}, expected ${expected.length}: ` +
            `${shown(actual[i])}, expected ${shown(expected[i])}`,
        );
      }
    }
  }

  /** Notes that changes were issued: later reads see them. */
  apply(changes: readonly MapChange[], keys: readonly number[]): void {
    this.#issued.push(changes);
    this.model.apply(changes);
    for (const key of keys) this.touched.push(key);
  }

  /** Notes a call that is under way; that it fails is found out when it is waited for. */
  later(done: Promise<void>): void {
    this.#underWay.push(outcome(done));
  }

  /** Waits for everything that was issued. */
  async settle(): Promise<void> {
    for (const outcome of await settled(Promise.all(this.abandon()), "a call under way")) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    this.acknowledgeAll();
  }

  /** Also what is under way is safe when a later write is: the order of calls is that of writes. */
  acknowledgeAll(): void {
    for (const changes of this.#issued.splice(0)) this.#acknowledged.apply(changes);
  }

  /** The store is gone as by a kill: takes what was under way from the books, and returns it. */
  abandon(): Promise<PromiseSettledResult<void>>[] {
    return this.#underWay.splice(0);
  }

  /**
   * Requires that a recovered state is the one after some prefix of the issued writes, with all
   * acknowledged ones, and continues from it.
   */
  recover(found: SortedMap): void {
    const prefix = this.#acknowledged;
    const issued = this.#issued.splice(0);
    prefix.expire(this.nowMs);
    while (!found.equals(prefix)) {
      const next = issued.shift();
      if (next === undefined) {
        assert.fail(`the recovered state, ${found.size} keys, is no prefix of the history`);
      }
      prefix.apply(next);
      prefix.expire(this.nowMs);
    }
    this.model = new SortedMap(prefix);
  }

  /** The held cursor that a number chooses, if there is any. */
  held(cursor: number): HeldCursor | undefined {
    return this.cursors[cursor % Math.max(1, this.cursors.length)];
  }
}

async function outcome(call: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [settled] = await Promise.allSettled([call]);
  return settled;
}

function shown(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text.slice(0, 80));
}
