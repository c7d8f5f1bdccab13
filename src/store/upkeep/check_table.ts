/**
 * Checks every byte of a table. It reads all blocks, with the checks of a reader. It also checks
 * the counts of entries and tombstones, the times at which entries expire and the deleted spans,
 * which the table and the manifest both name, and that the blocks are those that the metadata
 * describes. It goes on past a damaged block.
 *
 * The check uses its own reader and does not touch the caches of the store. Its memory is 256 KiB,
 * or the largest block of the table if that is more, and the table's index and filter.
 */

import { crc32 } from "../../bytes/crc32.ts";
import { WeightedCache } from "../../cache/weighted_cache.ts";
import { CODEC_MINLZ } from "../../compression/compressor.ts";
import { CorruptionError, IoError, type StoreError, UnsupportedFormatError } from "../../errors.ts";
import { compareKeys, type KeySpan, NO_SPANS } from "../../iterator/key_spans.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import type { Task } from "../../platform/task.ts";
import type { Block, BlockMemory } from "../../sstable/block.ts";
import { BlockCache } from "../../sstable/block_cache.ts";
import { HandlePool } from "../../sstable/handle_pool.ts";
import type { TableExpiry } from "../../sstable/table_expiry.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import { TableReader, type TableResources } from "../../sstable/table_reader.ts";
import { ValueReader } from "../../sstable/value_reader.ts";
import { NO_USES, UseCollector, type ValueUse } from "../../sstable/value_uses.ts";
import { emptyEntryView } from "../../iterator/entry_cursor.ts";
import type { TableIdentity } from "../../sstable/table_sections.ts";
import { expiryAt, isExpiring } from "../../value/expiry.ts";
import { isTombstone } from "../../value/value_codec.ts";
import { isReference, type ValueReference } from "../../value/value_reference.ts";
import { nameOfValues, tableName } from "../../version/file_names.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import { problemOf, type VerifyProblem } from "./verify_report.ts";

const CHUNK_BYTES = 256 * 1024;
/** The highest byte of a codec that this version knows. */
export const MAX_CODEC: number = CODEC_MINLZ;
/** A check opens one table at a time. This is the smallest size of a pool. */
const MAX_OPEN_FILES = 4;

/** The result of a check. */
export interface TableCheck {
  /** What is wrong with the table. */
  readonly problems: readonly VerifyProblem[];
  /** The index, if it can be read. */
  readonly index: TableIndex | undefined;
  /** The blocks that cannot be read. */
  readonly badBlocks: ReadonlySet<number>;
  /** The number of entries that were read. */
  readonly entries: number;
  /** The number of large values that were checked. */
  readonly largeValues: number;
  /**
   * A failure that does not mean damage: a newer version wrote the table, or the system failed.
   * Nobody may treat it as damage.
   */
  readonly refusal: StoreError | undefined;
}

