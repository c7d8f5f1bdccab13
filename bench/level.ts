/**
 * `npm run bench:level`: TinyLevel beside classic-level, in the habits of programs for Level,
 * nothing synced. Prints entries a second, and the ratio of each round's two runs, which come one
 * right after the other. The last column is the same ratio in CPU time of all threads, so it counts
 * what a store does beside the caller's thread, and other programs of the machine do not change it.
 *
 * Arguments: entries, rounds, and the rows to run, as a regular expression.
 *
 * Needs `npm ci --ignore-scripts` in tests/adapters.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import type { AbstractLevel } from "abstract-level";
import { TinyLevel } from "../level.ts";

type Database = AbstractLevel<string | Uint8Array, string, string>;

const requirePeer = createRequire(
  new URL("../tests/adapters/package.json", import.meta.url),
);
const { ClassicLevel } = requirePeer("classic-level") as {
  ClassicLevel: new (location: string) => Database;
};

const makers: Readonly<Record<string, (location: string) => Database>> = {
  "classic-level": (location) => new ClassicLevel(location),
  "TinyLevel": (location) => new TinyLevel(location) as unknown as Database,
};

const COUNT = Number(process.argv[2] ?? 100_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const ONLY = new RegExp(process.argv[4] ?? "");
const BATCH = 1_000;

const keys = Array.from(
  { length: COUNT },
  (_, i) => `user:${String(i).padStart(11, "0")}`,
);
let seed = 1;
function random(below: number): number {
  seed = Math.imul(seed, 1_664_525) + 1_013_904_223 >>> 0;
  return Math.floor(seed / 2 ** 32 * below);
}
const shuffled = keys.map((key) => ({ key, at: random(2 ** 31) })).sort((
  a,
  b,
) => a.at - b.at)
  .map(({ key }) => key);
const filler = Array.from({ length: 100 }, () => random(36).toString(36)).join(
  "",
);
/** 100 characters, half of them the same everywhere. */
function valueOf(key: string): string {
  return `${key.repeat(4).slice(0, 50)}${filler.slice(0, 50)}`;
}

type Row = (db: Database, location: string) => Promise<number>;

const rows: Readonly<Record<string, Row>> = {
  "put, one after the other": async (db) => {
    for (const key of keys.slice(0, COUNT / 5)) await db.put(key, valueOf(key));
    return COUNT / 5;
  },
  "put, 100 at a time": async (db) => {
    for (let at = 0; at < COUNT; at += 100) {
      await Promise.all(
        keys.slice(at, at + 100).map((key) => db.put(key, valueOf(key))),
      );
    }
    return COUNT;
  },
  "batch of 1,000 in a sublevel": async (db) => {
    const part = db.sublevel("part");
    for (let at = 0; at < COUNT; at += BATCH) {
      await part.batch(
        keys.slice(at, at + BATCH).map((key) => ({
          type: "put",
          key,
          value: valueOf(key),
        })),
      );
    }
    return COUNT;
  },
  "batch of 1,000, in order": async (db) => {
    for (let at = 0; at < COUNT; at += BATCH) {
      await db.batch(
        keys.slice(at, at + BATCH).map((key) => ({
          type: "put",
          key,
          value: valueOf(key),
        })),
      );
    }
    return COUNT;
  },
  "batch of 1,000, random": async (db) => {
    for (let at = 0; at < COUNT; at += BATCH) {
      await db.batch(
        shuffled.slice(at, at + BATCH).map((key) => ({
          type: "put",
          key,
          value: valueOf(key),
        })),
      );
    }
    return COUNT;
  },
  "batch(), chained, of 1,000": async (db) => {
    for (let at = 0; at < COUNT; at += BATCH) {
      const batch = db.batch();
      for (const key of shuffled.slice(at, at + BATCH)) {
        batch.put(key, valueOf(key));
      }
      await batch.write();
    }
    return COUNT;
  },
  "get, random": async (db) => {
    for (const key of shuffled) {
      if (await db.get(key) === undefined) throw new Error(key);
    }
    return COUNT;
  },
  "getSync, random": (db) => {
    for (const key of shuffled) {
      if (db.getSync(key) === undefined) throw new Error(key);
    }
    return Promise.resolve(COUNT);
  },
  "get, missing": async (db) => {
    for (const key of shuffled) {
      if (await db.get(`${key}!`) !== undefined) throw new Error(key);
    }
    return COUNT;
  },
  "getMany of 100": async (db) => {
    for (let at = 0; at < COUNT; at += 100) {
      await db.getMany(shuffled.slice(at, at + 100));
    }
    return COUNT;
  },
  "for await of iterator()": async (db) => {
    let count = 0;
    for await (const [key] of db.iterator()) count += key.length > 0 ? 1 : 0;
    return count;
  },
  "iterator().all()": async (db) => (await db.iterator().all()).length,
  "keys().nextv(1000)": async (db) => {
    const iterator = db.keys();
    let count = 0;
    for (;;) {
      const group = await iterator.nextv(1000);
      if (group.length === 0) break;
      count += group.length;
    }
    await iterator.close();
    return count;
  },
  "iterator of 10, from a key": async (db) => {
    for (const key of shuffled.slice(0, COUNT / 20)) {
      await db.iterator({ gte: key, limit: 10 }).all();
    }
    return COUNT / 2;
  },
  "seek and next": async (db) => {
    const iterator = db.keys();
    for (const key of shuffled.slice(0, COUNT / 5)) {
      iterator.seek(key);
      if (await iterator.next() !== key) throw new Error(key);
    }
    await iterator.close();
    return COUNT / 5;
  },
  "close": async (db) => {
    await db.close();
    return 1;
  },
  "open": async (db) => {
    await db.open();
    return 1;
  },
  "clear of a tenth": async (db) => {
    await db.clear({ lt: keys[COUNT / 10]! });
    return COUNT / 10;
  },
};

