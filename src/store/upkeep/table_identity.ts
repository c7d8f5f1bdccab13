/** Reads what the tail of a table's file says about the table, for callers without a manifest. */

import { DecodeError } from "../../errors.ts";
import { type KeySpan, NO_SPANS } from "../../iterator/key_spans.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import { readFullySync } from "../../platform/transfer.ts";
import {
  decodeFooter,
  decodeProperties,
  FOOTER_BYTES,
  UnknownTableFeature,
} from "../../sstable/table_format.ts";
import type { TableExpiry } from "../../sstable/table_expiry.ts";
import { unsupported } from "../../sstable/table_sections.ts";
import { NO_USES, type ValueUse } from "../../sstable/value_uses.ts";

/** What a table says about itself. */
export interface TableTailFacts {
  /** The checksum of metadata and footer, or undefined for a table of the Go program. */
  readonly checksum: number | undefined;
  /** The level for which the table was written. */
  readonly level: number;
  /** The number of tombstones. */
  readonly tombstoneCount: number;
  /** The deleted spans. */
  readonly deletedSpans: readonly KeySpan[];
  /** The times at which entries expire, if some do. */
  readonly expiry: TableExpiry | undefined;
  /** The files that hold its large values, without their sizes. */
  readonly valueUses: readonly ValueUse[];
}

/**
 * Reads the tail of a table. Returns undefined if it cannot be read.
 *
 * @throws {UnsupportedFormatError} a newer version wrote it
 */
export function readTableTail(
  fileSystem: FileSystem,
  path: string,
  sizeBytes: number,
): TableTailFacts | undefined {
  if (sizeBytes < FOOTER_BYTES) return undefined;
  const handle = fileSystem.openReadSync(path);
  try {
    const footerBytes = new Uint8Array(FOOTER_BYTES);
    readFullySync(handle, footerBytes, 0, FOOTER_BYTES, sizeBytes - FOOTER_BYTES);
    const footer = decodeFooter(new DataView(footerBytes.buffer), 0, sizeBytes);
    const bytes = new Uint8Array(footer.metadataSize + FOOTER_BYTES);
    readFullySync(handle, bytes, 0, bytes.length, footer.metadataOffset);
    const view = new DataView(bytes.buffer);
    const properties = decodeProperties(bytes, view, 0, footer.metadataSize);
    const { level, tombstoneCount, extension } = properties;
    const { checksum, deletedSpans = NO_SPANS, expiry, valueUses = NO_USES } = extension ?? {};
    return { checksum, level, tombstoneCount, deletedSpans, expiry, valueUses };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    if (error instanceof UnknownTableFeature) throw unsupported(path, error);
    throw error;
  } finally {
    handle.closeSync();
  }
}
