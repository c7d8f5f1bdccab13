/**
 * The working memory of a table writer, kept for the next table: about 2 MB that would otherwise be
 * garbage with every flush. It is outside of the JavaScript heap, where such garbage makes V8
 * collect everything.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { BlockBuilder } from "./block_builder.ts";
import { FilterBuilder } from "./filter_builder.ts";

/** Output goes to the file in pieces of this size. */
export const WRITE_BYTES: number = 256 * 1024;

/** Room for a whole piece and the block that fills it. */
const OUTPUT_BYTES = WRITE_BYTES + 64 * 1024;

/** The output buffer begins with this part of its size. Most tables of small stores fit. */
const FIRST_PART = 1 / 64;

/** Memory beyond this, which a huge entry needed, is not kept. */
const KEEP_BYTES = 2 * 1024 * 1024;

/** Buffers for writing one table at a time. */
export class TableBuffers {
  /** The open block. */
  readonly block: BlockBuilder;
  /** Finished bytes that are not in the file yet. */
  readonly output: ByteWriter = new ByteWriter(OUTPUT_BYTES * FIRST_PART);
  /** The index entries so far. */
  readonly index: ByteWriter = new ByteWriter(1024);
  /** The filter that is being built, or undefined for none. */
  readonly filter: FilterBuilder | undefined;
  /** The parameters that they are made for. */
  readonly #blockSizeBytes: number;
  readonly #falsePositiveRate: number | false;

  /** Makes buffers for blocks of a size and for filters of a rate. */
  constructor(blockSizeBytes: number, falsePositiveRate: number | false) {
    this.#blockSizeBytes = blockSizeBytes;
    this.#falsePositiveRate = falsePositiveRate;
    this.block = new BlockBuilder(blockSizeBytes);
    this.filter = falsePositiveRate === false ? undefined : new FilterBuilder(falsePositiveRate);
  }

  /** Whether they fit a table with these parameters. */
  fits(blockSizeBytes: number, falsePositiveRate: number | false): boolean {
    return this.#blockSizeBytes === blockSizeBytes && this.#falsePositiveRate === falsePositiveRate;
  }

  /** Empties them; returns false if they are too large to keep. */
  reset(): boolean {
    this.block.reset();
    this.output.length = 0;
    this.index.length = 0;
    this.filter?.reset();
    return this.output.bytes.length <= KEEP_BYTES && this.block.writer.bytes.length <= KEEP_BYTES &&
      this.index.bytes.length <= KEEP_BYTES;
  }
}

/** Keeps buffers between tables: one set for a flush and one for a compaction. */
export class TableBufferPool {
  readonly #spare: TableBuffers[] = [];

  /** Buffers for one table. */
  take(blockSizeBytes: number, falsePositiveRate: number | false): TableBuffers {
    const spare = this.#spare.pop();
    return spare?.fits(blockSizeBytes, falsePositiveRate)
      ? spare
      : new TableBuffers(blockSizeBytes, falsePositiveRate);
  }

  /** Drops the buffers that it keeps. */
  clear(): void {
    this.#spare.length = 0;
  }

  /** Returns buffers. Their user must not touch them any more. */
  give(buffers: TableBuffers): void {
    if (buffers.reset() && this.#spare.length < 2) this.#spare.push(buffers);
  }
}
