/**
 * Makes standard input repeatable: its bytes go to a temporary file first, so that an import can
 * check all of it before it changes anything.
 */

import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Source } from "./input_file.ts";

/** A source that can be read twice. Its disposal removes the temporary file. */
export async function spooled(
  source: Source,
  signal: AbortSignal,
): Promise<Source & AsyncDisposable> {
  if (source.isRepeatable) {
    return {
      ...source,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const folder = await mkdtemp(path.join(tmpdir(), "tinykvs-import-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const file = path.join(folder, "input");
  try {
    const input = Readable.from(source.read(() => {}), { objectMode: false });
    await pipeline(input, createWriteStream(file, { mode: 0o600 }), { signal });
    const { size } = await stat(file);
    return {
      name: source.name,
      sizeBytes: size,
      isRepeatable: true,
      async *read(onBytes) {
        let done = 0;
        for await (
          const piece of createReadStream(file) as AsyncIterable<Uint8Array>
        ) {
          done += piece.length;
          onBytes(done);
          yield piece;
        }
      },
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
