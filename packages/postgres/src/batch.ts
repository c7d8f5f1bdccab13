/** Times of expiry in batches and arrays of operations, by the store's clock. */

import {
  type Batch,
  finiteTime,
  type Key,
  type Operation,
  OperationBatch,
  putOptions,
  type PutTime,
  type Value,
} from "@tinykvs/core/contract";

/**
 * A batch whose times are those of the store's clock. `OperationBatch` alone would use the
 * program's.
 */
export class TimedBatch extends OperationBatch {
  readonly #now: () => number;
  /** Times of expiry by the place of their put. */
  readonly #times = new Map<number, number | undefined>();

  /** `write` is called with the batch, which is not finished. */
  constructor(now: () => number, write: ConstructorParameters<typeof OperationBatch>[0]) {
    super(write);
    this.#now = now;
  }

  override put(key: Key, value: Value, ...rest: [time?: PutTime]): this {
    super.put(key, value, ...rest);
    const [time] = rest;
    if (time !== undefined) {
      this.#times.set(this.length - 1, putOptions(time, this.#now).expiresAt);
    }
    return this;
  }

  override clear(): this {
    this.#times.clear();
    return super.clear();
  }

  override finish(): readonly Operation[] {
    const operations = super.finish();
    return this.#times.size === 0 ? operations : operations.map((operation, at) => {
      return this.#times.has(at) ? expiringAt(operation, this.#times.get(at)) : operation;
    });
  }
}

/** The argument of `write`, checked and copied: as `OperationBatch.operationsOf`. */
export function operationsOf(
  given: readonly Operation[] | Batch,
  now: () => number,
): readonly Operation[] {
  const operations = OperationBatch.operationsOf(given);
  if (!Array.isArray(given)) return operations;
  return operations.map((operation, at) => {
    const { ttlMs, expiresAt } = given[at] as PutTime;
    if (ttlMs === undefined && expiresAt === undefined) return operation;
    return expiringAt(operation, putOptions({ ttlMs, expiresAt } as PutTime, now).expiresAt);
  });
}

function expiringAt(operation: Operation, expiresAt: number | undefined): Operation {
  const { expiresAt: _, ...rest } = operation as Operation & { type: "put" };
  const time = finiteTime(expiresAt);
  return time === undefined ? rest : { ...rest, expiresAt: time };
}
