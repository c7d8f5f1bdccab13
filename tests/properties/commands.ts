/**
 * The commands that histories are made of. One more is one more line here (command.ts says how).
 */

import type { Command } from "./command.ts";
import { closeCursor, openCursor, pull, seek } from "./commands_cursor.ts";
import {
  close,
  compact,
  crash,
  flush,
  reopen,
  runs,
  sync,
  tick,
  verify,
  wait,
} from "./commands_life.ts";
import { get, getMany, scan } from "./commands_read.ts";
import { getter, reenter } from "./commands_reentrant.ts";
import { deleteRange, rangeBatch, rangeTransaction } from "./commands_range.ts";
import { closeSnapshot, openSnapshot, readSnapshot } from "./commands_snapshot.ts";
import { transaction } from "./commands_transaction.ts";
import { batch, change, conditional, erase, fill } from "./commands_write.ts";

/** All of them. */
export const commands: readonly Command[] = [
  ...[change, conditional, batch, transaction, fill, erase],
  ...[deleteRange, rangeBatch, rangeTransaction],
  ...[get, getMany, scan],
  ...[openCursor, pull, seek, closeCursor],
  ...[openSnapshot, readSnapshot, closeSnapshot],
  ...[reenter, getter],
  ...[flush, runs, sync, verify, wait, tick, compact],
  ...[reopen, crash, close],
];
