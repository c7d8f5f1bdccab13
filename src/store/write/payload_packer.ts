/** Packs the large values of a batch on its way into the log (value/packed_value.ts). */

import type { ByteWriter } from "../../bytes/byte_writer.ts";
import type { Compressor } from "../../compression/compressor.ts";
import { contentStart } from "../../value/expiry.ts";
import { ValuePacker } from "../../value/packed_value.ts";
import { OPERATION_PUT } from "../../wal/log_format.ts";

/** Packs with one codec. */
export class PayloadPacker {
  readonly #packer: ValuePacker;
  readonly #leastBytes: number;

  /** Encoded values of `leastBytes` and more are large. */
  constructor(compressor: Compressor, leastBytes: number) {
    this.#packer = new ValuePacker(compressor);
    this.#leastBytes = leastBytes;
  }

  /** Appends the operations of a payload, with large values packed if that saves enough. */
  append(writer: ByteWriter, payload: ByteWriter, count: number): void {
    const { bytes, view } = payload;
    /** Operations from here on were not copied yet. */
    let copied = 0;
    let at = 0;
    for (let i = 0; i < count; i++) {
      const keyEnd = at + 5 + view.getUint32(at + 1, true);
      const valueStart = keyEnd + 4;
      const end = valueStart + view.getUint32(keyEnd, true);
      const content = contentStart(bytes, valueStart);
      if (end - content >= this.#leastBytes && bytes[at] === OPERATION_PUT) {
        writer.appendBytes(bytes, copied, content);
        copied = content;
        const start = writer.length;
        if (this.#packer.append(writer, bytes, content, end)) {
          const lengthAt = start - (content - keyEnd);
          writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
          copied = end;
        }
      }
      at = end;
    }
    writer.appendBytes(bytes, copied, payload.length);
  }
}
