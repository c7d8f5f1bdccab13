/** Ranges in Level's form, and in that of the store. */

import type { Range } from "../../contract/range.ts";
import { type Data, toStore } from "./formats.ts";

/**
 * A range in Level's form: bounds and encodings are formats, and a `limit` of -1 means no limit.
 */
export interface LevelRange {
  gt?: Data;
  gte?: Data;
  lt?: Data;
  lte?: Data;
  reverse?: boolean;
  limit?: number;
  keyEncoding?: string;
  valueEncoding?: string;
  keys?: boolean;
  values?: boolean;
  signal?: AbortSignal | null;
  snapshot?: unknown;
}

/** Converts a range of Level to a range of the store. */
export function storeRange(range: LevelRange): Range {
  const result: Range = { keyEncoding: "bytes" };
  // As in Level, the inclusive bound takes precedence over the exclusive one.
  if (range.gte !== undefined) result.gte = toStore(range.gte);
  else if (range.gt !== undefined) result.gt = toStore(range.gt);
  if (range.lte !== undefined) result.lte = toStore(range.lte);
  else if (range.lt !== undefined) result.lt = toStore(range.lt);
  if (range.reverse === true) result.reverse = true;
  if (range.limit !== undefined && range.limit >= 0) result.limit = range.limit;
  if (range.signal !== undefined && range.signal !== null) {
    result.signal = range.signal;
  }
  return result;
}
