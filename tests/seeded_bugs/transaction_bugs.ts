/**
 * Bugs in transactions and watches: conflicts that the check misses, commits that are not atomic,
 * and commits that a watch shows too early.
 */

import type { Bug } from "./bug.ts";
import { crashes, directed, transactions } from "./commands.ts";

const NO_SERIAL_ORDER = /seed \d+ fails/;

/** The bugs. */
export const transactionBugs: readonly Bug[] = [
  {
    name: "forget-read-keys",
    item: "beyond the list",
    does: "lets a transaction commit although keys that it has read were written",
    edits: [{
      file: "src/store/transaction/read_set.ts",
      find: "    this.#ends.push(this.#used);\n",
      replace: "    this.#ends.length = 0;\n",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "forget-missing-keys",
    item: "beyond the list",
    does: "lets a transaction commit although a key that it found missing was put",
    edits: [{
      file: "src/store/transaction/transaction_work.ts",
      find: "    readSet.note();\n    return undefined;\n",
      replace: "    const found = this.#reads.getSync(key, () => true, this.lease);\n" +
        "    readSet.encode(key);\n    if (found === true) readSet.note();\n    return undefined;\n",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "forget-scans",
    item: "beyond the list",
    does: "lets a transaction commit although something was written to what it scanned",
    edits: [{
      file: "src/store/transaction/read_set.ts",
      find: "    this.#stretches.push(stretch);\n",
      replace: "    this.#stretches.length = 0;\n",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "scan-to-the-last-found",
    item: "beyond the list",
    does: "takes a scan for one that has looked no further than to the last key that it found",
    edits: [{
      file: "src/store/transaction/tracked_scan.ts",
      find: "      if (reverse) stretch.lower = boundOf(lower);\n" +
        "      else stretch.upper = boundOf(upper);\n",
      replace: "      if (this.#shown > 0) return position;\n" +
        "      if (reverse) stretch.lower = boundOf(lower);\n" +
        "      else stretch.upper = boundOf(upper);\n",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "scan-before-the-last-shown",
    item: "beyond the list",
    does: "leaves the last key that a scan has shown out of what it has read",
    edits: [{
      file: "src/store/transaction/tracked_scan.ts",
      find: "    if (!this.#bounds.reverse) last.appendUint8(0);\n",
      replace: "",
    }],
    caughtBy: directed(
      "tests/store/transaction_test.ts",
      /^Only what a transaction has read makes it conflict/,
    ),
    symptom: /the last one shown/,
  },
  {
    name: "ask-one-memtable",
    item: "beyond the list",
    does: "looks for conflicts only in the memtable that is written to",
    edits: [{
      file: "src/store/state/recent_memtables.ts",
      find: "      if (memtable.firstSequence <= sequence + 1) return found;\n    }\n" +
        "    for (const { memtable } of this.#kept) {\n",
      replace: "      if (memtable.firstSequence > 0) return found;\n    }\n" +
        "    for (const { memtable } of this.#kept) {\n",
    }],
    caughtBy: directed(
      "tests/store/transaction_test.ts",
      /^A conflict is found after the memtable that shows it was flushed/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "let-flushed-memtables-go",
    item: "beyond the list",
    does: "uses the memory of a memtable again that a transaction still has to ask",
    edits: [{
      file: "src/store/state/recent_memtables.ts",
      find: "    memtable.references++;\n    this.#kept",
      replace: "    this.#kept",
    }],
    caughtBy: directed(
      "tests/store/transaction_test.ts",
      /^A conflict is found after the memtable that shows it was flushed/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "commit-after-a-pause",
    item: "beyond the list",
    does: "lets others write between the check of a transaction and its commit",
    edits: [{
      file: "src/store/transaction/transactions.ts",
      find: "        const writes = work.takeWrites();\n        if (writes !== undefined) {\n" +
        "          done",
      replace: "        for (let i = 0; i < 8; i++) await undefined;\n" +
        "        const writes = work.takeWrites();\n        if (writes !== undefined) {\n" +
        "          done",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "decide-by-old-own-write",
    item: "beyond the list",
    does: "lets two increments of a transaction at the same time count as one",
    edits: [{
      file: "src/store/transaction/transaction_work.ts",
      find: "    const own = this.#ownEntry(key);\n",
      replace: "    const own = base === undefined ? this.#ownEntry(key) : undefined;\n",
    }],
    caughtBy: transactions,
    symptom: NO_SERIAL_ORDER,
  },
  {
    name: "show-before-the-sync",
    item: "beyond the list",
    does: "shows a commit to those who watch before it is durable",
    edits: [{
      file: "src/store/write/acknowledgement.ts",
      find: "      const error = this.#writeOut();\n",
      replace: "      const error = this.#writeOut();\n" +
        "      this.#state.observer?.acknowledged(group.lastSequence);\n",
    }],
    caughtBy: crashes('Transactions with walSync "batch"'),
    symptom: /crash state/,
  },
  {
    name: "show-what-came-during-the-sync",
    item: "beyond the list",
    does: "shows a commit to those who watch that was written while the sync was under way",
    edits: [{
      file: "src/store/write/acknowledgement.ts",
      find: "    this.#state.observer?.acknowledged(group.lastSequence);\n",
      replace: "    this.#state.observer?.acknowledged(this.#state.lastSequence);\n",
    }],
    caughtBy: directed(
      "tests/store/watch_test.ts",
      /^With walSync "(batch|write)" a commit is shown after its sync/,
    ),
    symptom: /AssertionError/,
  },
  {
    name: "keep-all-for-slow-readers",
    item: "beyond the list",
    does: "keeps every commit for a watch that nobody reads",
    edits: [{
      file: "src/contract/watch_queue.ts",
      find: "    if (this.#behind <= this.#limit && !isTooLarge) return true;\n",
      replace: "    if (this.#limit > 0 || isTooLarge) return true;\n",
    }],
    caughtBy: directed("tests/store/watch_test.ts", /^Writes that nobody waits for count/),
    symptom: /Missing expected rejection/,
  },
];
