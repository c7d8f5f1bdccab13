/**
 * Deno KV, which only Deno can open (with --unstable-kv). The keys become tuples of a sub, so they
 * keep their parts and their order: `store.sub("kv", { key: "tuple" })`.
 */

import type { RecordItem, Tuple, Value } from "@tinykvs/core";
import { encodeTuple, memoryFileSystem, open } from "@tinykvs/core";
import { CommandError, EXIT, InputError } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { valueOfItem } from "./cells.ts";

const GROUP = 256;

/** The part of Deno that is used. */
interface DenoWithKv {
  readonly openKv?: (path: string) => Promise<{
    list(
      selector: { prefix: [] },
    ): AsyncIterable<{ key: Tuple; value: unknown }>;
    close(): void;
  }>;
}

/** The entries of a database, as those of the sub `name`. */
export async function* denoKvEntries(
  path: string,
  name: string,
  onBad: (error: InputError) => void,
): AsyncGenerator<StoredEntry[]> {
  const { openKv } = (globalThis as { Deno?: DenoWithKv }).Deno ?? {};
  if (openKv === undefined) {
    throw new CommandError(
      EXIT.refused,
      "Only Deno can open a database of Deno KV",
      "Run this command by it: deno run -A --unstable-kv npm:@tinykvs/cli STORE import ...",
    );
  }
  const prefix = await prefixOfSub(name);
  const kv = await openKv(path);
  try {
    let group: StoredEntry[] = [];
    for await (const { key, value } of kv.list({ prefix: [] })) {
      const tuple = encodeTuple(key);
      const whole = new Uint8Array(prefix.length + tuple.length);
      whole.set(prefix);
      whole.set(tuple, prefix.length);
      try {
        group.push({ key: whole, value: storable(value) });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        onBad(new InputError(`The key ${shownKey(key)}: ${error.message}`));
      }
      if (group.length < GROUP) continue;
      yield group;
      group = [];
    }
    if (group.length > 0) yield group;
  } finally {
    kv.close();
  }
}

/** The bytes with which the keys of a sub begin: found by writing one to a store in memory. */
async function prefixOfSub(name: string): Promise<Uint8Array> {
  await using store = await open("/sub", {
    fileSystem: memoryFileSystem(),
    keyEncoding: "bytes",
    backgroundThread: false,
  });
  await store.sub(name, { key: "bytes" }).put(new Uint8Array(), true);
  return (await store.keys().toArray())[0]!;
}

function shownKey(key: Tuple): string {
  return escapeControls(`[${key.map((part) => String(part)).join(", ")}]`);
}

/** A value of Deno KV as one of a store. @throws {InputError} the store has no such value */
function storable(value: unknown): Value {
  return valueOfItem(item(value, 0));
}

function item(value: unknown, depth: number): RecordItem {
  if (depth > 64) {
    throw new InputError("the value is nested more than 64 times");
  }
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
      return value;
    case "undefined":
      return undefined;
  }
  if (value === null || value instanceof Uint8Array) return value;
  if (value instanceof Date && depth > 0) {
    if (!Number.isNaN(value.getTime())) return value;
    throw new InputError("the value has an invalid Date");
  }
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  if (name === "KvU64") return (value as { readonly value: bigint }).value;
  if (Array.isArray(value)) return value.map((one) => item(one, depth + 1));
  if (name !== "Object") {
    throw new InputError(`a store has no values of type ${name ?? "unknown"}`);
  }
  return Object.fromEntries(
    Object.entries(value as object).map((
      [key, one],
    ) => [key, item(one, depth + 1)]),
  );
}
