/** `store.scanPrefix` and `store.scanRange`: scans that call a function for each entry. */

import { describeValue, type Key, type Value } from "../../value/value.ts";
import { type Range, resolveRange, type ScanOptions } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";
import type { EntryDecoder } from "./entry_decoder.ts";
import { visitEntries } from "./visit_entries.ts";

/** Called for an entry; false ends the scan. Overloads say which form of keys a caller gets. */
// deno-lint-ignore no-explicit-any
export type Visit = (key: any, value: Value) => boolean | void;

/**
 * Calls `visit` for each entry between the bounds, in order, until it returns false.
 *
 * @throws {TypeError} `visit` is not a function, or an option is not valid
 */
export function visitRange<KeyOut extends Key, V extends Value>(
  state: StoreState,
  decoder: EntryDecoder<KeyOut, V>,
  bounds: Range,
  visit: Visit,
  options: ScanOptions | undefined,
): Promise<void> {
  if (typeof visit !== "function") {
    throw new TypeError(
      `Cannot scan: found ${describeValue(visit)}, expected a function to call`,
    );
  }
  const range = resolveRange(options === undefined ? bounds : scanRange(options, bounds));
  const encoding = range.keyEncoding ?? state.options.keyEncoding;
  const takeKey = decoder.keys[encoding];
  const takeValue = decoder.values[encoding];
  return visitEntries(
    state,
    range,
    (scan) => visit(takeKey(scan.entry), takeValue(scan.entry)),
  );
}

/** The bounds of a scan with its options, which may not contain bounds. */
function scanRange(options: ScanOptions, bounds: Range): Range {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot scan: found ${describeValue(options)}, expected options`);
  }
  for (const name of ["prefix", "gte", "gt", "lte", "lt"]) {
    if (Object.hasOwn(options, name)) {
      throw new TypeError(`Cannot scan: unknown option "${name}"; entries() takes such bounds`);
    }
  }
  return { ...options, ...bounds };
}
