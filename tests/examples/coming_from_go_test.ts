// The TypeScript of the README's section "Coming from Go" is run as it stands there. What a comment behind
// a `console.log` says is what must be printed: one line, or several with " | " between them.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryDirectory } from "../support/temporary.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const output = Symbol.for("output of an example of the README");
const printed = globalThis as unknown as Record<symbol, string[]>;

/** The text between the heading and the next one of its rank. */
function sectionOf(text: string, heading: string): string {
  const start = text.indexOf(`\n## ${heading}\n`);
  assert.ok(start >= 0, `no section "${heading}"`);
  const end = text.indexOf("\n## ", start + 4);
  return text.slice(start, end < 0 ? text.length : end);
}

/** The TypeScript in a text. */
function examplesOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!);
}

/** What the comments say that an example prints. */
function expectedOutput(code: string): string[] {
  return code.split("\n").filter((line) => line.includes("console.log(")).flatMap((line) => {
    const comment = /\); \/\/ (.*)$/.exec(line);
    assert.ok(comment !== null, `nothing says what this prints: ${line}`);
    return comment[1]!.split(" | ");
  });
}

/** The example with its imports led to this tree, its directories to `directory`, its output to us. */
function runnable(code: string, directory: string): string {
  const resolved = code
    .replaceAll(`from "@tinykvs/core"`, `from "${new URL("../../mod.ts", import.meta.url)}"`)
    .replaceAll(
      `from "@msgpack/msgpack"`,
      () => `from "${import.meta.resolve("@msgpack/msgpack")}"`,
    )
    .replaceAll(/"\.\/(mydb[\w-]*)"/g, (_, name) => JSON.stringify(join(directory, name)));
  const print =
    `(...parts) => globalThis[Symbol.for("${output.description}")].push(format(...parts));`;
  return `import { format } from "node:util";\nconst print = ${print}\n` +
    resolved.replaceAll("console.log(", "print(");
}

const examples = examplesOf(sectionOf(readme, "Coming from Go"));

for (const [index, code] of examples.entries()) {
  test(`Example ${index + 1} of the section "Coming from Go" prints what its comments say`, async () => {
    const temporary = temporaryDirectory("readme");
    try {
      const file = join(temporary.path, `example_${index}.mts`);
      writeFileSync(file, runnable(code, temporary.path));
      printed[output] = [];
      await import(pathToFileURL(file).href);
      assert.deepEqual(printed[output], expectedOutput(code));
    } finally {
      delete printed[output];
      temporary.dispose();
    }
  });
}

test(`The section "Coming from Go" has an example for each one of the Go program's README`, () => {
  assert.ok(examples.length >= 10, `${examples.length} examples`);
  const section = sectionOf(readme, "Coming from Go");
  const names = [
    ...["Open", "Close", "Flush", "Put", "Get", "Delete", "PutString", "PutInt64", "PutFloat64"],
    ...["PutBool", "PutBytes", "GetString", "GetInt64", "GetFloat64", "GetBool", "GetBytes"],
    ...["ScanPrefix", "Value{", "Int64Value", "Float64Value", "BoolValue", "StringValue"],
    ...["BytesValue", "Dir", "MemtableSize", "BlockCacheSize", "BlockSize", "CompressionType"],
    ...["CompressionLevel", "BloomFPRate", "WALSyncMode", "VerifyChecksums", "CompressionZstd"],
    ...["CompressionSnappy", "CompressionNone", "DefaultOptions", "LowMemoryOptions", "Gob"],
    ...["HighPerformanceOptions", "GOMEMLIMIT", "MemtableCount", "HitRate", "NumTables"],
    ...["NumKeys", "json.Marshal", "msgpack.Marshal", "proto.Marshal"],
  ];
  for (const name of names) assert.ok(section.includes(name), name);
});

test("The runner of examples finds one that prints something else", () => {
  assert.deepEqual(expectedOutput("console.log(1); // 1 | 2\nnothing();\n"), ["1", "2"]);
  assert.throws(() => expectedOutput("console.log(1);"), /nothing says what this prints/);
  assert.deepEqual(examplesOf("a\n```ts\nb();\n```\n```sh\nc\n```\n"), ["b();\n"]);
  assert.throws(() => sectionOf("# a\n", "b"), /no section "b"/);
});
