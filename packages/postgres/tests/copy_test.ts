/**
 * Moving from the embedded store to PostgreSQL and back, with a kill of the server in the middle of
 * both ways. A million entries, in some minutes:
 *
 *     TINYKVS_TEST_SCALE=50 node --test packages/postgres/tests/copy_test.ts
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
import { memoryFileSystem, open } from "@tinykvs/core";
import type { Store, Value } from "@tinykvs/core/contract";
import { type CopyOptions, copyStore, digestOf, openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

const ENTRIES = Math.ceil(
  20_000 * Number(process.env["TINYKVS_TEST_SCALE"] ?? 1),
);

let server: Server;

before(async () => {
  server = await startServer({ max_wal_size: "1GB" });
});

after(async () => {
  await server.stop();
});

async function memory(): Promise<Store> {
  return await open("/db", { fileSystem: memoryFileSystem() });
}

function valueOf(i: number): Value {
  return i % 3 === 0 ? i : i % 3 === 1 ? BigInt(i) : `text ${i}`;
}

async function fill(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count;) {
    const batch = store.batch();
    for (const end = Math.min(count, i + 5000); i < end; i++) {
      batch.put(`k${String(i).padStart(8, "0")}`, valueOf(i));
    }
    await batch.write();
  }
}

/** The failure of a copy whose server is killed in the middle of it, and started again. */
async function copyUntilKilled(
  from: Store,
  to: Store,
  options: CopyOptions,
  // deno-lint-ignore no-explicit-any
): Promise<any> {
  let killed: Promise<void> | undefined;
  const failure = await copyStore(from, to, {
    ...options,
    onProgress: ({ entries }) => {
      if (entries >= ENTRIES / 2) killed ??= server.kill();
    },
  }).catch((error) => error);
  await killed;
  await server.start();
  return failure;
}

test(`${ENTRIES} entries move to PostgreSQL and back; both copies go on after the server was killed`, async () => {
  const from = await memory();
  await fill(from, ENTRIES);
  const driver = clients.pg(server.url);
  const options = { batchEntries: ENTRIES / 20, expiry: false };
  const first = await openPostgres(driver, { table: "moved", retryMs: 0 });
  const failure = await copyUntilKilled(from, first, options);
  assert.equal(failure.code, "IO", String(failure.stack ?? failure));
  await first.close();
  const second = await openPostgres(driver, { table: "moved" });
  assert.equal(
    (await copyStore(from, second, options).catch((error) => error)).code,
    "ALREADY_EXISTS",
  );
  const there = await second.count();
  assert.ok(
    there >= ENTRIES / 2 - ENTRIES / 20 && there < ENTRIES,
    `${there} entries are there`,
  );
  // The source has changed, too.
  await from.delete("k00000001");
  await from.put("k00000002", "changed");
  await from.put("new", 1);
  const report = await copyStore(from, second, { ...options, resume: true });
  assert.equal(report.entries, ENTRIES);
  assert.equal(report.removed, 1);
  assert.equal(report.written, ENTRIES + 1 - there + 1);
  const back = await memory();
  const failureBack = await copyUntilKilled(second, back, options);
  assert.match(failureBack.code, /^(?:SNAPSHOT_GONE|IO)$/, String(failureBack.stack));
  const returnedBefore = await back.count();
  assert.ok(
    returnedBefore >= ENTRIES / 2 && returnedBefore < ENTRIES,
    `${returnedBefore} entries have come back`,
  );
  const returned = await copyStore(second, back, { ...options, resume: true });
  assert.equal(returned.written, ENTRIES - returnedBefore);
  assert.equal(returned.digest, report.digest);
  assert.deepEqual(await digestOf(from), {
    entries: ENTRIES,
    digest: report.digest,
  });
  assert.equal(await back.get("k00000002"), "changed");
  for (const store of [from, second, back]) await store.close();
});

test("A copy can be given up by a signal, and a mistaken option is refused", async () => {
  await using from = await memory();
  await fill(from, 3000);
  await using to = await openPostgres(clients.postgres(server.url), {
    table: "given_up",
  });
  const controller = new AbortController();
  const given = {
    batchEntries: 500,
    signal: controller.signal,
    onProgress: ({ written }: { written: number }) => {
      if (written >= 1000) controller.abort(new RangeError("enough"));
    },
  };
  await assert.rejects(copyStore(from, to, given), RangeError);
  const count = await to.count();
  assert.ok(count >= 1000 && count < 3000, `${count} entries`);
  await assert.rejects(
    copyStore(from, to, { resumes: true } as never),
    TypeError,
  );
  await assert.rejects(copyStore(from, to, { batchEntries: 0 }), RangeError);
  const report = await copyStore(from, to, { resume: true });
  assert.deepEqual([report.entries, report.written], [3000, 3000 - count]);
});

test("A copy of a range touches and compares these keys alone", async () => {
  const from = await memory();
  const to = await memory();
  for (const key of ["a", "p1", "p2", "p3", "z"]) await from.put(key, key);
  await to.put("other", 1);
  const range = { prefix: "p" };
  const first = await copyStore(from, to, { range });
  assert.deepEqual([first.entries, first.written, first.removed], [3, 3, 0]);
  assert.deepEqual(await to.keys().toArray(), ["other", "p1", "p2", "p3"]);
  await assert.rejects(copyStore(from, to, { range }), /not empty/);
  await to.put("p9", 1);
  await to.delete("p1");
  const { removed, written } = await copyStore(from, to, { range, resume: true });
  assert.deepEqual([written, removed], [1, 1]);
  const above = await copyStore(from, to, { range: { gt: "p3" } });
  assert.equal(above.written, 1);
  assert.deepEqual(await to.keys().toArray(), ["other", "p1", "p2", "p3", "z"]);
  assert.deepEqual(await to.get("other"), 1);
  // deno-lint-ignore no-explicit-any
  const wrong = { limit: 1 } as any;
  await assert.rejects(copyStore(from, to, { range: wrong }), TypeError);
  await Promise.all([from.close(), to.close()]);
});
