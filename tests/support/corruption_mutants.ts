/**
 * Every way in which the corruption sweep damages a store. It is a list that can be walked without
 * making anything, so that a sample of it costs little and one mutant can be made again from its
 * number.
 *
 * The place of the damage decides what a mutant may still hold. A store without an active log holds
 * everything, or says what is damaged. In the active log a record before the damage may never be
 * lost. Records after it may be lost, unless a whole record after the damage says that the damaged
 * place was durable: then everything must be there, or an error (docs/DURABILITY.md).
 */

import { parseFileName } from "../../src/version/file_names.ts";
import type { CloneableFileSystem } from "./cloneable_file_system.ts";
import type { ActiveLog, Content, RecordPlace, Victim } from "./corruption_stores.ts";
import { Random } from "./random.ts";
import { DIRECTORY } from "./store_files.ts";

/** One damaged store. */
export interface Mutant {
  /** What was done. */
  readonly what: () => string;
  /** Does it. */
  readonly change: (files: CloneableFileSystem) => void;
  /** The contents that may be found without an error. */
  readonly allowed: readonly Content[];
  /** Whether there must be an error. */
  readonly mustFail: boolean;
}

/** How densely bytes are changed: every bit of them, or this number of replacement values. */
export type Density = "bits" | number;

const SECTOR_BYTES = 512;

/** The path of a file of the store. */
export function pathOf(name: string): string {
  return `${DIRECTORY}/${name}`;
}

/** Every mutant of a victim; `other` is a store of the same shape with different content. */
export function* mutantsOf(victim: Victim, other: Victim, density: Density): Generator<Mutant> {
  for (const name of victim.fileSystem.listSync(DIRECTORY).sort()) {
    const file = new DamagedFile(victim, name);
    yield* file.cut();
    yield* file.change(density);
    yield* file.fill();
    yield* file.append();
    yield* file.exchangeUnits();
    yield* file.replace(other);
  }
}

/** One file of a victim, and what can be done to it. */
class DamagedFile {
  readonly #victim: Victim;
  readonly #name: string;
  readonly #path: string;
  readonly #content: Uint8Array;
  /** The active log, if this file is it. */
  readonly #log: ActiveLog | undefined;
  readonly #full: readonly Content[];

  constructor(victim: Victim, name: string) {
    this.#victim = victim;
    this.#name = name;
    this.#path = pathOf(name);
    this.#content = victim.fileSystem.content(this.#path);
    this.#log = name === victim.activeLog?.name ? victim.activeLog : undefined;
    this.#full = victim.states.slice(-1);
  }

  /** The file cut off at every length. */
  *cut(): Generator<Mutant> {
    for (let length = 0; length < this.#content.length; length++) {
      const cut = this.#content.subarray(0, length);
      yield this.#mutant(() => `cut to ${length}`, () => cut, this.#allowed(length, Infinity));
    }
  }

