// The TypeScript of the documents runs as it is written there, and prints what its comments say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExample, examplesOf, expectedOutput, readDocument } from "../support/documents.ts";

const documents: Readonly<Record<string, number>> = {
  "README.md": 1,
  "docs/API.md": 4,
  "docs/FROM_GO.md": 10,
  "docs/LEVEL.md": 2,
  "docs/FROM_LMDB.md": 3,
  "docs/FROM_DENO_KV.md": 2,
};

for (const [document, least] of Object.entries(documents)) {
  const examples = examplesOf(readDocument(document));
  test(`${document} has its examples`, () => {
    assert.ok(examples.length >= least, `${examples.length} examples`);
  });
  for (const [index, code] of examples.entries()) {
    test(`Example ${index + 1} of ${document} prints what its comments say`, async () => {
      await checkExample(code, `example_${index}`);
    });
  }
}

test("FROM_GO.md has every name of the Go program's README", () => {
  const text = readDocument("docs/FROM_GO.md");
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
  for (const name of names) assert.ok(text.includes(name), name);
});

test("Every line of CHOOSING.md names what shows it, and its figures are those of the benches", () => {
  const rows = readDocument("docs/CHOOSING.md").split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (?:Choose |---)/.test(line))
    .map((line) => line.slice(2).split(" | ").map((cell) => cell.replace(/\|$/, "").trim()));
  assert.ok(rows.length >= 24, `${rows.length} lines`);
  const benches = ["README.md", "docs/BENCHMARKS.md", "docs/benchmarks/deno.md"]
    .map(readDocument).join();
  let figures = 0;
  for (const [claim, source] of rows) {
    assert.match(source!, /\]\([^)]+\)/, claim);
    if (!source!.includes("[bench")) continue;
    for (
      const [figure] of claim!.matchAll(/\d[\d.]*(?:k|M)?(?= (?:against|MB|ms|to|of)|[;,]|$)/g)
    ) {
      if (figure === "1") continue;
      figures++;
      assert.ok(benches.includes(figure), `${figure} in "${claim}"`);
    }
  }
  assert.ok(figures >= 25, `${figures} figures`);
});

test("The README fits on a few screens: fewer than 150 lines", () => {
  assert.ok(readDocument("README.md").split("\n").length < 150);
});

test("docs/BENCHMARKS.md has at most 120 lines", () => {
  assert.ok(readDocument("docs/BENCHMARKS.md").split("\n").length <= 121);
});

test("The runner of examples finds one that prints something else", async () => {
  assert.deepEqual(expectedOutput("console.log(1); // 1 | 2\nnothing();\n"), ["1", "2"]);
  assert.throws(() => expectedOutput("console.log(1);"), /nothing says what this prints/);
  assert.deepEqual(examplesOf("a\n```ts\nb();\n```\n```sh\nc\n```\n"), ["b();\n"]);
  await assert.rejects(checkExample("console.log(1); // 2\n", "wrong"), /Expected values/);
});
