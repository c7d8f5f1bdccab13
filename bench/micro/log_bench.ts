/**
 * The write-ahead log: encoding a record into the buffer and sealing it with its two checksums, one
 * entry a record (`put`) and 64 (a batch), and recognising a record again (recovery).
 *
 * Each write pays for one record, whatever `walSync` says; the file itself is left out here, since
 * a system call of 1-2 microseconds would hide everything else.
 */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import {
  decodeRecordHeader,
  OPERATION_PUT,
  RECORD_ENTRIES,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  sealRecord,
} from "../../src/wal/log_format.ts";
import type { MicroCase } from "./micro_case.ts";
import { ENTRY_BYTES, packedEntries } from "./micro_data.ts";

const ENTRIES = 1024;
const TAG = 0x12345678;

/** The cases. */
export function logCases(): MicroCase[] {
  const entries = packedEntries(ENTRIES);
  const buffer = new ByteWriter(2 * ENTRIES * (ENTRY_BYTES + RECORD_HEADER_BYTES));
  const write = (entriesARecord: number): number => {
    buffer.length = 0;
    for (let first = 0; first < ENTRIES; first += entriesARecord) {
      const start = buffer.length;
      buffer.reserve(RECORD_HEADER_BYTES);
      buffer.length = start + RECORD_HEADER_BYTES;
      for (let i = first; i < first + entriesARecord; i++) {
        buffer.appendUint8(OPERATION_PUT);
        buffer.appendBytes(entries.bytes, i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES);
      }
      sealRecord(
        buffer.bytes,
        buffer.view,
        start,
        buffer.length,
        TAG,
        RECORD_ENTRIES,
        first + 1,
        entriesARecord,
        start,
      );
    }
    return buffer.length;
  };
  const written = new ByteWriter(0);
  write(1);
  written.appendBytes(buffer.bytes, 0, buffer.length);
  const recordBytes = RECORD_HEADER_BYTES + 1 + ENTRY_BYTES;
  const header: RecordHeader = {
    payloadCrc: 0,
    payloadLength: 0,
    firstSequence: 0,
    durableOffset: 0,
    entryCount: 0,
    type: 0,
  };
  return [
    {
      name: "record of one entry: append and seal",
      operations: ENTRIES,
      expected: ENTRIES * recordBytes,
      run: () => write(1),
    },
    {
      name: "record of 64 entries: an entry's share",
      operations: ENTRIES,
      expected: ENTRIES * (ENTRY_BYTES + 1) + ENTRIES / 64 * RECORD_HEADER_BYTES,
      run: () => write(64),
    },
    {
      name: "record of one entry: check both checksums",
      operations: ENTRIES,
      expected: ENTRIES * (ENTRIES + 1) / 2,
      run: () => {
        const { bytes, view } = written;
        let sum = 0;
        for (let at = 0; at < written.length; at += recordBytes) {
          if (!decodeRecordHeader(bytes, view, at, TAG, header)) return -1;
          const payload = at + RECORD_HEADER_BYTES;
          const crc = crc32(bytes, view, payload, payload + header.payloadLength);
          if (crc === header.payloadCrc) sum += header.firstSequence;
        }
        return sum;
      },
    },
  ];
}
