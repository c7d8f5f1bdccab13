/**
 * The writes of one handle, in the order of the calls. One statement is under way at a time; what
 * is issued meanwhile goes into the next one. So writes of one turn share a round trip, and the
 * more writers wait, the more each statement carries.
 */

import { ClosedError } from "@tinykvs/core/contract";
import type { Backend } from "./backend.ts";
import { failureOf, OutcomeUnknownError, PostgresError, shownError, sqlStateOf } from "./errors.ts";
import { type Change, covers, type KeyChange, type RangeChange, sizeOf } from "./operations.ts";
import { Patience } from "./pool.ts";
import { writeParameters, type WriteRequest } from "./write_request.ts";

/** The most bytes and operations of one statement, unless a single write has more. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_CHANGES = 20_000;

/** Something that was read has changed. */
export const CONFLICT: unique symbol = Symbol("conflict");

/** What is stored for a key. */
export interface Stored {
  /** The encoded value. */
  readonly value: Uint8Array;
  readonly version: string;
  /** In ms since 1970; Infinity for never. */
  readonly expiresAt: number;
}

interface Job {
  readonly changes: readonly Change[];
  /** Instead of `changes`: what to do depends on what is stored. Undefined means nothing. */
  readonly modify?: (old: Stored | undefined) => KeyChange | undefined;
  readonly key?: Uint8Array;
  /** The commit of a transaction. */
  readonly request?: WriteRequest;
  /** Something else at this place of the order. */
  readonly run?: () => Promise<void>;
  readonly ids: readonly string[];
  readonly sync: boolean;
  readonly settled: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

/** The queue. */
export class Lane {
  readonly #backend: Backend;
  #jobs: Job[] = [];
  #isRunning = false;
  #isClosed = false;
  #batch = 0;
  /** Whether the server said that somebody watches. */
  #isWatched = false;
  /** For each key, or "" for ranges, the last write that has not ended. */
  readonly #pending = new Map<string, Job>();
  #lastOfAll: Job | undefined;
  /** Called after each statement with its number in the log, before its writes resolve. */
  onCommit: ((seq: bigint) => Promise<void>) | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Adds a commit of these operations. */
  write(changes: readonly Change[], sync: boolean): Promise<void> {
    return this.#add({ changes, sync, ids: idsOf(changes) });
  }

  /** Adds a commit that depends on what is stored. `modify` may be called several times. */
  modify(
    key: Uint8Array,
    id: string,
    modify: (old: Stored | undefined) => KeyChange | undefined,
    sync: boolean,
  ): Promise<void> {
    return this.#add({ changes: [], modify, key, sync, ids: [id] });
  }

