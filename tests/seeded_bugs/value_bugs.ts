/** Bugs in large values, which are kept apart from keys. */

import type { Bug } from "./bug.ts";
import { crashes, directed } from "./commands.ts";

const FILE = "tests/store/value_files_test.ts";
const CRASH_STATE = /crash state [\w-]+:\d+:[\w-]+#\d+:\d+: /;
const STREAM_FILE = "tests/store/streams_test.ts";
const SPACE_OF_FILES = "tests/store/value_files_space_test.ts";
const DAMAGE_FILE = "tests/store/value_files_damage_test.ts";
const SPACE_FILE = "tests/store/value_space_test.ts";

/** The bugs. */
export const valueBugs: readonly Bug[] = [
  {
    name: "reference-before-value",
    item: "beyond the list",
    does: "shows a reference before the value is in the log's file",
    edits: [{
      file: "src/store/write/commit.ts",
      find: "    if (hasLarge) this.#writeOut(log);\n",
      replace: "",
    }],
    caughtBy: directed(FILE, /^Large values come back by every way of reading/),
    symptom: /the file ends before it does/,
  },
  {
    name: "value-file-without-sync",
    item: "beyond the list",
    does: "does not sync a value file before a manifest names a table that refers to it",
    edits: [{
      file: "src/sstable/value_file.ts",
      find: "    yield syncStep(this.#handle, this.#writtenBytes);\n",
      replace: "",
    }],
    caughtBy: crashes('A store with large values, with walSync "none",'),
    symptom: /CorruptionError|not a prefix|Cannot read the value/,
  },
  {
    name: "log-of-values-without-sync",
    item: "beyond the list",
    does: "does not sync a log before a manifest names a table that refers to it",
    edits: [{
      file: "src/store/background/flush_queue.ts",
      find: "      yield* logs.syncEnded(immutable.logNumber);\n",
      replace: "",
    }],
    caughtBy: crashes('A store with large values, with walSync "none",'),
    symptom: /CorruptionError|not a prefix|Cannot read the value/,
  },
  {
    name: "log-removed-under-references",
    item: "beyond the list",
    does: "deletes a flushed log although tables refer to values in it",
    edits: [{
      file: "src/store/state/logs.ts",
      find: "      if (isUsed(log.writer.number)) continue;\n",
      replace: "",
    }],
    caughtBy: directed(FILE, /^Large values come back by every way of reading/),
    symptom: /ENOENT|is missing/,
  },
  {
    name: "open-removes-logs-of-values",
    item: "beyond the list",
    does: "takes a log that recovery does not need for an orphan, although tables refer to it",
    edits: [{
      file: "src/store/recovery/recovery.ts",
      find: "file.number < versions.log.number && isUnused(file.number)) ||\n",
      replace: "file.number < versions.log.number) ||\n",
    }],
    caughtBy: directed(FILE, /^Large values come back by every way of reading/),
    symptom: /ENOENT|is missing/,
  },
  {
    name: "values-never-die",
    item: "beyond the list",
    does: "lets dead values take a hundred times the space of living ones",
    edits: [{
      file: "src/compaction/value_space.ts",
      find: "export const MAX_DEAD_PART = 1.5;\n",
      replace: "export const MAX_DEAD_PART = 100;\n",
    }],
    caughtBy: directed(SPACE_OF_FILES, /^At rest at most 1.5 bytes are dead/),
    symptom: /bytes for \d+ living ones/,
  },
  {
    name: "small-files-pile-up",
    item: "beyond the list",
    does: "leaves the values of many short sessions in a file each",
    edits: [{
      file: "src/compaction/value_space.ts",
      find: "const MANY_SMALL_FILES = 8;\n",
      replace: "const MANY_SMALL_FILES = 1e9;\n",
    }],
    caughtBy: directed(SPACE_FILE, /^Sessions that store one large value each/),
    symptom: /\d+ files/,
  },
  {
    name: "memtable-keeps-its-log",
    item: "beyond the list",
    does: "keeps the log of a memtable that nobody sees any more",
    edits: [{
      file: "src/store/state/store_state.ts",
      find: "      this.versions.values.release(IN_LOG, memtable.valueLog);\n",
      replace: "",
    }],
    caughtBy: directed(SPACE_OF_FILES, /^A snapshot keeps the values that it shows/),
    symptom: /AssertionError/,
  },
  {
    name: "keys-read-values",
    item: "beyond the list",
    does: "reads large values for walks over keys",
    edits: [{
      file: "src/store/read/entry_scan.ts",
      find: "    if (this.#keysOnly || !isReference(valueBytes, valueStart)) return AT_ENTRY;\n",
      replace: "    if (!isReference(valueBytes, valueStart)) return AT_ENTRY;\n",
    }],
    caughtBy: directed(FILE, /^Keys, count, has and writes that ask for presence do not read/),
    symptom: /CorruptionError|checksum/,
  },
  {
    name: "copies-of-unchecked-values",
    item: "beyond the list",
    does: "copies and verifies values without their checksums",
    edits: [{
      file: "src/sstable/value_reader.ts",
      find: "    if (crc !== reference.crc) throw this.#wrongCrc(reference, crc);\n",
      replace: "",
    }],
    caughtBy: directed(DAMAGE_FILE, /^A damaged value is named by verify/),
    symptom: /AssertionError/,
  },
  {
    name: "stream-without-sync",
    item: "beyond the list",
    does: "commits a reference to the file of a stream before the file is durable",
    edits: [{
      file: "src/store/write/stream_put.ts",
      find: "    await runTask(this.#durable(file), this.#state.scheduler, SLICE_MS);\n",
      replace: "",
    }],
    caughtBy: crashes("A store with streams that are put,"),
    symptom: CRASH_STATE,
  },
  {
    name: "stream-name-without-sync",
    item: "beyond the list",
    does: "commits a reference to the file of a stream before the file's name is durable",
    edits: [{
      file: "src/store/write/stream_put.ts",
      find: "    yield syncDirectoryStep(fileSystem, directory);\n",
      replace: "",
    }],
    caughtBy: crashes("A store with streams that are put,"),
    symptom: /file "\d+\.val", with a value of \d+ bytes/,
  },
  {
    name: "stream-that-failed-keeps-its-file",
    item: "beyond the list",
    does: "leaves the file of a stream that failed",
    edits: [{
      file: "src/store/write/stream_put.ts",
      find: "      fileSystem.removeSync(this.#path);\n",
      replace: "",
    }],
    caughtBy: directed(STREAM_FILE, /^A stream that fails, or is none, leaves the old value/),
    symptom: /AssertionError/,
  },
  {
    name: "last-part-unchecked",
    item: "beyond the list",
    does: "passes on the last part of a streamed value without its checksum",
    edits: [{
      file: "src/store/read/value_stream.ts",
      find: "this.isAtEnd && this.#verifyChecksums",
      replace: "false",
    }],
    caughtBy: directed(STREAM_FILE, /^A reader of a damaged value gets an error/),
    symptom: /AssertionError/,
  },
  {
    name: "stream-without-a-lease",
    item: "beyond the list",
    does: "lets the file of a value go while a stream reads it",
    edits: [{
      file: "src/store/read/value_stream.ts",
      find: "  const lease = state.lease();\n",
      replace: "  const lease = state.lease();\n  lease.release();\n",
    }],
    caughtBy: directed(STREAM_FILE, /^A stream that is being read keeps its value/),
    symptom: /ClosedError|ENOENT|AssertionError/,
  },
  {
    name: "stream-of-packed-value-starts-early",
    item: "beyond the list",
    does: "takes the bytes before an unpacked value, which align it, for its start",
    edits: [{
      file: "src/store/read/value_stream.ts",
      find: "      const start = whole.start + request.time.length;\n",
      replace: "      const start = request.time.length;\n",
    }],
    caughtBy: directed("tests/store/large_value_memory_test.ts", /^A large value belongs to/),
    symptom: /it does not start as bytes of this length do/,
  },
  {
    name: "synchronous-writer-waits-for-long-syncs",
    item: "beyond the list",
    does: "lets a synchronous writer do the sync of a log of large values in its own thread",
    edits: [{
      file: "src/platform/task.ts",
      find: "    isLong: bytes > LONG_SYNC_BYTES,\n",
      replace: "    isLong: bytes > 1e12,\n",
    }],
    caughtBy: directed("tests/store/long_syncs_test.ts", /^A synchronous writer leaves the sync/),
    symptom: /strictly equal/,
  },
];