/** Rows that need a new database. */
const FRESH = /^(?:put|batch)/;
/** The last of them. The rows after it read what it has written. */
const FILLING = "batch(), chained, of 1,000";

/** Seconds of wall time and of CPU time, by row and database. */
const seconds: Record<string, Record<string, number[]>> = {};
const cpuSeconds: Record<string, Record<string, number[]>> = {};
const counts: Record<string, number> = {};
for (let round = 0; round < ROUNDS; round++) {
  const directory = mkdtempSync(join(tmpdir(), "tinykvs-bench-level-"));
  const open: Record<string, Database> = {};
  for (const [row, run] of Object.entries(rows)) {
    // Other rows need the entries of the last batch.
    if (!ONLY.test(row) && row !== FILLING) continue;
    // Whoever comes second finds warm code and a full heap: the order changes with the round.
    const turn = Object.entries(makers);
    if (round % 2 === 1) turn.reverse();
    for (const [name, make] of turn) {
      if (FRESH.test(row)) {
        await open[name]?.close();
        open[name] = make(join(directory, `${name}-${row}`));
        await open[name].open();
      }
      const started = performance.now();
      const cpu = process.cpuUsage();
      counts[row] = await run(open[name]!, directory);
      const { user, system } = process.cpuUsage(cpu);
      ((cpuSeconds[row] ??= {})[name] ??= []).push((user + system) / 1e6);
      ((seconds[row] ??= {})[name] ??= []).push(
        (performance.now() - started) / 1000,
      );
    }
  }
  for (const db of Object.values(open)) await db.close();
  rmSync(directory, { recursive: true });
}

/** The median ratio of the rounds, in which a larger one is better for TinyLevel. */
function ratioOf(times: Record<string, number[]>): string {
  const [theirs, ours] = [times["classic-level"]!, times["TinyLevel"]!];
  const ratios = theirs.map((time, at) => time / ours[at]!).sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)]!.toFixed(2);
}

console.log(
  `| ${COUNT} entries | classic-level | TinyLevel | ratio | in CPU time |\n|---|---:|---:|---:|---:|`,
);
for (const [row, times] of Object.entries(seconds)) {
  const shown = (all: number[]): string => {
    const best = Math.min(...all);
    return counts[row] === 1
      ? `${(best * 1000).toFixed(1)} ms`
      : `${Math.round(counts[row]! / best / 1000)}k/s`;
  };
  const [theirs, ours] = [shown(times["classic-level"]!), shown(times["TinyLevel"]!)];
  console.log(
    `| ${row} | ${theirs} | ${ours} | ${ratioOf(times)} | ${ratioOf(cpuSeconds[row]!)} |`,
  );
}
