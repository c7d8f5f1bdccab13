/**
 * A child of reload_test.ts, which loads the library more than once. Arguments: an act, a file with
 * the whole library in it, a directory. Acts:
 *
 *   module    a module that opens the store is loaded again and again
 *   copies    two copies of the library open it: shared, and not
 *   versions  the process has a registry of another version
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type * as Library from "../../mod.ts";

const [act, library, directory] = process.argv.slice(2) as [string, string, string];
const store = path.join(directory, "db");

/** A copy of the library that shares no module with another one. */
async function copyOf(name: string): Promise<typeof Library> {
  const file = path.join(directory, `${name}.mjs`);
  fs.copyFileSync(library, file);
  return await import(pathToFileURL(file).href) as typeof Library;
}

switch (act) {
  case "module": {
    const module = path.join(directory, "app.mjs");
    fs.writeFileSync(
      module,
      `import { open } from ${JSON.stringify(pathToFileURL(library).href)};
       const store = await open(${JSON.stringify(store)}, { shared: true });
       await store.put("loads", (await store.get("loads") ?? 0) + 1);
       export const loads = await store.get("loads");`,
    );
    for (let load = 1; load <= 4; load++) {
      // By its path: Bun takes a URL with another query for the same module.
      const { loads } = await import(`${module}?load=${load}`);
      assert.equal(loads, load);
    }
    break;
  }
  case "copies": {
    const one = await copyOf("one");
    const two = await copyOf("two");
    assert.notEqual(one.EmbeddedStore, two.EmbeddedStore);
    const first = await one.open(store, { shared: true });
    const second = await two.open(store, { shared: true });
    const third = two.openSync(store, { shared: true });
    await first.put("text", "from the first");
    await second.write(second.batch().put("record", { from: ["the second"] }));
    third.putSync("bytes", new Uint8Array([1, 2, 3]));
    using snapshot = second.snapshot();
    assert.deepEqual(await first.keys().toArray(), ["bytes", "record", "text"]);
    assert.equal(JSON.stringify(await first.get("record")), '{"from":["the second"]}');
    assert.equal(snapshot.getSync("text"), "from the first");
    // The handles are of the copy that opened the store.
    assert.ok(second instanceof one.EmbeddedStore);
    const locked = (error: unknown): boolean => {
      assert.ok(error instanceof two.LockedError, String(error));
      assert.match(error.message, /locked by this process[ ,].*; that handle is shared: open/);
      return true;
    };
    await assert.rejects(two.open(store), locked);
    await assert.rejects(two.open(store, { shared: true, walSync: "none" }), {
      name: "TypeError",
      message: /"walSync" is none, and the store is open with batch/,
    });
    await first.close();
    await third.close();
    await assert.rejects(first.get("text"), (error) => error instanceof two.ClosedError);
    assert.equal(await second.get("text"), "from the first");
    await second.close();
    // Now the second copy is the first, and what is not shared is known across copies, too.
    const alone = await two.open(store);
    await assert.rejects(one.open(store, { shared: true }), (error) => {
      assert.ok(error instanceof one.LockedError, String(error));
      assert.match(error.message, /by this process[ ,].*; that handle was opened without/);
      return true;
    });
    await alone.close();
    const last = await one.open(store, { shared: true });
    assert.equal(await last.count(), 3);
    await last.close();
    break;
  }
  case "versions": {
    const value = { version: 2, somethingElse: true };
    Object.defineProperty(globalThis, Symbol.for("@tinykvs/core.stores"), { value });
    const one = await copyOf("one");
    await assert.rejects(one.open(store, { shared: true }), {
      code: "UNSUPPORTED_FORMAT",
      message: /another copy of this library .* in form 2, this one in form 1; load one version/,
    });
    const alone = await one.open(store);
    await alone.put("a", 1);
    await assert.rejects(one.open(store), { code: "LOCKED" });
    await alone.close();
    break;
  }
}
console.log("done");
process.exit(0);
