/** What a load or an import reads: a file or standard input, unpacked if it is packed by gzip. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError, UsageError } from "../errors.ts";
import type { Input } from "../terminal.ts";

/** A source of bytes that may be read more than once, if it is a file. */
export interface Source {
  /** Its name for people. */
  readonly name: string;
  /** Its size in bytes as it is stored; undefined for standard input. */
  readonly sizeBytes: number | undefined;
  /** Whether it can be read again from the start. */
  readonly isRepeatable: boolean;
  /** Its content. `onBytes` is told how much of `sizeBytes` was read. */
  read(onBytes: (bytes: number) => void): AsyncIterable<Uint8Array>;
}

/** The source of an argument: a path, or "-" for standard input. */
export async function sourceOf(name: string, input: Input): Promise<Source> {
  if (name === "-") {
    if (input.isTerminal) {
      throw new UsageError(
        "Standard input is the terminal",
        "Name a file, or pipe something in.",
      );
    }
    return {
      name: "standard input",
      sizeBytes: undefined,
      isRepeatable: false,
      read: (onBytes) => unpacked(input.chunks(), onBytes, "standard input"),
    };
  }
  const status = await stat(name);
  if (status.isDirectory()) {
    throw new UsageError(`"${name}" is a directory, expected a file`);
  }
  return {
    name: `"${name}"`,
    sizeBytes: status.isFile() ? status.size : undefined,
    isRepeatable: status.isFile(),
    read: (onBytes) =>
      unpacked(
        createReadStream(name, { highWaterMark: 256 * 1024 }),
        onBytes,
        name,
      ),
  };
}

async function* unpacked(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
  name: string,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  const counted = (async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      done += piece.length;
      onBytes(done);
      yield piece;
    }
  })();
  const first = await counted.next();
  if (first.done === true) return;
  const all = (async function* (): AsyncGenerator<Uint8Array> {
    yield first.value;
    yield* counted;
  })();
  const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b;
  if (!isGzip) return yield* all;
  const gunzip = createGunzip();
  const source = Readable.from(all);
  source.on("error", (error) => gunzip.destroy(error));
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && !code.startsWith("Z_")) throw error;
    throw new InputError(
      `"${name}" is damaged: gzip cannot unpack it`,
      undefined,
      { cause: error },
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
