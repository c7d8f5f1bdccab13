/**
 * Bloom filters at a false positive rate of 1 %: hashing a key, probing a filter, and building one,
 * a key's share. 100,000 keys make a filter of 120 KB, as large as that of a table of some 10 MB.
 *
 * A get hashes its key once and probes the filter of each table that it passes, so the probe of an
 * absent key, which mostly ends after one or two bits, is the common case. Building costs each
 * flushed or compacted entry a hash and seven bits.
 */

import { bloomPosition, hashKey } from "../../src/bytes/murmur3.ts";
import { Filter } from "../../src/sstable/filter.ts";
import { FilterBuilder } from "../../src/sstable/filter_builder.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import { packedKeys, shuffledNumbers } from "./micro_data.ts";

const KEYS = 100_000;
const PROBES = 16_384;
const RATE = 0.01;

/** Bits that any of the filter's hashes gives: sums of this are what the hash cases return. */
const BITS = 1000;

/** The cases. */
export function bloomCases(): MicroCase[] {
  const shuffled = shuffledNumbers(KEYS);
  const present = packedKeys(Array.from(shuffled, (i) => keyOf(2 * i)));
  const absent = packedKeys(Array.from(shuffled, (i) => keyOf(2 * i + 1)));
  const builder = new FilterBuilder(RATE);
  const build = (): Uint8Array => {
    builder.reset();
    for (let at = 0; at < KEYS * keyLength; at += keyLength) {
      builder.addKey(present.bytes, at, at + keyLength);
    }
    return builder.finish();
  };
  const section = build();
  const filter = Filter.decode(section);
  let positives = 0;
  let positions = 0;
  for (let at = 0; at < PROBES * keyLength; at += keyLength) {
    if (filter.mayContain(absent.bytes, at, at + keyLength)) positives++;
    hashKey(present.bytes, at, at + keyLength);
    positions += bloomPosition(0, BITS);
  }
  if (positives === 0 || positives > PROBES * RATE * 1.5) {
    throw new Error(`Of ${PROBES} absent keys ${positives} pass, expected about ${PROBES * RATE}`);
  }
  return [
    {
      name: "hash a key of 16 bytes, and one position",
      operations: PROBES,
      expected: positions,
      run: () => {
        let sum = 0;
        for (let at = 0; at < PROBES * keyLength; at += keyLength) {
          hashKey(present.bytes, at, at + keyLength);
          sum += bloomPosition(0, BITS);
        }
        return sum;
      },
    },
    {
      name: "hash and probe, key absent",
      operations: PROBES,
      expected: positives,
      run: () => {
        let sum = 0;
        for (let at = 0; at < PROBES * keyLength; at += keyLength) {
          if (filter.mayContain(absent.bytes, at, at + keyLength)) sum++;
        }
        return sum;
      },
    },
    {
      name: "hash and probe, key present",
      operations: PROBES,
      expected: PROBES,
      run: () => {
        let sum = 0;
        for (let at = 0; at < PROBES * keyLength; at += keyLength) {
          if (filter.mayContain(present.bytes, at, at + keyLength)) sum++;
        }
        return sum;
      },
    },
    {
      name: "build, a key's share",
      operations: KEYS,
      expected: section.length,
      run: () => build().length,
    },
  ];
}
