/**
 * The memory of dropped blocks is decoded into again: reads of every kind, interleaved over caches
 * of a few blocks, must never show what another block has written there. TINYKVS_TEST_SCALE=20
 * tries 20 times the seeds.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type EmbeddedCursor, type EmbeddedStore, open, type Options } from "../../mod.ts";
import { BlockPool } from "../../src/sstable/block_pool.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import type { Random } from "../support/random.ts";
import { withSeedAsync } from "../support/seeded.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const KEYS = 1500;
const STEPS = 1500;
const SEEDS = Math.max(1, Math.round(2 * Number(process.env["TINYKVS_TEST_SCALE"] ?? "1")));

/** How long a read takes: gets do not wait for a page cache, but for a slow disk (read_pace.ts). */
const disks = { "page cache": 0.003, "slow disk": 0.2 } as const;

interface OptionSet {
  readonly name: string;
  readonly options: Options;
  /** Values are up to this number of bytes longer with each key. */
  readonly bytesPerKey: number;
}

/** Caches that hold nothing, a few blocks, and about a quarter of them. */
const optionSets: readonly OptionSet[] = [
  {
    name: "none, cache of 0 bytes",
    options: { blockCacheSizeBytes: 0, compression: "none" },
    bytesPerKey: 0,
  },
  {
    name: "zstd, cache of 3000 bytes",
    options: { blockCacheSizeBytes: 3000, compression: "zstd" },
    bytesPerKey: 0,
  },
  {
    name: "none, cache of 40000 bytes",
    options: { blockCacheSizeBytes: 40_000, compression: "none" },
    bytesPerKey: 0,
  },
  // Each block has one entry, and its own size: what is dropped seldom fits the next one.
  {
    name: "blocks of all sizes",
    options: { blockCacheSizeBytes: 500_000, compression: "none", memtableSizeBytes: 256 * 1024 },
    bytesPerKey: 12,
  },
];

function keyOf(n: number): string {
  return `key${String(n).padStart(5, "0")}`;
}

/** A cursor and what it has to show from here on. */
interface Walk {
  readonly cursor: EmbeddedCursor<[string | Uint8Array, unknown]>;
  readonly expected: (readonly [string, unknown])[];
}

/** A store of some levels beside a map that says what is in it. */
class Trial {
  readonly #store: EmbeddedStore;
  readonly #random: Random;
  readonly #bytesPerKey: number;
  readonly #model = new Map<string, string>();
  readonly #walks: Walk[] = [];
  readonly #pending: Promise<void>[] = [];
  #generation = 0;
  #failure: unknown;

  constructor(store: EmbeddedStore, random: Random, bytesPerKey: number) {
    this.#store = store;
    this.#random = random;
    this.#bytesPerKey = bytesPerKey;
  }

