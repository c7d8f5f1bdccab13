/** Plans a repair, and only reads: every table and log of the store, as far as they can be read. */

import { StoreError } from "../../errors.ts";
import { AT_ENTRY } from "../../iterator/entry_cursor.ts";
import { hasSpans } from "../../compaction/covered.ts";
import { bytesOfKey, NO_SPANS } from "../../iterator/key_spans.ts";
import { boundsWith } from "../../sstable/span_bounds.ts";
import type { Task } from "../../platform/task.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import { NO_USES } from "../../sstable/value_uses.ts";
import { IN_LOG } from "../../value/value_reference.ts";
import {
  CURRENT_NAME,
  logName,
  manifestName,
  nameOfValues,
  tableName,
} from "../../version/file_names.ts";
import { isInRange, type TableMetadata, tableMetadata } from "../../version/table_metadata.ts";
import type { LogState } from "../../version/version_edit.ts";
import { VersionSet } from "../../version/version_set.ts";
import { salvageLog } from "../../wal/log_salvage.ts";
import type { RecoveryOptions } from "../recovery/recovery.ts";
import { Replay } from "../recovery/replay.ts";
import { type BaseState, numbersOf, ownNames, readBase } from "./base_state.ts";
import { type CheckedTable, checkResources, checkTable, valueReaderOf } from "./check_table.ts";
import type { RepairAction, RepairedFile } from "./repair_report.ts";
import { lossOf, shown } from "./repair_texts.ts";
import { salvageTable, streamedValue } from "./salvage_table.ts";
import { readTableTail } from "./table_identity.ts";
import { byAge, type FoundTable, placeTables } from "./table_order.ts";
import { checkStreamed } from "./verify.ts";
import { Findings, type VerifyProgress } from "./verify_report.ts";

/** What to do with one table. */
export interface TablePlan {
  /** The table before the repair. */
  readonly table: TableMetadata;
  /** The level for the table, or for what the repair makes from it. */
  readonly level: number;
  /** The action. */
  readonly action: "kept" | "renumbered" | "salvaged";
}

/** What a repair has to do. */
export interface RepairPlan {
  /** Whether there is nothing to do. */
  readonly isSound: boolean;
  /** The store's id. */
  readonly storeId: number;
  /** The tables of the new manifest. Those of level 0 start with the oldest. */
  readonly tables: readonly TablePlan[];
  /** The logs whose entries go to new tables, in their order. */
  readonly logs: readonly number[];
  /** The logs that the next open replays, or undefined if there are none. */
  readonly log: LogState | undefined;
  /** Whether the header of that log was durable before a manifest named it. */
  readonly isLogDurable: boolean;
  /** The highest sequence number in use. */
  readonly lastSequence: number;
  /** No new file may have this number or a lower one. */
  readonly lastFileNumber: number;
  /** The names of files to set aside at the end. */
  readonly damaged: readonly string[];
  /** The report on each file. */
  readonly files: readonly RepairedFile[];
  /** What the repair cannot know. */
  readonly unknown: readonly string[];
  /** The number of entries that it reads from damaged files. */
  readonly salvagedEntries: number;
}

/** A task that makes the plan. */
export function* planRepair(
  recovery: RecoveryOptions,
  onProgress: ((progress: VerifyProgress) => void) | undefined,
): Task<RepairPlan> {
  const listed = recovery.fileSystem.listSync(recovery.directory);
  const base = readBase(recovery, listed);
  const names = ownNames(listed, base.state?.nextFileNumber ?? base.manifestNumber);
  const planning = new Planning(recovery, names, base, onProgress);
  return yield* planning.run();
}

interface ExaminedTable extends FoundTable {
  /** Whether the whole table can be read. */
  readonly isSound: boolean;
}

class Planning {
  readonly #recovery: RecoveryOptions;
  readonly #names: readonly string[];
  readonly #base: BaseState;
  readonly #onProgress: ((progress: VerifyProgress) => void) | undefined;
  readonly #files: RepairedFile[] = [];
  readonly #unknown: string[] = [];
  readonly #damaged: string[] = [];
  #salvagedEntries = 0;
  #isSound = true;
  #doneBytes = 0;

