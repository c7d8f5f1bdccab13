/**
 * What no store can exceed on this machine: the loops of loops.ts without any store, and with an
 * append of each record to a file, with one fdatasync for all that is in flight if the workload is
 * durable.
 */

import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { keyLength, valueLength } from "../../key_values.ts";
import type { Engine, EngineKind, OpenOptions } from "../engine.ts";

const nothing: Engine = {
  putSync: () => {},
  put: () => Promise.resolve(),
  writeBatch: () => Promise.resolve(),
  getSync: () => undefined,
  get: () => Promise.resolve(undefined),
  getMany: () => Promise.resolve([]),
  scanForOf: () => {},
  scanForAwait: () => Promise.resolve(),
  scanBulk: () => Promise.resolve(),
  close: () => {},
};

const recordLength = keyLength + valueLength;

function openAppend({ directory, durability }: OpenOptions): Engine {
  const file = openSync(`${directory}/records`, "a");
  const encoder = new TextEncoder();
  let buffer = new Uint8Array(recordLength * 1024);
  let length = 0;
  const add = (key: string, value: Uint8Array): void => {
    if (length + recordLength > buffer.length) {
      const larger = new Uint8Array(buffer.length * 2);
      larger.set(buffer);
      buffer = larger;
    }
    encoder.encodeInto(key, buffer.subarray(length));
    buffer.set(value, length + keyLength);
    length += recordLength;
  };
  const write = (): void => {
    for (let at = 0; at < length;) at += writeSync(file, buffer, at, length - at);
    length = 0;
  };
  const synced = (): Promise<void> =>
    new Promise((resolve, reject) => fdatasync(file, (error) => error ? reject(error) : resolve()));

  const putSync = (key: string, value: Uint8Array): void => {
    add(key, value);
    write();
    if (durability === "durable") fdatasyncSync(file);
  };
  // Everything that is put while one fdatasync runs is written and synced by the next.
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;
  const group = async (before: Promise<void> | undefined): Promise<void> => {
    await before;
    running = waiting;
    waiting = undefined;
    write();
    await synced();
  };
  const put = (key: string, value: Uint8Array): Promise<void> => {
    add(key, value);
    waiting ??= group(running);
    return waiting;
  };
  const addAll = (keys: readonly string[], values: readonly Uint8Array[]): void => {
    for (let i = 0; i < keys.length; i++) add(keys[i]!, values[i]!);
  };
  const close = (): void => closeSync(file);
  if (durability === "durable") {
    return {
      putSync,
      put,
      writeBatch: (keys, values) => {
        addAll(keys, values);
        write();
        fdatasyncSync(file);
      },
      close,
    };
  }
  return {
    putSync,
    put: (key, value) => {
      putSync(key, value);
      return Promise.resolve();
    },
    writeBatch: (keys, values) => {
      addAll(keys, values);
      write();
    },
    close,
  };
}

/** The floors. */
export const floorKinds: readonly EngineKind[] = [
  {
    name: "empty loop",
    runtimes: ["node", "deno", "bun"],
    isFloor: true,
    rowsOfInterest: ["fill", "durable", "get", "mixed", "stall", "prefix100-async"],
    notes: "the loop of the workload around functions that do nothing",
    load: () => Promise.resolve({ version: "", open: () => nothing }),
  },
  {
    name: "append",
    runtimes: ["node", "deno", "bun"],
    isFloor: true,
    rowsOfInterest: ["fill", "durable", "stall"],
    notes:
      "none: one write for each put or batch. durable: the same and an fdatasync, shared by the " +
      "puts in flight: the rate of fsync",
    load: () => Promise.resolve({ version: "", open: openAppend }),
  },
];
