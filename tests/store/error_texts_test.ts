// What errors tell: file and offset, and nothing of what is stored. Their texts end up in logs and
// bug reports, so no value may be in one, nor in what is after it (`cause`).

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError, openSync, StoreError } from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { reportedText } from "../support/reported_text.ts";

const DIRECTORY = "/db";
const SECRET = "hunter2-swordfish";
/** In forms in which a value could show: text, hex, base64, a list of bytes. */
const FORMS: readonly RegExp[] = [
  /hunter|swordfish/i,
  /68756e746572/i,
  /aHVudGVy/,
  /104, ?117, ?110/,
  /4242424242/,
];

function requireSilent(error: unknown, what: string): void {
  const text = reportedText(error);
  for (const form of FORMS) assert.doesNotMatch(text, form, `${what}: ${text}`);
}

/** Everything that opening and reading the whole store throws. */
function failuresOf(fileSystem: CloneableFileSystem): unknown[] {
  const failures: unknown[] = [];
  const attempt = (body: () => unknown): void => {
    try {
      body();
    } catch (error) {
      failures.push(error);
    }
  };
  let store: ReturnType<typeof openSync> | undefined;
  attempt(() => store = openSync(DIRECTORY, { fileSystem, compression: "none" }));
  for (const key of ["text", "record", "number", "bytes"]) {
    attempt(() => store?.getSync(`${key} ${SECRET}`));
  }
  attempt(() => [...store?.entries() ?? []]);
  attempt(() => store?.closeSync());
  return failures;
}

test("No error over a damaged store shows a stored value or a key", () => {
  for (const isFlushed of [false, true]) {
    const made = new CloneableFileSystem();
    const store = openSync(DIRECTORY, { fileSystem: made, compression: "none", walSync: "none" });
    store.putSync(`text ${SECRET}`, SECRET);
    store.putSync(`record ${SECRET}`, { password: SECRET, list: [SECRET] });
    store.putSync(`number ${SECRET}`, 4242424242424242n);
    store.putSync(`bytes ${SECRET}`, new TextEncoder().encode(SECRET));
    store.putSync("zz", "the last one");
    const living = made.clone();
    if (isFlushed) store.closeSync();
    let count = 0;
    const source = isFlushed ? made : living;
    for (const name of source.listSync(DIRECTORY)) {
      const path = `${DIRECTORY}/${name}`;
      const bytes = source.content(path);
      // Every second byte: fields are wider than one.
      for (let at = 1; at < bytes.length; at += 2) {
        const mutant = source.clone();
        const damaged = bytes.slice();
        damaged[at]! ^= 0x41;
        mutant.setContent(path, damaged);
        for (const error of failuresOf(mutant)) {
          count++;
          assert.ok(error instanceof StoreError, `${name}, byte ${at}: ${error}`);
          if (error instanceof CorruptionError) {
            const base = error.file.slice(DIRECTORY.length + 1);
            assert.ok(error.message.includes(base), error.message);
            assert.ok(Number.isSafeInteger(error.offset));
          }
          requireSilent(error, `${name}, byte ${at}`);
        }
      }
    }
    assert.ok(count > (isFlushed ? 150 : 50), `only ${count} errors`);
    store.closeSync();
  }
});

test("No error for a caller's mistake shows a value", () => {
  const store = openSync(DIRECTORY, { fileSystem: new CloneableFileSystem(), int64: "number" });
  store.putSync("big", 4242424242424242424n);
  store.putSync("big inside", { amount: 4242424242424242424n });
  store.putSync("text", SECRET);
  const failures: unknown[] = [];
  const attempt = (body: () => unknown): void => {
    try {
      body();
      assert.fail("it did not throw");
    } catch (error) {
      failures.push(error);
    }
  };
  attempt(() => store.getSync("big"));
  attempt(() => store.getSync("big inside"));
  attempt(() => store.putSync("k", Symbol(SECRET) as never));
  attempt(() => store.putSync("k", new Map([[SECRET, SECRET]]) as never));
  attempt(() => store.putSync("k", { password: [`${SECRET}\ud800`] }));
  attempt(() => store.putSync("k", `${SECRET}\ud800`));
  attempt(() => store.putSync("k", 424242424242424242424242424242n));
  attempt(() => store.putSync("k", { deep: new Error(SECRET) as never }));
  assert.equal(failures.length, 8);
  for (const error of failures) requireSilent(error, "a mistake");
  store.closeSync();
});
