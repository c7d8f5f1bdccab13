/**
 * What the small hot functions of bytes/, value/ and the filters cost, in nanoseconds a call.
 *
 *     node bench/micro/bytes_bench.ts [filter]      (or deno run -A, or bun)
 *
 * Variants run interleaved in rounds; the minimum and the median of the rounds are shown, less an
 * empty loop. Inputs are drawn from a seeded generator; only ratios within one run mean anything.
 */

import process from "node:process";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { commonPrefixLength, compareRanges, keyWord } from "../../src/bytes/compare.ts";
import { crc32, slicedCrc32 } from "../../src/bytes/crc32.ts";
import { bloomPosition, hashKey } from "../../src/bytes/murmur3.ts";
import { nativeCrc32, runtimeName, runtimeVersion } from "../../src/platform/natives.ts";
import { Filter } from "../../src/sstable/filter.ts";
import { FilterBuilder } from "../../src/sstable/filter_builder.ts";
import { decodeKeyText, encodeKey } from "../../src/value/key_codec.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeValue, ValueDecoder } from "../../src/value/value_codec.ts";

const SEED = 1;
const ROUNDS = 15;
const WINDOW_MS = 6;

/** Called with a running number; what it returns is summed, so that no call is optimised away. */
type Body = (i: number) => number;

const bodies = new Map<string, Body>();

/** Next of a sequence of 32-bit numbers (a linear congruential generator). */
let state = SEED;
function random(): number {
  state = Math.imul(state, 1664525) + 1013904223 | 0;
  return state >>> 0;
}

const KEY_BYTES = 16;
const KEY_COUNT = 4096;
const keys = new Uint8Array(KEY_COUNT * KEY_BYTES);
const keyTexts: string[] = [];
for (let n = 0; n < KEY_COUNT; n++) {
  const text = `user:${String(random()).padStart(11, "0")}`;
  for (let i = 0; i < KEY_BYTES; i++) keys[n * KEY_BYTES + i] = text.charCodeAt(i);
  keyTexts.push(text);
}
const keysView = new DataView(keys.buffer);
const keyAt = (i: number): number => (i & KEY_COUNT - 1) * KEY_BYTES;

bodies.set("empty loop", (i) => i & 1);
bodies.set("compareRanges, 16-byte keys", (i) => {
  const a = keyAt(i);
  const b = keyAt(i * 7 + 1);
  return compareRanges(keysView, a, a + 16, keysView, b, b + 16);
});
bodies.set("commonPrefixLength, 16-byte keys", (i) => {
  const a = keyAt(i);
  const b = keyAt(i * 7 + 1);
  return commonPrefixLength(keysView, a, a + 16, keysView, b, b + 16);
});
bodies.set("keyWord", (i) => keyWord(keysView, keyAt(i), keyAt(i) + 16));

for (const length of [32, 96, 128, 144, 256, 384, 448, 512, 1024, 16384]) {
  const at = (i: number): number => i & 0xff;
  bodies.set(`crc32, ${length} bytes`, (i) => crc32(keys, keysView, at(i), at(i) + length));
  if (length > 1024) continue;
  bodies.set(
    `crc32 sliced, ${length} bytes`,
    (i) => slicedCrc32(keysView, at(i), at(i) + length, 0),
  );
  bodies.set(
    `crc32 native, ${length} bytes`,
    (i) => nativeCrc32(keys.subarray(at(i), at(i) + length), 0),
  );
}

const builder = new FilterBuilder(0.01);
for (let n = 0; n < KEY_COUNT; n += 2) builder.addKey(keys, n * KEY_BYTES, (n + 1) * KEY_BYTES);
const filter = Filter.decode(builder.finish());
bodies.set("hashKey, 16 bytes", (i) => {
  hashKey(keys, keyAt(i), keyAt(i) + 16);
  return 0;
});
bodies.set("hashKey, 16 bytes, and 2 positions", (i) => {
  hashKey(keys, keyAt(i), keyAt(i) + 16);
  return bloomPosition(0, 9_585_059) + bloomPosition(1, 9_585_059);
});
bodies.set("hashKey, 1000 bytes", (i) => {
  hashKey(keys, keyAt(i & 1023), keyAt(i & 1023) + 1000);
  return 0;
});
bodies.set("Filter.mayContain, key absent", (i) => {
  const at = keyAt(i * 2 + 1);
  return filter.mayContain(keys, at, at + 16) ? 1 : 0;
});
bodies.set("Filter.mayContain, key present", (i) => {
  const at = keyAt(i * 2);
  return filter.mayContain(keys, at, at + 16) ? 1 : 0;
});
bodies.set("FilterBuilder, a key, all in all", (i) => {
  builder.addKey(keys, keyAt(i), keyAt(i) + 16);
  if (builder.keyCount < 65536) return 0;
  const { length } = builder.finish();
  builder.reset();
  return length;
});

