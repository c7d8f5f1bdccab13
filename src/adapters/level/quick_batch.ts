/**
 * Arrays of operations, encoded straight into a batch of the store.
 *
 * Level makes a copy of each operation, which hooks and listeners may change and keep, and takes
 * longer for that than the store for writing it. Where nobody is there who would see the copies,
 * they are not made. What an operation means, and which errors it gets, is the same; anything
 * unusual is left to Level.
 */

import { AbstractLevel } from "abstract-level";
import type { Batch } from "../../contract/writer.ts";
import type { Data } from "./formats.ts";
import { deleteData, putData } from "./level_batch.ts";

/** What this needs of a database; Level's types leave some of it out. */
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

/** An operation as a caller gives it. */
interface Operation {
  readonly type?: unknown;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly keyEncoding?: unknown;
  readonly valueEncoding?: unknown;
  readonly sublevel?: unknown;
}

/** Options of a batch that are the same for each of its operations. */
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
 * Adds the operations to a batch. Returns false, at whatever place in them, if Level has to see to
 * it.
 *
 * @throws {Error} what Level throws for the same operation
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

/** Looks up encodings, mostly the one that was looked up last. */
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

  /** The encoding of an operation. A field that is there counts, even if it is undefined. */
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
