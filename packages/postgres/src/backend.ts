/** What the parts of a store share: connections, statements, and the clock. */

import type { Row } from "./driver.ts";
import type { Stored } from "./lane.ts";
import { idOf } from "./operations.ts";
import type { Pool } from "./pool.ts";
import type { Statements } from "./statements.ts";
import { keyParameters } from "./write_request.ts";

/** The shared parts. */
export class Backend {
  readonly pool: Pool;
  readonly statements: Statements;
  /** The handle's number for writes that are applied once, or null. */
  readonly session: string | null;
  /** For how long the outcome of a write is looked for. */
  readonly outcomeMs: number;
  /** For how long a snapshot may be used. */
  readonly snapshotMs: number;
  /** How long after its expiry an entry is removed at the earliest. */
  readonly sweepDelayMs: number;
  /** The time in ms since 1970. */
  readonly now: () => number;

  constructor(
    { pool, statements, session, outcomeMs, snapshotMs, sweepDelayMs, now }: Pick<
      Backend,
      "pool" | "statements" | "session" | "outcomeMs" | "snapshotMs" | "sweepDelayMs" | "now"
    >,
  ) {
    this.pool = pool;
    this.statements = statements;
    this.session = session;
    this.outcomeMs = outcomeMs;
    this.snapshotMs = snapshotMs;
    this.sweepDelayMs = sweepDelayMs;
    this.now = now;
  }

  /** What is stored for keys, also if it has expired. */
  async stored(keys: readonly Uint8Array[]): Promise<Map<string, Stored>> {
    const parameters = keyParameters(keys);
    return storedOf(
      keys,
      await this.pool.read("read", this.statements.getMany, parameters),
    );
  }
}

/** The rows of `getMany` by key. */
export function storedOf(
  keys: readonly Uint8Array[],
  rows: readonly Row[],
): Map<string, Stored> {
  const found = new Map<string, Stored>();
  for (const [index, value, version, expiresAt] of rows) {
    found.set(idOf(keys[Number(index) - 1]!), {
      value: value as Uint8Array,
      version: version as string,
      expiresAt: Number(expiresAt ?? Infinity),
    });
  }
  return found;
}
