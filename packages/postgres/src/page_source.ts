/**
 * Entries of a range, read by pages: each begins after the last key of the one before, and has
 * bounded bytes. While one page is read by the caller, the next one is under way.
 */

import { StoreError } from "@tinykvs/core/contract";
import type { Parameter, Row, Statement } from "./driver.ts";
import { compare, isEmpty, keyAfter } from "./operations.ts";
import { isPlainRow, keyOf, rowLength, valueLength } from "./page_row.ts";
import { pageIndex, SMALL_VALUE_BYTES, type Statements } from "./statements.ts";

/** The bytes after which a page ends. One entry may be larger. */
const PAGE_BYTES = 1024 * 1024;
const FIRST_ROWS = 512;
/** The rows of a page after which the scan is expected to go on. */
const SECOND_ROWS = 2048;
/** The most rows of a page that are looked at to guess what those of the next one are like. */
const SAMPLED_ROWS = 64;
/** The rows of a first page without a moment: it is read again if it is not the last. */
const DIRECT_ROWS = 128;
const MAX_ROWS = 8192;

/** Where the pages come from. */
export interface PageReader {
  readonly statements: Statements;
  /** Whether keys and values are enough. Then rows may lack versions and times of expiry. */
  readonly isPlain?: boolean;
  /** The time by which entries have expired. */
  readonly time: number;
  /** Runs a statement at the source's moment. */
  read(
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]>;
  /**
   * Runs the first statement, if the moment has not begun: then it is the moment, and costs one
   * round trip instead of three. Undefined: it has begun. Absent: always use `read`.
   */
  readFirst?(
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> | undefined;
  /** The first page is the whole range, and the moment is no longer needed. */
  onWhole?(): void;
}

interface Page {
  readonly rows: readonly Row[];
  readonly isLast: boolean;
}

/** The rows of a range: key, value, version, time of expiry. See page_row.ts. */
export class PageSource {
  readonly #reader: PageReader;
  readonly #reverse: boolean;
  readonly #withValues: boolean;
  #lower: Uint8Array;
  #upper: Uint8Array | undefined;
  #rows: readonly Row[] = [];
  #at = 0;
  #isLast = false;
  #ahead: Promise<Page> | undefined;
  #pageRows = FIRST_ROWS;
  /** Whether all values of the last page were small, so that those of the next one may be, too. */
  #isSmall: boolean;
  /** Whether most rows of the last page were ASCII, so that those of the next one may be, too. */
  #isText = false;
  /** The rows that are still wanted. */
  #wanted: number;
  #isFirst = true;
  /** The rows of the range, if they are all in memory. */
  #whole: readonly Row[] | undefined;
  /** Rows that were read before the moment began. The moment must have them, too. */
  #unproved: (() => Promise<void>) | undefined;

  constructor(
    reader: PageReader,
    { lower, upper, reverse, limit }: {
      readonly lower: Uint8Array | undefined;
      readonly upper: Uint8Array | undefined;
      readonly reverse: boolean;
      readonly limit: number;
    },
    withValues: boolean,
  ) {
    this.#reader = reader;
    this.#reverse = reverse;
    this.#withValues = withValues;
    this.#isSmall = !withValues;
    this.#lower = lower ?? new Uint8Array();
    this.#upper = upper;
    this.#wanted = limit;
  }

  /** The next row if it is in memory. */
  take(): Row | undefined {
    return this.#rows[this.#at] && this.#rows[this.#at++];
  }

  /** Rows in memory, at most `count`. */
  takeMany(count: number): readonly Row[] {
    const taken = this.#rows.slice(this.#at, this.#at + count);
    this.#at += taken.length;
    return taken;
  }

  /** Gets the next page. False: there is none. */
  async load(): Promise<boolean> {
    while (!this.#isLast && this.#wanted > 0) {
      const pending = this.#ahead ?? this.#read();
      this.#ahead = undefined;
      const page = await pending;
      this.#rows = page.rows;
      this.#at = 0;
      this.#isLast = page.isLast;
      this.#wanted -= page.rows.length;
      if (!page.isLast && this.#wanted > 0) {
        this.#ahead = this.#read();
        // Whoever loads it gets the error.
        this.#ahead.catch(() => {});
      }
      if (page.rows.length > 0) return true;
    }
    return false;
  }

  /** Goes on at other bounds. */
  restart(
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
    wanted: number,
  ): void {
    this.#lower = lower ?? new Uint8Array();
    this.#upper = upper;
    this.#rows = this.#whole?.filter(([key]) => this.#isInside(key as Uint8Array)) ?? [];
    this.#at = 0;
    this.#isFirst = false;
    this.#isLast = this.#whole !== undefined;
    this.#ahead = undefined;
    this.#wanted = wanted;
  }

