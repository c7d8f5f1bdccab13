import assert from "node:assert/strict";
import { test } from "node:test";
import {
  logName,
  manifestName,
  MAX_FILE_NUMBER,
  parseFileName,
  tableName,
} from "../../src/version/file_names.ts";

test("File names have six digits, and more if the number has more", () => {
  assert.equal(tableName(0), "000000.sst");
  assert.equal(tableName(13), "000013.sst");
  assert.equal(logName(999999), "999999.wal");
  assert.equal(logName(1000000), "1000000.wal");
  assert.equal(manifestName(7), "MANIFEST-000007");
  assert.equal(manifestName(MAX_FILE_NUMBER), "MANIFEST-4294967295");
});

test("parseFileName reads back what the names mean", () => {
  for (const number of [0, 1, 9, 99999, 100000, 999999, 1000000, 123456789, MAX_FILE_NUMBER]) {
    assert.deepEqual(parseFileName(tableName(number)), { kind: "table", number });
    assert.deepEqual(parseFileName(logName(number)), { kind: "log", number });
    assert.deepEqual(parseFileName(manifestName(number)), { kind: "manifest", number });
  }
});

test("parseFileName accepts no name but the canonical ones", () => {
  const foreign = [
    "",
    "1.sst",
    "00001.sst",
    "0000001.sst",
    "0000010.wal",
    "MANIFEST-0000010",
    "MANIFEST-00001",
    "MANIFEST",
    "MANIFEST-",
    "MANIFEST-000001.tmp",
    "MANIFEST-000001\n",
    "manifest-000001",
    "000001.SST",
    "000001.sst\n",
    "\n000001.sst",
    " 000001.sst",
    "000001.sst ",
    "000001.sst.bak",
    "000001.ldb",
    "000001sst",
    "000001..sst",
    "x000001.sst",
    "-00001.sst",
    "+00001.sst",
    "00000a.sst",
    "0x0001.sst",
    "٠٠٠٠٠١.sst",
    "../000001.sst",
    "/000001.sst",
    "a/000001.sst",
    "a\\000001.sst",
    "000001.sst/",
    "4294967296.sst",
    "9999999999.wal",
    "10000000000.sst",
    "LOCK",
    "LOCK.holder",
    "CURRENT",
    "CURRENT.tmp",
    "wal.log",
    "._000001.sst",
    "1e0005.sst",
  ];
  for (const name of foreign) assert.equal(parseFileName(name), undefined, JSON.stringify(name));
});
