/** Plans what a repair does with the logs of a store, and only reads. */

import { StoreError } from "../../errors.ts";
import type { Task } from "../../platform/task.ts";
import { IN_LOG } from "../../value/value_reference.ts";
import { logName, tableName } from "../../version/file_names.ts";
import type { LogState } from "../../version/version_edit.ts";
import { VersionSet } from "../../version/version_set.ts";
import { salvageLog } from "../../wal/log_salvage.ts";
import type { RecoveryOptions } from "../recovery/recovery.ts";
import { Replay } from "../recovery/replay.ts";
import { type BaseState, numbersOf } from "./base_state.ts";
import { checkResources, valueReaderOf } from "./check_table.ts";
import type { RepairNotes } from "./repair_notes.ts";
import { streamedValue } from "./salvage_table.ts";
import { readTableTail } from "./table_identity.ts";
import { checkStreamed } from "./verify.ts";
import { Findings } from "./verify_report.ts";

/** What to do with the logs. */
export interface LogPlan {
  /** The logs whose entries go to new tables. */
  readonly numbers: readonly number[];
  /** The logs that the next open replays, or undefined if there are none. */
  readonly kept: LogState | undefined;
  /** The number of entries that can be read. */
  readonly entries: number;
  /** Whether a log is missing that the manifest names. */
  readonly isMissing: boolean;
}

/** A task that makes the plan. `names` are the files of the store. */
export function planLogs(
  recovery: RecoveryOptions,
  names: readonly string[],
  base: BaseState,
  notes: RepairNotes,
): Task<LogPlan> {
  return new LogPlanning(recovery, names, base, notes).run();
}

class LogPlanning {
  readonly #recovery: RecoveryOptions;
  readonly #names: readonly string[];
  readonly #base: BaseState;
  readonly #notes: RepairNotes;

  constructor(
    recovery: RecoveryOptions,
    names: readonly string[],
    base: BaseState,
    notes: RepairNotes,
  ) {
    this.#recovery = recovery;
    this.#names = names;
    this.#base = base;
    this.#notes = notes;
  }

  /** Decides which logs to replay now, and which to leave to the next open. */
  *run(): Task<LogPlan> {
    const { state } = this.#base;
    // Without a manifest: a log that tables refer to was flushed, and now only holds large values.
    const isFlushed = state === undefined ? this.#valueLogs() : new Set<number>();
    const numbers = numbersOf(this.#names, "log").filter((number) =>
      state === undefined ? !isFlushed.has(number) : number >= state.log.number
    );
    const isMissing = state?.log.live === true && numbers[0] !== state.log.number;
    if (isMissing) {
      this.#notes.note(logName(state.log.number), "missing");
      this.#notes.unknown.push(
        `${
          logName(state.log.number)
        } is missing: the writes that it held are lost, deletions too, unless a table ` +
          "that the manifest does not name holds them",
      );
    } else if (state !== undefined && (yield* this.#areSound(numbers))) {
      for (const number of numbers) this.#notes.note(logName(number), "kept");
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
          if (
            streamedValue(values, bytes, view, start, keyEnd, end, this.#notes.badValues) === "lost"
          ) lost++;
        },
      );
      if (lost > 0) {
        this.#notes.unknown.push(
          `${name} refers to value files that are missing or damaged: ${lost} writes are lost, and ` +
            "their keys may show older values",
        );
      }
      const isDamaged = log.holes.length > 0 || !log.hasHeader || log.tornOffset !== undefined;
      if (log.entries === 0 && isDamaged) {
        this.#notes.note(name, "lost", "no record can be read");
      } else {
        this.#notes.note(name, "replayed", `${log.entries - lost} entries`);
      }
      for (const { offset, end, entries } of log.holes) {
        this.#notes.unknown.push(
          `${name} is damaged from offset ${offset} to ${end}: ${
            entries > 0 ? `${entries} writes` : "the writes"
          } between are lost, deletions too; the later ones are kept`,
        );
      }
      if (log.tornOffset !== undefined || !log.hasHeader) {
        this.#notes.unknown.push(
          `${name} ends at offset ${
            log.tornOffset ?? 0
          } in bytes that are no record: writes after that are ` +
            "lost, deletions too, if there were any",
        );
      }
      if (isDamaged) {
        this.#notes.damaged.push(name);
        this.#notes.salvagedEntries += log.entries;
      }
      return log.entries - lost;
    } finally {
      handle.closeSync();
    }
  }
}
