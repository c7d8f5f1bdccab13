/**
 * Checks the options of a write: if nobody notices a mistaken option, a write is not as durable as
 * its author believes. A call without options costs one comparison.
 */

import { describeValue } from "./value.ts";
import type { Operation, PutTime, WriteOptions } from "./writer.ts";

/**
 * Whether the caller asks for a durable write, whatever the store's options say. Only own fields
 * count.
 *
 * @throws {TypeError} the options are not an object, have an unknown name, or `sync` is not a
 *   boolean
 */
export function wantsSync(options: WriteOptions | undefined): boolean {
  if (options === undefined) return false;
  if (typeof options !== "object" || options === null) throw noOptions(options);
  const names = Object.keys(options);
  for (const name of names) {
    if (name !== "sync") {
      throw new TypeError(`Cannot use the write options: unknown name "${name}", expected "sync"`);
    }
  }
  if (names.length === 0) {
    // An array, a Map, a signal: they have no own names, and do not mean "no options".
    if (Object.prototype.toString.call(options) !== "[object Object]") throw noOptions(options);
    return false;
  }
  const { sync = false } = options;
  if (typeof sync !== "boolean") {
    throw new TypeError(
      `Cannot use the write options: "sync" is ${describeValue(sync)}, expected true or false`,
    );
  }
  return sync;
}

/** The error for an argument that the call does not have, a callback for example. */
export function surplusArgument(call: string, found: unknown, expected: number): TypeError {
  const count = expected === 0 ? "no arguments" : `at most ${expected} arguments`;
  return new TypeError(
    `Cannot call ${call}: found ${describeValue(found)} as argument ${
      expected + 1
    }, expected ${count}`,
  );
}

function noOptions(found: unknown): TypeError {
  return new TypeError(
    `Cannot use the write options: found ${describeValue(found)}, ` +
      "expected an object such as { sync: true }",
  );
}

/** The options of a put in an array of operations, or undefined if it has none. */
export function timeOf(operation: Operation & { type: "put" }): PutTime | undefined {
  const { ttlMs, expiresAt } = operation;
  if (ttlMs === undefined && expiresAt === undefined) return undefined;
  return {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/**
 * Refuses extra fields of an operation: an option of the whole write, or of another library. Not by
 * `Object.keys`, which would make an array for each operation.
 *
 * @throws {TypeError} it has more than its type, its key and, if it is a put, its value and a time;
 *   or more than its type and its range
 */
export function requireKnownNames(operation: Operation, at: number): void {
  for (const name in operation) {
    if (name === "type" || name === (operation.type === "deleteRange" ? "range" : "key")) continue;
    if ((name === "ttlMs" || name === "expiresAt") && operation.type === "put") continue;
    if (name === "value") {
      if (operation.type === "put" || (operation as { value?: unknown }).value === undefined) {
        continue;
      }
    }
    if (!Object.hasOwn(operation, name)) continue;
    throw new TypeError(`Cannot write operation ${at}: a ${operation.type} has no "${name}"`);
  }
}
