/**
 * The memtable: inserts in key order and at random, gets of keys that are there and that are not,
 * and a walk over all of it, at 20,000 entries (a default memtable of 4 MiB holds about 30,000).
 *
 * Every write is an insert, and every get looks here first, so an absent key is the common case of
 * a get. Recycled memory is measured as the store uses it: without growing.
 */

import { AT_ENTRY, emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import {
  ENCODED_VALUE_BYTES,
  ENTRY_BYTES,
  packedEntries,
  packedKeys,
  shuffledNumbers,
  values,
} from "./micro_data.ts";

const ENTRIES = 20_000;
const CAPACITY_BYTES = 4 << 20;

/** The cases. */
export function memtableCases(): MicroCase[] {
  const { bytes, view } = packedEntries(ENTRIES);
  const shuffled = shuffledNumbers(ENTRIES);
  const present = packedKeys(Array.from(shuffled, (i) => keyOf(2 * i)));
  const absent = packedKeys(Array.from(shuffled, (i) => keyOf(2 * i + 1)));
  const inserted = new Memtable(1, CAPACITY_BYTES);
  const fill = (table: Memtable, order: Uint32Array): number => {
    table.recycle(1);
    for (let n = 0; n < order.length; n++) {
      const start = order[n]! * ENTRY_BYTES;
      table.insert(n + 1, bytes, view, start, start + 4 + keyLength, start + ENTRY_BYTES);
    }
    return table.keyCount;
  };
  const ascending = Uint32Array.from({ length: ENTRIES }, (_, i) => i);
  const read = new Memtable(1, CAPACITY_BYTES);
  fill(read, shuffled);
  const entry = emptyEntryView();
  let lastBytes = 0;
  for (let i = 0; i < ENTRIES; i++) lastBytes += values.valueOf(i).at(-1)!;
  return [
    {
      name: "put, keys ascending",
      operations: ENTRIES,
      expected: ENTRIES,
      run: () => fill(inserted, ascending),
    },
    {
      name: "put, keys at random",
      operations: ENTRIES,
      expected: ENTRIES,
      run: () => fill(inserted, shuffled),
    },
    {
      name: "get, key present",
      operations: ENTRIES,
      expected: lastBytes,
      run: () => {
        let sum = 0;
        for (let at = 0; at < ENTRIES * keyLength; at += keyLength) {
          if (read.find(present.view, at, at + keyLength, ENTRIES, entry)) {
            sum += entry.valueBytes[entry.valueEnd - 1]!;
          }
        }
        return sum;
      },
    },
    {
      name: "get, key absent",
      operations: ENTRIES,
      expected: 0,
      run: () => {
        let found = 0;
        for (let at = 0; at < ENTRIES * keyLength; at += keyLength) {
          if (read.find(absent.view, at, at + keyLength, ENTRIES, entry)) found++;
        }
        return found;
      },
    },
    {
      name: "cursor, forwards",
      operations: ENTRIES,
      expected: ENTRIES * ENCODED_VALUE_BYTES + lastBytes,
      run: () => {
        const cursor = read.cursor(ENTRIES, false);
        let sum = 0;
        for (
          let position = cursor.seekToStart();
          position === AT_ENTRY;
          position = cursor.advance()
        ) {
          const { valueBytes, valueStart, valueEnd } = cursor.entry;
          sum += valueEnd - valueStart + valueBytes[valueEnd - 1]!;
        }
        return sum;
      },
    },
  ];
}
