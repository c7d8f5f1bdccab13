/**
 * Bugs in values that expire: by whose time they are judged, what they hide, what a change does to
 * their time, and what readers of an older format are told. And in the times of records, `Date`s.
 */

import type { Bug } from "./bug.ts";
import { directed, model } from "./commands.ts";

const FILE = "tests/store/expiry_test.ts";
const CONTRACT = "tests/contracts/store_contract_test.ts";

/** The bugs. */
export const expiryBugs: readonly Bug[] = [
  {
    name: "judge-a-snapshot-by-now",
    item: "beyond the list",
    does: "lets the cursors of a snapshot judge by the time at which they are opened",
    edits: [{
      file: "src/store/state/store_state.ts",
      find: "snapshot.sequence, this.leases, snapshot.wallMs)",
      replace: "snapshot.sequence, this.leases, this.wallMs)",
    }],
    caughtBy: directed(FILE, /^Snapshots, cursors and transactions keep their time/),
    symptom: /AssertionError/,
  },
  {
    name: "show-what-has-expired-hid",
    item: "beyond the list",
    does: "drops an expired value in a merge although a deeper table holds an older one",
    edits: [{
      file: "src/compaction/merge_job.ts",
      find: "if (isAlive || below.mayHold(entry)) {",
      replace:
        "if (isAlive || valueBytes[valueStart] === TYPE_TOMBSTONE && below.mayHold(entry)) {",
    }],
    caughtBy: directed(
      "tests/compaction/merge_job_test.ts",
      /^mergeJob drops an expired value if nothing deeper can hold its key/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "drop-before-its-time",
    item: "beyond the list",
    does: "drops values in a merge that expire a second later",
    edits: [{
      file: "src/store/background/compaction_queue.ts",
      find: "    const compaction = { ...planned, nowMs: this.#state.wallMs };\n",
      replace: "    const compaction = { ...planned, nowMs: this.#state.wallMs + 1000 };\n",
    }],
    caughtBy: model,
    symptom: /answer \d+ of|AssertionError|the recovered state/,
  },
  {
    name: "forget-the-time-in-a-change",
    item: "beyond the list",
    does: "makes a value that is changed live for ever",
    edits: [{
      file: "src/store/write/decisions.ts",
      find: "  return entry && expiryOf(entry);\n",
      replace: "  return undefined;\n",
    }],
    caughtBy: directed(CONTRACT, /^In memory: A change keeps the time of the key/),
    symptom: /after increment/,
  },
  {
    name: "compare-the-time-with-the-value",
    item: "beyond the list",
    does: "takes the time of a value for a part of it when it compares",
    edits: [{
      file: "src/store/write/decisions.ts",
      find: "  const valueStart = contentStart(valueBytes, entry.valueStart);\n",
      replace: "  const { valueStart } = entry;\n",
    }],
    caughtBy: directed(
      CONTRACT,
      /^In memory: A conditional write that does nothing leaves the time/,
    ),
    symptom: /is false, expected true/,
  },
  {
    name: "count-expired-large-values",
    item: "beyond the list",
    does: "tells readers of keys that they need not read a large value that expires",
    edits: [{
      file: "src/sstable/table_writer.ts",
      find: "      (this.#expiry ??= new ExpiryCollector()).add(time);\n",
      replace: "      (this.#expiry ??= new ExpiryCollector()).add(time);\n" +
        "      this.#isLastMortal = false;\n",
    }],
    caughtBy: directed(FILE, /^Values expire at their millisecond/),
    symptom: /AssertionError|CorruptionError/,
  },
  {
    name: "remember-expired-stretches",
    item: "beyond the list",
    does: "remembers that a stretch of expired values is dead, also for readers of earlier times",
    edits: [{
      file: "src/store/read/entry_scan.ts",
      find: "this.#hasExpired || this.#skipsExpired ? this.#wallMs : 0;\n",
      replace: "0;\n",
    }],
    caughtBy: directed(FILE, /^Scans remember expired stretches/),
    symptom: /AssertionError/,
  },
  {
    name: "leave-out-a-table-that-hides",
    item: "beyond the list",
    does: "leaves an expired table out of a scan although it hides older values",
    edits: [{
      file: "src/version/version.ts",
      find: "if (!hidesOthers(this.levels, level, table, tables)) tables.add(table);\n",
      replace: "tables.add(table);\n",
    }],
    caughtBy: directed(FILE, /^A scan does not open a table that is over/),
    symptom: /AssertionError/,
  },
  {
    name: "values-with-times-in-an-old-log",
    item: "beyond the list",
    does: "writes values that expire to a log that older versions take for theirs",
    edits: [{
      file: "src/store/write/commit.ts",
      find: "    if (logs.version < version) logs.version = version;\n",
      replace: "",
    }],
    caughtBy: directed(FILE, /^Logs and manifests say that they need a newer reader/),
    symptom: /AssertionError/,
  },
  {
    name: "date-of-1901",
    item: "beyond the list",
    does: "reads the seconds of a Date after January 2038 as a negative number",
    edits: [{
      file: "src/value/timestamp.ts",
      find: "      seconds = view.getUint32(start);\n",
      replace: "      seconds = view.getInt32(start);\n",
    }],
    caughtBy: directed("tests/value/timestamp_test.ts", /^A Date is stored as the shortest/),
    symptom: /AssertionError/,
  },
  {
    name: "date-without-nanoseconds",
    item: "beyond the list",
    does: "reads a time with nanoseconds as a Date, which loses them",
    edits: [{
      file: "src/value/timestamp.ts",
      find: "  const isStoredSo = nanoseconds % NANOSECONDS_PER_MS === 0 &&\n    timestampBytes",
      replace: "  const isStoredSo = timestampBytes",
    }],
    caughtBy: directed("tests/value/timestamp_test.ts", /^A timestamp that no Date has/),
    symptom: /AssertionError/,
  },
];
