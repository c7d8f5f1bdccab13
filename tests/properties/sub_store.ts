/**
 * A store for histories in which all reads and writes go through a sub of a sub. Other subs have
 * keys just before and after its own. These keys must not change.
 */

import assert from "node:assert/strict";
import type { EmbeddedStore, Key, Value } from "../../mod.ts";

const NEIGHBOURS: readonly (readonly string[])[] = [
  ...[["m"], ["m", "mode"], ["m", "modelx"], ["m", "model", ""], ["m", "model\0"], ["mm"], ["l"]],
];
const KEYS: readonly string[] = ["", "\0", "\x01", "\x02", "a", "\u{10ffff}"];

/** Fills the neighbours of the sub. */
export async function fillNeighbours(store: EmbeddedStore): Promise<void> {
  const batch = store.batch().put("", "own").put("\0", "own").put("zz", "own");
  for (const path of NEIGHBOURS) {
    for (const key of KEYS) store.sub(path).in(batch).put(key, `${path.join()} ${key}`);
  }
  await batch.write();
}

/** Requires that the neighbours have not changed. */
export function checkNeighbours(store: EmbeddedStore): void {
  for (const key of ["", "\0", "zz"]) assert.equal(store.getSync(key), "own");
  for (const path of NEIGHBOURS) {
    const entries = [...store.sub(path, { key: "utf8" }).entries()];
    assert.deepEqual(entries, [...KEYS].sort().map((key) => [key, `${path.join()} ${key}`]));
  }
}

/**
 * The store as its sub shows it. Calls that a sub does not have, for example flushes, go to the
 * store.
 */
export function throughSub(store: EmbeddedStore): EmbeddedStore {
  const sub = store.sub("m").sub("model");
  const own = {
    // A sub has no streams.
    putStream: undefined,
    getStream: undefined,
    async scanPrefix(prefix: Key, visit: Visit, options = {}): Promise<void> {
      for await (const [key, value] of sub.entries({ ...options, prefix })) {
        if (visit(key, value) === false) break;
      }
    },
    async scanRange(start: Key, end: Key, visit: Visit, options = {}): Promise<void> {
      for await (const [key, value] of sub.entries({ ...options, gte: start, lt: end })) {
        if (visit(key, value) === false) break;
      }
    },
  };
  return new Proxy(store, {
    get(_, name) {
      const life = ["close", "closeSync", "status", "path"].includes(String(name));
      const owner = name in own ? own : !life && name in sub ? sub : store;
      const found: unknown = Reflect.get(owner, name, owner);
      return typeof found === "function" ? found.bind(owner) : found;
    },
  });
}

type Visit = (key: Key, value: Value) => boolean | void;
