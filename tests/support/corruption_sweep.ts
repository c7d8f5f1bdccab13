/**
 * Opens damaged stores, reads everything, and requires the stored content or a StoreError.
 *
 *   TINYKVS_MUTANT="small tables:1234"  makes just that mutant (failures print theirs)
 *   TINYKVS_TEST_SCALE=10               makes more of them
 *
 * Bun, where it is fastest, makes every mutant of the list; Node and Deno make a part, evenly
 * spread.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { CorruptionError, IoError, StoreError } from "../../src/errors.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import type { CloneableFileSystem } from "./cloneable_file_system.ts";
import { type Density, type Mutant, mutantsOf } from "./corruption_mutants.ts";
import type { Content, Victim } from "./corruption_stores.ts";
import { reportFigure } from "./figures.ts";
import { DIRECTORY, openFiles } from "./store_files.ts";

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
const only = process.env["TINYKVS_MUTANT"];
/** One mutant in this many is made. */
const oneIn = Math.max(1, Math.round((runtimeName === "bun" ? 1 : 8) / Math.min(1, scale)));
/** How many values replace a byte if not every bit is flipped; the same on every runtime. */
const valuesPerByte = Math.max(3, Math.round(3 * scale));
const COMPACT_ONE_IN = 10;
/** What opening, reading or compacting one small store takes is far below this. */
const MAX_OPERATIONS = 20_000;

interface Tally {
  mutants: number;
  refused: number;
  failed: number;
  shorter: number;
  compacted: number;
}

/** Makes the mutants of a victim and examines each. `file` is the test file, for the command. */
export async function sweep(
  file: string,
  victim: Victim,
  other: Victim,
  isSmall = false,
): Promise<void> {
  const tally: Tally = { mutants: 0, refused: 0, failed: 0, shorter: 0, compacted: 0 };
  const density: Density = isSmall ? "bits" : valuesPerByte;
  const sizeBytes = victim.fileSystem.listSync(DIRECTORY).reduce(
    (sum, name) => sum + victim.fileSystem.statSync(`${DIRECTORY}/${name}`)!.sizeBytes,
    0,
  );
  assert.ok(sizeBytes <= (isSmall ? 4096 : 16384), `the store has ${sizeBytes} bytes`);
  // Traces of errors that are expected take a fifth of the time.
  const { stackTraceLimit } = Error;
  if (only === undefined) Error.stackTraceLimit = 0;
  let number = -1;
  for (const mutant of mutantsOf(victim, other, density)) {
    number++;
    const name = `${victim.name}:${number}`;
    if (only === undefined ? spread(number) % oneIn !== 0 : only !== name) continue;
    tally.mutants++;
    try {
      const trial = new Trial(victim, mutant, tally);
      trial.examine();
      if (only !== undefined || tally.mutants % COMPACT_ONE_IN === 0) await trial.compact();
    } catch (error) {
      throw new Error(
        `${victim.name}, ${mutant.what()}: ${error instanceof Error ? error.message : error}\n` +
          `repeat: TINYKVS_TEST_SCALE=${scale} TINYKVS_MUTANT="${name}" node --test ${file}`,
        { cause: error },
      );
    }
  }
  Error.stackTraceLimit = stackTraceLimit;
  reportFigure("corrupted stores", tally.mutants);
  console.log(
    `corruption, ${victim.name} (${sizeBytes} bytes): ${tally.mutants} of ${number + 1} mutants, ` +
      `${tally.refused} refused at open, ${tally.failed} failed reads, ` +
      `${tally.shorter} shorter histories, ${tally.compacted} compacted`,
  );
  if (only !== undefined) return;
  assert.ok(tally.mutants * oneIn > number * 0.9, `only ${tally.mutants} of ${number} mutants`);
  assert.ok(tally.refused > tally.mutants / 50, `only ${tally.refused} were refused`);
}

/** A number whose remainders do not follow the list's order: bits and lengths take turns in it. */
function spread(number: number): number {
  return Math.imul(number ^ (number >>> 7), 0x2c1b3c6d) >>> 8;
}

/** One mutant. */
class Trial {
  readonly #victim: Victim;
  readonly #mutant: Mutant;
  readonly #tally: Tally;
  readonly #pristine: CloneableFileSystem;

