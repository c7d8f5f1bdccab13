/**
 * What must hold of the files of a store that was just opened, whatever it shows: only files are
 * there that the manifest knows, they are as the manifest says, levels are disjoint, and of the
 * values of a key the newer one is above the older.
 */

import { readWholeFileSync } from "../../src/platform/transfer.ts";
import {
  manifestName,
  nameOfValues,
  parseFileName,
  tableName,
} from "../../src/version/file_names.ts";
import { decodeCurrent, decodeManifest } from "../../src/version/manifest_format.ts";
import { compareViews, type TableMetadata } from "../../src/version/table_metadata.ts";
import type { FaultFileSystem } from "./fault_file_system.ts";
import { ordinalOf } from "./fault_history.ts";
import { DIRECTORY } from "./fault_workload.ts";
import { readTable } from "./store_tables.ts";

/** What the manifest in force says. */
export interface StoreFiles {
  /** Path of the manifest. */
  readonly manifest: string;
  /** Paths of the tables. */
  readonly tables: readonly string[];
  /** The highest sequence number in a table. */
  readonly lastSequence: number;
}

/** Checks the files of opened stores, each different table once. */
export class FileChecker {
  /** Newest ordinal of every key of a table, by name and content of the table. */
  readonly #ordinals = new Map<string, ReadonlyMap<string, number | undefined>>();
  readonly #mayRemain: (name: string) => boolean;

  /** `mayRemain` names files of other origin that opening leaves alone. */
  constructor(mayRemain: (name: string) => boolean = () => false) {
    this.#mayRemain = mayRemain;
  }

  /** @throws {Error} something is left over, missing, or not as the manifest has it */
  check(fileSystem: FaultFileSystem): StoreFiles {
    const path = (name: string): string => fileSystem.joinPath(DIRECTORY, name);
    const current = decodeCurrent(readWholeFileSync(fileSystem, path("CURRENT"), 128));
    const manifest = manifestName(current.manifestNumber);
    const bytes = readWholeFileSync(fileSystem, path(manifest), 2 ** 24);
    const { edits } = decodeManifest(bytes, current.storeId, current.manifestNumber);
    const live = new Map<number, { level: number; table: TableMetadata }>();
    let lastSequence = 0;
    for (const edit of edits) {
      for (const { number } of edit.removed) live.delete(number);
      for (const added of edit.added) live.set(added.table.number, added);
      lastSequence = Math.max(lastSequence, edit.lastSequence ?? 0);
    }
    const values = new Map<string, number>();
    for (const { table } of live.values()) {
      for (const use of table.valueUses) {
        values.set(nameOfValues(use.kind, use.number), use.sizeBytes);
      }
    }
    const names = new Set(fileSystem.listSync(DIRECTORY));
    for (const [name, sizeBytes] of values) {
      if (!names.has(name)) throw new Error(`"${name}" is missing after open`);
      const found = fileSystem.statSync(path(name))!.sizeBytes;
      // Zeros may follow the records of a log.
      if (found < sizeBytes) throw new Error(`"${name}" has ${found} bytes, not ${sizeBytes}`);
    }
    for (const name of names) {
      if (name === "CURRENT" || name === manifest || this.#mayRemain(name)) continue;
      if (values.has(name)) continue;
      const file = parseFileName(name);
      if (file?.kind !== "table" || !live.has(file.number)) {
        throw new Error(`"${name}" is left over after open`);
      }
    }
    const levels: TableMetadata[][] = [];
    for (const { level, table } of live.values()) {
      const name = tableName(table.number);
      if (!names.has(name)) throw new Error(`"${name}" is missing after open`);
      const { sizeBytes } = fileSystem.statSync(path(name))!;
      if (sizeBytes !== table.sizeBytes) {
        throw new Error(`"${name}" has ${sizeBytes} bytes, the manifest says ${table.sizeBytes}`);
      }
      (levels[level] ??= []).push(table);
    }
    this.#requireOrder(fileSystem, levels);
    return {
      manifest: path(manifest),
      tables: [...live.keys()].map((number) => path(tableName(number))),
      lastSequence,
    };
  }

  /** Levels from 1 on are disjoint, and what lies deeper is older. */
  #requireOrder(fileSystem: FaultFileSystem, levels: TableMetadata[][]): void {
    const newest = new Map<string, number>();
    for (const [level, tables = []] of levels.entries()) {
      if (level === 0) tables.sort((a, b) => b.number - a.number);
      else tables.sort((a, b) => compareViews(a.smallestView, b.smallestView));
      for (const [at, table] of tables.entries()) {
        const before = level === 0 ? undefined : tables[at - 1];
        if (before !== undefined && compareViews(before.largestView, table.smallestView) >= 0) {
          throw new Error(`tables ${before.number} and ${table.number} of level ${level} overlap`);
        }
        for (const [key, ordinal] of this.#ordinalsOf(fileSystem, table)) {
          const above = newest.get(key);
          if (ordinal === undefined) continue;
          if (above !== undefined && above <= ordinal) {
            throw new Error(
              `table ${table.number} of level ${level} has write ${ordinal} of "${key}", ` +
                `write ${above} is above it`,
            );
          }
          newest.set(key, ordinal);
        }
      }
    }
  }

  #ordinalsOf(
    fileSystem: FaultFileSystem,
    table: TableMetadata,
  ): ReadonlyMap<string, number | undefined> {
    const name = tableName(table.number);
    const id = `${name} ${fileSystem.fileKey(fileSystem.joinPath(DIRECTORY, name))}`;
    let ordinals = this.#ordinals.get(id);
    if (ordinals !== undefined) return ordinals;
    const entries = readTable(fileSystem, DIRECTORY, table);
    const tombstones = entries.filter(([, value]) => value === undefined).length;
    if (entries.length !== table.entryCount || tombstones !== table.tombstoneCount) {
      throw new Error(
        `"${name}" has ${entries.length} entries and ${tombstones} tombstones, the manifest says ` +
          `${table.entryCount} and ${table.tombstoneCount}`,
      );
    }
    const decoder = new TextDecoder();
    const [smallest, largest] = [decoder.decode(table.smallest), decoder.decode(table.largest)];
    const [first, last] = [entries[0]?.[0], entries.at(-1)?.[0]];
    const isExact = table.deletedSpans.length === 0;
    // Deleted spans may reach further than the entries.
    const reaches = isExact
      ? first === smallest && last === largest
      : first! >= smallest && last! <= largest;
    if (!reaches) {
      throw new Error(`"${name}" does not reach from "${smallest}" to "${largest}"`);
    }
    ordinals = new Map(entries.map(([key, value]) => [key, ordinalOf(value)]));
    this.#ordinals.set(id, ordinals);
    return ordinals;
  }
}