  /** Adds the commit of a transaction. Rejects with CONFLICT if something that it read changed. */
  commit(request: WriteRequest): Promise<void> {
    const [changes = []] = request.commits;
    return this.#add({
      changes: [],
      request,
      sync: request.sync,
      ids: idsOf(changes),
    });
  }

  /** Runs something after all earlier writes and before all later ones. */
  barrier(run: () => Promise<void>): Promise<void> {
    return this.#add({ changes: [], run, sync: false, ids: [] });
  }

  /** What to wait for before keys are read, so that earlier writes are seen. */
  before(ids: Iterable<string>): Promise<void> | undefined {
    if (this.#pending.size === 0) return undefined;
    const found = new Set<Promise<void>>();
    // A range may have been deleted before or after the last write of the key.
    const range = this.#pending.get("*");
    if (range !== undefined) found.add(range.settled);
    for (const id of ids) {
      const job = this.#pending.get(`=${id}`);
      if (job !== undefined) found.add(job.settled);
    }
    return found.size === 0 ? undefined : Promise.all(found).then(() => {});
  }

  /** What to wait for before everything is read. */
  async beforeAll(): Promise<void> {
    await this.#lastOfAll?.settled;
  }

  /** Whether no write is under way. */
  get isIdle(): boolean {
    return this.#lastOfAll === undefined;
  }

  /** Refuses new writes. Resolves when the others have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lastOfAll?.settled;
  }

  #add(given: Omit<Job, "resolve" | "reject" | "settled">): Promise<void> {
    if (this.#isClosed) return Promise.reject(new ClosedError("store"));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settled = promise.then(() => {}, () => {});
    const job: Job = { ...given, resolve, reject, settled };
    this.#jobs.push(job);
    this.#lastOfAll = job;
    for (const id of job.ids) {
      this.#pending.set(id === "*" ? id : `=${id}`, job);
    }
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Not at once: other writes of this turn come along.
      queueMicrotask(() => this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    while (this.#jobs.length > 0) {
      const jobs = this.#take();
      try {
        const [first] = jobs;
        if (first!.run !== undefined) {
          const runs = jobs.map(async (job) => {
            try {
              await job.run!();
              // Not together with the others: they may wait for what this one gives back.
              job.resolve();
            } catch (error) {
              job.reject(error);
            }
          });
          await Promise.all(runs);
        } else if (first!.request !== undefined) {
          await this.#send(first!.request);
        } else await this.#writeAll(jobs);
        for (const job of jobs) job.resolve();
      } catch (error) {
        for (const job of jobs) job.reject(error);
      }
      for (const job of jobs) this.#forget(job);
    }
    this.#isRunning = false;
  }

  #forget(job: Job): void {
    for (const id of job.ids) {
      const name = id === "*" ? id : `=${id}`;
      if (this.#pending.get(name) === job) this.#pending.delete(name);
    }
    if (this.#lastOfAll === job) this.#lastOfAll = undefined;
  }

  /** The next jobs that one statement can do. */
  #take(): Job[] {
    let bytes = 0;
    let changes = 0;
    let count = 0;
    for (const job of this.#jobs) {
      // Barriers read, so those that follow each other run at the same time.
      if ((job.run !== undefined) !== (this.#jobs[0]!.run !== undefined)) break;
      const isAlone = job.request !== undefined;
      if (isAlone && count > 0) break;
      for (const change of job.changes) bytes += sizeOf(change);
      changes += Math.max(1, job.changes.length);
      if (count > 0 && (bytes > MAX_BYTES || changes > MAX_CHANGES)) break;
      count++;
      if (isAlone) break;
    }
    return this.#jobs.splice(0, count);
  }

  /** Plain and conditional writes. A job whose function throws is rejected, the others go on. */
  async #writeAll(jobs: readonly Job[]): Promise<void> {
    const keys = new Map<string, Uint8Array>();
    for (const { modify, ids, key } of jobs) {
      if (modify !== undefined) keys.set(ids[0]!, key!);
    }
    const sync = jobs.some((job) => job.sync);
    const patience = new Patience(Infinity);
    for (;;) {
      const base = keys.size === 0 ? undefined : await this.#backend.stored([...keys.values()]);
      const plan = new Plan(base ?? new Map());
      const failed: [Job, unknown][] = [];
      for (const job of jobs) {
        try {
          if (job.modify === undefined) plan.apply(job.changes);
          else {
            const change = job.modify(
              plan.read(job.ids[0]!, job.key!, this.#backend.now()),
            );
            if (change !== undefined) plan.apply([change]);
          }
        } catch (error) {
          failed.push([job, error]);
        }
      }
      const commits = plan.commits.filter((changes) => changes.length > 0);
      const request = {
        commits,
        expected: plan.expected(keys),
        reads: [],
        scans: [],
        time: 0,
        sync,
      };
      try {
        if (commits.length > 0) await this.#send(request);
      } catch (error) {
        if (error !== CONFLICT) throw error;
        await patience.wait();
        continue;
      }
      for (const [job, error] of failed) job.reject(error);
      return;
    }
  }

  /**
   * Sends a write until its outcome is known. The number of the batch lets the server tell a
   * repetition, so it is applied once.
   */
  async #send(request: WriteRequest): Promise<void> {
    const { pool, statements, session, outcomeMs } = this.#backend;
    const batch = ++this.#batch;
    const parameters = (): ReturnType<typeof writeParameters> =>
      writeParameters(request, session, batch, this.#isWatched);
    let given = parameters();
    let lost: unknown;
    const patience = new Patience(outcomeMs);
    for (;;) {
      try {
        const connection = await pool.acquire();
        let isSent = true;
        try {
          const [row] = await pool.queryOn(connection, statements.write, given);
          this.#isWatched = row![2] === true;
          if (row![0] === 0) {
            if (this.#isWatched) {
              await this.onCommit?.(BigInt(row![1] as string));
            }
            return;
          }
          given = parameters();
          continue;
        } catch (error) {
          isSent = failureOf(error).kind === "lost";
          if (isSent) lost ??= error;
          throw error;
        } finally {
          pool.release(connection);
        }
      } catch (error) {
        if (sqlStateOf(error) === "TK409") throw CONFLICT;
        const isFinal = error instanceof PostgresError ||
          failureOf(error).kind === "refused";
        const mayTryAgain = !isFinal &&
          (session !== null || lost === undefined);
        if (mayTryAgain && await patience.wait()) continue;
        throw lost === undefined ? shownError("write", error) : new OutcomeUnknownError(lost);
      }
    }
  }
}

/** The effects of a number of jobs, one after the other. */
class Plan {
  readonly commits: (readonly Change[])[] = [];
  readonly #base: ReadonlyMap<string, Stored>;
  readonly #written = new Map<string, KeyChange>();
  readonly #ranges: RangeChange[] = [];
  /** Keys whose stored value decided something. */
  readonly #read = new Set<string>();

  constructor(base: ReadonlyMap<string, Stored>) {
    this.#base = base;
  }

  apply(changes: readonly Change[]): void {
    this.commits.push(changes);
    for (const change of changes) {
      if ("id" in change) this.#written.set(change.id, change);
      else {
        this.#ranges.push(change);
        for (const [id, { key }] of this.#written) {
          if (covers(change, key)) this.#written.delete(id);
        }
      }
    }
  }

  read(id: string, key: Uint8Array, now: number): Stored | undefined {
    const written = this.#written.get(id);
    let found: Stored | undefined;
    if (written !== undefined) {
      const { value, expiresAt } = written;
      found = value && { value, version: "", expiresAt };
    } else if (!this.#ranges.some((range) => covers(range, key))) {
      this.#read.add(id);
      found = this.#base.get(id);
    }
    return found !== undefined && found.expiresAt <= now ? undefined : found;
  }

  expected(
    keys: ReadonlyMap<string, Uint8Array>,
  ): { key: Uint8Array; version: string }[] {
    return [...this.#read].filter((id) => this.#written.has(id)).map((id) => ({
      key: keys.get(id)!,
      version: this.#base.get(id)?.version ?? "0",
    }));
  }
}

function idsOf(changes: readonly Change[]): string[] {
  return changes.map((change) => "id" in change ? change.id : "*");
}