  async run(): Promise<void> {
    for (let n = 0; n < KEYS; n++) this.#put(n);
    await this.#store.compact();
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      // Some turns of the event loop in between, so that reads which are under way come back one by
      // one.
      if (this.#random.below(4) === 0) await this.#store.get(this.#key());
      if (this.#pending.length > 30) await Promise.all(this.#pending.splice(0));
      if (this.#failure !== undefined) break;
    }
    await Promise.all(this.#pending);
    if (this.#failure !== undefined) throw this.#failure;
    // From the smallest blocks to the largest, while cursors stand on some of them.
    for (let n = 0; n < KEYS; n++) {
      assert.equal(this.#store.getSync(keyOf(n)), this.#model.get(keyOf(n)));
    }
    for (const walk of this.#walks) {
      assert.deepEqual(await walk.cursor.toArray(), walk.expected);
    }
  }

  #step(): void {
    switch (this.#random.below(12)) {
      case 0:
      case 1:
        return this.#put(this.#random.below(KEYS));
      case 2: {
        const key = this.#key();
        this.#model.delete(key);
        return this.#store.deleteSync(key);
      }
      case 3: {
        const key = this.#key();
        return assert.equal(this.#store.getSync(key), this.#model.get(key));
      }
      case 4:
      case 5: {
        const key = this.#key();
        return this.#expect(this.#store.get(key), this.#model.get(key));
      }
      case 6: {
        const keys = Array.from({ length: 1 + this.#random.below(40) }, () => this.#key());
        return this.#expect(this.#store.getMany(keys), keys.map((key) => this.#model.get(key)));
      }
      case 7:
        return this.#openWalk();
      case 8:
        return this.#walkSync();
      case 9:
        return this.#walkAsync();
      case 10:
        return this.#scan();
      default:
        if (this.#random.below(30) === 0) this.#begin(this.#store.compact());
        else if (this.#random.below(10) === 0) this.#begin(this.#store.flush());
    }
  }

  /**
   * Notes the step that is under way. Its failure waits until the step ends: a promise that nobody
   * awaits yet has no handler.
   */
  #begin(work: Promise<void>): void {
    const noted = work.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#pending.push(noted);
  }

  #put(n: number): void {
    const key = keyOf(n);
    const length = this.#random.below(60 + n * this.#bytesPerKey);
    const value = `${key} ${this.#generation++} ${"x".repeat(length)}`;
    this.#store.putSync(key, value);
    this.#model.set(key, value);
  }

  #key(): string {
    return keyOf(this.#random.below(KEYS));
  }

  #expect(answer: Promise<unknown>, expected: unknown): void {
    this.#begin(answer.then((found) => assert.deepEqual(found, expected)));
  }

  #sorted(): (readonly [string, string])[] {
    return [...this.#model].sort(([a], [b]) => a < b ? -1 : 1);
  }

  #openWalk(): void {
    const random = this.#random;
    if (this.#walks.length >= 8) {
      const [walk] = this.#walks.splice(random.below(8), 1);
      // Others are just dropped, with the blocks that they hold.
      if (random.below(2) === 0) this.#begin(walk!.cursor.close());
    }
    const reverse = random.below(2) === 0;
    const start = this.#key();
    const inRange = this.#sorted().filter(([key]) => key >= start);
    this.#walks.push({
      cursor: this.#store.entries({ gte: start, reverse }),
      expected: reverse ? inRange.reverse() : inRange,
    });
  }

  #walkSync(): void {
    const walk = this.#takeWalk();
    if (walk === undefined) return;
    const iterator = walk.cursor[Symbol.iterator]();
    for (let n = this.#random.below(40); n > 0; n--) {
      const expected: readonly [string, unknown] | undefined = walk.expected.shift();
      const { value } = iterator.next();
      assert.deepEqual(value, expected);
      if (expected === undefined) return;
      // In the middle of a walk: its block has to stay while others are decoded.
      if (n % 8 === 0) {
        const key = this.#key();
        assert.equal(this.#store.getSync(key), this.#model.get(key));
      }
    }
    this.#walks.push(walk);
  }

  #walkAsync(): void {
    const walk = this.#takeWalk();
    if (walk === undefined) return;
    const count = 1 + this.#random.below(40);
    const expected = walk.expected.splice(0, count);
    const answer = walk.cursor.nextMany(count).then((found) => {
      assert.deepEqual(found, expected);
      if (found.length === count) this.#walks.push(walk);
    });
    this.#begin(answer);
  }

  #takeWalk(): Walk | undefined {
    if (this.#walks.length === 0) return undefined;
    return this.#walks.splice(this.#random.below(this.#walks.length), 1)[0];
  }

  #scan(): void {
    const prefix = this.#key().slice(0, -1);
    const expected = this.#sorted().filter(([key]) => key.startsWith(prefix));
    const found: unknown[] = [];
    const scan = this.#store.scanPrefix(prefix, (key, value) => {
      found.push([key, value]);
      this.#store.getSync(this.#key());
    });
    this.#begin(scan.then(() => assert.deepEqual(found, expected)));
  }
}

async function runTrial(seed: number, { options, bytesPerKey }: OptionSet): Promise<void> {
  const directory = temporaryDirectory("block-memory");
  try {
    await withSeedAsync(seed, async (random) => {
      await using store = await open(directory.path, {
        memtableSizeBytes: 8192,
        blockSizeBytes: 512,
        walSync: "none",
        ...options,
      });
      await new Trial(store, random, bytesPerKey).run();
    });
  } finally {
    directory.dispose();
  }
}

for (const [disk, readMs] of Object.entries(disks)) {
  for (const set of optionSets) {
    test(`Overlapping reads never see memory that another block has taken: ${set.name}, ${disk}`, async () => {
      const restore = useScheduler(steppingScheduler(() => readMs));
      try {
        for (let seed = 1; seed <= SEEDS; seed++) await runTrial(seed, set);
      } finally {
        restore();
      }
    });
  }
}

test("Blocks of all sizes make the cache give up slabs", async () => {
  const { retire } = BlockPool.prototype;
  let retired = 0;
  BlockPool.prototype.retire = function (slab): void {
    retired++;
    retire.call(this, slab);
  };
  try {
    await runTrial(1, optionSets.at(-1)!);
  } finally {
    BlockPool.prototype.retire = retire;
  }
  assert.ok(retired > 10, `${retired} slabs`);
});
