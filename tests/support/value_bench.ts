/** Stores with large values, for the tests of their files. */

import assert from "node:assert/strict";
import { type EmbeddedStore, openSync, type Options, type Value } from "../../mod.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { FaultScheduler } from "./fault_scheduler.ts";
import type { Random } from "./random.ts";
import { randomBytes } from "./seeded.ts";

/** Values of this encoded size and more are large. */
export const LARGE: number = 1000;

/** Bytes of which half can be compressed. */
export function halfRandom(length: number, random: Random): Uint8Array {
  const bytes = randomBytes(length, random);
  for (let i = 0; i < length; i += 2) bytes[i] = 7;
  return bytes;
}

/** A store in memory and in virtual time. */
export class ValueBench {
  readonly fileSystem: CloneableFileSystem = new CloneableFileSystem();
  readonly scheduler: FaultScheduler;
  readonly options: Options;

  constructor(seed: number, options: Options = {}) {
    this.scheduler = new FaultScheduler(seed);
    this.options = {
      fileSystem: this.fileSystem,
      memtableSizeBytes: 16 * 1024,
      blockSizeBytes: 512,
      largeValueBytes: LARGE,
      walSync: "none",
      ...options,
    };
  }

  open(options: Options = {}): EmbeddedStore {
    return openSync("/db", { ...this.options, ...options });
  }

  /** Lets the idle background finish: it pauses between its steps. */
  async idle(seconds = 20): Promise<void> {
    for (let i = 0; i < seconds * 20; i++) {
      this.scheduler.elapse(50);
      await this.scheduler.settle();
    }
  }

  names(ending = ""): string[] {
    return this.fileSystem.listSync("/db").filter((name) => name.endsWith(ending)).sort();
  }

  /** Bytes of logs and value files. */
  get valueFileBytes(): number {
    return [...this.names(".wal"), ...this.names(".val")]
      .reduce((sum, name) => sum + this.fileSystem.statSync(`/db/${name}`)!.sizeBytes, 0);
  }

  formatOf(start: string, ending = ""): number {
    const name = this.names(ending).filter((found) => found.startsWith(start)).at(-1)!;
    return new DataView(this.fileSystem.content(`/db/${name}`).buffer).getUint32(8, true);
  }
}

/** Puts a value, and notes it. */
export function putBoth(
  store: Pick<EmbeddedStore, "putSync">,
  model: Map<string, Value>,
  key: string,
  value: Value,
): void {
  store.putSync(key, value);
  model.set(key, value);
}

/** Checks what scans of both directions show. */
export function requireSame(
  store: Pick<EmbeddedStore, "entries">,
  model: ReadonlyMap<string, Value>,
): void {
  const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual([...store.entries()], expected);
  assert.deepEqual([...store.entries({ reverse: true })], expected.reverse());
}
