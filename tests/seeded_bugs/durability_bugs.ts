/**
 * Bugs that lose what was promised to last: syncs that are left out, files that are deleted early.
 */

import type { Bug } from "./bug.ts";
import { crashes, directed } from "./commands.ts";

/** What the enumeration of crashes says of a state that shows no legal prefix. */
const CRASH_STATE = /crash state [\w-]+:\d+:[\w-]+#\d+:\d+: /;

/** The bugs, in the order of the reliability list. */
export const durabilityBugs: readonly Bug[] = [
  {
    name: "skip-wal-sync",
    item: "skip WAL sync",
    does: "acknowledges synced writes without a sync of the log",
    edits: [{
      file: "src/store/state/logs.ts",
      find: "      if (handle.sync === undefined) handle.syncSync();\n" +
        "      else await handle.sync();\n",
      replace: "",
    }],
    caughtBy: crashes('Single puts with walSync "batch"'),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-wal-sync-of-synchronous-writes",
    item: "beyond the list",
    does: "returns from synchronous writes without a sync of the log",
    edits: [{
      file: "src/store/state/logs.ts",
      find: "      log.writer.handle.syncSync();\n",
      replace: "",
    }],
    caughtBy: crashes("A store that is used synchronously"),
    symptom: CRASH_STATE,
  },
  {
    name: "leave-log-without-sync",
    item: "beyond the list",
    does: "closes with flushOnClose false without a sync of the log that it leaves",
    edits: [{
      file: "src/store/closing.ts",
      find: "        await state.logs.sync();\n        return;\n",
      replace: "        return;\n",
    }],
    caughtBy: directed(
      "tests/store/leave_log_test.ts",
      /loses nothing to a power loss, with walSync "none"/,
    ),
    symptom: /key \d+/,
  },
  {
    name: "extend-over-records",
    item: "beyond the list",
    does: "extends a log from where it is durable, over records that are not yet",
    edits: [{
      file: "src/wal/log_writer.ts",
      find: "Math.max(this.#writtenBytes, this.#extendedBytes)",
      replace: "Math.max(this.#durableBytes, this.#extendedBytes)",
    }],
    caughtBy: crashes("Small durable puts, into logs that are extended ahead of them"),
    symptom: CRASH_STATE,
  },
  {
    name: "refuse-extension",
    item: "beyond the list",
    does: "takes the zeros of an extension behind an end record for damage",
    edits: [{
      file: "src/wal/log_reader.ts",
      find: "      requireNoRecord(window, tag, end);\n",
      replace:
        '      if (end !== size) throw new DecodeError("bytes follow the end record", end);\n',
    }],
    caughtBy: crashes("Small durable puts, into logs that are extended ahead of them"),
    symptom: CRASH_STATE,
  },
  {
    name: "refuse-stale-head",
    item: "beyond the list",
    does: "takes the head of a deleted log, in a block that was never durable, for the wrong file",
    edits: [{
      file: "src/wal/log_reader.ts",
      find: "  if (!isOwn && mayBeStale(header)) {\n",
      replace: "  if (false) {\n",
    }],
    caughtBy: crashes("A store that is closed and opened again and again", 1),
    symptom: CRASH_STATE,
  },
  {
    name: "reuse-lost-log-number",
    item: "beyond the list",
    does:
      "gives a log the number of one whose name a power loss took and whose blocks are on the disk",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find:
        "  if (state.log.live) versions.reserveFileNumber(state.nextFileNumber + MAX_NUMBERS_AHEAD);\n",
      replace: "",
    }],
    caughtBy: directed("tests/store/log_numbers_test.ts", /^A log never gets the number of one/),
    symptom: /may have been a log/,
  },
  {
    name: "skip-table-sync",
    item: "skip SST sync",
    does: "puts tables in force whose content is not durable",
    edits: [{
      file: "src/compaction/table_output.ts",
      find: "    yield syncStep(handle);\n",
      replace: "",
    }],
    caughtBy: crashes("Flushes that are asked for while writes go on"),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-table-name-sync",
    item: "beyond the list",
    does: "puts tables in force whose names are not durable",
    edits: [{
      file: "src/compaction/table_output.ts",
      find: "      yield syncDirectoryStep(this.#options.fileSystem, this.#options.directory);\n",
      replace: "",
    }],
    caughtBy: crashes("Flushes that are asked for while writes go on"),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-manifest-sync",
    item: "skip manifest sync",
    does: "acts on a record of the manifest that is not durable",
    edits: [{
      file: "src/version/open_manifest.ts",
      find: "    if (this.handle.sync === undefined) this.handle.syncSync();\n" +
        "    else await this.handle.sync();\n",
      replace: "",
    }],
    caughtBy: crashes("Flushes that are asked for while writes go on"),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-current-sync",
    item: "skip CURRENT sync",
    does: "renames a CURRENT into place whose content is not durable",
    edits: [{
      file: "src/version/version_set.ts",
      find: "      handle.syncSync();\n    } finally {\n",
      replace: "    } finally {\n",
    }],
    caughtBy: crashes("A store that is being created"),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-directory-sync-after-rename",
    item: "skip dir sync after rename",
    does: "deletes the old manifest before the new name of CURRENT is durable",
    edits: [{
      file: "src/version/version_set.ts",
      find: "      this.#replaceCurrent(number, () => isReplaced = true);\n" +
        "      fileSystem.syncDirectorySync(this.#directory);\n",
      replace: "      this.#replaceCurrent(number, () => isReplaced = true);\n",
    }],
    caughtBy: crashes("A store that is closed and opened again and again"),
    symptom: CRASH_STATE,
  },
  {
    name: "skip-directory-sync-before-rename",
    item: "beyond the list",
    does: "lets CURRENT name a manifest whose own name is not durable",
    edits: [{
      file: "src/version/version_set.ts",
      find: "      fileSystem.syncDirectorySync(this.#directory);\n" +
        "      this.#replaceCurrent(number, () => isReplaced = true);\n",
      replace: "      this.#replaceCurrent(number, () => isReplaced = true);\n",
    }],
    caughtBy: crashes("A store that is being created", 1),
    symptom: CRASH_STATE,
  },
  {
    name: "delete-logs-early",
    item: "GC before manifest durable",
    does: "deletes a log before the edit that replaces it is durable",
    edits: [{
      file: "src/store/background/flush_queue.ts",
      find: "    const nextLog = logs.numberAfter(immutable.logNumber);\n",
      replace: "    const nextLog = logs.numberAfter(immutable.logNumber);\n" +
        "    logs.removeBelow(nextLog, () => false);\n",
    }],
    caughtBy: crashes("Flushes that are asked for while writes go on"),
    symptom: CRASH_STATE,
  },
  {
    name: "delete-tables-early",
    item: "beyond the list",
    does: "deletes the inputs of a compaction before its edit is durable",
    edits: [{
      file: "src/version/version_set.ts",
      find: "      manifest.append(full);\n      yield manifest.syncStep();\n",
      replace: "      manifest.append(full);\n" +
        "      yield* this.#removeInSteps(this.#install(full));\n" +
        "      yield manifest.syncStep();\n      return;\n",
    }],
    caughtBy: crashes("Compactions over three levels with deletes and open iterators"),
    symptom: CRASH_STATE,
  },
];
