/** Bugs in tables, compaction, reads and everything else that is not about crashes. */

import type { Bug } from "./bug.ts";
import { corruption, directed, lostLocks, model } from "./commands.ts";

/** What the model says of an answer that is not the map's. */
const OTHER_ANSWER = /history \d+ of seed \d+ fails/;

/** The bugs, in the order of the reliability list. */
export const tableBugs: readonly Bug[] = [
  {
    name: "filter-checksum-without-size",
    item: "checksum without length",
    does: "leaves a filter's sizes out of its checksum",
    edits: [{
      file: "src/sstable/table_sections.ts",
      find:
        '        requireCrc(section, 0, section.length, properties.extension.filterCrc, "filter");\n',
      replace:
        '        requireCrc(section, 24, section.length, properties.extension.filterCrc, "filter");\n',
    }, {
      file: "src/sstable/table_writer.ts",
      find: "new DataView(section.buffer, section.byteOffset), 0, filterSize)",
      replace: "new DataView(section.buffer, section.byteOffset), 24, filterSize)",
    }],
    caughtBy: directed(
      "tests/sstable/table_reader_test.ts",
      /^TableReader notices every changed byte, and gives right values or errors for it/,
    ),
    symptom: /byte \d+ is \d+, was \d+/,
  },
  {
    name: "block-without-position",
    item: "checksum without position",
    does: "takes any block with a right checksum for the one that it looks for",
    edits: [{
      file: "src/sstable/table_reader.ts",
      find: "      requireItsKeys(index, block, decoded);\n",
      replace: "",
    }],
    caughtBy: corruption(/^Damaged tables without compression/),
    symptom: /swapped/,
  },
  {
    name: "reverse-level-0",
    item: "reverse L0",
    does: "lets the oldest table of level 0 win",
    edits: [{
      file: "src/version/version.ts",
      find: "    tables.sort((a, b) => b.metadata.number - a.metadata.number);\n",
      replace: "    tables.sort((a, b) => a.metadata.number - b.metadata.number);\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "drop-tombstone-early",
    item: "drop tombstone early",
    does: "drops a tombstone while deeper tables hold its key",
    edits: [{
      file: "src/compaction/merge_job.ts",
      find: "if (isAlive || below.mayHold(entry)) {",
      replace: "if (isAlive) {",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "drop-version-under-cursor",
    item: "drop under snapshot",
    does: "forgets the older version of a key that an open cursor shows",
    edits: [{
      file: "src/memtable/memtable.ts",
      find: "this.#arena.append(previous, relative, from, fromView, start, keyEnd, end)",
      replace: "this.#arena.append(0 * previous, relative, from, fromView, start, keyEnd, end)",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "swallow-compaction-read-error",
    item: "swallow compaction read error",
    does: "takes a block that can't be read for the end of a compaction's input",
    edits: [{
      file: "src/compaction/merge_job.ts",
      find: "        cursor.loadSync();\n        at = cursor.resume();\n",
      replace: `        try {
          cursor.loadSync();
        } catch {
          at = AT_END;
          break;
        }
        at = cursor.resume();
`,
    }],
    caughtBy: directed(
      "tests/compaction/merge_job_test.ts",
      /^mergeJob ends with an error at every damaged byte of an input/,
    ),
    symptom: /byte \d+ of/,
  },
  {
    name: "lose-filter-bits",
    item: "filter bit loss",
    does: "leaves keys out of a table's filter",
    edits: [{
      file: "src/sstable/filter_builder.ts",
      find: "  for (let n = 0; n < count; n++) {\n",
      replace: "  for (let n = 0; n < count - 1; n++) {\n",
    }],
    caughtBy: directed(
      "tests/sstable/filter_test.ts",
      /^Filter never denies a key that was added, and keeps to the rate/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "range-off-by-one",
    item: "off-by-one range bound",
    does: "shows the key at the upper bound of a range",
    edits: [{
      file: "src/store/read/entry_scan.ts",
      find: "end: bound.bytes.length, isIncluded: reverse }",
      replace: "end: bound.bytes.length, isIncluded: true }",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "no-reference-count",
    item: "no refcount",
    does: "deletes tables that a cursor still reads",
    edits: [{
      file: "src/version/version_set.ts",
      find:
        "    const version = this.#state.version;\n    version.references++;\n    return version;\n",
      replace: "    const version = this.#state.version;\n    return version;\n",
    }],
    caughtBy: directed(
      "tests/store/cursor_test.ts",
      /^A cursor that is not iterated keeps replaced tables until it is closed/,
    ),
    symptom: /AssertionError|CorruptionError/,
  },
  {
    name: "flush-twice",
    item: "double flush",
    does: "flushes every memtable a second time",
    edits: [{
      file: "src/store/background/flush_queue.ts",
      find: "    this.#state.dropImmutable(immutable);\n",
      replace: "    if (this.count % 2 === 1) this.#state.dropImmutable(immutable);\n",
    }],
    caughtBy: directed("tests/store/stats_test.ts", /^Entries are counted in the memtable, and/),
    symptom: /tables/,
  },
  {
    name: "depth-limit-only-on-write",
    item: "limit only on write",
    does: "limits how deep records are nested where it writes and not where it reads",
    edits: [{
      file: "src/value/record_decoder.ts",
      find: "    if (depth >= MAX_RECORD_DEPTH) {\n",
      replace: "    if (depth >= 1e9 * MAX_RECORD_DEPTH) {\n",
    }],
    caughtBy: directed("tests/value/record_codec_test.ts", /^Records may be nested 64 deep/),
    symptom: /Missing expected exception/,
  },
  {
    name: "decompress-without-bound",
    item: "unbounded decompress",
    does: "allocates what a block claims to hold",
    edits: [{
      file: "src/sstable/stored_block.ts",
      find: "  if (length > limit || (stated !== undefined && stated !== length)) {\n",
      replace: "  if (limit < 0 || (stated !== undefined && stated < 0)) {\n",
    }],
    caughtBy: directed(
      "tests/sstable/table_reader_test.ts",
      /^TableReader (?:refuses a wrong claim of a block's length|bounds the claim of a zstd frame)/,
    ),
    symptom: /claims|the table was accepted/,
  },
  {
    name: "alias-callers-bound",
    item: "alias caller buffer",
    does: "keeps the caller's own buffer as the bound of a range",
    edits: [{
      file: "src/store/state/range.ts",
      find: "  encodeKey(key, writer);\n",
      replace: '  if (typeof key !== "string") {\n' +
        "    const { buffer, byteOffset, length } = key as Uint8Array;\n" +
        "    return { bytes: key as Uint8Array, view: new DataView(buffer, byteOffset, length) };\n" +
        "  }\n" +
        "  encodeKey(key, writer);\n",
    }],
    caughtBy: directed("tests/store/range_test.ts", /^resolveRange takes copies of the bytes/),
    symptom: /strictly equal/,
  },
  {
    name: "cached-block-without-pin",
    item: "beyond the list",
    does: "lets a cursor stand in a block whose memory is given to another one",
    edits: [{
      file: "src/sstable/read_window.ts",
      find: "        this.#reader.pin(cached);\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/store/block_memory_test.ts",
      /^Overlapping reads never see memory that another block has taken/,
    ),
    symptom: /strictly deep-equal|not ascend|ends within|outside the bounds|Cannot read a value/,
  },
  {
    name: "tombstone-in-lone-block",
    item: "beyond the list",
    does: "notes a block of one tombstone as one that holds a value",
    edits: [{
      file: "src/sstable/table_writer.ts",
      find: "block.entryBytes >= MIN_LONE_BYTES && !this.#isLastMortal",
      replace: "block.entryBytes >= 1",
    }],
    caughtBy: directed(
      "tests/store/large_values_test.ts",
      /^keys\(\) shows the keys of all entries/,
    ),
    symptom: /strictly deep-equal|strictly equal|hold one entry alone/,
  },
  {
    name: "block-pinned-for-one-waiter",
    item: "beyond the list",
    does: "pins a block that many wait for only for the first of them",
    edits: [{
      file: "src/sstable/table_reader.ts",
      find: "buffer, load.waiterCount);",
      replace: "buffer, 1);",
    }],
    caughtBy: directed(
      "tests/store/herd_test.ts",
      /^Synchronous gets and writes under a herd change none of its answers/,
    ),
    symptom: /has another value|not ascend|ends within|outside the bounds|Cannot read/,
  },
  {
    name: "load-for-each-waiter",
    item: "beyond the list",
    does: "loads a block again for everybody who waits for it",
    edits: [{
      file: "src/sstable/table_reader.ts",
      find: "    if (loading === undefined) {\n",
      replace: "    if (loading === undefined || block >= 0) {\n",
    }],
    caughtBy: directed("tests/store/herd_test.ts", /^A herd of gets over cold blocks reads each/),
    symptom: /\d+ (misses|reads), /,
  },
  {
    name: "next-key-of-another-version",
    item: "beyond the list",
    does: "looks for a key behind the last one in a table that this view does not have",
    edits: [{
      file: "src/store/read/last_hit.ts",
      find: "level !== this.#level || version !== this.#version",
      replace: "level !== this.#level || this.#version === undefined",
    }],
    caughtBy: directed(
      "tests/store/point_lookup_test.ts",
      /^PointLookup finds keys that are read in order while the store changes/,
    ),
    symptom: /key\d{6}\s+(\d+|undefined) !== (\d+|undefined)/,
  },
  {
    name: "alias-stored-bytes",
    item: "beyond the list",
    does: "hands out its own memory as values",
    edits: [{
      file: "src/bytes/slab.ts",
      find: "    const length = end - start;\n",
      replace:
        "    const length = end - start;\n    if (length > 0) return bytes.subarray(start, end);\n",
    }],
    caughtBy: directed(
      "tests/value/value_codec_test.ts",
      /^Decoded bytes are the caller's own: writing to one value changes no other/,
    ),
    symptom: /strictly deep-equal/,
  },
  {
    name: "lock-no-op",
    item: "lock no-op",
    does: "locks its directory against itself alone",
    edits: [{
      file: "src/platform/sqlite_mutex.ts",
      find: "        locked = begin(database);\n",
      replace: "        locked = begin !== undefined;\n",
    }, {
      file: "src/platform/directory_lock.ts",
      find: '  if (liveness === "dead") return true;\n',
      replace: "  return true;\n",
    }],
    caughtBy: directed(
      "tests/platform/directory_lock_test.ts",
      /^lock attempts that fail in this process leave the lock of this process alone/,
    ),
    symptom: /got in/,
  },
  {
    name: "trust-the-mutex",
    item: "beyond the list",
    does: "takes a lock over from a live holder whose lock the system has dropped",
    edits: [{
      file: "src/platform/directory_lock.ts",
      find: '  if (liveness === "dead") return true;\n',
      replace: "  return true;\n",
    }],
    caughtBy: directed(
      "tests/faults/lost_lock_test.ts",
      /^A second open is let in after a reader in the node holder's process closed LOCK/,
    ),
    symptom: /succeeded/,
  },
  {
    name: "acknowledge-without-lock",
    item: "beyond the list",
    does: "acknowledges a sync without looking whether it still has its lock",
    edits: [{
      file: "src/version/fenced_file_system.ts",
      find: "        this.#isVerified = false;\n        lock.verifySync();\n",
      replace: "        this.#isVerified = false;\n",
    }],
    caughtBy: lostLocks("A store that is new and written to asynchronously", "before"),
    symptom: /is acknowledged, the other store has/,
  },
  {
    name: "acknowledge-synchronously-without-lock",
    item: "beyond the list",
    does: "returns from a synchronous sync without looking whether it still has its lock",
    edits: [{
      file: "src/version/fenced_file_system.ts",
      find: "    this.#isVerified = false;\n    this.#lock.verifySync();\n",
      replace: "    this.#isVerified = false;\n",
    }],
    caughtBy: lostLocks("A store that is written to synchronously", "before"),
    symptom: /is acknowledged, the other store has/,
  },
  {
    name: "delete-without-lock",
    item: "beyond the list",
    does: "removes files after its lock was lost",
    edits: [{
      file: "src/version/fenced_file_system.ts",
      find: "      verify(path);\n      inner.removeSync(path);\n",
      replace: "      inner.removeSync(path);\n",
    }],
    caughtBy: lostLocks("A store that is new and written to asynchronously", "after"),
    symptom: /remove \/db\//,
  },
  {
    name: "answer-for-another-table",
    item: "beyond the list",
    does: "takes an entry that it kept without its block for that of every table",
    edits: [{
      file: "src/sstable/entry_cache.ts",
      find: "  let hash = Math.imul(owner, 0x9e3779b1) ^ (end - start);\n",
      replace: "  let hash = Math.imul(Math.sign(owner), 0x9e3779b1) ^ (end - start);\n",
    }, {
      file: "src/sstable/entry_cache.ts",
      find: " || words[word + 1] !== owner",
      replace: "",
    }],
    caughtBy: directed(
      "tests/store/kept_entries_test.ts",
      /^A store with kept entries gives the answers of its history/,
    ),
    symptom: /AssertionError/,
  },
];
