/** All seeded bugs, the list that they must cover, and changes that turned out to break nothing. */

import type { Bug } from "./bug.ts";
import { corruption } from "./commands.ts";
import { durabilityBugs } from "./durability_bugs.ts";
import { expiryBugs } from "./expiry_bugs.ts";
import { failureBugs } from "./failure_bugs.ts";
import { historyBugs } from "./history_bugs.ts";
import { rangeBugs } from "./range_bugs.ts";
import { repairBugs } from "./repair_bugs.ts";
import { subBugs } from "./sub_bugs.ts";
import { tableBugs } from "./table_bugs.ts";
import { transactionBugs } from "./transaction_bugs.ts";
import { valueBugs } from "./value_bugs.ts";

/** Every bug. */
export const seededBugs: readonly Bug[] = [
  ...durabilityBugs,
  ...expiryBugs,
  ...failureBugs,
  ...historyBugs,
  ...rangeBugs,
  ...repairBugs,
  ...subBugs,
  ...tableBugs,
  ...transactionBugs,
  ...valueBugs,
];

/** The bugs of the reliability list (3.9), in its words and its order. */
export const requiredItems: readonly string[] = [
  "skip WAL sync",
  "skip SST sync",
  "skip manifest sync",
  "skip CURRENT sync",
  "skip dir sync after rename",
  "GC before manifest durable",
  "append to old WAL",
  "split batch",
  "checksum without length",
  "checksum without position",
  "replay past a bad record",
  "reverse L0",
  "drop tombstone early",
  "drop under snapshot",
  "reuse file number",
  "retry sync",
  "ignore short write",
  "swallow compaction read error",
  "sequence reset",
  "filter bit loss",
  "off-by-one range bound",
  "no refcount",
  "ack before write",
  "double flush",
  "missing-file ignored",
  "limit only on write",
  "unbounded decompress",
  "alias caller buffer",
  "close drops error",
  "lock no-op",
];

/** A change that looks like a bug and has no effect. */
export interface Equivalent extends Omit<Bug, "symptom" | "caughtBy"> {
  /** Why nothing that anybody could see differs. */
  readonly because: string;
  /** The run that would have to notice it; the gate's test requires that it does not. */
  readonly passes: Bug["caughtBy"];
}

/**
 * Bugs of the list in places where this design gives them no effect. For each item there is a
 * caught bug in another place: for the lengths of records, the sizes in a filter.
 */
export const equivalents: readonly Equivalent[] = [
  {
    name: "log-checksum-without-length",
    item: "checksum without length",
    does: "leaves the length of a log record out of the checksum of its header",
    because:
      "A wrong length either passes the end of the file, or it moves the end of what the payload's own " +
      "checksum covers. Both mean that there is no whole record here, which is what a wrong checksum of " +
      "the header means too; and no decision rests on the length of a record that is not whole.",
    edits: [{
      file: "src/wal/log_format.ts",
      find: "  view.setUint32(start, crc32(bytes, view, start + 4, payload), true);\n",
      replace: "  const crc = crc32(bytes, view, start + 4, start + 8);\n" +
        "  view.setUint32(start, crc32(bytes, view, start + 12, payload, crc), true);\n",
    }, {
      file: "src/wal/log_format.ts",
      find: "  const crc = crc32(bytes, view, start + 4, start + RECORD_HEADER_BYTES);\n",
      replace: "  const first = crc32(bytes, view, start + 4, start + 8);\n" +
        "  const crc = crc32(bytes, view, start + 12, start + RECORD_HEADER_BYTES, first);\n",
    }],
    passes: corruption(/^A store that has only a log survives damage to every bit/),
  },
  {
    name: "manifest-checksum-without-length",
    item: "checksum without length",
    does: "leaves the length of a record of the manifest out of its checksum",
    because:
      "The length says how far the checksum reaches: another length is the checksum of other bytes. So " +
      "the record is found damaged with the same certainty.",
    edits: [{
      file: "src/version/manifest_format.ts",
      find: "  view.setUint32(start, crc32(bytes, view, start + 4, length), true);\n",
      replace: "  view.setUint32(start, crc32(bytes, view, start + 8, length), true);\n",
    }, {
      file: "src/version/manifest_format.ts",
      find:
        "  return crc32(bytes, view, offset + 4, end) === view.getUint32(offset, true) ? end : -1;\n",
      replace:
        "  return crc32(bytes, view, offset + 8, end) === view.getUint32(offset, true) ? end : -1;\n",
    }],
    passes: corruption(/^A store that has only a log survives damage to every bit/),
  },
];
