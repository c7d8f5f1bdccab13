/**
 * Bugs in what comes after a failure: syncs that are retried, errors that are dropped, writes left
 * in the heap.
 */

import type { Bug } from "./bug.ts";
import { errors, kills } from "./commands.ts";

/** The bugs, in the order of the reliability list. */
export const failureBugs: readonly Bug[] = [
  {
    name: "retry-log-sync",
    item: "retry sync",
    does: "syncs a log once more after a sync that failed",
    edits: [{
      file: "src/store/state/logs.ts",
      find: "      else await handle.sync();\n",
      replace: "      else await handle.sync().catch(() => handle.sync!());\n",
    }],
    caughtBy: errors(/^A sync that fails and forgets what it did not write/),
    symptom: /was swallowed|was acknowledged|succeeds after/,
  },
  {
    name: "ignore-short-write",
    item: "ignore short write",
    does: "takes every write for a whole one",
    edits: [{
      file: "src/platform/transfer.ts",
      find:
        "    const count = handle.writeSync(from, offset + done, length - done, position + done);\n",
      replace: "    handle.writeSync(from, offset + done, length - done, position + done);\n" +
        "    const count = length - done;\n",
    }],
    caughtBy: errors(/^A disk that takes a part of a write and then nothing/),
    symptom: /CorruptionError|it has \d+ bytes, expected \d+|was swallowed|was acknowledged/,
  },
  {
    name: "acknowledge-in-the-heap",
    item: "beyond the list",
    does: "keeps acknowledged writes in the heap until there are many",
    edits: [{
      file: "src/wal/log_writer.ts",
      find: "    if (buffer.length === 0) return;\n",
      replace: "    if (buffer.length < 2000) return;\n",
    }],
    caughtBy: kills(/^Writers with walSync none lose nothing that was acknowledged/),
    symptom: /acknowledged/,
  },
  {
    name: "write-after-failed-sync",
    item: "beyond the list",
    does: "goes on writing after a sync of the log has failed",
    edits: [{
      file: "src/store/write/acknowledgement.ts",
      find: '            this.#state.fail("a sync of the write-ahead log", error);\n',
      replace: "",
    }],
    caughtBy: errors(/^A sync that fails and forgets what it did not write/),
    symptom: /succeeds after/,
  },
  {
    name: "close-drops-error",
    item: "close drops error",
    does: "closes without a word after its background has failed",
    edits: [{
      file: "src/store/closing.ts",
      find:
        "    dispose(parts);\n  }\n  if (state.failure !== undefined) throw state.failure;\n}\n\n" +
        "/** As `closeStore`. */\n",
      replace: "    dispose(parts);\n  }\n}\n\n/** As `closeStore`. */\n",
    }],
    caughtBy: errors(/^A disk that is full in the middle of a write/),
    symptom: /close succeeds after/,
  },
];
