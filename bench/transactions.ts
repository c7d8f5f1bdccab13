/**
 * What a transaction costs without contention: 5 random gets and 5 random puts in one, against the
 * same gets and one batch. The ways take turns, and CPU time of the process counts: ratios of one
 * run.
 *
 *     node bench/transactions.ts [transactions a turn] [rounds]
 *
 * The store is in memory (100,000 entries of 16 + 100 bytes, all of them cached), so that nothing
 * but the library is measured. Every turn checks what it has read.
 */

import process from "node:process";
import { type EmbeddedStore, memoryFileSystem, open } from "../mod.ts";
import { keyOf, SeededRandom } from "./key_values.ts";

const ENTRIES = 100_000;
const READS = 5;
const WRITES = 5;
const VALUE_BYTES = 100;

const perTurn = Number(process.argv[2] ?? 10_000);
const rounds = Number(process.argv[3] ?? 9);
const value = new Uint8Array(VALUE_BYTES).fill(7);
const random = new SeededRandom(20_270_117);

/** Keys of one turn, made before it is measured. */
function makeKeys(): string[] {
  return Array.from({ length: perTurn * (READS + WRITES) }, () => keyOf(random.below(ENTRIES)));
}

function requireValue(found: unknown): void {
  if (!(found instanceof Uint8Array) || found.length !== VALUE_BYTES) {
    throw new Error("a get gave a wrong answer");
  }
}

/** Runs `perTurn` units of work over the keys. */
type Turn = (store: EmbeddedStore, keys: readonly string[]) => Promise<void> | void;

/** The ways by name, with that of what each is compared with. */
const ways: readonly (readonly [name: string, baseline: string | undefined, turn: Turn])[] = [
  ["gets and a batch", undefined, async (store, keys) => {
    for (let at = 0; at < keys.length;) {
      for (let i = 0; i < READS; i++) requireValue(await store.get(keys[at++]!));
      const batch = store.batch();
      for (let i = 0; i < WRITES; i++) batch.put(keys[at++]!, value);
      await batch.write();
    }
  }],
  ["transaction", "gets and a batch", async (store, keys) => {
    for (let at = 0; at < keys.length;) {
      await store.transaction(async (tx) => {
        for (let i = 0; i < READS; i++) requireValue(await tx.get(keys[at++]!));
        for (let i = 0; i < WRITES; i++) void tx.put(keys[at++]!, value);
      });
    }
  }],
  ["getSyncs and a batch", undefined, (store, keys) => {
    for (let at = 0; at < keys.length;) {
      for (let i = 0; i < READS; i++) requireValue(store.getSync(keys[at++]!));
      const batch = store.batch();
      for (let i = 0; i < WRITES; i++) batch.put(keys[at++]!, value);
      store.writeSync(batch);
    }
  }],
  ["transactionSync", "getSyncs and a batch", (store, keys) => {
    for (let at = 0; at < keys.length;) {
      store.transactionSync((tx) => {
        for (let i = 0; i < READS; i++) requireValue(tx.getSync(keys[at++]!));
        for (let i = 0; i < WRITES; i++) tx.putSync(keys[at++]!, value);
      });
    }
  }],
  ["writeSync of 10", undefined, (store, keys) => {
    for (let at = 0; at < keys.length;) {
      const batch = store.batch();
      for (let i = 0; i < READS + WRITES; i++) batch.put(keys[at++]!, value);
      store.writeSync(batch);
    }
  }],
  ["transactionSync of 10 puts", "writeSync of 10", (store, keys) => {
    for (let at = 0; at < keys.length;) {
      store.transactionSync((tx) => {
        for (let i = 0; i < READS + WRITES; i++) tx.putSync(keys[at++]!, value);
      });
    }
  }],
];

await using store = await open("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
for (let i = 0; i < ENTRIES; i++) store.putSync(keyOf(i), value);
await store.compact();
await store.count();
for (let i = 0; i < ENTRIES; i++) store.getSync(keyOf(i));

const figures = new Map<string, number[]>(ways.map(([name]) => [name, []]));
for (let round = -2; round < rounds; round++) {
  for (const [name, , turn] of ways) {
    const keys = makeKeys();
    const before = process.cpuUsage();
    await turn(store, keys);
    const { user, system } = process.cpuUsage(before);
    // What is written in one way is not to be merged in the turn of another one.
    await store.compact();
    if (round >= 0) figures.get(name)!.push((user + system) / perTurn);
  }
}

/** The quickest turn: what else runs on the machine only ever makes one slower. */
function bestOf(name: string): number {
  return Math.min(...figures.get(name)!);
}

for (const [name, baseline] of ways) {
  const best = bestOf(name);
  const ratio = baseline === undefined ? "" : `, ${(best / bestOf(baseline)).toFixed(2)} times`;
  console.log(`${name.padEnd(28)} ${best.toFixed(2)} µs of CPU${ratio}`);
}
