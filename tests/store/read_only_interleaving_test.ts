// A read-only open at every step of a writer, and with steps of the writer between all of its own.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  type EmbeddedStore,
  openSync,
  type Operation,
  type Options,
  StoreError,
} from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { reportFigure } from "../support/figures.ts";
import { crashedFiles } from "../support/go_store.ts";
import { Random } from "../support/random.ts";
import { type Playback, RecordedWriter } from "../support/recorded_writer.ts";
import { DIRECTORY } from "../support/store_files.ts";

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
/** Opens between other steps of the writer for each workload, after those at every step. */
const OPENS = Math.max(20, Math.round(250 * scale));
/** A long history is looked at here and there. */
const MAX_STEPS_LOOKED_AT = 500;
const FIRST_SEED = Number(process.env["TINYKVS_TEST_SEED"] ?? 1);

const READING: Options = { readOnly: true, keyEncoding: "bytes", blockCacheSizeBytes: 0 };
const WRITING: Options = {
  keyEncoding: "bytes",
  compression: "none",
  memtableSizeBytes: 4096,
  blockCacheSizeBytes: 0,
  l0CompactionTrigger: 2,
};

/** Key and value as text, in key order. */
function contentOf(store: EmbeddedStore): string {
  let content = "";
  for (const [key, value] of store.entries() as Iterable<[Uint8Array, unknown]>) {
    const shown = value instanceof Uint8Array
      ? Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")
      : typeof value === "object"
      ? inspect(value)
      : String(value);
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
    content += `${name}=${typeof value} ${shown}\n`;
  }
  return content;
}

/** A store with a history that can be checked: the states after each of its writes. */
class CheckedWriter {
  readonly recorded: RecordedWriter;
  readonly random: Random;
  /** The content of the store after each number of writes. */
  readonly states: string[];
  readonly #options: Options;
  /** The same writes without a crash or a file. */
  readonly #model: EmbeddedStore;
  #store: EmbeddedStore | undefined;

  constructor(start: CloneableFileSystem, random: Random, options: Options) {
    this.random = random;
    this.#options = { ...WRITING, ...options };
    this.recorded = new RecordedWriter(start, random);
    const fileSystem = start.clone();
    this.#model = openSync(DIRECTORY, { ...WRITING, memtableSizeBytes: 2 ** 24, fileSystem });
    this.states = [contentOf(this.#model)];
  }

  get store(): EmbeddedStore {
    return this.#store!;
  }

  open(): void {
    this.#store = openSync(DIRECTORY, {
      ...this.#options,
      fileSystem: this.recorded.fileSystem,
    });
  }

  async close(): Promise<void> {
    await this.#store!.close();
  }

  kill(): void {
    this.recorded.kill();
  }

  /** A batch whose keys all get its number, with values of `valueBytes` each. */
  async batch(valueBytes: number): Promise<void> {
    const write = this.#begin(this.#operations(valueBytes));
    await this.store.write(write.operations);
    this.recorded.acknowledged(write.number);
  }

  /** Some batches of one turn, which are acknowledged later. */
  async batches(count: number, valueBytes: number): Promise<void> {
    const calls = Array.from({ length: count }, () => {
      const write = this.#begin(this.#operations(valueBytes));
      return this.store.write(write.operations).then(() =>
        this.recorded.acknowledged(write.number)
      );
    });
    await Promise.all(calls);
  }

  batchSync(valueBytes: number): void {
    const write = this.#begin(this.#operations(valueBytes));
    this.store.writeSync(write.operations);
    this.recorded.acknowledged(write.number);
  }

  finish(): void {
    this.#model.closeSync();
  }

  #begin(operations: Operation[]): { number: number; operations: Operation[] } {
    const number = this.states.length;
    this.#model.writeSync(operations);
    this.states.push(contentOf(this.#model));
    this.recorded.issued(number);
    return { number, operations };
  }

  #operations(valueBytes: number): Operation[] {
    const { random } = this;
    const number = this.states.length;
    const operations: Operation[] = [
      { type: "put", key: "first", value: BigInt(number) },
      { type: "put", key: "last", value: BigInt(number) },
    ];
    for (let i = 1 + random.below(4); i > 0; i--) {
      const key = `key ${random.below(40)}`;
      if (random.below(4) === 0) operations.push({ type: "delete", key });
      else operations.push({ type: "put", key, value: `${number} `.padEnd(valueBytes, ".") });
    }
    return operations;
  }
}

/** An open has at most this number of operations before its second look. */
const FIRST_OPERATIONS = 12;

