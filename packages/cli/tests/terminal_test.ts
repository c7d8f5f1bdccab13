/** What a person sees: boxes that fit, and values that cannot do anything to the terminal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { widthOf } from "../src/text/width.ts";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

const EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31m\r\x9b1A\u202e\u2028\x7f";

/** Takes out the colours and the line of the progress, which the command itself writes. */
function withoutStyles(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[\d+m|\r\x1b\[K/g, "");
}

/** Whether text has a character that a terminal obeys, besides line feeds. */
function obeyed(text: string): RegExpExecArray | null {
  return /(?!\n)[\p{Cc}\p{Zl}\u202a-\u202e]/u.exec(text);
}

async function evilStore(path: string): Promise<void> {
  await using store = await open(path);
  const bytes = new TextEncoder().encode(EVIL);
  await store.batch()
    .put(`key${EVIL}`, EVIL)
    .put("bytes", bytes)
    .put("lines", `one\n${EVIL}\ttwo`)
    .put("record", { [EVIL]: [EVIL, bytes] })
    .write();
}

test("No command lets a stored value move the cursor or change the title, in any mode", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await evilStore(db);
  const key = JSON.stringify(`key${EVIL}`);
  const lines = [
    ["scan"],
    ["keys"],
    ["get", "record"],
    ["get", "lines"],
    ["get", key],
    ["get", key, "bytes"],
    ["get", `${key}x`],
    ["put", key, "1", "--dry-run"],
    ["delete", `${EVIL}`, "--dry-run"],
    ["delete-range", EVIL, "--dry-run"],
    ["count", EVIL],
    ["dump"],
    ["export", "-", "--format", "ndjson"],
    ["nothing", EVIL],
    [`scan${EVIL}`],
    ["scan", `--${EVIL}`],
    ["checkpoint", folder.at(`copy${EVIL}`), "--dry-run"],
    ["load", folder.at(`none${EVIL}`)],
  ];
  for (
    const mode of ["--box", "--json", "--jsonl", "--csv", "--raw", "--hex"]
  ) {
    for (const line of lines) {
      const ran = await run([db, ...line, mode], { terminal: true });
      for (const text of [ran.out, ran.err]) {
        const found = obeyed(withoutStyles(text).replaceAll("\t", ""));
        assert.equal(
          found,
          null,
          `${line.join(" ")} ${mode}: ${JSON.stringify(text)}`,
        );
      }
      assert.notEqual(ran.out + ran.err, "");
    }
  }
});

test("A pipe gets the bytes of a value as they are", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await evilStore(db);
  const { bytes } = await run([db, "get", "bytes", "--raw"]);
  assert.deepEqual(new Uint8Array(bytes), new TextEncoder().encode(EVIL));
});

test("Boxes are as wide as the terminal at most, and straight with wide characters", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db);
    await store.put("漢字", "日本語のとても長いテキスト".repeat(20));
    await store.put("emoji 👩‍👩‍👧", "👍🏽 ok");
    await store.put("long".repeat(50), { text: "x".repeat(1000) });
    await store.put("é", "combining e\u0301");
  }
  for (const columns of [40, 80, 120]) {
    const { out } = await run([db, "scan", "--no-color"], {
      terminal: true,
      columns,
    });
    const box = out.trimEnd().split("\n").slice(0, -1);
    const widths = new Set(box.map(widthOf));
    assert.equal(widths.size, 1, out);
    assert.ok([...widths][0]! <= columns, out);
    assert.equal(box.length, 8);
  }
});

test("A terminal shows the first entries of a large store, and a pipe shows all", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db);
    const batch = store.batch();
    for (let i = 0; i < 300; i++) {
      batch.put(`k${String(i).padStart(3, "0")}`, i);
    }
    await batch.write();
  }
  const shown = await run([db, "scan"], { terminal: true });
  assert.match(
    shown.out,
    /the first 100 of about 300 entries, as of \d\d:\d\d:\d\d; more: --limit/,
  );
  assert.equal(
    shown.out.split("\n").filter((line) => line.includes("float64")).length,
    100,
  );
  const all = await run([db, "scan", "--all"], { terminal: true });
  assert.match(all.out, /300 entries, as of/);
  assert.equal((await run([db, "scan"])).out.trim().split("\n").length, 300);
  assert.equal(
    (await run([db, "keys", "k00", "--raw"])).out.split("\n").length,
    11,
  );
});

test("Colours are for terminals, and NO_COLOR, --no-color and --color decide", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await evilStore(db);
  const coloured = async (
    words: readonly string[],
    terminal: boolean,
    environment = {},
  ) =>
    (await run([db, "scan", ...words], { terminal, environment })).out.includes(
      "\x1b[",
    );
  assert.equal(await coloured([], true), true);
  assert.equal(await coloured([], true, { NO_COLOR: "1" }), false);
  assert.equal(await coloured(["--no-color"], true), false);
  assert.equal(await coloured([], true, { TERM: "dumb" }), false);
  assert.equal(await coloured(["--box"], false), false);
  assert.equal(await coloured(["--box", "--color"], false), true);
});

test("JSON, JSON lines and CSV of a scan are what their readers expect", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await using store = await open(db);
  await store.put("a", 1n);
  await store.put("b", 'x,"y"\nz');
  const json = JSON.parse((await run([db, "scan", "--json"])).out);
  assert.deepEqual(json, [
    { key: "a", type: "int64", value: 1 },
    { key: "b", type: "string", value: 'x,"y"\nz' },
  ]);
  assert.equal((await run([db, "scan", "none", "--json"])).out, "[]\n");
  const csv = (await run([db, "scan", "--csv"])).out;
  assert.equal(
    csv,
    'key,type,value\na,int64,1\nb,string,"x,""y""\nz"\n',
  );
  assert.equal(
    (await run([db, "scan", "--hex"])).out,
    "61\t1n\n62\t782c2279220a7a\n",
  );
  assert.equal((await run([db, "scan", "--json", "--csv"])).code, 2);
});
