/**
 * One random history of concurrent transactions, and its check by a serial oracle.
 *
 * Up to eight workers run transactions together with plain writes, flushes, compactions and
 * snapshots. They use the files and the time of environment.ts, so a seed decides what happens and
 * in which order. The oracle (transaction_oracle.ts) gets the order of commits from the store's own
 * logs, where one record is one commit. The file system keeps the logs that the store removes.
 */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import {
  ConflictError,
  type EmbeddedStore,
  type EmbeddedTransaction,
  open,
  type Options,
} from "../../mod.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { expiryAt, isExpiring } from "../../src/value/expiry.ts";
import { isTombstone, ValueDecoder } from "../../src/value/value_codec.ts";
import { OPERATION_DELETE_RANGE } from "../../src/wal/log_format.ts";
import { useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { HistoryFileSystem, HistoryScheduler, hop } from "./environment.ts";
import {
  type Call,
  type Changes,
  type Committed,
  follow,
  judge,
  type Pair,
  RandomCalls,
  rangeOf,
  touching,
} from "./transaction_oracle.ts";

const DIRECTORY = "/transactions";
const FILLERS = 40;
/** A history that has not ended after this number of real turns will never end. */
const MAX_TURNS = 5000;

/** The counts of what a history contained. */
export interface HistoryFigures {
  committed: number;
  readOnly: number;
  retried: number;
  conflicts: number;
  tables: number;
}

/** Keeps the logs that the store removes: their records are the order of commits. */
class RecordingFiles extends HistoryFileSystem {
  readonly commits = new Map<number, Changes>();

  override removeSync(path: string): void {
    if (path.endsWith(".wal")) this.#read(this.content(path));
    super.removeSync(path);
  }

  /** Every commit, in order. */
  inOrder(): Changes[] {
    return [...this.commits].sort(([a], [b]) => a - b).map(([, changes]) => changes);
  }

  #read(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer);
    const decoder = new ValueDecoder({ int64: "bigint" });
    // After the header of the log come records: 40 bytes of header and a payload. Zeros or the end
    // record end them.
    for (let at = 32; at + 40 <= bytes.length && bytes[at + 36] === 1;) {
      const changes: Changes[number][] = [];
      const end = at + 40 + view.getUint32(at + 8, true);
      for (let entry = at + 40; entry < end;) {
        const keyEnd = entry + 5 + view.getUint32(entry + 1, true);
        const valueEnd = keyEnd + 4 + view.getUint32(keyEnd, true);
        const key = new TextDecoder().decode(bytes.subarray(entry + 5, keyEnd));
        if (bytes[entry] === OPERATION_DELETE_RANGE) {
          const lt = bytes[keyEnd + 4] === 0 ? undefined : bytes.subarray(keyEnd + 5, valueEnd);
          changes.push({ gte: key, lt: lt && new TextDecoder().decode(lt) });
          entry = valueEnd;
          continue;
        }
        const start = keyEnd + 4;
        const isDead = isTombstone(bytes, start);
        const value = isDead ? undefined : decoder.decode(bytes, view, start, valueEnd);
        if (isExpiring(bytes, start)) changes.push([key, value, expiryAt(view, start)]);
        else changes.push([key, value]);
        entry = valueEnd;
      }
      this.commits.set(view.getUint32(at + 16, true), changes);
      at = end;
    }
  }
}

/** A running history. */
class Run extends RandomCalls {
  readonly committed: Committed[] = [];
  readonly figures: HistoryFigures = {
    committed: 0,
    readOnly: 0,
    retried: 0,
    conflicts: 0,
    tables: 0,
  };
  readonly store: EmbeddedStore;

  constructor(random: Random, store: EmbeddedStore) {
    super(random);
    this.store = store;
  }

  override pause(): Promise<void> {
    return hop(this.random.below(12));
  }

  /** A time soon, which virtual time reaches within the history, or none. */
  override time(): number | undefined {
    const { random } = this;
    if (random.below(2) === 0) return undefined;
    return systemScheduler.wallMs() + random.pick([1, 10, 25, 60, 100_000]);
  }

