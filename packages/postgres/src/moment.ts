/**
 * One moment of the table, which snapshots, cursors and transactions read: a transaction of the
 * server that is held open on a connection of its own. It begins when somebody reads, and before
 * the next write of the handle at the latest. All who were made until then share it. Other handles
 * remove entries some time after their expiry, so it does not wait for longer than half of that.
 */

import { StoreError } from "@tinykvs/core/contract";
import type { Backend } from "./backend.ts";
import type { Connection, Parameter, Row, Statement } from "./driver.ts";
import { failureOf, PostgresError, shownError } from "./errors.ts";
import type { Lane } from "./lane.ts";
import { Patience } from "./pool.ts";

const BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

/** Hands out the moment that has not begun yet. */
export class Moments {
  readonly #backend: Backend;
  readonly #lane: Lane;
  readonly #all = new Set<Moment>();
  #next: Moment | undefined;

  constructor(backend: Backend, lane: Lane) {
    this.#backend = backend;
    this.#lane = lane;
  }

  /** A moment between now and its first read. The caller retains it at once, or not at all. */
  take(): Moment {
    if (this.#next === undefined || this.#next.isOver) {
      const moment: Moment = new Moment(this.#backend, this.#lane, {
        onBegin: () => {
          if (this.#next === moment) this.#next = undefined;
        },
        onEnd: () => this.#all.delete(moment),
      });
      this.#next = moment;
      this.#all.add(moment);
    }
    return this.#next;
  }

  /** Called before a write: those who were made until now must not see it. */
  fix(): void {
    this.#next?.fix().catch(() => {});
  }

  /** As `fix`, and waits until they cannot see what is written from now on. */
  async fixed(): Promise<void> {
    await this.#next?.fix().catch(() => {});
  }

  /** Ends all moments. */
  close(): void {
    for (const moment of [...this.#all]) moment.end();
  }
}

/** The moment. */
export class Moment {
  readonly #backend: Backend;
  readonly #lane: Lane;
  readonly #events: { onBegin(): void; onEnd(): void };
  #users = 0;
  #fixed: Promise<void> | undefined;
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #gone: StoreError | undefined;
  #isOver = false;
  #isLost = false;

  constructor(
    backend: Backend,
    lane: Lane,
    events: { onBegin(): void; onEnd(): void },
  ) {
    this.#backend = backend;
    this.#lane = lane;
    this.#events = events;
    this.#timer = setTimeout(() => void this.fix(), backend.sweepDelayMs / 2);
    (this.#timer as { unref?(): void }).unref?.();
  }

  /** Whether nobody uses it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it ended because its connection was lost. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** One more user. */
  retain(): void {
    this.#users++;
  }

  /** One user less; the last one ends it. */
  release(): void {
    if (--this.#users === 0) this.end();
  }

  /** Begins it, at this place in the order of writes. */
  fix(): Promise<void> {
    if (this.#fixed === undefined) {
      this.#events.onBegin();
      clearTimeout(this.#timer);
      this.#fixed = this.#lane.barrier(() => this.#begin());
      this.#fixed.catch(() => {});
    }
    return this.#fixed;
  }

  /**
   * A read at this place in the order of writes, if the moment has not begun. Whoever needs no
   * other read of the same moment needs no transaction of the server.
   */
  readDirectly(
    action: string,
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> | undefined {
    if (this.#fixed !== undefined || this.#isOver) return undefined;
    const { pool } = this.#backend;
    let rows: readonly Row[] = [];
    const reading: Promise<void> = this.#lane.barrier(async () => {
      rows = await pool.read(action, statement, parameters);
    });
    return reading.then(() => rows);
  }

  /** Reads as of the moment. @throws {StoreError} SNAPSHOT_GONE: its connection was lost */
  async read(
    action: string,
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> {
    await this.fix();
    const connection = this.#connection;
    if (connection === undefined) throw this.#goneError(undefined);
    try {
      return await this.#backend.pool.queryOn(
        connection,
        statement,
        parameters,
      );
    } catch (error) {
      // The server has ended its transaction, whatever the error was.
      const gone = this.#goneError(error);
      const isRefused = failureOf(error).kind === "refused" &&
        this.#gone === undefined;
      if (!isRefused && this.#gone === undefined) this.#isLost = true;
      this.#gone ??= gone;
      this.end();
      throw isRefused ? shownError(action, error) : gone;
    }
  }

  /** Ends it: its connection is given back. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onBegin();
    this.#events.onEnd();
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) void this.#giveBack(connection);
  }

  async #begin(): Promise<void> {
    const { pool, snapshotMs } = this.#backend;
    const patience = new Patience(this.#backend.outcomeMs);
    while (!this.#isOver && this.#users > 0) {
      try {
        const connection = await pool.acquireLong();
        try {
          await pool.runOn(connection, BEGIN);
        } catch (error) {
          connection.destroy();
          pool.releaseLong(connection);
          throw error;
        }
        if (this.#isOver) return await this.#giveBack(connection);
        this.#connection = connection;
        this.#timer = setTimeout(() => this.#expire(), snapshotMs);
        (this.#timer as { unref?(): void }).unref?.();
        return;
      } catch (error) {
        const isFinal = error instanceof PostgresError ||
          failureOf(error).kind === "refused";
        if (isFinal || !await patience.wait()) throw shownError("read", error);
      }
    }
  }

  #expire(): void {
    const { snapshotMs } = this.#backend;
    this.#gone = new StoreError(
      "SNAPSHOT_GONE",
      `Cannot use the snapshot: it is older than ${snapshotMs} ms, which is the limit, because ` +
        "it keeps the server from removing old rows",
    );
    this.end();
  }

  #goneError(cause: unknown): StoreError {
    if (this.#gone !== undefined) return this.#gone;
    const reason = cause === undefined ? "" : `: ${(cause as Error).message}`;
    return new StoreError(
      "SNAPSHOT_GONE",
      `Cannot read the snapshot any more: its connection is lost${reason}`,
      cause === undefined ? undefined : { cause },
    );
  }

  async #giveBack(connection: Connection): Promise<void> {
    const { pool } = this.#backend;
    try {
      if (!connection.isClosed) await pool.runOn(connection, "ROLLBACK");
    } catch {
      connection.destroy();
    } finally {
      pool.releaseLong(connection);
    }
  }
}