/** The resources of a check. Caches keep nothing. */
export function checkResources(fileSystem: FileSystem): TableResources {
  return {
    handles: new HandlePool(fileSystem, MAX_OPEN_FILES),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
}

/** A reader of the large values in a directory. */
export function valueReaderOf(
  fileSystem: FileSystem,
  directory: string,
  { handles }: Pick<TableResources, "handles">,
): ValueReader {
  return new ValueReader(
    directory,
    handles,
    (kind, number) => fileSystem.joinPath(directory, nameOfValues(kind, number)),
  );
}

/** Bytes that the check of a table reads: its own, and those of its large values. */
export function checkedBytes({ sizeBytes, valueUses }: TableMetadata): number {
  return valueUses.reduce((sum, { usedBytes }) => sum + usedBytes, sizeBytes);
}

/** What the caller knows about the table. */
export interface CheckedTable extends TableIdentity {
  /** The number of tombstones, if it is known. */
  readonly tombstoneCount?: number;
  /** The deleted spans, if they are known. */
  readonly deletedSpans?: readonly KeySpan[];
  /**
   * The times at which entries expire. Missing if they are not known; undefined if none expires.
   */
  readonly expiry?: TableExpiry | undefined;
  /** The files that hold its large values, if they are known. */
  readonly valueUses?: readonly ValueUse[];
}

/**
 * A task that checks a table and the large values that it refers to. It calls `onBytes` after every
 * part, and gives good blocks to `visit`. A block is valid during the call.
 */
export function* checkTable(
  fileSystem: FileSystem,
  directory: string,
  table: CheckedTable,
  onBytes: (file: string, bytes: number) => void,
  visit: (block: Block) => void = () => {},
): Task<TableCheck> {
  const path = fileSystem.joinPath(directory, tableName(table.number));
  const resources = checkResources(fileSystem);
  const reader = new TableReader(path, table, resources);
  const values = valueReaderOf(fileSystem, directory, resources);
  const check = new TableChecking(reader, table, visit, values);
  try {
    yield* check.run(onBytes);
  } finally {
    reader.dispose();
    resources.handles.close();
  }
  return check;
}

class TableChecking implements TableCheck {
  readonly problems: VerifyProblem[] = [];
  readonly badBlocks = new Set<number>();
  index: TableIndex | undefined;
  entries = 0;
  largeValues = 0;
  refusal: StoreError | undefined;
  readonly #reader: TableReader;
  readonly #table: CheckedTable;
  readonly #visit: (block: Block) => void;
  readonly #values: ValueReader;
  readonly #uses = new UseCollector();
  #tombstones = 0;
  #expiring = 0;
  #earliest = Infinity;
  #latest = 0;
  /** Of the footers of all blocks up to now. */
  #contentCrc = 0;
  /** Whether some footers could not be read. */
  #lacksFooters = false;
  /** The blocks whose codec this version does not know. */
  readonly #unknown: UnsupportedFormatError[] = [];
  #bytes = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  readonly #entry = emptyEntryView();
  #memory: BlockMemory = { take: () => undefined, giveBack() {} };

  constructor(
    reader: TableReader,
    table: CheckedTable,
    visit: (block: Block) => void,
    values: ValueReader,
  ) {
    this.#reader = reader;
    this.#values = values;
    this.#table = table;
    this.#visit = visit;
  }

  *run(onBytes: (file: string, bytes: number) => void): Task<void> {
    const { path } = this.#reader.file;
    const { sections } = this.#reader;
    let index: TableIndex;
    try {
      index = sections.loadIndexSync();
      this.index = index;
      yield undefined;
      if (sections.hasFilter) sections.loadFilterSync();
    } catch (error) {
      this.#note(error);
      if (this.index === undefined) return;
      index = this.index;
    }
    yield* this.#checkBlocks(index, onBytes);
    this.#judgeUnknown();
    const dataBytes = sections.tail!.footer.filterOffset;
    onBytes(path, this.#table.sizeBytes - dataBytes);
    if (this.problems.length === 0) this.#checkCounts();
  }

  *#checkBlocks(index: TableIndex, onBytes: (file: string, bytes: number) => void): Task<void> {
    const { path } = this.#reader.file;
    for (let block = 0; block < index.blockCount;) {
      const first = block;
      const start = index.blockOffset(block);
      let length = 0;
      do length += index.blockSize(block++); while (
        block < index.blockCount && length + index.blockSize(block) <= CHUNK_BYTES
      );
      try {
        yield* this.#read(start, length);
      } catch (error) {
        this.#note(error);
        this.#lacksFooters = true;
        for (let at = first; at < block; at++) this.badBlocks.add(at);
        continue;
      }
      for (let at = first; at < block; at++) {
        const values = this.#checkBlock(index, at, index.blockOffset(at) - start);
        // A block takes some ten µs. The task may pause after each one.
        yield undefined;
        for (const value of values) {
          yield* this.#checkValue(value);
          onBytes(path, value.length);
        }
      }
      onBytes(path, length);
    }
  }

  *#read(offset: number, length: number): Task<void> {
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(length);
      this.#view = new DataView(this.#bytes.buffer);
    }
    const bytes = this.#bytes;
    yield {
      runSync: () => this.#reader.readRangeSync(bytes, offset, length),
      run: () => this.#reader.readRange(bytes, offset, length),
    };
  }

  *#checkValue(value: ValueReference): Task<void> {
    this.largeValues++;
    try {
      yield* this.#values.check(value);
    } catch (error) {
      this.#note(error);
    }
  }

  /** Checks a block; returns the large values that it refers to. */
  #checkBlock(index: TableIndex, block: number, start: number): readonly ValueReference[] {
    const values: ValueReference[] = [];
    const end = start + index.blockSize(block);
    const footerAt = end - this.#footerBytes(end, index.blockSize(block));
    this.#contentCrc = crc32(this.#bytes, this.#view, footerAt, end, this.#contentCrc);
    let decoded: Block;
    try {
      const [bytes, view] = [this.#bytes, this.#view];
      decoded = this.#reader.decodeBlock(index, block, bytes, view, start, true, this.#memory);
    } catch (error) {
      const isUnknown = error instanceof UnsupportedFormatError &&
        this.#bytes[end - 1]! > MAX_CODEC;
      if (isUnknown) this.#unknown.push(error);
      else this.#note(error);
      this.badBlocks.add(block);
      return values;
    }
    this.#memory = decoded;
    this.entries += decoded.count;
    for (let slot = 0; slot < decoded.count; slot++) {
      const start = decoded.valueStart(slot);
      if (isTombstone(decoded.bytes, start)) this.#tombstones++;
      else if (isExpiring(decoded.bytes, start)) this.#noteTime(expiryAt(decoded.view, start));
      if (isReference(decoded.bytes, start)) this.#noteReference(decoded, slot, values);
    }
    this.#visit(decoded);
    return values;
  }

  #noteReference(block: Block, slot: number, values: ValueReference[]): void {
    const entry = this.#entry;
    block.showBuffers(entry);
    block.showAt(slot, entry);
    try {
      values.push(this.#values.requestOf(entry));
      this.#uses.add(entry);
    } catch (error) {
      this.#note(error);
    }
  }

  /**
   * A codec that nobody knows is that of a newer version, or a damaged byte, which the checksum of
   * the block does not cover. The metadata has a checksum of all footers, which settles it.
   */
  #judgeUnknown(): void {
    const described = this.#reader.sections.tail!.properties.extension?.contentCrc;
    const isDamage = !this.#lacksFooters && described !== undefined &&
      described !== this.#contentCrc;
    for (const error of this.#unknown) {
      if (isDamage) this.#fail(`a block has ${error.found}, which its metadata does not describe`);
      else this.#note(error);
    }
  }

  /** The length of the footer of a block: 13 bytes, or 12 in tables of Go v0.3. */
  #footerBytes(end: number, size: number): number {
    return this.#view.getUint32(end - 5, true) === size - 13 ? 13 : 12;
  }

  #checkCounts(): void {
    const { tail } = this.#reader.sections;
    const { footer, properties } = tail!;
    this.#requireCount("entries", this.entries, footer.entryCount);
    this.#requireCount("tombstones", this.#tombstones, properties.tombstoneCount);
    const { entryCount, tombstoneCount } = this.#table;
    this.#requireCount("entries", this.entries, entryCount ?? this.entries);
    this.#requireCount("tombstones", this.#tombstones, tombstoneCount ?? this.#tombstones);
    const { extension } = properties;
    const found = extension?.deletedSpans ?? NO_SPANS;
    if (!areEqual(found, this.#table.deletedSpans ?? found)) {
      this.#fail("its deleted spans are not those that the manifest names");
    }
    const uses = extension?.valueUses ?? NO_USES;
    if (!areSameUses(uses, this.#table.valueUses ?? uses)) {
      this.#fail("the files of its large values are not those that the manifest names");
    }
    if (!areSameUses(uses, this.#uses.finish())) {
      this.#fail("its large values are not those that its metadata describes");
    }
    const { count = 0, times = [] } = extension?.expiry ?? {};
    this.#requireCount("entries that expire", this.#expiring, count);
    if (count > 0 && (times[0] !== this.#earliest || times.at(-1) !== this.#latest)) {
      this.#fail(
        `its entries expire from ${this.#earliest} to ${this.#latest}, ` +
          `expected ${times[0]} to ${times.at(-1)}`,
      );
    }
    // Scans leave out tables by the times in the manifest, and compaction chooses by them.
    if ("expiry" in this.#table && !isSameExpiry(extension?.expiry, this.#table.expiry)) {
      this.#fail(
        `${shownExpiry(extension?.expiry)}, but the manifest says that ` +
          shownExpiry(this.#table.expiry),
      );
    }
    if (extension !== undefined && extension.contentCrc !== this.#contentCrc) {
      this.#fail("its blocks are not those that its metadata was written for");
    }
  }

  #noteTime(time: number): void {
    this.#expiring++;
    this.#earliest = Math.min(this.#earliest, time);
    this.#latest = Math.max(this.#latest, time);
  }

  #requireCount(what: string, found: number, expected: number): void {
    if (found !== expected) this.#fail(`it holds ${found} ${what}, expected ${expected}`);
  }

  #note(error: unknown): void {
    this.problems.push(problemOf(error, this.#reader.file.path));
    const isRefusal = error instanceof UnsupportedFormatError ||
      (error instanceof IoError && error.osCode !== "EIO" && error.osCode !== "ENOENT");
    if (isRefusal) this.refusal ??= error;
  }

  #fail(found: string): void {
    const { path } = this.#reader.file;
    const error = new CorruptionError(`Cannot verify "${path}": ${found}`, path, 0);
    this.problems.push(problemOf(error, path));
  }
}

function isSameExpiry(a: TableExpiry | undefined, b: TableExpiry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.count === b.count && a.times.length === b.times.length &&
    a.times.every((time, at) => time === b.times[at]);
}

function shownExpiry(expiry: TableExpiry | undefined): string {
  return expiry === undefined
    ? "none of its entries expires"
    : `${expiry.count} of its entries expire, at ${expiry.times.join(", ")}`;
}

/** Whether the uses are equal, but for the sizes of the files. */
function areSameUses(a: readonly ValueUse[], b: readonly ValueUse[]): boolean {
  return a.length === b.length && a.every((use, at) => {
    const { kind, number, usedBytes, entryCount } = b[at]!;
    return use.kind === kind && use.number === number && use.usedBytes === usedBytes &&
      use.entryCount === entryCount;
  });
}

function areEqual(a: readonly KeySpan[], b: readonly KeySpan[]): boolean {
  return a.length === b.length &&
    a.every(({ lower, upper }, at) =>
      compareKeys(lower, b[at]!.lower) === 0 && compareKeys(upper, b[at]!.upper) === 0
    );
}
