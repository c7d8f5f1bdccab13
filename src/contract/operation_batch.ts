/** A batch that keeps its operations as they are, for stores without a better form for them. */

import { markClass } from "../class_marks.ts";
import { ClosedError } from "../errors.ts";
import { nowMs } from "./clock.ts";
import { finiteTime, putTime } from "./put_options.ts";
import { copyValue, keyBytes } from "./rules.ts";
import { describeValue, type Key, type Value } from "./value.ts";
import { requireKnownNames, surplusArgument, timeOf } from "./write_options.ts";
import { deletedRange } from "./range.ts";
import type { DeletedRange } from "./range.ts";
import type { Batch, Operation, PutTime, WriteOptions } from "./writer.ts";

/**
 * Checks and copies every operation when it is added.
 *
 * @example
 * ```ts
 * import { OperationBatch } from "@tinykvs/core/contract";
 *
 * const batch = new OperationBatch(async (operations) => {
 *   await Promise.resolve(console.log(operations.length));
 * });
 * await batch.put("a", 1).delete("b").write(); // 2
 * ```
 */
export class OperationBatch implements Batch {
  #operations: Operation[] | undefined = [];
  #length = 0;
  readonly #write: (operations: readonly Operation[], options?: WriteOptions) => Promise<void>;

  /** `write` applies the operations. Their keys are bytes, and `write` owns all of it. */
  constructor(
    write: (operations: readonly Operation[], options?: WriteOptions) => Promise<void>,
  ) {
    this.#write = write;
  }

  /** Number of operations so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a put. The operation has the point in time at which its value expires, if it does. */
  put(key: Key, value: Value, time?: PutTime): this {
    if (arguments.length > 3) throw surplusArgument("batch.put", arguments[3], 3);
    const expiresAt = finiteTime(putTime(time, nowMs));
    const put = { type: "put", key: keyBytes(key), value: copyValue(value) } as const;
    return this.#add(expiresAt === undefined ? put : { ...put, expiresAt });
  }

  /** Adds a delete. */
  delete(key: Key): this {
    if (arguments.length > 1) throw surplusArgument("batch.delete", arguments[1], 1);
    return this.#add({ type: "delete", key: keyBytes(key) });
  }

  /** Adds the deletion of a range. */
  deleteRange(range: DeletedRange): this {
    if (arguments.length > 1) throw surplusArgument("batch.deleteRange", arguments[1], 1);
    return this.#add({ type: "deleteRange", range: keyRange(range) });
  }

  /** Forgets every operation. */
  clear(): this {
    this.#open().length = 0;
    this.#length = 0;
    return this;
  }

  /** Applies the operations as one. The batch can't be used afterwards. */
  async write(options?: WriteOptions): Promise<void> {
    await this.#write(this.finish(), options);
  }

  /** The operations, for the store that writes them. The batch can't be used afterwards. */
  finish(): readonly Operation[] {
    const operations = this.#open();
    this.#operations = undefined;
    return operations;
  }

  /**
   * Checks and copies the argument of `write`.
   *
   * @throws {TypeError | RangeError} an element is not an operation, or its key or value can't be
   *   stored
   */
  static operationsOf(given: readonly Operation[] | Batch): readonly Operation[] {
    if (given instanceof OperationBatch) return given.finish();
    if (!Array.isArray(given)) {
      throw new TypeError(
        `Cannot write: found ${
          describeValue(given)
        }, expected an array of operations or a batch of this store`,
      );
    }
    const batch = new OperationBatch(() => Promise.resolve());
    for (const [at, operation] of (given as readonly Operation[]).entries()) {
      if (operation?.type === "put") {
        requireKnownNames(operation, at);
        batch.put(operation.key, operation.value, timeOf(operation));
      } else if (operation?.type === "delete") {
        requireKnownNames(operation, at);
        batch.delete(operation.key);
      } else if (operation?.type === "deleteRange") {
        requireKnownNames(operation, at);
        batch.deleteRange(operation.range);
      } else {
        const found = describeValue((operation as { type?: unknown } | undefined)?.type);
        throw new TypeError(
          `Cannot write operation ${at}: its type is ${found}, expected "put", "delete" or "deleteRange"`,
        );
      }
    }
    return batch.finish();
  }

  #add(operation: Operation): this {
    this.#open().push(operation);
    this.#length++;
    return this;
  }

  #open(): Operation[] {
    if (this.#operations === undefined) throw new ClosedError("batch");
    return this.#operations;
  }
}

/** A copy of a range, with its bounds as bytes. */
function keyRange(range: DeletedRange): DeletedRange {
  const own: DeletedRange = deletedRange(range);
  for (const [name, bound] of Object.entries(own) as [keyof DeletedRange, Key][]) {
    own[name] = keyBytes(bound);
  }
  return own;
}

// `finish` returns operations in the public form, from any copy of the library.
markClass(OperationBatch, Symbol.for("@tinykvs/core batch of operations"), true);
