/** Bugs in deleted ranges. */

import type { Bug } from "./bug.ts";
import { directed, model, transactions } from "./commands.ts";

/** What the model says of an answer that is not the map's. */
const OTHER_ANSWER = /history \d+ of seed \d+ fails/;

/** The bugs. */
export const rangeBugs: readonly Bug[] = [
  {
    name: "range-hides-later-puts",
    item: "beyond the list",
    does: "lets a deleted range hide entries that come after it in the same memtable",
    edits: [{
      file: "src/memtable/memtable.ts",
      find: "    return this.#arena.sequenceOf(entry) < sequence - this.#firstSequence;\n",
      replace: "    return this.#arena.sequenceOf(entry) >= 0 && sequence >= 0;\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "range-of-today-for-snapshots",
    item: "beyond the list",
    does: "shows snapshots the ranges that were deleted after them",
    edits: [{
      file: "src/memtable/range_deletions.ts",
      find: "    if (all.at(-1)!.sequence <= sequence) return this.#newest;\n",
      replace: "    if (all.length > 0) return this.#newest;\n",
    }],
    caughtBy: directed(
      "tests/store/range_deletes_test.ts",
      /^Snapshots and open cursors do not see a range/,
    ),
    symptom: /deep-equal/,
  },
  {
    name: "range-changes-under-cursor",
    item: "beyond the list",
    does: "changes the list of deleted ranges that an open cursor holds",
    edits: [{
      file: "src/memtable/range_deletions.ts",
      find: "    if (this.#isShared) this.#newest = [...this.#newest];\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/store/range_deletes_test.ts",
      /^Snapshots and open cursors do not see a range/,
    ),
    symptom: /deep-equal/,
  },
  {
    name: "flush-forgets-ranges",
    item: "beyond the list",
    does: "writes a memtable's entries to a table without its deleted ranges",
    edits: [{
      file: "src/compaction/flush_job.ts",
      find: "    const tables = yield* output.finish(deletedSpans, sizes);\n",
      replace: "    const tables = yield* output.finish([], sizes);\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "get-looks-below-ranges",
    item: "beyond the list",
    does: "goes on with older tables after a table whose span holds the key",
    edits: [{
      file: "src/store/read/point_lookup.ts",
      find: "      if (position !== AT_END || (hasSpans && this.#hides(table))) return position;\n",
      replace: "      if (position !== AT_END) return position;\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "run-passes-a-span",
    item: "beyond the list",
    does: "takes a run of entries past the beginning of a deleted span",
    edits: [{
      file: "src/iterator/masked_cursor.ts",
      find: "    if (edge === undefined) return this.#source.takeRun(run, bound);\n",
      replace:
        "    if (edge === undefined || bound === undefined) return this.#source.takeRun(run, bound);\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "span-lost-at-a-cut",
    item: "beyond the list",
    does: "drops what is left of a span when a merge begins the next table",
    edits: [{
      file: "src/compaction/covered.ts",
      find: "      left.unshift({ lower: cut, upper: last.upper });\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/compaction/covered_test.ts",
      /^A span that a merge divides between tables/,
    ),
    symptom: /is back/,
  },
  {
    name: "spans-dropped-early",
    item: "beyond the list",
    does: "drops spans in a merge although deeper tables have keys of them",
    edits: [{
      file: "src/compaction/covered.ts",
      find:
        "        compareKeys(smallestView, span.upper) < 0 && compareKeys(span.lower, largestView) <= 0\n",
      replace:
        "        compareKeys(span.lower, smallestView) > 0 && compareKeys(span.upper, largestView) < 0\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "bounds-without-spans",
    item: "beyond the list",
    does: "gives a table the bounds of its entries, without those of its spans",
    edits: [{
      file: "src/sstable/span_bounds.ts",
      find: "  if (first === undefined || last === undefined) return { smallest, largest };\n",
      replace: "  if (first === undefined || smallest.length >= 0) return { smallest, largest };\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "drops-newer-tables",
    item: "beyond the list",
    does: "drops tables of level 0 that an older one hides",
    edits: [{
      file: "src/compaction/covered.ts",
      find: "  let mask: readonly KeySpan[] = NO_SPANS;\n  const inputs",
      replace:
        "  let mask: readonly KeySpan[] = levels[0]!.map((table) => table.deletedSpans).reduce(joinSpans, NO_SPANS);\n  const inputs",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "no-conflict-with-ranges",
    item: "beyond the list",
    does: "lets a transaction commit although a range that it has scanned was deleted",
    edits: [{
      file: "src/memtable/memtable.ts",
      find:
        "    return this.#newerRangeIn(lower, upper, sequence) ?? this.#newerEntryIn(lower, upper, sequence);\n",
      replace: "    return this.#newerEntryIn(lower, upper, sequence);\n",
    }],
    caughtBy: transactions,
    symptom: /~t\d+\.\d+/,
  },
  {
    name: "no-conflict-of-keys-with-ranges",
    item: "beyond the list",
    does: "lets a transaction commit although a range with a key that it has read was deleted",
    edits: [{
      file: "src/memtable/memtable.ts",
      find: "    return range !== undefined && range.sequence > sequence;\n",
      replace: "    return range !== undefined && range.sequence < 0;\n",
    }],
    caughtBy: transactions,
    symptom: /~t\d+\.\d+/,
  },
  {
    name: "own-ranges-forgotten",
    item: "beyond the list",
    does: "shows a transaction what it has deleted as a range, if it scans",
    edits: [{
      file: "src/store/read/scan_sources.ts",
      find: "    mask = own.spans;\n",
      replace: "    mask = own.spans.slice(0, 0);\n",
    }],
    caughtBy: model,
    symptom: OTHER_ANSWER,
  },
  {
    name: "manifest-forgets-pending-edits",
    item: "beyond the list",
    does: "starts a manifest for the first deleted span without the edits that are pending",
    edits: [{
      file: "src/version/version_set.ts",
      find: "      for (const edit of pending) manifest.append(edit);\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/version/version_set_test.ts",
      /^A manifest of the next version takes over the edits that are pending/,
    ),
    symptom: /is missing|not in/,
  },
];