  /** Every byte changed. */
  *change(density: Density): Generator<Mutant> {
    const content = this.#content;
    for (let at = 0; at < content.length; at++) {
      const old = content[at]!;
      const allowed = this.#allowed(at, at + 1);
      for (const byte of valuesFor(old, at, density)) {
        yield this.#mutant(() => `byte ${at} set to ${byte}`, () => {
          const damaged = content.slice();
          damaged[at] = byte;
          return damaged;
        }, allowed);
      }
    }
  }

  /** Every sector filled with something else, and everything from a sector on. */
  *fill(): Generator<Mutant> {
    const content = this.#content;
    for (let start = 0; start < content.length; start += SECTOR_BYTES) {
      for (const end of new Set([Math.min(start + SECTOR_BYTES, content.length), content.length])) {
        for (const fill of [0x00, 0xff, 0xa5]) {
          yield this.#mutant(
            () => `bytes ${start} to ${end} filled with ${fill}`,
            () => content.slice().fill(fill, start, end),
            this.#allowed(start, end),
          );
        }
      }
    }
  }

  /** Extra bytes after the end. */
  *append(): Generator<Mutant> {
    const content = this.#content;
    const tails = [
      ...[0x00, 0x01, 0x0a, 0xff].map((byte) => Uint8Array.of(byte)),
      new Uint8Array(SECTOR_BYTES),
      content,
    ];
    for (const tail of tails) {
      yield this.#mutant(
        () => `${tail.length} bytes appended, the first ${tail[0]}`,
        () => {
          const longer = new Uint8Array(content.length + tail.length);
          longer.set(content);
          longer.set(tail, content.length);
          return longer;
        },
        this.#full,
      );
    }
  }

  /**
   * Blocks and records, each with its own checksum that stays right: swapped, doubled, left out.
   */
  *exchangeUnits(): Generator<Mutant> {
    const content = this.#content;
    const units = unitsOf(this.#name, content);
    const part = ([start, end]: Unit): Uint8Array => content.subarray(start, end);
    for (const [at, unit] of units.entries()) {
      for (const later of units.slice(at + 1)) {
        yield this.#mutant(
          () => `bytes ${unit.join("-")} and ${later.join("-")} swapped`,
          () =>
            joined(
              content.subarray(0, unit[0]),
              part(later),
              content.subarray(unit[1], later[0]),
              part(unit),
              content.subarray(later[1]),
            ),
          this.#allowed(unit[0], later[1]),
        );
      }
      const [start, end] = unit;
      yield this.#mutant(
        () => `bytes ${start}-${end} doubled`,
        () => joined(content.subarray(0, end), content.subarray(start)),
        this.#allowed(end, end),
      );
      yield this.#mutant(
        () => `without bytes ${start}-${end}`,
        () => joined(content.subarray(0, start), content.subarray(end)),
        this.#allowed(start, end),
      );
    }
  }

  /** The file gone, one of another store in its place, or exchanged for another one of its kind. */
  *replace(other: Victim): Generator<Mutant> {
    const { fileSystem } = this.#victim;
    const name = this.#name;
    const path = this.#path;
    yield {
      what: () => `without ${name}`,
      change: (files) => files.removeSync(path),
      allowed: this.#allowed(0, Infinity),
      mustFail: this.#log === undefined,
    };
    const stranger = other.fileSystem.content(path);
    const isForeign = !isEqual(stranger, this.#content);
    yield {
      ...this.#mutant(() => "of another store", () => stranger, this.#full),
      mustFail: isForeign,
    };
    const kind = parseFileName(name)?.kind;
    if (kind === undefined) return;
    for (const twin of fileSystem.listSync(DIRECTORY)) {
      if (twin === name || parseFileName(twin)?.kind !== kind) continue;
      const twinContent = fileSystem.content(pathOf(twin));
      yield {
        ...this.#mutant(() => `with the content of ${twin}`, () => twinContent, this.#full),
        mustFail: true,
      };
      if (twin < name) continue;
      yield {
        what: () => `${name} and ${twin} swapped`,
        change: (files) => {
          files.setContent(path, twinContent);
          files.setContent(pathOf(twin), this.#content);
        },
        allowed: this.#full,
        mustFail: true,
      };
    }
    if (kind !== "log") return;
    for (const number of [parseFileName(name)!.number + 1, 999]) {
      const next = `${String(number).padStart(6, "0")}.wal`;
      if (fileSystem.statSync(pathOf(next)) !== undefined) continue;
      yield {
        what: () => `${name} a second time as ${next}`,
        change: (files) => files.setContent(pathOf(next), this.#content),
        allowed: this.#full,
        mustFail: false,
      };
    }
  }

  #mutant(what: () => string, make: () => Uint8Array, allowed: readonly Content[]): Mutant {
    return {
      what: () => `${this.#name}: ${what()}`,
      change: (files) => files.setContent(this.#path, make()),
      allowed,
      mustFail: false,
    };
  }

  /** What may be found when bytes `start` to `end` are damaged. */
  #allowed(start: number, end: number): readonly Content[] {
    if (this.#log === undefined) return this.#full;
    const { records } = this.#log;
    const isProof = (record: RecordPlace): boolean =>
      record.start >= end && record.durableOffset > start;
    if (records.some(isProof)) return this.#full;
    const before = records.filter((record) => record.end <= start).length;
    return [this.#victim.states[before]!, ...this.#full];
  }
}

/** What is put in the place of a byte. */
function valuesFor(old: number, at: number, density: Density): number[] {
  if (density === "bits") return Array.from({ length: 8 }, (_, bit) => old ^ (1 << bit));
  const random = new Random(at);
  const values = new Set([old ^ (1 << random.below(8)), 0x00, 0xff]);
  for (let tries = 0; values.size < density && tries < 1000; tries++) values.add(random.below(256));
  values.delete(old);
  return [...values];
}

/** A part of a file. */
export type Unit = readonly [start: number, end: number];

/** The parts of a file that have their own checksum. */
function unitsOf(name: string, content: Uint8Array): Unit[] {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  switch (parseFileName(name)?.kind) {
    case "log":
      return recordsOf(view, 32, 8, 40);
    case "manifest":
      return recordsOf(view, 24, 4, 16);
    case "table":
      return blocksOf(view);
    default:
      return [];
  }
}

/** The records of a log or a manifest. */
export function recordsOf(
  view: DataView,
  from: number,
  lengthAt: number,
  headerBytes: number,
): Unit[] {
  const units: Unit[] = [];
  for (let start = from; start < view.byteLength;) {
    const end = start + headerBytes + view.getUint32(start + lengthAt, true);
    units.push([start, end]);
    start = end;
  }
  return units;
}

/** The data blocks of a table. */
export function blocksOf(view: DataView): Unit[] {
  // The footer leads to the index, which names every block (docs/FORMAT.md).
  const footer = view.byteLength - 64;
  let at = view.getUint32(footer + 12, true) + 8;
  const skipKey = (): void => void (at += 4 + view.getUint32(at, true));
  skipKey();
  skipKey();
  const count = view.getUint32(at, true);
  at += 4;
  const units: Unit[] = [];
  for (let block = 0; block < count; block++) {
    skipKey();
    const start = view.getUint32(at, true);
    units.push([start, start + view.getUint32(at + 8, true)]);
    at += 12;
  }
  return units;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