  constructor(
    recovery: RecoveryOptions,
    names: readonly string[],
    base: BaseState,
    onProgress: ((progress: VerifyProgress) => void) | undefined,
  ) {
    this.#recovery = recovery;
    this.#names = names;
    this.#base = base;
    this.#onProgress = onProgress;
  }

  *run(): Task<RepairPlan> {
    const { storeId, state } = this.#base;
    this.#noteManifests();
    const named = new Map<number, { table: TableMetadata; level: number }>();
    for (const [level, tables] of (state?.version.tables ?? []).entries()) {
      for (const table of tables) named.set(table.number, { table, level });
    }
    const logs = yield* this.#planLogs();
    const missing = [...named.values()].filter(({ table }) => !this.#has(table.number));
    const others = numbersOf(this.#names, "table").filter((number) => !named.has(number));
    // The manifest may not know yet the table that has the entries of a missing file.
    const isGuess = state === undefined ||
      (others.length > 0 && (missing.length > 0 || logs.isMissing));
    for (const { table } of missing) this.#noteMissing(table);
    const found: ExaminedTable[] = [];
    for (const { table, level } of named.values()) {
      if (this.#has(table.number)) yield* this.#examine(found, table, level);
    }
    if (isGuess) {
      if (state !== undefined) {
        this.#unknown.push(
          "Tables that the manifest does not name are taken in, since what is missing may be in them: keys that were " +
            "deleted may be back with old values",
        );
      }
      for (const number of others) yield* this.#examine(found, number, undefined);
    }
    const tables = isGuess ? this.#guess(found) : this.#asNamed(found);
    return {
      isSound: this.#isSound,
      storeId,
      tables,
      logs: logs.numbers,
      log: logs.kept,
      isLogDurable: state?.isLogDurable ?? false,
      lastSequence: (state?.lastSequence ?? 0) + logs.entries,
      lastFileNumber: Math.max(0, (state?.nextFileNumber ?? 1) - 1),
      damaged: this.#damaged,
      files: this.#files,
      unknown: this.#unknown,
      salvagedEntries: this.#salvagedEntries,
    };
  }

  #has(number: number): boolean {
    return this.#names.includes(tableName(number));
  }

  #note(file: string, action: RepairAction, detail = ""): void {
    this.#files.push({ file, action, detail });
    if (action !== "kept") this.#isSound = false;
  }

