/** Pages as text: scans show exactly what was written, whatever its bytes look like as text. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { after, before, test } from "node:test";
import type { Value } from "@tinykvs/core/contract";
import { type Driver, openPostgres } from "../mod.ts";
import { Random } from "../../../tests/support/random.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

const ENTRIES = 3000;

let server: Server;

before(async () => {
  server = await startServer();
});

after(async () => {
  await server.stop();
});

/** Counts the pages of text, and all pages. */
function counting(driver: Driver): { driver: Driver; pages: { text: number; all: number } } {
  const pages = { text: 0, all: 0 };
  const counted: Driver = {
    ...driver,
    async connect() {
      const connection = await driver.connect();
      const { query } = connection;
      connection.query = (statement, parameters) => {
        if (statement.name.startsWith("tinykvs_page_")) pages.all++;
        if (statement.text.includes("'escape'")) pages.text++;
        return query.call(connection, statement, parameters);
      };
      return connection;
    },
  };
  return { driver: counted, pages };
}

const TRICKY = [0x00, 0x01, 0x2d, 0x30, 0x31, 0x37, 0x5c, 0x5c, 0x61, 0x7f, 0x80, 0xc3, 0xff];

/** Places of values that are too large for a page of text. */
const LARGE = new Set([507, 2000]);

/** An entry of ASCII, or, one of 23 times, of bytes and types that are hard to tell apart. */
function entryAt(at: number, random: Random): [Uint8Array, Value] {
  const tricky = (): Uint8Array =>
    Uint8Array.from({ length: random.below(12) }, () => random.pick(TRICKY));
  const key = `key:${String(at).padStart(6, "0")}`;
  if (LARGE.has(at)) return [bytesOf(key), "x".repeat(3000)];
  if (at % 23 !== 1) {
    return [
      bytesOf(key),
      random.below(3) === 0 ? bytesOf(`bytes ${at}`) : `${at} `.repeat(random.below(60)),
    ];
  }
  const values: (() => Value)[] = [
    () => tricky(),
    () => Buffer.from(tricky()).toString("latin1"),
    () => "\\-\\\\-\\101",
    () => "",
    () => at * 1.5,
    () => BigInt(at),
    () => at % 2 === 0,
    () => ({ at, text: "a\\b", bytes: tricky() }),
    () => "\u20ac".repeat(500),
    () => new Uint8Array(0),
  ];
  return [Uint8Array.of(...bytesOf(key), ...tricky()), random.pick(values)()];
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Keys or values as text that tells their types: to compare it takes little time. */
function shown(item: unknown): string {
  if (Array.isArray(item)) return item.map(shown).join(" ");
  if (item instanceof Uint8Array) {
    return `${item.constructor.name} ${Buffer.from(item).toString("hex")}`;
  }
  if (typeof item !== "object" || item === null) return `${typeof item} ${String(item)}`;
  return Object.entries(item).map(shown).join(";");
}

for (const [client, connect] of Object.entries(clients)) {
  test(`By ${client}: a scan of mostly ASCII reads text, and shows every entry as it was written`, async () => {
    const seed = Number(process.env["TINYKVS_TEST_SEED"] ?? Date.now() % 2 ** 31);
    console.log(
      `TINYKVS_TEST_SEED=${seed} node --test packages/postgres/tests/escaped_rows_test.ts`,
    );
    const random = new Random(seed);
    const { driver, pages } = counting(connect(server.url));
    await using store = await openPostgres(driver, { table: `rows_${client}` });
    const expected = Array.from({ length: ENTRIES }, (_, at) => entryAt(at, random));
    const batch = store.batch();
    for (const [key, value] of expected) batch.put(key, value);
    await batch.write();
    const same = (found: readonly unknown[], wanted: readonly unknown[]): void =>
      assert.deepEqual(found.map(shown), wanted.map(shown));

    for (const reverse of [false, true]) {
      const wanted = reverse ? expected.toReversed() : expected;
      const options = { keyEncoding: "bytes", reverse } as const;
      same(await store.entries(options).toArray(), wanted);
      const one: unknown[] = [];
      for await (const entry of store.entries(options)) one.push(entry);
      same(one, wanted);
      same(await store.keys(options).toArray(), wanted.map(([key]) => key));
    }
    assert.ok(pages.text >= 6, `found ${pages.text} pages of text, expected one for each scan`);

    // Keys that are text.
    const ascii = expected.filter(([key]) => key.every((byte) => byte < 0x80));
    await store.deleteRange({ prefix: "key:" });
    const again = store.batch();
    for (const [key, value] of ascii) again.put(key, value);
    await again.write();
    const asText = ascii.map(([key, value]) => [Buffer.from(key).toString(), value]);
    same(await store.entries().toArray(), asText);
  });

  test(`By ${client}: a scan of binary values reads no text`, async () => {
    const { driver, pages } = counting(connect(server.url));
    await using store = await openPostgres(driver, { table: `binary_${client}` });
    const batch = store.batch();
    for (let at = 0; at < ENTRIES; at++) batch.put(`key:${at}`, at + 0.1);
    await batch.write();
    assert.equal((await store.entries().toArray()).length, ENTRIES);
    assert.equal(pages.text, 0);
    assert.ok(pages.all >= 2);
  });
}