const writer = new ByteWriter(1 << 16);
const keyBytes = Array.from({ length: 64 }, (_, n) => keys.slice(n * 16, n * 16 + 16));
bodies.set("encodeKey, 16 characters", (i) => {
  writer.length = i & 0xff;
  encodeKey(keyTexts[i & KEY_COUNT - 1]!, writer);
  return writer.length;
});
bodies.set("encodeKey, 16 bytes", (i) => {
  writer.length = i & 0xff;
  encodeKey(keyBytes[i & 63]!, writer);
  return writer.length;
});
bodies.set("decodeKeyText, 16 characters", (i) => {
  return decodeKeyText(keys, keyAt(i), keyAt(i) + 16).length;
});

const samples: [string, Value[]][] = [
  ["number", [1.5, 2.5, 1e9]],
  ["int64", [1n, -1n, 2n ** 40n]],
  ["string, 16", keyTexts.slice(0, 64)],
  ["string, 100", keyTexts.slice(0, 64).map((text) => text.repeat(7).slice(0, 100))],
  ["string, 100, wide", keyTexts.slice(0, 64).map((text) => `é${text.repeat(7).slice(0, 98)}`)],
  ["string, 1000", keyTexts.slice(0, 64).map((text) => text.repeat(63).slice(0, 1000))],
  ["bytes, 16", keyBytes],
  ["bytes, 100", [1, 2, 3].map((n) => keys.slice(n, n + 100))],
  ["bytes, 1000", [1, 2, 3].map((n) => keys.slice(n, n + 1000))],
  ["bytes, 16 KB", [1, 2, 3].map((n) => keys.slice(n, n + 16384))],
  [
    "record of 4 properties",
    [1, 2, 3].map((n) => ({
      id: n,
      name: `user ${n}`,
      tags: ["a", "b"],
      score: n / 3,
    })),
  ],
];
const decoder = new ValueDecoder({ int64: "bigint" });
for (const [name, values] of samples) {
  const stored = values.map((value) => {
    writer.length = 0;
    encodeValue(value, writer);
    const bytes = writer.bytes.slice(0, writer.length);
    return { bytes, view: new DataView(bytes.buffer) };
  });
  bodies.set(`encodeValue, ${name}`, (i) => {
    writer.length = i & 0xff;
    encodeValue(values[i % values.length]!, writer);
    return writer.length;
  });
  bodies.set(`decode, ${name}`, (i) => {
    const { bytes, view } = stored[i % stored.length]!;
    return decoder.decode(bytes, view, 0, bytes.length) === 0.1 ? 1 : 0;
  });
}

let sink = 0;

/** Nanoseconds a call, over at least one window. */
function measure(body: Body): number {
  let calls = 0;
  let sum = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < WINDOW_MS) {
    for (let n = 0; n < 500; n++) sum += body(calls++);
    elapsed = performance.now() - start;
  }
  sink += sum;
  return elapsed * 1e6 / calls;
}

const wanted = process.argv[2] ?? "";
const chosen = [...bodies].filter(([name]) => name === "empty loop" || name.includes(wanted));
const rounds = new Map<string, number[]>(chosen.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, body] of chosen) rounds.get(name)!.push(measure(body));
}
for (const times of rounds.values()) times.sort((a, b) => a - b);
const empty = rounds.get("empty loop")![0]!;
console.log(`${runtimeName} ${runtimeVersion}, seed ${SEED}, empty loop ${empty.toFixed(1)} ns`);
console.log(`${"".padEnd(40)} ${"min".padStart(9)} ${"median".padStart(9)}  ns a call`);
for (const [name, times] of rounds) {
  const shown = [times[0]!, times[ROUNDS >> 1]!].map((ns) => (ns - empty).toFixed(1).padStart(9));
  console.log(`${name.padEnd(40)} ${shown.join(" ")}`);
}
if (Number.isNaN(sink)) console.log("a body returned no number");
