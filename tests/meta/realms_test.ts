/**
 * Guards against questions of identity that have another answer for an object of another realm (a
 * test runner's context, an iframe, `node:vm`) or of a second copy of the library in the process.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as contract from "../../contract.ts";
import * as library from "../../mod.ts";
import { filesUnder } from "../../scripts/source_files.ts";
import { blankNonCode, lineOf, readSource } from "./source_text.ts";

/** Classes whose `instanceof` asks for a mark that every copy sets (src/class_marks.ts). */
const marked: ReadonlySet<string> = new Set([
  "BackgroundError",
  "ClosedError",
  "CorruptionError",
  "EmbeddedBatch",
  "Extension",
  "IoError",
  "LaggedError",
  "LockLostError",
  "LockedError",
  "OperationBatch",
  "StoreBase",
  "StoreError",
  "TypeMismatchError",
  "UnsupportedFormatError",
  "ValidationError",
]);

/** Places that may ask for identity, by file, with the reason. */
const allowed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "*": { DecodeError: "it is thrown and caught within one copy of the library" },
  "src/value/record_encoder.ts": {
    Refusal: "it never leaves the file",
    "Object.prototype": "a short cut; one of another realm is told by what it has",
  },
  "src/platform/memory_file_system.ts": {
    MemoryDirectory: "it never leaves the file",
    MemoryFile: "it never leaves the file",
  },
  "src/sstable/table_reader.ts": {
    UnknownTableFeature: "it is thrown and caught within one copy of the library",
  },
  "src/sstable/table_sections.ts": {
    UnknownTableFeature: "it is thrown and caught within one copy of the library",
  },
  "src/store/upkeep/salvage_table.ts": {
    UnknownTableFeature: "it is thrown and caught within one copy of the library",
  },
  "src/store/upkeep/table_identity.ts": {
    UnknownTableFeature: "it is thrown and caught within one copy of the library",
  },
  "src/bytes/is_bytes.ts": { Uint8Array: "a short cut; others are told by their internal slot" },
  "src/store/write/operation_encoding.ts": { Uint8Array: "a short cut; the long way asks isBytes" },
  "src/bytes/slab.ts": { Uint8Array: "a short cut to a faster copy" },
  "src/store/write/commit.ts": {
    ByteWriter: "memory of another class is not kept, nothing else",
  },
};

/** Questions of identity in the code of a source, but for those that are allowed, in words. */
function identityQuestions(file: string, source: string): string[] {
  const code = blankNonCode(source);
  const found: string[] = [];
  const pattern =
    /(?<![\w$.])instanceof\s+([\w$.]+)|\.constructor\s*[!=]==?\s*([\w$.]+)|[!=]==?\s*([\w$]+\.prototype)(?![\w$.])|(?:\.isPrototypeOf\s*\()(.{0,20})/g;
  for (const match of code.matchAll(pattern)) {
    const name = match.slice(1).find((part) => part !== undefined)!;
    const isMarked = match[1] !== undefined && marked.has(name);
    if (isMarked || name in (allowed["*"] ?? {}) || name in (allowed[file] ?? {})) continue;
    found.push(`${file}:${lineOf(source, match.index)}: asks for the identity of "${name}"`);
  }
  return found;
}

test("The library never depends on the realm or the copy that an object comes from", () => {
  const files = ["mod.ts", ...filesUnder("src", ".ts")];
  assert.deepEqual(files.flatMap((file) => identityQuestions(file, readSource(file))), []);
});

test("Every class that instanceof may name is marked", () => {
  for (const name of marked) {
    const constructor = ({ ...library, ...contract } as Record<string, unknown>)[name] as object;
    assert.ok(Object.hasOwn(constructor, Symbol.hasInstance), `${name} is not marked`);
  }
});

test("The check of identity finds made-up violations of every kind", () => {
  for (
    const code of [
      "if (e instanceof Error) f();",
      "if (!(path instanceof URL)) f();",
      "x = e instanceof WebAssembly.RuntimeError",
      "if (Object.getPrototypeOf(x) === Object.prototype) f();",
      "if (x.constructor !== Object) f();",
      "Uint8Array.prototype.isPrototypeOf(x)",
      "x instanceof Refusal",
    ]
  ) assert.equal(identityQuestions("src/store/made_up.ts", code).length, 1, code);
  for (
    const code of [
      "// e instanceof Error",
      "`instanceof Error`",
      "if (e instanceof IoError) f();",
      "if (e instanceof DecodeError) f();",
      'Object.hasOwn(p, "isPrototypeOf")',
    ]
  ) assert.deepEqual(identityQuestions("src/store/made_up.ts", code), [], code);
});

test("Every exception to the check of identity is still needed", () => {
  for (const [file, names] of Object.entries(allowed)) {
    if (file === "*") continue;
    const code = blankNonCode(readSource(file));
    for (const name of Object.keys(names)) {
      const escaped = name.replace(".", "\\.");
      assert.match(code, new RegExp(`(?:instanceof|[!=]==) ${escaped}\\b`), `${file}: ${name}`);
    }
  }
});
