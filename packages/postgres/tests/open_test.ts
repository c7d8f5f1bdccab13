/** Which servers a store opens on. By a driver of the test: no other server can run here. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "@tinykvs/core/contract";
import { type Driver, openPostgres, PostgresError } from "../mod.ts";

/** A server that says what it is, and answers as if the tables were there if `hasTables`. */
function serverThatIs(version: string, hasTables: boolean): { driver: Driver; calls: string[] } {
  const calls: string[] = [];
  const driver: Driver = {
    name: "test",
    connect: () => {
      calls.push("connect");
      return Promise.resolve({
        isClosed: false,
        query: ({ text }) => {
          calls.push(text.replace(/FROM.*/, "FROM ..."));
          if (/version\(\)/.test(text)) return Promise.resolve([[version]]);
          if (hasTables) return Promise.resolve([[1, Date.now()]]);
          return Promise.reject(Object.assign(new Error("no table"), { code: "42P01" }));
        },
        run: () => {
          calls.push("run");
          return Promise.resolve();
        },
        destroy: () => void calls.push("close"),
        close: () => {
          calls.push("close");
          return Promise.resolve();
        },
      });
    },
  };
  return { driver, calls };
}

for (const hasTables of [false, true]) {
  const state = hasTables ? "with" : "without";
  test(`CockroachDB ${state} tables is refused before anything else is asked or made`, async () => {
    const version = "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024/05/15)";
    const { driver, calls } = serverThatIs(version, hasTables);
    await assert.rejects(openPostgres(driver, { table: "kv" }), (error) => {
      assert.ok(error instanceof PostgresError && error instanceof StoreError, String(error));
      assert.equal(error.reason, "unsupported");
      assert.match(error.message, /"public\.kv".*CockroachDB CCL v24\.1\.0.*advisory locks/);
      return true;
    });
    assert.deepEqual(calls, ["connect", "SELECT version()", "close"]);
  });
}

test("PostgreSQL, and what calls itself so, is opened", async () => {
  for (const version of ["PostgreSQL 15.14 (Debian)", "PostgreSQL 11.2-YB-2.21 like CockroachDB"]) {
    const { driver, calls } = serverThatIs(version, true);
    const store = await openPostgres(driver, { table: "kv" });
    assert.deepEqual(calls.slice(0, 2), ["connect", "SELECT version()"]);
    assert.equal(calls.includes("run"), false);
    await store.close();
  }
});
