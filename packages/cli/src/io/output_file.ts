/**
 * What a dump or an export writes: a file or standard output. A file gets its name only when it is
 * whole: until then it is NAME.partial, and a failure removes that. A pipe or a device is written
 * to.
 */

import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";

/**
 * Writes pieces to the file `name`, or to standard output if it is undefined or "-". Packs them by
 * gzip if the name ends with ".gz".
 */
export async function writeOutput(
  { output, prompt, signal }: Pick<Context, "output" | "prompt" | "signal">,
  name: string | undefined,
  pieces: AsyncIterable<Uint8Array>,
  gzip: boolean = name?.endsWith(".gz") === true,
): Promise<void> {
  if (name === undefined || name === "-") {
    const packed: AsyncIterable<Uint8Array> = gzip
      ? Readable.from(pieces).pipe(createGzip()) as AsyncIterable<Uint8Array>
      : pieces;
    for await (const piece of packed) {
      if (output.isGone) return;
      // Dumps and exports are text without controls, so a terminal may show them.
      await output.stream.write(piece);
    }
    return;
  }
  const write = async (file: Writable): Promise<void> => {
    const source = Readable.from(pieces, { objectMode: false });
    if (gzip) await pipeline(source, createGzip(), file, { signal });
    else await pipeline(source, file, { signal });
  };
  const status = await stat(name).catch(() => undefined);
  if (status?.isDirectory() === true) {
    throw new UsageError(`"${name}" is a directory, expected the name of a file`);
  }
  // A pipe or a device is written to. A file in its place would be no pipe.
  if (status?.isFile() === false) return await write(createWriteStream(name));
  if (status !== undefined) await prompt.confirm(`This replaces the file "${name}"`);
  const partial = `${name}.partial`;
  try {
    await write(createWriteStream(partial, { flush: true }));
    await rename(partial, name);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