/** How many steps the writer may do ahead of an operation of the reader. */
const PACES: readonly (readonly number[])[] = [
  [0, 1],
  [0, 0, 0, 1, 3],
  [0, 0, 7],
  [1, 2, 30],
  [0, 0, 0, 200],
];

interface Workload {
  readonly title: string;
  readonly start?: () => CloneableFileSystem;
  readonly options?: Options;
  /** Part of the opens that others get, for one whose content is large. */
  readonly part?: number;
  readonly script: (writer: CheckedWriter) => Promise<void>;
}

const workloads: readonly Workload[] = [
  {
    title: "a writer that flushes, compacts and deletes",
    script: async (writer) => {
      writer.open();
      for (let i = 0; i < 90; i++) {
        writer.batchSync(150);
        if (i % 30 === 29) await writer.store.compact();
      }
      await writer.close();
    },
  },
  {
    title: "a writer whose logs are extended ahead of small writes",
    options: { memtableSizeBytes: 64 * 1024, walSync: "write" },
    script: async (writer) => {
      writer.open();
      for (let i = 0; i < 25; i++) await writer.batches(1 + writer.random.below(4), 20);
      await writer.store.flush();
      for (let i = 0; i < 15; i++) await writer.batch(30);
      await writer.close();
    },
  },
  {
    title: "a writer that is killed, recovers, closes and opens again",
    script: async (writer) => {
      for (let round = 0; round < 8; round++) {
        writer.open();
        for (let i = writer.random.below(30); i >= 0; i--) writer.batchSync(120);
        // More than one memtable has entries that are in no table: the recovery deletes several
        // logs.
        await writer.batches(6, 1500);
        if (round % 2 === 0) await writer.close();
        else writer.kill();
      }
      writer.open();
      await writer.close();
    },
  },
  {
    title: "a writer that takes a store of the Go program over",
    start: () => crashedFiles({ store: "v0.4.0-zstd-crash", log: "wal.bin" }),
    options: { memtableSizeBytes: 16 * 1024 },
    part: 0.25,
    script: async (writer) => {
      writer.open();
      for (let i = 0; i < 40; i++) writer.batchSync(200);
      await writer.store.compact();
      await writer.batch(10);
      await writer.close();
    },
  },
  {
    // That takes 64 KiB of edits.
    title: "a writer that rewrites its manifest",
    options: { l0CompactionTrigger: 1000 },
    script: async (writer) => {
      writer.open();
      for (let i = 0; i < 420; i++) {
        writer.batchSync(1600);
        if (i % 60 === 59) await writer.store.compact();
      }
      await writer.close();
    },
  },
];

async function record(workload: Workload, seed: number): Promise<CheckedWriter> {
  const start = workload.start?.() ?? emptyDirectory();
  const writer = new CheckedWriter(start, new Random(seed), workload.options ?? {});
  await workload.script(writer);
  writer.finish();
  return writer;
}

function emptyDirectory(): CloneableFileSystem {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  return fileSystem;
}

/** What a pass has met, so that a test can tell that it met it. */
interface Met {
  opens: number;
  /** Opens that had to begin again. */
  again: number;
  /** Opens that found no store, before there was one. */
  early: number;
  /** Opens that gave up because of the writer. */
  gaveUp: number;
}

/**
 * Opens the store once, with `pace` steps of the writer before each operation, and checks what it
 * shows.
 */
function openAndCheck(
  writer: CheckedWriter,
  playback: Playback,
  pace: () => number,
  met: Met,
): { store: EmbeddedStore; content: string } | undefined {
  const { fileSystem } = playback;
  const acknowledged = playback.acknowledged;
  const begun = playback.position;
  let looks = 0;
  fileSystem.before = (operation, path) => {
    if (operation === "stat" && path.endsWith("/CURRENT")) looks++;
    playback.advance(pace());
  };
  fileSystem.after = (operation, path) => assert.fail(`a reader did: ${operation} ${path}`);
  met.opens++;
  try {
    const store = openSync(DIRECTORY, { ...READING, fileSystem });
    const content = contentOf(store);
    // Two looks are one try.
    if (looks > 2) met.again++;
    const first = store.getSync("first");
    const write = typeof first === "bigint" ? Number(first) : 0;
    const where = `begun at step ${begun}, at ${playback.position} now`;
    const allowed = `from ${acknowledged} to ${playback.issued}`;
    assert.ok(
      write >= acknowledged && write <= playback.issued,
      `${where}: write ${write} is the last that is shown, expected one ${allowed}`,
    );
    assert.ok(writer.states[write] === content, `${where}: the state after ${write} is not whole`);
    return { store, content };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "NOT_A_STORE" && acknowledged === 0) met.early++;
    else if (error.code === "SNAPSHOT_GONE") met.gaveUp++;
    else {
      throw new Error(
        `begun at step ${begun}, at ${playback.position} now: ${error.message}`,
        { cause: error },
      );
    }
    return undefined;
  } finally {
    fileSystem.before = undefined;
    fileSystem.after = undefined;
  }
}

