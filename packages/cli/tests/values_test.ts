/** Keys and values as text: what is shown can be typed, and no type is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../src/errors.ts";
import { escapeControls, isPlain } from "../src/text/escape.ts";
import { entryJson, parseEntryJson } from "../src/values/json_form.ts";
import { losesDigits, parseJson } from "../src/values/json_numbers.ts";
import { parseKey, parseLiteral, parseValue } from "../src/values/literal_parser.ts";
import { keyText, literalOf } from "../src/values/literal_text.ts";
import { randomKey, randomNumbers, randomValue } from "./support/random.ts";

const SEED = 20261130;
const CASES = 2000;

test("The literal of a value is read as the same value, and never holds a control character", () => {
  const next = randomNumbers(SEED);
  for (let i = 0; i < CASES; i++) {
    const value = randomValue(next);
    const literal = literalOf(value);
    assert.ok(isPlain(literal), literal);
    assert.deepEqual(
      parseValue(literal),
      value,
      `case ${i} of seed ${SEED}: ${literal}`,
    );
  }
});

test("The text of a key is read as the same key", () => {
  const next = randomNumbers(SEED + 1);
  for (let i = 0; i < CASES; i++) {
    const key = randomKey(next);
    const text = keyText(key);
    assert.ok(isPlain(text), text);
    assert.deepEqual(
      new Uint8Array(parseKey(text)),
      key,
      `case ${i} of seed ${SEED + 1}: ${text}`,
    );
  }
});

test("The JSON of an entry is one line, and is read as the same entry", () => {
  const next = randomNumbers(SEED + 2);
  for (let i = 0; i < CASES; i++) {
    const entry = {
      key: randomKey(next),
      value: randomValue(next),
      ...(i % 3 === 0 ? { expiresAt: 1_700_000_000_000 + i } : {}),
    };
    const line = entryJson(entry);
    assert.ok(isPlain(line), line);
    assert.deepEqual(
      parseEntryJson(line),
      entry,
      `case ${i} of seed ${SEED + 2}: ${line}`,
    );
  }
});

test("A literal that is cut short never takes more than what is shown of it", () => {
  const long = literalOf({
    a: "x".repeat(1e6),
    b: Array.from({ length: 1e5 }, (_, i) => i),
  }, 100);
  assert.ok(long.length < 300, `${long.length}`);
  assert.ok(literalOf(new Uint8Array(1e6), 100).length < 120);
});

test("What begins like a literal and is none is an error that says where", () => {
  for (
    const text of [
      '{"a": }',
      "[1,",
      '"open',
      "x'0'",
      "x'zz'",
      '{"a" 1}',
      "[1] 2",
      "{a: 1}",
    ]
  ) {
    assert.throws(() => parseValue(text), UsageError, text);
    assert.doesNotThrow(() => parseValue(text, "string"));
  }
  assert.throws(() => parseValue("9223372036854775808n"), /integer of 64 bits/);
  assert.throws(
    () => parseLiteral('{"a": [1, nope]}', "value"),
    /character 11/,
  );
  assert.throws(() => parseValue("12x", "int"), UsageError);
  assert.throws(() => parseValue("\ufffd"), /not UTF-8/);
});

test("Every character that a terminal obeys is escaped, and letters and emoji are not", () => {
  for (
    const code of [
      0,
      7,
      8,
      9,
      10,
      13,
      27,
      127,
      0x80,
      0x9b,
      0x9d,
      0xad,
      0x200b,
      0x200e,
      0x202e,
    ]
  ) {
    const text = escapeControls(`a${String.fromCodePoint(code)}b`);
    assert.match(text, /^a\\(?:[btnfr]|u[0-9a-f]{4})b$/);
  }
  assert.equal(escapeControls("\ud800 \u{e0041}"), "\\ud800 \\udb40\\udc41");
  for (const text of ["日本語", "é", "👩‍👩‍👧", "❤️", "العربية"]) {
    assert.equal(escapeControls(text), text);
  }
});

test("An integer that a float64 does not hold is refused, and never rounded in silence", () => {
  for (const text of ["9007199254740993", "-9007199254740993", '{"id": 9007199254740993}']) {
    assert.throws(() => parseValue(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /9007199254740993, which a float64 does not hold/);
      assert.match(error.advice!, /9007199254740993n/);
      return true;
    });
  }
  assert.equal(parseValue("9007199254740993n"), 9007199254740993n);
  assert.equal(parseValue("9007199254740993", "float"), 9007199254740992);
  assert.equal(parseValue("9007199254740993", "int"), 9007199254740993n);
  // What a float64 shows of itself stays one.
  for (const number of [2 ** 53, 2 ** 60, 1e20, 123456789012345680000, -(2 ** 70)]) {
    assert.equal(parseValue(String(number)), number);
    assert.equal(losesDigits(String(number)), false);
  }
});

test("A date outside of a record is refused, as null and extensions are, and not stored as text", () => {
  assert.throws(() => parseValue("date(2026-11-30T20:40:00Z)"), /exist only in records/);
  assert.throws(() => parseValue("date(2026-13-45)"), UsageError);
  assert.equal(parseValue("date(2026-13-45)", "string"), "date(2026-13-45)");
});

test("JSON of others keeps all digits of integers of 64 bits", () => {
  const text = `{"id": 1234567890123456789, "max": 18446744073709551615, "low": -9007199254740993,
    "more": 123456789012345678901234567890, "small": 30, "half": 0.12345678901234567, "big": 1e25,
    "text": "1234567890123456789", "all": [9007199254740993, {"a": 9007199254740991}]}`;
  assert.deepEqual(parseJson(text), {
    id: 1234567890123456789n,
    max: 18446744073709551615n,
    low: -9007199254740993n,
    more: 1.2345678901234568e29,
    small: 30,
    half: 0.12345678901234567,
    big: 1e25,
    text: "1234567890123456789",
    all: [9007199254740993n, { a: 9007199254740991 }],
  });
});
