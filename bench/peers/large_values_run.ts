/**
 * One step of bench/large_values.ts on one store, in this process. Prints what was measured as one
 * line of JSON.
 *
 * A step that puts writes every value, in a scattered order, and then half of them once more. Calls
 * come in groups of 256 KB, each followed by a turn of the event loop, as in a server: background
 * work gets its time, and counts.
 */

import { parseArgs } from "node:util";
import { keyOf, LargeValuePool } from "../key_values.ts";
import type { LargeOutcome, LargeStep, Taken } from "../large_values_steps.ts";
import { peakMemoryBytes, processorSeconds, StallMeter, turn } from "../measure.ts";
import { finish, finishWithoutOperation, ioBytes, loadEngine } from "./child.ts";
import type { Engine } from "./engine.ts";
import { engineKinds } from "./engines.ts";
import { median } from "./results.ts";
import { cacheBytes } from "./workloads.ts";

const { values: given } = parseArgs({
  options: {
    engine: { type: "string" },
    step: { type: "string" },
    directory: { type: "string" },
    bytes: { type: "string" },
    count: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const step = given.step as LargeStep;
const length = Number(given.bytes);
const count = Number(given.count);
const groupLength = Math.min(64, Math.max(1, Math.floor(256_000 / length)));
const listings = 9;

/** Visits every entry, in an order that has nothing to do with that of the keys. */
function scattered(position: number): number {
  return position * stride % count;
}

/** Near the golden section of `count`, and without a common divisor. */
function strideFor(count: number): number {
  const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);
  let stride = Math.floor(count * 0.618) | 1;
  while (divisor(stride, count) !== 1) stride += 2;
  return stride;
}

const stride = strideFor(count);
const kind = engineKinds.find(({ name }) => name === given.engine)!;
const isFloor = kind.isFloor === true;
const loaded = await loadEngine(kind);
const { version } = loaded;
const values = new LargeValuePool(Number(given.seed), length);

/** Every second entry was put twice. */
const generationOf = (index: number): number => index % 2;

function checkValue(index: number, found: Uint8Array | null | undefined): void {
  if (isFloor) return;
  const expected = values.valueOf(index, generationOf(index));
  const isRight = found?.length === length && found[0] === expected[0] &&
    found[length >> 1] === expected[length >> 1] && found[length - 1] === expected[length - 1];
  // Comparing every value as a whole would be a part of what is measured. The memory that lmdb
  // returns is longer than it says.
  if (isRight && index % 16 !== 0) return;
  if (isRight && Buffer.compare(found.subarray(0, length), expected) === 0) return;
  throw new Error(`Wrong answer for key "${keyOf(index)}"`);
}

/** Calls `one` for `total` positions, in groups. */
async function inGroups(
  total: number,
  one: (position: number) => Promise<unknown> | void,
): Promise<void> {
  for (let start = 0; start < total; start += groupLength) {
    const pending: Promise<unknown>[] = [];
    for (let at = start; at < Math.min(total, start + groupLength); at++) {
      const promise = one(at);
      if (promise !== undefined) pending.push(promise);
    }
    if (pending.length > 0) await Promise.all(pending);
    await turn();
  }
}

/** The keys are made before: that is not measured. */
const keys = Array.from({ length: count }, (_, index) => keyOf(index));

async function put(engine: Engine): Promise<void> {
  const one = (index: number, generation: number): Promise<unknown> | void => {
    const value = values.valueOf(index, generation);
    if (step === "put-await") return engine.put!(keys[index]!, value);
    engine.putSync!(keys[index]!, value);
  };
  await inGroups(count, (position) => one(scattered(position), 0));
  await inGroups(count, (position) => {
    const index = scattered(position);
    if (generationOf(index) === 1) return one(index, 1);
  });
}

function get(engine: Engine): Promise<void> {
  return inGroups(count, (position) => {
    const index = scattered(position);
    if (step === "get-sync") checkValue(index, engine.getSync!(keys[index]!));
    else return engine.get!(keys[index]!).then((value) => checkValue(index, value));
  });
}

async function listKeys(engine: Engine): Promise<number> {
  const startedMs = performance.now();
  let seen = 0;
  let last = "";
  await engine.listKeys!((key) => {
    if (key > last) seen++;
    last = key;
  });
  const tookMs = performance.now() - startedMs;
  if (seen !== count) throw new Error(`Wrong answer: ${seen} keys in order, expected ${count}`);
  return tookMs;
}

const operations: Readonly<Record<LargeStep, keyof Engine>> = {
  "put-sync": "putSync",
  "put-await": "put",
  "get-sync": "getSync",
  "get-await": "get",
  keys: "listKeys",
};
const isPut = step.startsWith("put");
const before = ioBytes("write_bytes");
const engine = await loaded.open({ directory: given.directory!, durability: "none", cacheBytes });
if (engine[operations[step]] === undefined) finishWithoutOperation();
const taken: Taken[] = [];
const keysMs: number[] = [];
const stalls = new StallMeter();
if (step === "keys") {
  keysMs.push(await listKeys(engine));
  const more: number[] = [];
  for (let i = 0; i < listings; i++) more.push(await listKeys(engine));
  keysMs.push(median(more));
} else {
  for (let round = 0; round < (isPut ? 1 : 2); round++) {
    const cpu = processorSeconds();
    const startedMs = performance.now();
    await (isPut ? put(engine) : get(engine));
    const seconds = (performance.now() - startedMs) / 1000;
    taken.push({
      bytes: length * (isPut ? count + Math.floor(count / 2) : count),
      seconds,
      processorSeconds: processorSeconds() - cpu,
    });
  }
}
const stallMs = stalls.stop();
const cpu = processorSeconds();
await engine.close();
const after = ioBytes("write_bytes");
finish<LargeOutcome>({
  kind: "measured",
  version,
  taken: isPut
    ? [{ ...taken[0]!, processorSeconds: taken[0]!.processorSeconds + processorSeconds() - cpu }]
    : taken,
  keysMs,
  stallMs,
  peakBytes: peakMemoryBytes(),
  writtenBytes: before === null || after === null ? null : after - before,
});