  #isInside(key: Uint8Array): boolean {
    return compare(key, this.#lower) >= 0 &&
      (this.#upper === undefined || compare(key, this.#upper) < 0);
  }

  async #read(): Promise<Page> {
    const lower = this.#lower;
    const upper = this.#upper;
    if (isEmpty({ lower, upper })) return { rows: [], isLast: true };
    if (this.#isFirst) {
      this.#isFirst = false;
      const page = await this.#readDirectly(lower, upper);
      if (page !== undefined) return page;
    }
    await this.#prove();
    return await this.#readFrom(lower, upper);
  }

  /** A small range, or a few entries of it, without a transaction of the server. */
  async #readDirectly(
    lower: Uint8Array,
    upper: Uint8Array | undefined,
  ): Promise<Page | undefined> {
    const limit = Math.min(DIRECT_ROWS, this.#wanted);
    const [statement, parameters] = this.#statement(lower, upper, limit, false, false);
    const rows = await this.#reader.readFirst?.(statement, parameters);
    if (rows === undefined) return undefined;
    const isFull = bytesOf(rows) >= PAGE_BYTES;
    if (!isFull && rows.length < limit) {
      this.#whole = rows;
      this.#reader.onWhole?.();
      return { rows, isLast: true };
    }
    if (rows.length < this.#wanted) {
      this.#expect(rows, SECOND_ROWS);
      return undefined;
    }
    // Enough for the limit. After a seek, more may be needed, of the same moment.
    this.#unproved = async () => {
      const again = await this.#reader.read(statement, parameters);
      const isSame = again.length === rows.length &&
        again.every(([key, , version], at) =>
          version === rows[at]![2] &&
          compare(key as Uint8Array, rows[at]![0] as Uint8Array) === 0
        );
      if (isSame) return;
      throw new StoreError(
        "SNAPSHOT_GONE",
        "Cannot go on with the cursor after the seek: what it has shown was changed meanwhile, " +
          "and a cursor with a limit keeps no snapshot; use store.snapshot()",
      );
    };
    return { rows, isLast: false };
  }

  async #prove(): Promise<void> {
    await this.#unproved?.();
    this.#unproved = undefined;
  }

  #statement(
    lower: Uint8Array,
    upper: Uint8Array | undefined,
    limit: number,
    isPlain: boolean,
    isSmall: boolean,
  ): [Statement, Parameter[]] {
    const { statements, time } = this.#reader;
    const index = pageIndex(
      this.#reverse,
      upper !== undefined,
      this.#withValues,
      isPlain,
      isSmall,
      this.#isText,
    );
    const parameters = [lower, upper ?? null, String(time), String(limit)];
    if (!isSmall) parameters.push(String(PAGE_BYTES));
    return [statements.pages[index]!, parameters];
  }

  async #readFrom(
    lower: Uint8Array,
    upper: Uint8Array | undefined,
  ): Promise<Page> {
    const limit = Math.min(this.#pageRows, this.#wanted);
    const isPlain = this.#reader.isPlain === true;
    const isSmall = this.#isSmall;
    const [statement, parameters] = this.#statement(
      lower,
      upper,
      limit,
      isPlain,
      isSmall,
    );
    const all = await this.#reader.read(statement, parameters);
    const large = isSmall && this.#withValues ? all.findIndex((row) => valueLength(row) === 0) : -1;
    // The next page begins with the large value, and has bounded bytes.
    const rows = large < 0 ? all : all.slice(0, large);
    const isFull = all.length >= limit || (!isSmall && bytesOf(rows) >= PAGE_BYTES);
    if (rows.length > 0) {
      const last = keyOf(rows.at(-1)!);
      // Bounds that were changed meanwhile belong to another scan.
      if (this.#lower === lower && this.#upper === upper) {
        if (this.#reverse) this.#upper = last.slice();
        else this.#lower = keyAfter(last);
      }
      this.#expect(rows, this.#pageRows * 4);
    }
    if (large >= 0) this.#isSmall = false;
    return { rows, isLast: !isFull && large < 0 };
  }

  /** What the next page is like, if it is like these rows. */
  #expect(rows: readonly Row[], most: number): void {
    let bytes = 0;
    let largest = 0;
    for (const row of rows) {
      bytes += rowLength(row);
      largest = Math.max(largest, valueLength(row));
    }
    const fitting = Math.ceil(PAGE_BYTES / Math.max(1, bytes / rows.length));
    this.#pageRows = Math.max(16, Math.min(MAX_ROWS, most, fitting));
    this.#isSmall = largest <= SMALL_VALUE_BYTES;
    this.#isText = this.#reader.isPlain === true && this.#isSmall && areMostlyPlain(rows);
  }
}

function bytesOf(rows: readonly Row[]): number {
  let bytes = 0;
  for (const row of rows) bytes += rowLength(row);
  return bytes;
}

/** Whether at least seven of eight rows are plain, by a sample. */
function areMostlyPlain(rows: readonly Row[]): boolean {
  const step = Math.ceil(rows.length / SAMPLED_ROWS);
  let count = 0;
  let plain = 0;
  for (let at = 0; at < rows.length; at += step) {
    count++;
    if (isPlainRow(rows[at]!)) plain++;
  }
  return plain * 8 >= count * 7;
}
