/**
 * Bugs in logs and recovery: histories with holes, halves of batches, early acknowledgements,
 * sequences that start again.
 */

import type { Bug } from "./bug.ts";
import { corruption, crashes, directed, readers } from "./commands.ts";

const CRASH_STATE = /crash state [\w-]+:\d+:[\w-]+#\d+:\d+: /;

/** The bugs, in the order of the reliability list. */
export const historyBugs: readonly Bug[] = [
  {
    name: "go-on-in-old-log",
    item: "append to old WAL",
    does: "lets new writes follow the log that it found, torn tail and all",
    // There is no call to open a file for appending, so the log itself can't be appended to. But
    // recovery may leave it in the history, with the new log after it, and this bug does that.
    edits: [{
      file: "src/store/recovery/replay.ts",
      find: "      log: { number: this.#versions.newFileNumber(), live: false },\n",
      replace: "      log: { number: this.#versions.log.number, live: false },\n",
    }, {
      file: "src/store/write/commit.ts",
      find:
        "      state.versions.applySync({ log: { number, live: true }, removed: [], added: [] });\n",
      replace: "      state.versions.applySync({ removed: [], added: [] });\n",
    }],
    caughtBy: crashes("A store that crashes, recovers and goes on, several times"),
    symptom: CRASH_STATE,
  },
  {
    name: "lose-an-update",
    item: "beyond the list",
    does:
      "lets a conditional write go on with what it read, although its key was written meanwhile",
    edits: [{
      file: "src/store/read/read_path.ts",
      find: "        if (!state.wasWritten(lookup.key, memtable, lease.sequence)) {\n",
      replace: "        if (memtable.entryCount >= 0) {\n",
    }],
    caughtBy: directed(
      "tests/store/conditional_writes_test.ts",
      /^A thousand increments at once of a key on disk make a thousand/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "split-batch",
    item: "split batch",
    does: "writes a batch as one record for each of its entries",
    edits: [{
      file: "src/store/write/commit.ts",
      find: "    log.beginRecord();\n" +
        "    if (packer === undefined) log.buffer.appendBytes(payload.bytes, 0, payload.length);\n" +
        "    else this.#pack(log, packer, payload, length);\n" +
        "    return this.#commit(log, length, hasRanges, hasLarge);\n",
      replace: `    let bytes = 0;
    for (let at = 0; at < payload.length;) {
      const keyEnd = at + 5 + payload.view.getUint32(at + 1, true);
      const end = keyEnd + 4 + payload.view.getUint32(keyEnd, true);
      log.beginRecord();
      log.buffer.appendBytes(payload.bytes, at, end);
      bytes += this.#commit(log, 1, hasRanges, hasLarge);
      at = end;
    }
    return bytes;
`,
    }],
    caughtBy: crashes("Batches larger than the log's buffer and than a memtable"),
    symptom: CRASH_STATE,
  },
  {
    name: "take-damage-for-a-tail",
    item: "beyond the list",
    does: "takes damage in the middle of a log for its end",
    edits: [{
      file: "src/wal/log_reader.ts",
      find: "    if (record.durableOffset > offset && record.durableOffset <= at) {\n",
      replace: "    if (record.durableOffset > offset && record.durableOffset < 0) {\n",
    }],
    caughtBy: corruption(/^A store that has only a log survives damage to every bit/),
    symptom: /log/,
  },
  {
    name: "replay-past-bad-record",
    item: "replay past a bad record",
    does: "replays later logs behind a bad record of an earlier one",
    edits: [{
      file: "src/store/recovery/replay.ts",
      find: "      if (summary.header?.firstSequence !== expected) {\n",
      replace: "      if (summary.header === undefined) {\n",
    }, {
      file: "src/store/recovery/replay.ts",
      find: "if (isFirst && sequence === expected) next = sequence;\n",
      replace: "if (isFirst) next = sequence;\n",
    }],
    caughtBy: crashes("Two memtables that wait for their flush"),
    symptom: CRASH_STATE,
  },
  {
    name: "acknowledge-before-write",
    item: "ack before write",
    does: "acknowledges writes that the system has not been given",
    edits: [{
      file: "src/store/write/acknowledgement.ts",
      find: "    return group.promise;\n",
      replace: "    if (needsSync) return group.promise;\n" +
        "    group.promise.catch(() => {});\n    return Promise.resolve();\n",
    }],
    // Writes that wait for a sync show it: otherwise the write comes in the same turn.
    caughtBy: crashes("Two memtables that wait for their flush", 1),
    symptom: CRASH_STATE,
  },
  {
    name: "flush-newest-first",
    item: "beyond the list",
    does: "flushes the newest of several waiting memtables first",
    edits: [{
      file: "src/store/background/flush_queue.ts",
      find: "immutables.at(-1 - this.#flushes.length);\n",
      replace: "immutables.at(this.#flushes.length);\n",
    }],
    caughtBy: crashes("Two memtables that wait for their flush"),
    symptom: CRASH_STATE,
  },
  {
    name: "flush-in-force-when-written",
    item: "beyond the list",
    does:
      "puts the table in force that the thread has written first, not that of the oldest memtable",
    edits: [{
      file: "src/store/background/flush_queue.ts",
      find: "    const first = this.#flushes[0];\n",
      replace: "    const first = this.#flushes.find(({ table }) => table.isSettled);\n",
    }],
    caughtBy: directed("tests/store/flush_queue_test.ts", /^A flush that ends before an older one/),
    symptom: /AssertionError/,
  },
  {
    name: "reuse-file-number",
    item: "reuse file number",
    does: "gives new files the numbers of those that a crash left behind",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find:
        "  for (const { number } of numberedFiles(names)) versions.reserveFileNumber(number);\n" +
        "  // A power loss may",
      replace: "  // A power loss may",
    }, {
      file: "src/store/recovery/recovery.ts",
      find:
        "  if (state.log.live) versions.reserveFileNumber(state.nextFileNumber + MAX_NUMBERS_AHEAD);\n",
      replace: "",
    }],
    caughtBy: crashes("Flushes that are asked for while writes go on"),
    symptom: CRASH_STATE,
  },
  {
    name: "reset-sequence",
    item: "sequence reset",
    does: "starts to count its writes anew when it is opened",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find: "    lastSequence: replay.lastSequence,\n    memtable: undefined",
      replace: "    lastSequence: 0,\n    memtable: undefined",
    }],
    caughtBy: directed(
      "tests/store/recovery_test.ts",
      /^Sequence numbers continue after every way of ending/,
    ),
    symptom: /continues with 1$/,
  },
  {
    name: "ignore-missing-table",
    item: "missing-file ignored",
    does: "opens a store from which a table is missing",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find: "    if (!present.has(name)) throw missingFile(options, name);\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/store/recovery_test.ts",
      /^Recovery refuses a store that lacks a table/,
    ),
    symptom: /Missing expected exception/,
  },
  {
    name: "ignore-missing-log",
    item: "beyond the list",
    does: "opens a store from which its log is missing",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find: "  if (log.live && numbers[0] !== log.number) throw",
      replace: "  if (log.live && numbers[0] !== log.number && numbers.length > 1) throw",
    }],
    caughtBy: directed(
      "tests/store/recovery_test.ts",
      /^Recovery refuses a store that lacks the log which the manifest says is live/,
    ),
    symptom: /Missing expected exception/,
  },
  {
    name: "look-once",
    item: "beyond the list",
    does: "reads beside a writer and does not look whether the store has changed meanwhile",
    edits: [{
      file: "src/store/recovery/read_only.ts",
      find: "  if (!isSame(before, look(options))) return undefined;\n",
      replace: "  isSame(before, before);\n",
    }],
    caughtBy: readers(/^A read-only open at any step of a writer that is killed/),
    symptom: /is the last that is shown, expected one from/,
  },
  {
    name: "believe-first-error",
    item: "beyond the list",
    does: "takes what a writer has just deleted for damage",
    edits: [{
      file: "src/store/recovery/read_only.ts",
      find: "if (error.message === lastError?.message && !isReplacement(error)) throw error;",
      replace: "if (error.message !== lastError?.message || !isReplacement(error)) throw error;",
    }],
    caughtBy: readers(/^A read-only open at any step of a writer that flushes/),
    symptom: /begun at step \d+, at \d+ now: Cannot open/,
  },
];