  constructor(victim: Victim, mutant: Mutant, tally: Tally) {
    this.#victim = victim;
    this.#mutant = mutant;
    this.#tally = tally;
    this.#pristine = victim.fileSystem.clone();
    mutant.change(this.#pristine);
  }

  /** Opens and reads it. */
  examine(): void {
    const files = this.#copy();
    const store = this.#open(files);
    if (store === undefined) return;
    const { allowed, errors } = this.#read(store);
    if (errors > 0) this.#tally.failed++;
    assert.ok(errors > 0 || !this.#mutant.mustFail, "nobody notices");
    if (!allowed.includes(this.#victim.states.at(-1)!)) this.#tally.shorter++;
    store.closeSync();
    assert.equal(files.openHandles, 0, "handles are left open");
    if (errors > 0) this.#requireInputs(files);
  }

  /** Compacts it: that succeeds with the right content, or fails and keeps its inputs. */
  async compact(): Promise<void> {
    const files = this.#copy();
    const store = this.#open(files);
    if (store === undefined) return;
    this.#tally.compacted++;
    let isCompacted = false;
    try {
      await store.compact();
      isCompacted = true;
    } catch (error) {
      requireTyped(error);
      this.#requireInputs(files);
    }
    const { errors } = this.#read(store);
    // A table that was moved and not rewritten has not been read.
    assert.ok(errors === 0 || !isCompacted || this.#hasTables, "compacted, and yet an error");
    try {
      await store.close();
    } catch (error) {
      requireTyped(error);
      assert.ok(!isCompacted, "close fails after a compaction that did not");
    }
    assert.equal(files.openHandles, 0, "handles are left open");
    const again = this.#open(files);
    if (again === undefined) return;
    this.#read(again);
    again.closeSync();
  }

  get #hasTables(): boolean {
    return this.#pristine.listSync(DIRECTORY).some((name) => name.endsWith(".sst"));
  }

  #copy(): CloneableFileSystem {
    const files = this.#pristine.clone();
    let operations = 0;
    files.before = () => {
      if (++operations > MAX_OPERATIONS) throw new Error("too many file operations");
    };
    return files;
  }

  /** Opens it, or checks that the failing open has changed nothing. */
  #open(files: CloneableFileSystem): EmbeddedStore | undefined {
    const before = files.clone();
    try {
      return openFiles(files, { l0CompactionTrigger: 1000, blockCacheSizeBytes: 1 << 20 });
    } catch (error) {
      requireTyped(error);
      requireEqual(before, files, before.listSync(DIRECTORY));
      assert.equal(files.listSync(DIRECTORY).length, before.listSync(DIRECTORY).length);
      assert.equal(files.openHandles, 0, "the failing open leaves handles open");
      this.#tally.refused++;
      return undefined;
    }
  }

  /** Reads everything; returns which of the allowed contents it can be, and the count of errors. */
  #read(store: EmbeddedStore): { allowed: readonly Content[]; errors: number } {
    const { keys } = this.#victim;
    let { allowed } = this.#mutant;
    let errors = 0;
    const narrow = (what: () => string, holds: (content: Content) => boolean): void => {
      if (
        allowed.length === 1 ? holds(allowed[0]!) : (allowed = allowed.filter(holds)).length > 0
      ) {
        return;
      }
      assert.fail(what());
    };
    for (const name of keys) {
      let value: unknown;
      try {
        value = store.getSync(name);
      } catch (error) {
        requireTyped(error);
        errors++;
        continue;
      }
      narrow(
        () => `"${name}" is ${JSON.stringify(value)}`,
        (content) => content.get(name) === value,
      );
    }
    for (const reverse of [false, true]) {
      const seen: [string, string][] = [];
      let isWhole = false;
      try {
        for (const entry of store.entries({ reverse }) as Iterable<[string, string]>) {
          seen.push(entry);
        }
        isWhole = true;
      } catch (error) {
        requireTyped(error);
        errors++;
      }
      narrow(
        () => `a scan ${reverse ? "backwards " : ""}shows ${JSON.stringify(seen)}`,
        (content) => {
          const names = sortedKeys(content);
          const count = names.length;
          return (isWhole ? seen.length === count : seen.length <= count) &&
            seen.every(([name, value], at) =>
              name === names[reverse ? count - 1 - at : at] && value === content.get(name)
            );
        },
      );
    }
    return { allowed, errors };
  }

  /** What could not be read was not deleted and not changed. */
  #requireInputs(files: CloneableFileSystem): void {
    const tables = this.#pristine.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"));
    requireEqual(this.#pristine, files, tables);
  }
}

const sorted = new WeakMap<Content, string[]>();

function sortedKeys(content: Content): string[] {
  let names = sorted.get(content);
  if (names === undefined) sorted.set(content, names = [...content.keys()].sort());
  return names;
}

function requireEqual(
  before: CloneableFileSystem,
  after: CloneableFileSystem,
  names: readonly string[],
): void {
  for (const name of names) {
    const path = `${DIRECTORY}/${name}`;
    assert.ok(after.statSync(path) !== undefined, `${name} was deleted`);
    const isEqual = Buffer.compare(after.content(path), before.content(path)) === 0;
    assert.ok(isEqual, `${name} was changed`);
  }
}

/** Whatever happens may only be an error of the store's own, with a place if it is about damage. */
export function requireTyped(error: unknown): void {
  if (!(error instanceof StoreError)) throw new Error(`untyped: ${error}`, { cause: error });
  const { cause } = error;
  const found = error.code === "BACKGROUND" ? cause : error;
  if (found instanceof CorruptionError) {
    assert.ok(found.file.startsWith(DIRECTORY), `the error names the file "${found.file}"`);
    const { offset } = found;
    assert.ok(Number.isSafeInteger(offset) && offset >= 0, `the error names offset ${offset}`);
    return;
  }
  // A missing or short file may also be what the file system says it is.
  const isKnown = found instanceof IoError ||
    (found instanceof StoreError && ["UNSUPPORTED_FORMAT", "NOT_A_STORE"].includes(found.code));
  assert.ok(isKnown, `the error is ${found}`);
}
