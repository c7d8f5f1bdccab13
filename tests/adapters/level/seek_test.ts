// Compares seeks and ranges with classic-level. abstract-level's suite seeks within ranges, but
// makes no assertion about the result.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { AbstractLevel } from "abstract-level";
import { TinyLevel } from "../../../level.ts";
import { memoryFileSystem } from "../../../mod.ts";
import { Random } from "../../support/random.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { load } from "../packages.ts";

type Database = AbstractLevel<string | Uint8Array, string, string>;

const { ClassicLevel } = load<
  { ClassicLevel: new (location: string) => Database }
>("classic-level");

const SEED = 20261130;
const CASES = 450;
const KEYS = Array.from(
  { length: 20 },
  (_, i) => `k${String(i * 5).padStart(2, "0")}`,
);

/** The calls that all three iterators have. */
interface Iterated {
  seek(target: string): void;
  next(): Promise<unknown>;
  nextv(size: number): Promise<unknown[]>;
  all(): Promise<unknown[]>;
}

/** Takes this number of items, or all that are left. `nextv` may stop after any item. */
async function take(iterator: Iterated, count: number): Promise<unknown[]> {
  const items: unknown[] = [];
  while (items.length < count) {
    const more = await iterator.nextv(count - items.length);
    if (more.length === 0) break;
    items.push(...more);
  }
  return items;
}

/** A request to an iterator, and its answer. */
async function play(db: Database, random: Random): Promise<unknown[]> {
  const key = (): string =>
    random.below(8) === 0
      ? ["", "j", "l", "k50\0", "k\uffff"][random.below(5)]!
      : random.below(2) === 0
      ? KEYS[random.below(KEYS.length)]!
      : `k${String(random.below(100)).padStart(2, "0")}`;
  const range: Record<string, unknown> = {};
  for (const bound of ["gt", "gte", "lt", "lte"]) {
    if (random.below(3) === 0) range[bound] = key();
  }
  if (random.below(2) === 0) range["reverse"] = true;
  if (random.below(4) === 0) range["limit"] = random.below(8);
  const mode = (["iterator", "keys", "values"] as const)[random.below(3)]!;
  const iterator = (db as unknown as Record<string, (range: unknown) => Iterated>)[mode]!(
    range,
  );
  const answers: unknown[] = [mode, { ...range }];
  for (let step = 0; step < 10; step++) {
    // Without a limit: classic-level counts what it has read ahead, as if its caller had seen it.
    const chosen = "limit" in range ? 2 + random.below(4) : random.below(6);
    if (chosen < 2) {
      const target = key();
      iterator.seek(target);
      answers.push(`seek ${target}`);
    } else if (chosen < 5) answers.push(await iterator.next());
    else answers.push(await take(iterator, 1 + random.below(4)));
  }
  answers.push(await iterator.all());
  return answers;
}

test(`Iterators that are sought at random answer as those of classic-level, in ${CASES} cases`, async () => {
  const temporary = temporaryDirectory("level-seek");
  const theirs = new ClassicLevel(join(temporary.path, "classic"));
  const ours = new TinyLevel("/db", {
    fileSystem: memoryFileSystem(),
  });
  try {
    for (const db of [theirs, ours as unknown as Database]) {
      await db.batch(
        KEYS.map((key) => ({ type: "put", key, value: `value of ${key}` })),
      );
    }
    for (let i = 0; i < CASES; i++) {
      const expected = await play(theirs, new Random(SEED + i));
      const found = await play(
        ours as unknown as Database,
        new Random(SEED + i),
      );
      assert.deepEqual(found, expected, `case ${i}, seed ${SEED + i}`);
    }
  } finally {
    await theirs.close();
    await ours.close();
    temporary.dispose();
  }
});