/** One pass over all steps. Some handles stay open and are read again at the end. */
function pass(writer: CheckedWriter, stride: () => number, pace: () => number, met: Met): void {
  const playback = writer.recorded.play();
  const kept: { store: EmbeddedStore; content: string }[] = [];
  for (;;) {
    const opened = openAndCheck(writer, playback, pace, met);
    if (opened !== undefined) {
      if (met.opens % 40 === 0) kept.push(opened);
      else opened.store.closeSync();
    }
    if (playback.isOver) break;
    playback.advance(stride());
  }
  const last = openAndCheck(writer, playback, () => 0, met);
  assert.equal(last?.content, writer.states.at(-1));
  last!.store.closeSync();
  for (const { store, content } of kept) {
    assert.equal(contentOf(store), content, "a state changed while it was open");
    store.closeSync();
  }
  // Those of the writers that were killed are never closed.
  const left = playback.fileSystem.openHandles;
  playback.fileSystem.before = undefined;
  assert.ok(left <= playback.position, `${left} handles`);
}

/**
 * Lets the writer make all steps that end with a removal of a file before one operation of an open:
 * between two removals a directory is emptiest.
 */
function passOfRemovals(writer: CheckedWriter, random: Random, met: Met): void {
  const playback = writer.recorded.play();
  for (const end of playback.removals) {
    // Not for each: it is between two of several that come at once that things are missing.
    if (random.below(3) > 0) continue;
    playback.advance(Math.max(0, end - 1 - random.below(50) - playback.position));
    let left = random.below(FIRST_OPERATIONS);
    const jump = (): number => left-- === 0 ? end - playback.position : 0;
    openAndCheck(writer, playback, jump, met)?.store.closeSync();
  }
}

/**
 * Lets the writer reach each state in which one thing is deleted and another not yet, before each
 * operation.
 */
function passOfHalfDeleted(writer: CheckedWriter, met: Met): void {
  for (const { start, end } of writer.recorded.play().halfDeleted.slice(0, 12)) {
    for (let operation = 0; operation < FIRST_OPERATIONS; operation++) {
      const playback = writer.recorded.play();
      playback.advance(start);
      let left = operation;
      const jump = (): number => left-- === 0 ? end - playback.position : 0;
      openAndCheck(writer, playback, jump, met)?.store.closeSync();
    }
  }
}

function nothingMet(): Met {
  return { opens: 0, again: 0, early: 0, gaveUp: 0 };
}

for (const workload of workloads) {
  test(`A read-only open at any step of ${workload.title} shows a whole state of that moment`, async () => {
    const every = nothingMet();
    const between = nothingMet();
    const removing = nothingMet();
    const { part = 1 } = workload;
    for (let seed = FIRST_SEED; between.opens < OPENS * part; seed++) {
      try {
        const random = new Random(seed);
        const writer = await record(workload, seed);
        const stride = Math.ceil(writer.recorded.length / (MAX_STEPS_LOOKED_AT * part));
        if (seed === FIRST_SEED) pass(writer, () => stride, () => 0, every);
        for (const paces of PACES) {
          pass(writer, () => random.below(2 * stride + 4), () => random.pick(paces), between);
        }
        for (let i = 0; i < 9; i++) passOfRemovals(writer, random, removing);
        if (seed === FIRST_SEED) passOfHalfDeleted(writer, removing);
      } catch (error) {
        const repeat = `TINYKVS_TEST_SEED=${seed} npm test -- --filter read_only_interleaving`;
        throw new Error(`seed ${seed} (repeat: ${repeat}): ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    assert.equal(every.again + every.gaveUp, 0, "nobody came in between");
    assert.ok(every.opens > 200 * part, `${every.opens} opens`);
    assert.ok(between.again > between.opens / 50, `${between.again} began again`);
    assert.ok(between.gaveUp <= between.opens / 50, `${between.gaveUp} gave up`);
    reportFigure("read only opens", every.opens + between.opens + removing.opens);
  });
}
