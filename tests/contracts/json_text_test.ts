/** JSON texts: what JSON cannot express is refused by its place, not changed silently. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObjects, jsonText } from "../../src/contract/json_text.ts";

const kinds: readonly JsonObjects[] = ["plain", "any"];

test("jsonText() makes the text that JSON.parse() makes the same value of", () => {
  const shared = { x: 1 };
  const values = [
    null,
    true,
    -1.5,
    "\ud800 \u2028",
    [],
    [[null], {}],
    { a: { b: [1, ""] } },
    [
      shared,
      shared,
    ],
    JSON.parse('{"__proto__":{"a":1}}'),
    Object.assign(Object.create(null), { a: 1 }),
  ];
  for (const value of values) {
    for (const kind of kinds) {
      assert.equal(JSON.stringify(JSON.parse(jsonText(value, kind))), JSON.stringify(value));
    }
  }
  for (const kind of kinds) assert.equal(jsonText({ a: undefined, b: 1 }, kind), '{"b":1}');
});

test("jsonText() refuses what JSON cannot express, and names the place", () => {
  const inItself: unknown[] = [1];
  inItself.push({ again: inItself });
  const refused: readonly (readonly [unknown, string])[] = [
    [undefined, "value is undefined"],
    [() => 1, "value is a function"],
    [Symbol("s"), "value is a symbol"],
    [1n, "value is a bigint"],
    [NaN, "value is NaN"],
    [{ a: [1, -Infinity] }, "value.a[1] is -Infinity"],
    [{ "a b": { c: NaN } }, 'value["a b"].c is NaN'],
    [[1, undefined], "value[1] is undefined"],
    // deno-lint-ignore no-sparse-arrays
    [[1, , 2], "value[1] is undefined"],
    [{ a: () => 1 }, "value.a is a function"],
    [{ a: Symbol("s") }, "value.a is a symbol"],
    [[{ id: 1n }], "value[0].id is a bigint"],
    [{ a: new Map([[1, 2]]) }, "value.a is an instance of Map"],
    [{ a: new Set([1]) }, "value.a is an instance of Set"],
    [[/x/], "value[0] is an instance of RegExp"],
    [[new Error("x")], "value[0] is an instance of Error"],
    [{ a: Uint8Array.of(1) }, "value.a is an instance of Uint8Array"],
    [[Promise.resolve(1)], "value[0] is an instance of Promise"],
    [inItself, "value[1].again is inside itself"],
  ];
  for (const [value, place] of refused) {
    for (const kind of kinds) {
      assert.throws(() => jsonText(value, kind), (error) => {
        assert.ok(error instanceof TypeError, String(error));
        assert.ok(
          error.message.startsWith(`Cannot store the value as JSON: ${place}, expected`),
          error.message,
        );
        return true;
      });
    }
  }
});

test("jsonText() takes objects of classes by their own form only if it is asked to", () => {
  class User {
    readonly name = "Alice";
  }
  class Moment {
    toJSON(): string {
      return "1970";
    }
  }
  const when = new Moment();
  assert.equal(
    jsonText([new User(), when], "any"),
    '[{"name":"Alice"},"1970"]',
  );
  assert.throws(() => jsonText([new User()], "plain"), /value\[0\] is an instance of User/);
  assert.throws(() => jsonText({ when }, "plain"), /value\.when is an instance of Moment/);
  assert.throws(() => jsonText({ toJSON: () => NaN }, "any"), /value is NaN/);
  assert.throws(() => jsonText({ toJSON: () => 1 }, "plain"), /value\.toJSON is a function/);
});