  #noteManifests(): void {
    const { isCurrent, manifestNumber, problems, damaged } = this.#base;
    if (isCurrent) {
      this.#note(CURRENT_NAME, "kept");
      this.#note(manifestName(manifestNumber!), "kept");
      return;
    }
    this.#note(CURRENT_NAME, "made", problems.map(({ message }) => message).join("; "));
    for (const name of damaged) {
      this.#note(name, "lost", "it can't be read to its end");
      this.#damaged.push(name);
    }
    if (manifestNumber !== undefined) {
      this.#note(manifestName(manifestNumber), "replayed", "its state is in a new manifest");
      return;
    }
    this.#unknown.push(
      "No manifest can be read. The tables in the directory are taken to be the store. Tables that a compaction had " +
        "replaced may be among them: keys that were deleted may be back with old values",
    );
  }

  #noteMissing(table: TableMetadata): void {
    const { number, entryCount, tombstoneCount, deletedSpans, smallest, largest } = table;
    const spans = deletedSpans.length === 0 ? "" : `, and deleted ${deletedSpans.length} ranges`;
    const held = `it held ${entryCount} entries, ${tombstoneCount} of them deletions${spans}`;
    this.#note(tableName(number), "missing", held);
    this.#unknown.push(
      `${tableName(number)} is missing; ${held}, of keys from ${shown(smallest)} to ${
        shown(largest)
      }: their values are lost, and older ones may show` +
        (tombstoneCount > 0 || hasSpans(table) ? "; keys that it deleted may be back" : ""),
    );
  }

  /** Reads a table. The manifest describes it, or only its number is known. */
  *#examine(
    found: ExaminedTable[],
    named: TableMetadata | number,
    namedLevel: number | undefined,
  ): Task<void> {
    const { fileSystem, directory } = this.#recovery;
    const number = typeof named === "number" ? named : named.number;
    const name = tableName(number);
    const path = fileSystem.joinPath(directory, name);
    const sizeBytes = fileSystem.statSync(path)?.sizeBytes ?? 0;
    const identity: CheckedTable & { level?: number } = typeof named === "number"
      ? { number, sizeBytes, checksum: undefined, ...readTableTail(fileSystem, path, sizeBytes) }
      : named;
    const level = namedLevel ?? this.#base.levels.get(number) ?? identity.level ?? 0;
    const check = yield* checkTable(
      fileSystem,
      directory,
      identity,
      (file, bytes) => this.#progress(file, bytes),
    );
    if (check.refusal !== undefined) throw check.refusal;
    if (check.problems.length === 0) {
      const table = withValueSizes(
        this.#recovery,
        typeof named === "number" ? described(identity, check.index!) : named,
      );
      this.#note(name, "kept");
      found.push({ table, level, isSound: true });
      return;
    }
    const { entries, lostRanges } = yield* salvageTable(fileSystem, directory, identity);
    const [problem] = check.problems;
    this.#damaged.push(name);
    let count = 0;
    let first: Uint8Array | undefined;
    let last: Uint8Array | undefined;
    for (let at = entries?.seekToStart(); at === AT_ENTRY; at = entries!.advance()) {
      const { keyBytes, keyView, keyStart, keyEnd } = entries!.entry;
      // A key that the manifest does not expect here is of another table, and may be an old one.
      if (typeof named !== "number" && !isInRange(named, keyView, keyStart, keyEnd)) continue;
      last = keyBytes.slice(keyStart, keyEnd);
      first ??= last;
      count++;
    }
    const { deletedSpans = NO_SPANS } = identity;
    if (deletedSpans.length > 0) {
      // The spans are in the manifest, too. They outlive all entries.
      first ??= bytesOfKey(deletedSpans[0]!.lower).slice();
      last ??= first;
    }
    if (first === undefined || last === undefined) {
      this.#note(name, "lost", problem!.message);
      this.#unknown.push(`${name} can't be read: ${lossOf(lostRanges, named)}`);
      return;
    }
    this.#note(name, "salvaged", `${count} entries; ${problem!.message}`);
    // For example, a damaged filter or index loses no entry.
    const isWhole = typeof named === "number"
      ? check.index !== undefined && check.badBlocks.size === 0
      : count === named.entryCount;
    if (!isWhole) this.#unknown.push(`${name} is damaged: ${lossOf(lostRanges, named)}`);
    this.#salvagedEntries += count;
    const table = tableMetadata({
      ...{ number, sizeBytes, entryCount: count, tombstoneCount: 0 },
      checksum: identity.checksum,
      ...boundsWith(first, last, deletedSpans),
      deletedSpans,
    });
    // Describe the new table by what it is made from. Read the file by the name that it has.
    found.push({
      table: typeof named === "number" ? table : tableMetadata({ ...table, ...identityOf(named) }),
      level,
      isSound: false,
    });
  }

  #progress(file: string, bytes: number): void {
    this.#doneBytes += bytes;
    const doneBytes = this.#doneBytes;
    this.#onProgress?.({ doneBytes, totalBytes: doneBytes, file });
  }

  /** The tables at the levels that the manifest gives. */
  #asNamed(found: readonly ExaminedTable[]): TablePlan[] {
    const plans: TablePlan[] = [];
    let isLater = false;
    const ordered = [...found].sort((a, b) => a.table.number - b.table.number);
    for (const { table, level, isSound } of ordered) {
      // Level 0 is ordered by number. If one table gets a new number, all later ones need one, too.
      const isRenumbered = level === 0 && isSound && isLater;
      if (level === 0 && !isSound) isLater = true;
      if (isRenumbered) this.#renumber(table);
      plans.push({
        table,
        level,
        action: !isSound ? "salvaged" : isRenumbered ? "renumbered" : "kept",
      });
    }
    return plans;
  }

  /** The tables in the most likely order, by their levels and numbers. */
  #guess(found: readonly ExaminedTable[]): TablePlan[] {
    const unsound = new Set(found.filter(({ isSound }) => !isSound).map((f) => f.table.number));
    const placed = placeTables(byAge(found), unsound);
    return placed.map(({ table, level, isRenumbered, over }) => {
      if (over.length > 0) {
        this.#unknown.push(
          `${tableName(table.number)} is taken to be newer than ${
            over.map(tableName).join(", ")
          }, which have keys of the same range: if it is not, old values show where both have a key, and deleted ` +
            "keys may be back",
        );
      }
      const isSalvaged = unsound.has(table.number);
      if (isRenumbered && !isSalvaged) this.#renumber(table);
      return {
        table,
        level,
        action: isSalvaged ? "salvaged" : isRenumbered ? "renumbered" : "kept",
      };
    });
  }

  #renumber({ number }: TableMetadata): void {
    const at = this.#files.findIndex(({ file }) => file === tableName(number));
    this.#files[at] = {
      file: tableName(number),
      action: "renumbered",
      detail: "a copy with a new number takes its place, since level 0 is ordered by numbers",
    };
  }

  /** Decides which logs to replay now, and which to leave to the next open. */
  *#planLogs(): Task<
    { numbers: number[]; kept: LogState | undefined; entries: number; isMissing: boolean }
  > {
    const { state } = this.#base;
    // Without a manifest: a log that tables refer to was flushed, and now only holds large values.
    const isFlushed = state === undefined ? this.#valueLogs() : new Set<number>();
    const numbers = numbersOf(this.#names, "log").filter((number) =>
      state === undefined ? !isFlushed.has(number) : number >= state.log.number
    );
    const isMissing = state?.log.live === true && numbers[0] !== state.log.number;
    if (isMissing) {
      this.#note(logName(state.log.number), "missing");
      this.#unknown.push(
        `${
          logName(state.log.number)
        } is missing: the writes that it held are lost, deletions too, unless a table ` +
          "that the manifest does not name holds them",
      );
    } else if (state !== undefined && (yield* this.#areSound(numbers))) {
      for (const number of numbers) this.#note(logName(number), "kept");
      const { log } = state;
      return { numbers: [], kept: log, entries: 0, isMissing };
    }
    // A log of another program is older than all logs of this one. If this program has none, the
    // next open replays it.
    const { foreign } = this.#recovery;
    if (numbers.length === 0 && foreign.some(({ logName }) => this.#names.includes(logName))) {
      return { numbers, kept: { number: 0, live: false }, entries: 0, isMissing };
    }
    let entries = 0;
    for (const number of numbers) entries += yield* this.#readLog(number);
    return { numbers, kept: undefined, entries, isMissing };
  }

  /** The logs that hold large values of tables. */
  #valueLogs(): ReadonlySet<number> {
    const { fileSystem, directory } = this.#recovery;
    const logs = new Set<number>();
    for (const number of numbersOf(this.#names, "table")) {
      const path = fileSystem.joinPath(directory, tableName(number));
      const { sizeBytes = 0 } = fileSystem.statSync(path) ?? {};
      const uses = readTableTail(fileSystem, path, sizeBytes)?.valueUses ?? [];
      for (const use of uses) if (use.kind === IN_LOG) logs.add(use.number);
    }
    return logs;
  }

  /** Whether the next open would accept the logs unchanged. */
  *#areSound(numbers: readonly number[]): Task<boolean> {
    const { fileSystem, directory } = this.#recovery;
    const { storeId, state, manifestNumber } = this.#base;
    const versions = new VersionSet(
      ...[fileSystem, directory, checkResources(fileSystem), storeId, state!] as const,
      manifestNumber,
    );
    try {
      const replay = new Replay(this.#recovery, versions, state!.lastSequence);
      yield* replay.run(numbers);
      const findings = new Findings(undefined);
      const { memtable, lastSequence } = replay;
      yield* checkStreamed(memtable, lastSequence, versions.values.reader, findings);
      return findings.problems.length === 0;
    } catch (error) {
      if (error instanceof StoreError && error.code === "CORRUPTION") return false;
      throw error;
    }
  }

  /** Counts what can be read of a log, and notes what cannot. */
  *#readLog(number: number): Task<number> {
    const { fileSystem, directory } = this.#recovery;
    const name = logName(number);
    const handle = fileSystem.openReadSync(fileSystem.joinPath(directory, name));
    try {
      const values = valueReaderOf(fileSystem, directory, this.#recovery.resources);
      let lost = 0;
      const log = yield* salvageLog(
        ...[handle, this.#base.storeId, number] as const,
        (_, ...[bytes, view, start, keyEnd, end]) => {
          if (streamedValue(values, bytes, view, start, keyEnd, end) === "lost") lost++;
        },
      );
      if (lost > 0) {
        this.#unknown.push(
          `${name} refers to value files that are missing or damaged: ${lost} writes are lost, and ` +
            "their keys may show older values",
        );
      }
      const isDamaged = log.holes.length > 0 || !log.hasHeader || log.tornOffset !== undefined;
      if (log.entries === 0 && isDamaged) {
        this.#note(name, "lost", "no record can be read");
      } else {
        this.#note(name, "replayed", `${log.entries - lost} entries`);
      }
      for (const { offset, end, entries } of log.holes) {
        this.#unknown.push(
          `${name} is damaged from offset ${offset} to ${end}: ${
            entries > 0 ? `${entries} writes` : "the writes"
          } between are lost, deletions too; the later ones are kept`,
        );
      }
      if (log.tornOffset !== undefined || !log.hasHeader) {
        this.#unknown.push(
          `${name} ends at offset ${
            log.tornOffset ?? 0
          } in bytes that are no record: writes after that are ` +
            "lost, deletions too, if there were any",
        );
      }
      if (isDamaged) {
        this.#damaged.push(name);
        this.#salvagedEntries += log.entries;
      }
      return log.entries - lost;
    } finally {
      handle.closeSync();
    }
  }
}

