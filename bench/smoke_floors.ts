/**
 * The floors that bench/smoke.ts measures beside the workloads: what this machine and runtime give
 * at this moment for the same kind of work without a store. A machine that is slow today slows
 * both.
 */

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import * as path from "node:path";
import { keyLength, keyOf, SeededRandom, valueLength } from "./key_values.ts";
import { packedKeys } from "./micro/micro_data.ts";
import type { FloorName } from "./smoke_verdict.ts";

/** A loop without a store. */
export interface Floor {
  /** What it does, for the head of the table. */
  readonly description: string;
  /** Does some operations (a few milliseconds of them) and returns how many. */
  readonly run: () => number;
}

const ENTRIES = 65_536;
const FINDS = 16_384;
const APPENDS = 4096;
const APPENDED_BYTES = 171;

/** Finds random keys among 65,536 packed ones (1 MB) and copies a value out of 6.5 MB. */
function memoryFloor(): Floor {
  const { view } = packedKeys(Array.from({ length: ENTRIES }, (_, i) => keyOf(i)));
  const values = new Uint8Array(ENTRIES * valueLength);
  for (let i = 0; i < ENTRIES; i++) values[i * valueLength] = i;
  const random = new SeededRandom(1);
  const wanted = Uint32Array.from({ length: FINDS }, () => random.below(ENTRIES));
  let expected = 0;
  for (const index of wanted) expected += index & 0xff;
  // Of these keys only the last eight bytes differ.
  const compare = (a: number, b: number): number => {
    const high = view.getUint32(a * keyLength + 8) - view.getUint32(b * keyLength + 8);
    if (high !== 0) return high;
    return view.getUint32(a * keyLength + 12) - view.getUint32(b * keyLength + 12);
  };
  return {
    description: "binary search among 65,536 keys in an array, and a copy of 100 bytes",
    run: () => {
      let sum = 0;
      for (let n = 0; n < FINDS; n++) {
        const key = wanted[n]!;
        let low = 0;
        let high = ENTRIES;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (compare(middle, key) < 0) low = middle + 1;
          else high = middle;
        }
        sum += values.slice(low * valueLength, (low + 1) * valueLength)[0]!;
      }
      if (sum !== expected) throw new Error(`The memory floor found ${sum}, expected ${expected}`);
      return FINDS;
    },
  };
}

/** Appends what a log record of one entry takes, a system call each. */
function appendFloor(directory: string): Floor {
  const record = new Uint8Array(APPENDED_BYTES).fill(0x61);
  return {
    description: `appending ${APPENDED_BYTES} bytes to a file, a call each`,
    run: () => {
      const file = path.join(directory, "floor");
      const descriptor = openSync(file, "wx");
      for (let i = 0; i < APPENDS; i++) {
        const written = writeSync(descriptor, record, 0, APPENDED_BYTES, i * APPENDED_BYTES);
        if (written !== APPENDED_BYTES) throw new Error(`The append floor wrote ${written} bytes`);
      }
      closeSync(descriptor);
      rmSync(file);
      return APPENDS;
    },
  };
}

/** The floors; the files of the append floor go to an existing directory. */
export function makeFloors(directory: string): Readonly<Record<FloorName, Floor>> {
  return { memory: memoryFloor(), append: appendFloor(directory) };
}
