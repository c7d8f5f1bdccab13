/**
 * Encodes an array of operations directly into a batch of the store.
 *
 * Level copies each operation, because hooks and listeners may change and keep the copies. The copy
 * takes longer than the write. If nobody would see the copies, this file skips them. The meaning of
 * an operation and its errors stay the same. Level handles everything unusual.
 */

import { AbstractLevel } from "abstract-level";
import type { Batch } from "../../contract/writer.ts";
import type { Data } from "./formats.ts";
import { deleteData, putData } from "./level_batch.ts";

/** What this file needs from a database. Level's types do not declare all of it. */
export interface QuickDatabase {
  readonly status: string;
  readonly hooks: { readonly prewrite: { readonly noop: boolean } };
  listenerCount(name: string): number;
  keyEncoding(encoding?: unknown): Encoding;
  valueEncoding(encoding?: unknown): Encoding;
  prefixKey: unknown;
  _assertValidKey(key: unknown): void;
  _assertValidValue(value: unknown): void;
}

interface Encoding {
  encode(data: unknown): Data;
}

/** An operation from a caller. */
interface Operation {
  readonly type?: unknown;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly keyEncoding?: unknown;
  readonly valueEncoding?: unknown;
  readonly sublevel?: unknown;
}

/** The options of a batch that apply to each of its operations. */
const OPERATION_FIELDS = ["type", "key", "value", "sublevel"];

/** Whether the database may write operations without Level. */
export function isQuick(
  db: QuickDatabase,
  operations: unknown,
  options: unknown,
): boolean {
  return db.status === "open" && db.hooks.prewrite.noop &&
    db.listenerCount("write") === 0 &&
    db.prefixKey === AbstractLevel.prototype.prefixKey &&
    Array.isArray(operations) && operations.length > 0 &&
    (typeof options !== "object" || options === null ||
      OPERATION_FIELDS.every((name) => !(name in options)));
}

/**
 * Adds the operations to a batch. Returns false if Level has to handle them. Some of them may be in
 * the batch by then.
 *
 * @throws {Error} the error that Level throws for the same operation
 */
export function addAll(
  db: QuickDatabase,
  operations: readonly Operation[],
  options: Operation,
  batch: Batch,
): boolean {
  const keys = new Encodings(
    options.keyEncoding,
    (encoding) => db.keyEncoding(encoding),
  );
  const values = new Encodings(
    options.valueEncoding,
    (encoding) => db.valueEncoding(encoding),
  );
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    if (typeof operation !== "object" || operation === null) return false;
    const { type, key, sublevel } = operation;
    if (sublevel !== undefined && sublevel !== null) return false;
    db._assertValidKey(key);
    const data = keys.of(operation.keyEncoding, operation, "keyEncoding")
      .encode(key);
    if (type === "put") {
      const { value } = operation;
      db._assertValidValue(value);
      const encoding = values.of(
        operation.valueEncoding,
        operation,
        "valueEncoding",
      );
      putData(batch, data, encoding.encode(value));
    } else if (type === "del") deleteData(batch, data);
    else return false;
  }
  return true;
}

/** Looks up encodings. Keeps the last result, which is usually the next one, too. */
class Encodings {
  readonly #byDefault: unknown;
  readonly #find: (encoding: unknown) => Encoding;
  #last: unknown;
  #found: Encoding;

  constructor(byDefault: unknown, find: (encoding: unknown) => Encoding) {
    this.#byDefault = byDefault;
    this.#find = find;
    this.#last = byDefault;
    this.#found = find(byDefault);
  }

  /** The encoding of an operation. A field counts even if its value is undefined. */
  of(given: unknown, operation: Operation, field: keyof Operation): Encoding {
    const isDefault = given === undefined && this.#byDefault !== undefined &&
      !Object.hasOwn(operation, field);
    const name = isDefault ? this.#byDefault : given;
    if (name !== this.#last) {
      this.#found = this.#find(name);
      this.#last = name;
    }
    return this.#found;
  }
}