/** The metadata with the sizes that the files of large values have now. */
export function withValueSizes(
  { fileSystem, directory }: Pick<RecoveryOptions, "fileSystem" | "directory">,
  table: TableMetadata,
): TableMetadata {
  if (table.valueUses.length === 0) return table;
  const valueUses = table.valueUses.map((use) => {
    const path = fileSystem.joinPath(directory, nameOfValues(use.kind, use.number));
    return { ...use, sizeBytes: fileSystem.statSync(path)?.sizeBytes ?? 0 };
  });
  return tableMetadata({ ...table, valueUses });
}

/** The properties by which the manifest identifies a table's file. */
function identityOf(
  { number, sizeBytes, checksum, entryCount, tombstoneCount }: TableMetadata,
): Pick<TableMetadata, "number" | "sizeBytes" | "checksum" | "entryCount" | "tombstoneCount"> {
  return { number, sizeBytes, checksum, entryCount, tombstoneCount };
}

/** Metadata for a sound table that no manifest describes. */
function described(identity: CheckedTable, index: TableIndex): TableMetadata {
  return tableMetadata({
    number: identity.number,
    sizeBytes: identity.sizeBytes,
    entryCount: index.entryCount,
    tombstoneCount: identity.tombstoneCount ?? 0,
    checksum: identity.checksum,
    expiry: identity.expiry,
    ...boundsWith(
      index.bytes.slice(index.smallestStart, index.smallestEnd),
      index.bytes.slice(index.largestStart, index.largestEnd),
      identity.deletedSpans ?? NO_SPANS,
    ),
    deletedSpans: identity.deletedSpans ?? NO_SPANS,
    valueUses: identity.valueUses ?? NO_USES,
  });
}
