/**
 * Stores with hostile numbers under valid checksums: at every offset of every file four bytes are
 * replaced by an extreme or by the next number, and then every checksum is made valid again, as
 * somebody would who made the store to do harm. So every length, count and offset is hit although a
 * checksum guards it.
 */

import { crc32 } from "../../src/bytes/crc32.ts";
import { parseFileName } from "../../src/version/file_names.ts";
import type { CloneableFileSystem } from "./cloneable_file_system.ts";
import { blocksOf, pathOf, recordsOf, type Unit } from "./corruption_mutants.ts";
import { DIRECTORY } from "./store_files.ts";

/** One hostile store. */
export interface HostileMutant {
  readonly what: string;
  readonly files: CloneableFileSystem;
}

const FOOTER_BYTES = 64;
const GO_METADATA_BYTES = 36;
/** Where the checksums of filter and index are in the metadata (docs/FORMAT.md). */
const SECTION_CRCS = GO_METADATA_BYTES + 4 + 12 + 8;

/** Every hostile mutant of a store. */
export function* hostileMutants(store: CloneableFileSystem): Generator<HostileMutant> {
  for (const name of store.listSync(DIRECTORY).sort()) {
    const kind = parseFileName(name)?.kind;
    if (kind === undefined) continue;
    const content = store.content(pathOf(name));
    const view = viewOf(content);
    const seal = kind === "log"
      ? logSeal(view)
      : kind === "table"
      ? tableSeal(view)
      : manifestSeal(view);
    if (!isUnchanged(content, seal)) throw new Error(`the checksums of ${name} are elsewhere`);
    for (let at = 0; at + 4 <= content.length; at++) {
      const old = view.getUint32(at, true);
      for (const value of new Set([0, 0x7fffffff, 0xffffffff, (old + 1) >>> 0])) {
        if (value === old) continue;
        const hostile = content.slice();
        viewOf(hostile).setUint32(at, value, true);
        seal(hostile);
        const files = store.clone();
        files.setContent(pathOf(name), hostile);
        if (kind === "table") renameTable(files, checksumOf(content), checksumOf(hostile));
        yield { what: `${name} with ${value} at ${at}`, files };
      }
    }
  }
}

/** Makes the manifest name a table by its new checksum. */
function renameTable(files: CloneableFileSystem, from: number, to: number): void {
  const name = files.listSync(DIRECTORY).find((name) => parseFileName(name)?.kind === "manifest")!;
  const bytes = files.content(pathOf(name));
  const view = viewOf(bytes);
  const seal = manifestSeal(view);
  for (let at = 0; at + 4 <= bytes.length; at++) {
    if (view.getUint32(at, true) !== from) continue;
    view.setUint32(at, to, true);
    seal(bytes);
    files.setContent(pathOf(name), bytes);
    return;
  }
  throw new Error("the manifest does not name the table");
}

/** The checksum that identifies a table. */
function checksumOf(table: Uint8Array): number {
  return viewOf(table).getUint32(table.length - FOOTER_BYTES - 4, true);
}

type Seal = (bytes: Uint8Array) => void;

function isUnchanged(content: Uint8Array, seal: Seal): boolean {
  const copy = content.slice();
  seal(copy);
  return copy.every((byte, at) => byte === content[at]);
}

function logSeal(original: DataView): Seal {
  const records = recordsOf(original, 32, 8, 40);
  return (bytes) => {
    const view = viewOf(bytes);
    put(view, 28, 0, 28);
    for (const [start, end] of records) {
      put(view, start + 4, start + 40, end);
      put(view, start, start + 4, start + 40);
    }
  };
}

function manifestSeal(original: DataView): Seal {
  const records = recordsOf(original, 24, 4, 16);
  return (bytes) => {
    const view = viewOf(bytes);
    put(view, 20, 0, 20);
    for (const [start, end] of records) put(view, start, start + 4, end);
  };
}

function tableSeal(original: DataView): Seal {
  const blocks: readonly Unit[] = blocksOf(original);
  const footer = original.byteLength - FOOTER_BYTES;
  const filter = original.getUint32(footer, true);
  const index = original.getUint32(footer + 12, true);
  const metadata = original.getUint32(footer + 24, true);
  return (bytes) => {
    const view = viewOf(bytes);
    for (const [start, end] of blocks) put(view, end - 13, start, end - 13);
    put(view, metadata + SECTION_CRCS, filter, index);
    put(view, metadata + SECTION_CRCS + 4, index, metadata);
    const crc = crc32(bytes, view, metadata, footer - 4);
    view.setUint32(footer - 4, crc32(bytes, view, footer, footer + FOOTER_BYTES, crc), true);
  };
}

/** Writes the checksum of a range. */
function put(view: DataView, at: number, start: number, end: number): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  view.setUint32(at, crc32(bytes, view, start, end), true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
