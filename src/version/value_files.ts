/**
 * The files that hold large values of an open store, and how many tables and memtables need each.
 *
 * A file lives as long as a table of a version in memory, or a memtable that a reader can see, has
 * a reference into it. The counts are only in memory: at the next open they follow from the tables.
 * Two owners need a log: this registry for its values, and the store's logs for recovery
 * (store/state/logs.ts). The one that needs it longer deletes it.
 */

import type { ValueReader } from "../sstable/value_reader.ts";
import type { ValueUse } from "../sstable/value_uses.ts";
import { IN_LOG, type ValueFileKind } from "../value/value_reference.ts";
import { nameOfValues } from "./file_names.ts";

/** The files that are in use. */
export class ValueFiles {
  /** Reads the values. */
  readonly reader: ValueReader;
  readonly #isLogObsolete: (number: number) => boolean;
  readonly #remove: (name: string) => void;
  readonly #references = new Map<number, number>();

  /**
   * Starts without files. `isLogObsolete` says whether recovery will not read a log, and `remove`
   * deletes a file that nothing needs.
   */
  constructor(
    reader: ValueReader,
    isLogObsolete: (number: number) => boolean,
    remove: (name: string) => void,
  ) {
    this.reader = reader;
    this.#isLogObsolete = isLogObsolete;
    this.#remove = remove;
  }

  /** Number of files. */
  get count(): number {
    return this.#references.size;
  }

  /** Whether something refers to values in the file. */
  isUsed(number: number): boolean {
    return this.#references.has(number);
  }

  /** Adds a holder of a file. */
  retain(number: number): void {
    this.#references.set(number, (this.#references.get(number) ?? 0) + 1);
  }

  /** Removes a holder of a file; after the last one the file is deleted. */
  release(kind: ValueFileKind, number: number): void {
    const left = this.#references.get(number)! - 1;
    if (left > 0) {
      this.#references.set(number, left);
      return;
    }
    this.#references.delete(number);
    this.reader.forget(number);
    // Recovery may still need a log: then its owner deletes it.
    if (kind === IN_LOG && !this.#isLogObsolete(number)) return;
    this.#remove(nameOfValues(kind, number));
  }

  /** As `retain`, for the files of a table. */
  retainAll(uses: readonly ValueUse[]): void {
    for (const { number } of uses) this.retain(number);
  }

  /** As `release`, for the files of a table. */
  releaseAll(uses: readonly ValueUse[]): void {
    for (const { kind, number } of uses) this.release(kind, number);
  }
}
