/**
 * Guards the border of src/platform/: nothing else in the library names a runtime, a clock,
 * randomness or a timer. So tests can drive time by hand and put a faulty disk under the engine,
 * and the three runtimes behave alike. Each ban names what to use instead.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { entryPoints } from "../../scripts/entry_points.ts";
import { filesUnder } from "../../scripts/source_files.ts";
import { blankNonCode, lineOf, readSource } from "./source_text.ts";

/** A name that code outside of src/platform/ may not use, and its replacement. */
interface Ban {
  /** An identifier, or a member of one: "Math.random". */
  readonly name: string;
  readonly instead: string;
}

const clock = "Scheduler.nowMs of src/platform/scheduler.ts";
const timer = "Scheduler.setTimer, Scheduler.yield or src/platform/microtask.ts";
const random = "Scheduler.randomHex of src/platform/scheduler.ts";
const platform = "a function of src/platform/";

const bans: readonly Ban[] = [
  { name: "Deno", instead: platform },
  { name: "Bun", instead: platform },
  { name: "process", instead: platform },
  { name: "globalThis", instead: platform },
  { name: "navigator", instead: platform },
  { name: "Buffer", instead: "Uint8Array, and src/platform/natives.ts for text" },
  { name: "Date", instead: clock },
  { name: "performance", instead: clock },
  { name: "Math.random", instead: random },
  { name: "crypto", instead: random },
  { name: "setTimeout", instead: timer },
  { name: "setInterval", instead: timer },
  { name: "setImmediate", instead: timer },
  { name: "queueMicrotask", instead: timer },
];

/** Files that may name `Date`. */
const exempt: ReadonlySet<string> = new Set([
  // The contract has no platform: it is for other stores, too.
  "src/contract/clock.ts",
  // The type of an option, and of items in records.
  "src/contract/writer.ts",
  "src/contract/value.ts",
  "src/value/record_decoder.ts",
  "src/value/timestamp.ts",
]);

/** Uses of banned names in the code of a source, in words. */
function bannedUses(file: string, source: string): string[] {
  const code = blankNonCode(source);
  const uses: string[] = [];
  for (const { name, instead } of bans) {
    const escaped = name.replace(".", "\\s*\\.\\s*");
    // Not a property (store.process), a private field, or an object key or parameter (process:).
    for (
      const match of code.matchAll(
        new RegExp(`(?<![\\w$#]|(?<!\\.\\.)\\.)${escaped}(?![\\w$]|\\??:)`, "g"),
      )
    ) {
      uses.push(`${file}:${lineOf(source, match.index)}: names "${name}", use ${instead}`);
    }
  }
  return uses;
}

test("Only src/platform/ names a runtime, a clock, randomness or timers", () => {
  const entries = entryPoints().map(({ source }) => source);
  const files = [...entries, ...filesUnder("src", ".ts")].filter((file) =>
    !file.startsWith("src/platform/")
  );
  assert.ok(files.length > 2, `found only ${files.length} source files`);
  const uses = files.filter((file) => !exempt.has(file));
  assert.deepEqual(uses.flatMap((file) => bannedUses(file, readSource(file))), []);
});

test("The check finds every banned name in code", () => {
  for (const { name } of bans) {
    const made = [
      `const a = ${name}.b();`,
      `f(${name})`,
      `x = [...${name}]`,
      "x = `${" + name + "}`",
    ];
    for (const source of made) {
      const found = bannedUses("src/made_up.ts", source);
      assert.equal(found.length, 1, `"${source}" gave ${JSON.stringify(found)}`);
      assert.match(found[0]!, /^src\/made_up\.ts:1: names ".+", use .+/);
    }
  }
});

test("The check ignores banned names in comments, strings, members and longer names", () => {
  const harmless = `
/** Never Date.now() here. */
// setTimeout
const text = "Deno.open " + 'process.exit' + \`Bun \${value} performance\`;
const bytes = new ArrayBuffer(8); this.process(); stats.performance; #Date;
const counts = { process: 1 }; Math.min(1, 2); updateDate();
`;
  assert.deepEqual(bannedUses("src/made_up.ts", harmless), []);
});
