/** `store.writable`: a stream that writes its chunks in batches. */

import { ownFields } from "../../options.ts";
import { describeValue, type Key, type Value } from "../../value/value.ts";
import type { EmbeddedBatch } from "./batch.ts";

/** Options of a stream that writes. */
export interface WritableOptions {
  /**
   * The stream writes a batch when it has this number of bytes. An integer from 1. Default 1 MiB.
   */
  batchBytes?: number;
}

const DEFAULT_BATCH_BYTES = 1024 * 1024;

/**
 * Makes a stream of keys and values, which it adds to batches from `newBatch`. The stream writes a
 * full batch before it takes the next chunk.
 *
 * @throws {TypeError | RangeError} an option is not valid
 */
export function writableInto(
  newBatch: () => EmbeddedBatch,
  options: WritableOptions | undefined,
): WritableStream<[Key, Value]> {
  const batchBytes = batchBytesOf(options);
  let batch: EmbeddedBatch | undefined;
  const write = async (): Promise<void> => {
    const full = batch;
    batch = undefined;
    await full?.write();
  };
  return new WritableStream<[Key, Value]>({
    async write(chunk): Promise<void> {
      if (!Array.isArray(chunk) || chunk.length !== 2) {
        throw new TypeError(
          `Cannot write to the store: found ${describeValue(chunk)}, expected a key and a value`,
        );
      }
      batch ??= newBatch();
      batch.put(chunk[0], chunk[1]);
      if (batch.sizeBytes >= batchBytes) await write();
    },
    close: write,
    abort(): void {
      batch = undefined;
    },
  });
}

function batchBytesOf(options: WritableOptions = {}): number {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot make a stream: found ${describeValue(options)}, expected options`);
  }
  const unknown = Object.keys(options).find((name) => name !== "batchBytes");
  if (unknown !== undefined) {
    throw new TypeError(`Cannot make a stream: unknown name "${unknown}", expected "batchBytes"`);
  }
  const { batchBytes = DEFAULT_BATCH_BYTES } = ownFields(options);
  if (Number.isSafeInteger(batchBytes) && batchBytes >= 1) return batchBytes;
  throw new RangeError(
    `Cannot make a stream: "batchBytes" is ${String(batchBytes)}, expected an integer from 1`,
  );
}
