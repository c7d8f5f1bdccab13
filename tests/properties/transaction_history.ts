/**
 * One random history of concurrent transactions, and its check by a serial oracle.
 *
 * Up to eight workers run transactions together with plain writes, flushes, compactions and
 * snapshots. They use the files and the time of environment.ts, so a seed decides what happens and
 * in which order. The oracle reads the order of commits from the store's own logs, where one record
 * is one commit. The file system keeps the logs that the store removes. The oracle repeats every
 * transaction on a map in that order, one after the other. Each answer of a committed attempt must
 * be the map's answer, and its writes must be one record. A transaction that only reads must fit
 * between two commits.
 */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { inspect } from "node:util";
import {
  ConflictError,
  type DeletedRange,
  type EmbeddedStore,
  type EmbeddedTransaction,
  open,
  type Options,
  type Range,
  type Value,
  type Watch,
} from "../../mod.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { expiryAt, isExpiring } from "../../src/value/expiry.ts";
import { isTombstone, ValueDecoder } from "../../src/value/value_codec.ts";
import { OPERATION_DELETE_RANGE } from "../../src/wal/log_format.ts";
import { useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { HistoryFileSystem, HistoryScheduler, hop } from "./environment.ts";

const DIRECTORY = "/transactions";
const KEYS = 10;
const FILLERS = 40;
/** A history that has not ended after this number of real turns will never end. */
const MAX_TURNS = 5000;

type Pair = [string, Value];
/** Removed keys: from the first one on, and before the second one if there is one. */
interface Removal {
  readonly gte: string;
  readonly lt: string | undefined;
}
/**
 * What one commit did to keys. Undefined means that it removed the key. The last item is the time
 * at which the value expires, if it does.
 */
type Changes = readonly (readonly [string, Value | undefined, (number | undefined)?] | Removal)[];

function isRemoval(change: Changes[number]): change is Removal {
  return "gte" in change;
}

/** The part of some changes that a watch of the keys with the prefix "k" shows. */
function touching(changes: Changes): Changes {
  return changes.flatMap((change): Changes => {
    if (!isRemoval(change)) return change[0].startsWith("k") ? [change] : [];
    const gte = change.gte < "k" ? "k" : change.gte;
    const lt = change.lt === undefined || change.lt > "l" ? "l" : change.lt;
    return gte < lt ? [{ gte, lt }] : [];
  });
}

/** One call in the body of a transaction, with its answer. */
interface Call {
  readonly name: string;
  /** Repeats the call on the map. Returns the map's answer. */
  readonly onModel: (model: Model) => unknown;
  readonly answer: unknown;
}

/** A transaction that has committed. */
interface Committed {
  readonly id: string;
  readonly calls: readonly Call[];
  readonly isReadOnly: boolean;
  /** The time at which its last attempt began, by which it judges what has expired. */
  readonly begunMs: number;
}

/** The counts of what a history contained. */
export interface HistoryFigures {
  committed: number;
  readOnly: number;
  retried: number;
  conflicts: number;
  tables: number;
}

/** The map. */
class Model {
  /** What has expired by this time does not show. */
  nowMs = 0;
  readonly #rows: Map<string, readonly [Value, number]>;

  constructor(from?: Model) {
    this.#rows = new Map(from === undefined ? [] : from.#rows);
    this.nowMs = from?.nowMs ?? 0;
  }

  get values(): ReadonlyMap<string, Value> {
    const live = [...this.#rows].filter(([, [, expiresAt]]) => expiresAt > this.nowMs);
    return new Map(live.map(([key, [value]]) => [key, value]));
  }

  /** Everything, with the times. */
  get rows(): unknown {
    return [...this.#rows].sort(([a], [b]) => a < b ? -1 : 1);
  }

  /** The time of a live value, for the changes that keep it. */
  timeOf(key: string): number | undefined {
    const expiresAt = this.values.has(key) ? this.#rows.get(key)![1] : Infinity;
    return expiresAt === Infinity ? undefined : expiresAt;
  }

  apply(changes: Changes): void {
    for (const change of changes) {
      if (isRemoval(change)) {
        const { gte, lt } = change;
        for (const key of this.#rows.keys()) {
          if (key >= gte && (lt === undefined || key < lt)) this.#rows.delete(key);
        }
        continue;
      }
      const [key, value, expiresAt = Infinity] = change;
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, [value, expiresAt]);
    }
  }

  select({ gte, lt, reverse, limit = Infinity }: Range): Pair[] {
    const found = [...this.values].filter(([key]) =>
      (gte === undefined || key >= gte) && (lt === undefined || key < lt)
    ).sort(([a], [b]) => a < b ? -1 : 1);
    return (reverse === true ? found.reverse() : found).slice(0, limit);
  }
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

/** The removal in the form of a store. */
function rangeOf({ gte, lt }: Removal): DeletedRange {
  return lt === undefined ? { gte } : { gte, lt };
}

/** A running history. */
class Run {
  readonly committed: Committed[] = [];
  readonly figures: HistoryFigures = {
    committed: 0,
    readOnly: 0,
    retried: 0,
    conflicts: 0,
    tables: 0,
  };
  readonly random: Random;
  readonly store: EmbeddedStore;
  #unique = 0;

  constructor(random: Random, store: EmbeddedStore) {
    this.random = random;
    this.store = store;
  }

  pause(): Promise<void> {
    return hop(this.random.below(12));
  }

  key(): string {
    return `k${this.random.below(KEYS)}`;
  }

  value(): Value {
    return this.random.below(4) === 0 ? `text ${++this.#unique}` : ++this.#unique;
  }

  /** A time soon, which virtual time reaches within the history, or none. */
  time(): number | undefined {
    const { random } = this;
    if (random.below(2) === 0) return undefined;
    return systemScheduler.wallMs() + random.pick([1, 10, 25, 60, 100_000]);
  }

  range(): Range {
    const { random } = this;
    const range: Range = {};
    if (random.below(3) > 0) range.gte = this.key();
    if (random.below(3) > 0) range.lt = `${this.key()}~`;
    if (random.below(2) === 0) range.reverse = true;
    if (random.below(3) === 0) range.limit = 1 + random.below(4);
    return range;
  }

  /** A range to delete: of some keys, and rarely all. */
  removal(): Removal {
    const { random } = this;
    if (random.below(12) === 0) return { gte: "", lt: undefined };
    return { gte: this.key(), lt: random.below(8) === 0 ? undefined : `${this.key()}~` };
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

  /** Makes one call of a random kind. Several calls may run at the same time. */
  async call(tx: EmbeddedTransaction, isReadOnly: boolean, calls: Call[]): Promise<void> {
    const kind = this.random.below(isReadOnly ? 6 : 15);
    if (kind !== 5) {
      const { name, onModel, start } = this.asyncCall(tx, kind);
      calls.push({ name, onModel, answer: await start() });
      return;
    }
    // Reads a cursor in part, seeks, and reads on, sometimes with a write between.
    const range = this.range();
    const target = this.key();
    const [first, second] = [1 + this.random.below(3), 1 + this.random.below(3)];
    const key = this.key();
    const value = this.value();
    const cursor = tx.entries(range);
    const answer: unknown[] = [await cursor.nextMany(first)];
    await this.pause();
    const writes = !isReadOnly && this.random.below(2) === 0;
    if (writes) await tx.put(key, value);
    cursor.seek(target);
    await this.pause();
    answer.push(await cursor.nextMany(second));
    await cursor.close();
    const onModel = (model: Model): unknown => {
      const before = new Model(model);
      const { limit = Infinity } = range;
      const shown = before.select(range).slice(0, first);
      if (writes) model.apply([[key, value]]);
      const isInside = (range.gte === undefined || target >= range.gte) &&
        (range.lt === undefined || target < range.lt);
      const { limit: _, ...unlimited } = range;
      const rest = before.select(unlimited)
        .filter(([key]) => range.reverse === true ? key <= target : key >= target);
      const left = Math.max(0, Math.min(second, limit - shown.length));
      return [shown, isInside ? rest.slice(0, left) : []];
    };
    calls.push({ name: `cursor ${JSON.stringify(range)}, seek ${target}`, onModel, answer });
  }

  asyncCall(
    tx: EmbeddedTransaction,
    kind: number,
  ): { name: string; start: () => Promise<unknown>; onModel: (model: Model) => unknown } {
    const key = this.key();
    const other = this.key();
    const value = this.value();
    const range = this.range();
    const counter = `n${this.random.below(2)}`;
    const removal = this.removal();
    const expiresAt = this.time();
    const time = expiresAt === undefined ? undefined : { expiresAt };
    const timed = (value: Value) => [key, value, expiresAt] as const;
    switch (kind) {
      case 13:
        return {
          name: `deleteRange ${JSON.stringify(removal)}`,
          start: () => tx.deleteRange(rangeOf(removal)),
          onModel: (model) => model.apply([removal]),
        };
      case 14:
        return {
          name: `batch put ${key}, deleteRange ${JSON.stringify(removal)}, put ${other}`,
          start: () =>
            tx.batch().put(key, value).deleteRange(rangeOf(removal)).put(other, value).write(),
          onModel: (model) => model.apply([[key, value], removal, [other, value]]),
        };
      case 0:
        return {
          name: `get ${key}`,
          start: () => tx.get(key),
          onModel: ({ values }) => values.get(key),
        };
      case 1:
        return {
          name: `hasMany ${key} ${other}`,
          start: () => tx.hasMany([key, other]),
          onModel: ({ values }) => [values.has(key), values.has(other)],
        };
      case 2:
        return {
          name: `getMany ${key} ${other}`,
          start: () => tx.getMany([key, other]),
          onModel: ({ values }) => [values.get(key), values.get(other)],
        };
      case 3:
        return {
          name: `count ${JSON.stringify(range)}`,
          start: () => tx.count(range),
          onModel: (model) => model.select(range).length,
        };
      case 4:
        return {
          name: `entries ${JSON.stringify(range)}`,
          start: () => tx.entries(range).toArray(),
          onModel: (model) => model.select(range),
        };
      case 6:
        return {
          name: `delete ${key}`,
          start: () => tx.delete(key),
          onModel: (model) => model.apply([[key, undefined]]),
        };
      case 7:
        return {
          name: `putIfNotExists ${key}`,
          start: () => tx.putIfNotExists(key, value, time),
          onModel(model) {
            if (model.values.has(key)) return false;
            model.apply([timed(value)]);
            return true;
          },
        };
      case 8:
        return {
          name: `increment ${counter}, twice at the same time`,
          start: async () => {
            const sums = await Promise.all([tx.increment(counter), tx.increment(counter, 10)]);
            // Either of the two may come first.
            return sums[0] > sums[1] ? sums[0] : sums[1];
          },
          onModel(model) {
            const sum = (model.values.get(counter) as bigint | undefined ?? 0n) + 11n;
            model.apply([[counter, sum, model.timeOf(counter)]]);
            return sum;
          },
        };
      case 9:
        return {
          name: `batch ${key} ${other}`,
          start: () => tx.batch().put(key, value, time).delete(other).write(),
          onModel: (model) => model.apply([timed(value), [other, undefined]]),
        };
      case 10:
        return {
          name: `update ${key}`,
          start: () => tx.update(key, (old) => old === undefined ? value : undefined, time),
          onModel(model) {
            const changed = model.values.has(key) ? undefined : value;
            model.apply([changed === undefined ? [key, undefined] : timed(changed)]);
            return changed;
          },
        };
      default:
        return {
          name: `put ${key} ${expiresAt}`,
          start: () => tx.put(key, value, time),
          onModel: (model) => model.apply([timed(value)]),
        };
    }
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

/** The commits that a watch shows until it ends. */
async function follow(watch: Watch): Promise<Changes[]> {
  const seen: Changes[] = [];
  for await (const { operations } of watch) {
    seen.push(
      operations.map((one) => {
        if (one.type === "deleteRange") {
          return { gte: String(one.range.gte ?? ""), lt: one.range.lt as string | undefined };
        }
        if (one.type === "delete") return [String(one.key), undefined];
        const { key, value, expiresAt } = one;
        return expiresAt === undefined
          ? [String(key), value]
          : [String(key), value, Number(expiresAt)];
      }),
    );
  }
  return seen;
}

/** The serial oracle. */
function judge(
  commits: readonly Changes[],
  committed: readonly Committed[],
  final: Pair[],
  endMs: number,
): void {
  const byMark = new Map(committed.map((one) => [one.id, one]));
  const states = [new Model()];
  let found = 0;
  for (const changes of commits) {
    const before = states.at(-1)!;
    const after = new Model(before);
    after.apply(changes);
    const marks = changes.map((change) => isRemoval(change) ? "" : change[0]);
    const mark = marks.find((key) => key.startsWith("~t"));
    if (mark !== undefined) {
      const transaction = byMark.get(mark);
      assert.ok(
        transaction !== undefined,
        `${mark} is in the log, and it was never said to commit`,
      );
      found++;
      const serial = new Model(before);
      serial.nowMs = transaction.begunMs;
      for (const { name, onModel, answer } of transaction.calls) {
        assert.deepEqual(answer, onModel(serial), `${mark}: ${name}`);
      }
      assert.deepEqual(after.rows, serial.rows, `what ${mark} has written`);
    }
    states.push(after);
  }
  assert.equal(
    found,
    committed.filter(({ isReadOnly }) => !isReadOnly).length,
    "commits in the log",
  );
  const last = states.at(-1)!;
  last.nowMs = endMs;
  assert.deepEqual(final, last.select({}), "the store at the end");
  for (const { id, calls, isReadOnly, begunMs } of committed) {
    if (!isReadOnly) continue;
    const fits = states.some((state) => {
      state.nowMs = begunMs;
      return calls.every((call) => isSame(call, state));
    });
    assert.ok(fits, `${id} has read what there was at no moment: ${inspect(calls)}`);
  }
}

function isSame({ answer, onModel }: Call, state: Model): boolean {
  try {
    assert.deepEqual(answer, onModel(state));
    return true;
  } catch {
    return false;
  }
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
