/**
 * The value codec: each type of value to bytes and back, and JSON of the same record as what a user
 * would do otherwise.
 *
 * Each put encodes a value, each get and each entry of a scan decodes one; bytes of 100 are what
 * db_bench stores. Which way text goes differs by length and runtime (text_codec.ts), hence the
 * sizes.
 */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeValue, ValueDecoder } from "../../src/value/value_codec.ts";
import { keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";

const CALLS = 2048;
const SAMPLES = 64;

/** A number that tells one value of a sample from another. */
function markOf(value: Value): number {
  switch (typeof value) {
    case "number":
      return value;
    case "bigint":
      return Number(value);
    case "string":
      return value.length + value.charCodeAt(value.length - 1);
    case "boolean":
      return value ? 1 : 2;
    default:
      if (value instanceof Uint8Array) return value.length + value[value.length - 1]!;
      return (value as { id: number }).id;
  }
}

const text = (n: number, length: number): string =>
  `user ${keyOf(n)} `.repeat(100).slice(0, length);
const bytesOf = (n: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (n + i * 7) & 0xff);
const recordOf = (n: number): { [name: string]: Value } => ({
  id: n,
  name: `user ${n + 100}`,
  tags: ["a", "b"],
  score: n / 4 + 0.5,
});

/** A kind of value, and the length of its encoding if that is fixed. */
const kinds: readonly [name: string, make: (n: number) => Value, encodedBytes?: number][] = [
  ["number", (n) => n + 0.5, 9],
  ["int64", (n) => BigInt(n) << 40n, 9],
  ["boolean", (n) => n % 2 === 0, 2],
  ["string of 16", (n) => text(n, 16), 22],
  ["string of 100", (n) => text(n, 100), 106],
  ["string of 100, not ASCII", (n) => `é${text(n, 98)}`, 106],
  ["string of 1000", (n) => text(n, 1000), 1006],
  ["bytes of 16", (n) => bytesOf(n, 16), 22],
  ["bytes of 100", (n) => bytesOf(n, 100), 106],
  ["bytes of 1000", (n) => bytesOf(n, 1000), 1006],
  ["bytes of 16 KiB", (n) => bytesOf(n, 16384), 16390],
  ["record of 4 properties", recordOf],
];

/** The cases. */
export function valueCases(): MicroCase[] {
  const decoder = new ValueDecoder({ int64: "bigint" });
  const cases = kinds.flatMap(([name, make, encodedBytes]): MicroCase[] => {
    const samples = Array.from({ length: SAMPLES }, (_, n) => make(n));
    const writer = new ByteWriter(1 << 16);
    const stored = samples.map((value) => {
      writer.length = 0;
      encodeValue(value, writer);
      const bytes = writer.bytes.slice(0, writer.length);
      return { bytes, view: new DataView(bytes.buffer) };
    });
    const lengths = stored.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const marks = samples.reduce((sum: number, value) => sum + markOf(value), 0);
    return [
      {
        name: `encode ${name}`,
        operations: CALLS,
        expected: CALLS / SAMPLES * (encodedBytes === undefined ? lengths : SAMPLES * encodedBytes),
        run: () => {
          let sum = 0;
          for (let i = 0; i < CALLS; i++) {
            writer.length = 0;
            encodeValue(samples[i % SAMPLES]!, writer);
            sum += writer.length;
          }
          return sum;
        },
      },
      {
        name: `decode ${name}`,
        operations: CALLS,
        expected: CALLS / SAMPLES * marks,
        run: () => {
          let sum = 0;
          for (let i = 0; i < CALLS; i++) {
            const { bytes, view } = stored[i % SAMPLES]!;
            sum += markOf(decoder.decode(bytes, view, 0, bytes.length));
          }
          return sum;
        },
      },
    ];
  });
  const records = Array.from({ length: SAMPLES }, (_, n) => recordOf(n));
  const texts = records.map((record) => JSON.stringify(record));
  return [...cases, {
    name: "comparison: the record by JSON.stringify",
    operations: CALLS,
    expected: CALLS / SAMPLES * texts.reduce((sum, json) => sum + json.length, 0),
    run: () => {
      let sum = 0;
      for (let i = 0; i < CALLS; i++) sum += JSON.stringify(records[i % SAMPLES]).length;
      return sum;
    },
  }, {
    name: "comparison: the record by JSON.parse",
    operations: CALLS,
    expected: CALLS / SAMPLES * SAMPLES * (SAMPLES - 1) / 2,
    run: () => {
      let sum = 0;
      for (let i = 0; i < CALLS; i++) {
        sum += (JSON.parse(texts[i % SAMPLES]!) as { id: number }).id;
      }
      return sum;
    },
  }];
}