  /** Runs transactions one after the other. */
  async work(worker: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.pause();
      await this.transaction(`~t${worker}.${i}`);
    }
  }

  async transaction(id: string): Promise<void> {
    const { random, figures } = this;
    const isReadOnly = random.below(6) === 0;
    const isSync = random.below(6) === 0;
    const length = 1 + random.below(6);
    let calls: Call[] = [];
    let attempts = 0;
    let begunMs = 0;
    try {
      if (isSync) {
        this.store.transactionSync((tx) => {
          attempts = tx.attempt;
          begunMs = systemScheduler.wallMs();
          for (let i = 0; i < length; i++) calls.push(this.callSync(tx, isReadOnly));
          if (!isReadOnly) tx.putSync(id, 1);
        });
      } else {
        await this.store.transaction(async (tx) => {
          attempts = tx.attempt;
          begunMs = systemScheduler.wallMs();
          calls = [];
          for (let i = 0; i < length; i++) {
            await this.pause();
            await this.call(tx, isReadOnly, calls);
          }
          if (!isReadOnly) await tx.put(id, 1);
          await this.pause();
        }, { retries: 3 });
      }
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      figures.conflicts++;
      return;
    }
    if (attempts > 1) figures.retried++;
    if (isReadOnly) figures.readOnly++;
    else figures.committed++;
    if (!isReadOnly) {
      calls.push({
        name: "mark",
        answer: undefined,
        onModel: (model) => model.apply([[id, 1]]),
      });
    }
    this.committed.push({ id, calls, isReadOnly, begunMs });
  }

  callSync(tx: EmbeddedTransaction, isReadOnly: boolean): Call {
    const key = this.key();
    const value = this.value();
    const range = this.range();
    const removal = this.removal();
    switch (this.random.below(isReadOnly ? 3 : 7)) {
      case 6:
        tx.deleteRangeSync(rangeOf(removal));
        return {
          name: `deleteRangeSync ${JSON.stringify(removal)}`,
          answer: undefined,
          onModel: (model) => model.apply([removal]),
        };
      case 0:
        return {
          name: `getSync ${key}`,
          answer: tx.getSync(key),
          onModel: ({ values }) => values.get(key),
        };
      case 1:
        return {
          name: `entries ${JSON.stringify(range)}`,
          answer: [...tx.entries(range)],
          onModel: (model) => model.select(range),
        };
      case 2:
        return {
          name: `countSync ${JSON.stringify(range)}`,
          answer: tx.countSync(range),
          onModel: (model) => model.select(range).length,
        };
      case 3:
        return {
          name: `deleteIfExistsSync ${key}`,
          answer: tx.deleteIfExistsSync(key),
          onModel(model) {
            const isThere = model.values.has(key);
            if (isThere) model.apply([[key, undefined]]);
            return isThere;
          },
        };
      default: {
        const expiresAt = this.time();
        tx.putSync(key, value, expiresAt === undefined ? undefined : { expiresAt });
        return {
          name: `putSync ${key} ${expiresAt}`,
          answer: undefined,
          onModel: (model) => model.apply([[key, value, expiresAt]]),
        };
      }
    }
  }

  /** Plain writes, flushes, compactions and snapshots, at the same time as the transactions. */
  async beside(count: number): Promise<void> {
    const { random, store, figures } = this;
    for (let i = 0; i < count; i++) {
      await this.pause();
      switch (random.below(10)) {
        case 8:
          await store.deleteRange(rangeOf(this.removal()));
          break;
        case 9:
          await store.batch().deleteRange(rangeOf(this.removal())).put(this.key(), this.value())
            .write();
          break;
        case 0:
          await store.put(this.key(), this.value(), { ttlMs: random.pick([5, 50, Infinity]) });
          break;
        case 1:
          await store.batch().put(this.key(), this.value()).delete(this.key()).write();
          break;
        case 2:
          await store.increment(`n${random.below(2)}`, 100, random.pick([{ ttlMs: 40 }, {}]));
          break;
        case 3:
          // More than a memtable, so the memtables that a transaction started with are flushed.
          await store.put(`~filler${random.below(FILLERS)}`, "x".repeat(3000));
          break;
        case 4:
          await store.compact();
          break;
        case 5: {
          using snapshot = store.snapshot();
          const before = await snapshot.count();
          await this.pause();
          assert.equal(await snapshot.count(), before, "a snapshot has changed");
          break;
        }
        default:
          await store.flush();
      }
      const tables = store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
      figures.tables = Math.max(figures.tables, tables);
    }
  }
}

/**
 * Runs the history of a seed and checks it. Throws at the first answer that no serial order allows.
 */
export async function runTransactionHistory(seed: number): Promise<HistoryFigures> {
  const random = new Random(seed);
  const scheduler = new HistoryScheduler(new Random(seed ^ 0x5bd1e995));
  const files = new RecordingFiles(random, random.below(2) === 0);
  const restore = useScheduler(scheduler);
  try {
    return await driven(scheduler, judged(random, files));
  } finally {
    restore();
  }
}

async function judged(random: Random, files: RecordingFiles): Promise<HistoryFigures> {
  const options: Options = {
    memtableSizeBytes: random.pick([4096, 16384, 65536]),
    blockSizeBytes: 256,
    blockCacheSizeBytes: random.pick([0, 3000, 100_000]),
    compression: "none",
    l0CompactionTrigger: 2,
    walSync: random.pick(["batch", "write", "none"]),
  };
  const store = await open(DIRECTORY, { ...options, fileSystem: files });
  const run = new Run(random, store);
  for (let i = 0; i < 6; i++) await store.put(run.key(), run.value());
  if (random.below(2) === 0) await store.flush();
  const watches = [store.watch(), store.watch({ prefix: "k" })].map(follow);
  const workers = 2 + random.below(7);
  const work = Array.from({ length: workers }, (_, i) => run.work(i, 1 + random.below(3)));
  await Promise.all([...work, run.beside(2 + random.below(8))]);
  const endMs = systemScheduler.wallMs();
  const final = await store.entries().toArray() as Pair[];
  await store.close();
  const commits = files.inOrder();
  judge(commits, run.committed, final, endMs);
  // A watch must show every commit since its start, or what the commit did to the range.
  const [all, some] = await Promise.all(watches) as [Changes[], Changes[]];
  assert.deepEqual(all, commits.slice(commits.length - all.length), "what a watch has shown");
  assert.ok(all.length >= run.committed.filter(({ isReadOnly }) => !isReadOnly).length);
  const expected = all.map(touching).filter(({ length }) => length > 0);
  assert.deepEqual(some, expected, "what a watch has shown");
  assert.deepEqual(files.violations, []);
  return run.figures;
}

/** Advances virtual time until the history has ended. */
async function driven<T>(scheduler: HistoryScheduler, history: Promise<T>): Promise<T> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  history.then(note, note);
  for (let turn = 0; turn < MAX_TURNS && !isSettled; turn++) {
    await hop(16);
    scheduler.pass(10);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  if (!isSettled) throw new Error("the history never ends");
  return await history;
}
