import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compactionOptions,
  defaultOptions,
  highPerformanceOptions,
  lowMemoryOptions,
  type Options,
  resolveOptions,
} from "../src/options.ts";
import { defaultFileSystem } from "../src/platform/default_file_system.ts";
import { memoryFileSystem } from "../src/platform/memory_file_system.ts";

const MIB = 1024 * 1024;

/** Options as a program without types may give them. */
function resolve(options: unknown): ReturnType<typeof resolveOptions> {
  return resolveOptions(options as Options | undefined);
}

test("resolveOptions fills in the defaults of the documentation", () => {
  const expected = {
    createIfMissing: true,
    errorIfExists: false,
    readOnly: false,
    shared: false,
    lockTimeoutMs: 0,
    fileSystem: defaultFileSystem(),
    keyEncoding: "utf8",
    int64: "bigint",
    memtableSizeBytes: 4 * MIB,
    blockCacheSizeBytes: 64 * MIB,
    blockSizeBytes: 8 * 1024,
    compression: "zstd",
    compressionLevel: -1,
    bloomFalsePositiveRate: 0.01,
    walSync: "batch",
    walSyncIntervalMs: 100,
    verifyChecksums: true,
    l0CompactionTrigger: 4,
    levelSizeMultiplier: 10,
    maxLevels: 7,
    backgroundThread: true,
    flushOnClose: true,
    largeValueBytes: 8 * 1024,
  };
  for (const given of [undefined, {}, { preset: "default" }, { ...defaultOptions() }]) {
    const resolved = resolve(given);
    assert.equal(resolved.fileSystem.name, expected.fileSystem.name);
    assert.deepEqual({ ...resolved, fileSystem: expected.fileSystem }, expected);
  }
});

test("Presets change what their names promise and nothing else", () => {
  const low = {
    ...defaultOptions(),
    blockCacheSizeBytes: 0,
    blockSizeBytes: 16 * 1024,
    bloomFalsePositiveRate: false,
    backgroundThread: false,
    flushOnClose: true,
  };
  const high = {
    ...defaultOptions(),
    memtableSizeBytes: 64 * MIB,
    blockCacheSizeBytes: 256 * MIB,
    blockSizeBytes: 32 * 1024,
  };
  assert.deepEqual(lowMemoryOptions(), low);
  assert.deepEqual(highPerformanceOptions(), high);
  const { fileSystem: _low, ...resolvedLow } = resolve({ preset: "low-memory" });
  assert.deepEqual(resolvedLow, low);
  const { fileSystem: _high, ...resolvedHigh } = resolve({ preset: "high-performance" });
  assert.deepEqual(resolvedHigh, high);
});

test("Single options override a preset, before or after it", () => {
  const before = resolve({ memtableSizeBytes: 8192, preset: "high-performance" });
  const after = resolve({ preset: "high-performance", memtableSizeBytes: 8192 });
  for (const resolved of [before, after]) {
    assert.equal(resolved.memtableSizeBytes, 8192);
    assert.equal(resolved.blockSizeBytes, 32 * 1024);
  }
});

test("Blocks without compression are smaller by default, unless a preset or the caller sets their size", () => {
  assert.equal(resolve({ compression: "none" }).blockSizeBytes, 4096);
  assert.equal(resolve({ compression: "none", preset: "default" }).blockSizeBytes, 4096);
  assert.equal(resolve({ compression: "snappy" }).blockSizeBytes, 8192);
  assert.equal(resolve({ compression: "none", blockSizeBytes: 8192 }).blockSizeBytes, 8192);
  assert.equal(resolve({ compression: "none", preset: "low-memory" }).blockSizeBytes, 16 * 1024);
  assert.equal(defaultOptions().blockSizeBytes, 8192);
});

test("Presets hand out a new object every time", () => {
  defaultOptions().maxLevels = 2;
  assert.equal(defaultOptions().maxLevels, 7);
});

const accepted: Record<string, readonly unknown[]> = {
  preset: ["default", "low-memory", "high-performance"],
  createIfMissing: [true, false],
  errorIfExists: [true, false],
  readOnly: [true, false],
  shared: [true, false],
  lockTimeoutMs: [0, 1, 2 ** 31 - 1],
  fileSystem: [memoryFileSystem()],
  keyEncoding: ["utf8", "bytes"],
  int64: ["bigint", "number"],
  memtableSizeBytes: [4096, 1024 * MIB],
  blockCacheSizeBytes: [0, 1, Number.MAX_SAFE_INTEGER],
  blockSizeBytes: [256, 64 * MIB],
  compression: ["zstd", "snappy", "none"],
  compressionLevel: [-1, 1, 2, 3, 4],
  bloomFalsePositiveRate: [false, 0.5, Number.MIN_VALUE, 1 - Number.EPSILON],
  walSync: ["none", "interval", "batch", "write"],
  walSyncIntervalMs: [1, 2 ** 31 - 1],
  verifyChecksums: [true, false],
  l0CompactionTrigger: [2, 1000],
  levelSizeMultiplier: [2, 100],
  maxLevels: [2, 7],
  backgroundThread: [true, false],
  flushOnClose: [true, false],
  largeValueBytes: [false, 64, 1024 * MIB],
};

const refusedNumbers = [NaN, Infinity, -Infinity, -1, 1.5, "4", 4n, true, [4], 2 ** 53];
const refused: Record<string, readonly unknown[]> = {
  preset: ["fast", "", "Default", 0, null, "__proto__", "constructor"],
  createIfMissing: [0, 1, "true", null, "", {}],
  errorIfExists: [0, 1, "true", null],
  readOnly: [0, 1, "true", null],
  shared: [0, 1, "true", null],
  lockTimeoutMs: [...refusedNumbers, 2 ** 31],
  fileSystem: [null, {}, "node", 1, () => {}, { openReadSync: () => {} }],
  keyEncoding: ["utf-8", "UTF8", "hex", null, 1],
  int64: ["string", BigInt, null],
  memtableSizeBytes: [...refusedNumbers, 0, 4095, 1024 * MIB + 1],
  blockCacheSizeBytes: refusedNumbers,
  blockSizeBytes: [...refusedNumbers, 0, 255, 64 * MIB + 1],
  compression: ["gzip", "ZSTD", "", null, false, 0],
  compressionLevel: [0, -2, 5, 1.5, "1", 1n, NaN, null],
  bloomFalsePositiveRate: [true, 0, 1, -0.1, 1.1, NaN, Infinity, "0.01", null],
  walSync: ["always", "", true, null],
  walSyncIntervalMs: [...refusedNumbers, 0, 2 ** 31],
  verifyChecksums: [0, 1, null],
  l0CompactionTrigger: [...refusedNumbers, 0, 1, 1001],
  levelSizeMultiplier: [...refusedNumbers, 0, 1, 101],
  maxLevels: [...refusedNumbers, 0, 1, 8],
  backgroundThread: [0, 1, "worker", null],
  flushOnClose: [0, 1, "no", null],
  largeValueBytes: [...refusedNumbers, true, 0, 63, 1024 * MIB + 1],
};

test("resolveOptions accepts both ends of every range and every word", () => {
  assert.deepEqual(
    Object.keys(accepted).filter((name) => name !== "preset").sort(),
    Object.keys(resolve({})).sort(),
    "the table names every option",
  );
  for (const [name, values] of Object.entries(accepted)) {
    for (const value of values) {
      const resolved = resolve({ [name]: value }) as unknown as Record<string, unknown>;
      if (name !== "preset") assert.equal(resolved[name], value, name);
    }
  }
});

test("resolveOptions refuses everything else with a RangeError that names the option", () => {
  for (const [name, values] of Object.entries(refused)) {
    for (const value of values) {
      assert.throws(
        () => resolve({ [name]: value }),
        (error) =>
          error instanceof RangeError &&
          error.message.startsWith(`Cannot use the option "${name}": it is `),
        `${name}: ${String(value)}`,
      );
    }
  }
});

test("resolveOptions says what it found and what it expected", () => {
  const messages: [Record<string, unknown>, string][] = [
    [
      { blockSizeBytes: 255 },
      'Cannot use the option "blockSizeBytes": it is 255, expected an integer from 256 to 67108864',
    ],
    [
      { compressionLevel: "1" },
      'Cannot use the option "compressionLevel": it is "1", expected one of -1, 1, 2, 3, 4',
    ],
    [
      { int64: "string" },
      'Cannot use the option "int64": it is "string", expected one of "bigint", "number"',
    ],
    [{ readOnly: null }, 'Cannot use the option "readOnly": it is null, expected true or false'],
    [{ readOnly: {} }, 'Cannot use the option "readOnly": it is an object, expected true or false'],
    [
      { readOnly: () => "a long text of a program" },
      'Cannot use the option "readOnly": it is a function, expected true or false',
    ],
    [
      { walSync: "x".repeat(10_000) },
      `Cannot use the option "walSync": it is "${"x".repeat(64)}", ` +
      'expected one of "none", "interval", "batch", "write"',
    ],
  ];
  for (const [options, message] of messages) {
    assert.throws(() => resolve(options), { name: "RangeError", message });
  }
});

test("resolveOptions refuses unknown names", () => {
  const names = ["memtableSize", "toString", "constructor", "hasOwnProperty", "", "0", "Preset"];
  for (const name of names) {
    assert.throws(() => resolve({ [name]: 1 }), {
      name: "TypeError",
      message: `Cannot use the options: "${name}" is not one of them`,
    });
  }
  assert.throws(() => resolve({ memtableSize: undefined }), TypeError);
  assert.throws(() => resolve([1]), TypeError);
});

test("resolveOptions refuses anything but an object", () => {
  const cases: [unknown, string][] = [
    [null, "null"],
    ["memory", "string"],
    [5, "number"],
    [true, "boolean"],
    [() => {}, "function"],
  ];
  for (const [options, found] of cases) {
    assert.throws(() => resolve(options), {
      name: "TypeError",
      message: `Cannot use the options: found ${found}, expected an object`,
    });
  }
});

test("resolveOptions reads own properties only", () => {
  const inherited = Object.create({ readOnly: true, nonsense: 1, maxLevels: 99 });
  assert.equal(resolve(inherited).readOnly, false);
  const polluted = JSON.parse('{"__proto__": {"readOnly": true}}');
  assert.throws(() => resolve(polluted), /"__proto__" is not one of them/);
  assert.equal(({} as { readOnly?: boolean }).readOnly, undefined);
  const own = Object.assign(Object.create(null), { readOnly: true });
  assert.equal(resolve(own).readOnly, true);
});

test("resolveOptions treats undefined as not given", () => {
  const everything = Object.fromEntries(Object.keys(accepted).map((name) => [name, undefined]));
  const { fileSystem: _, ...resolved } = resolve(everything);
  assert.deepEqual(resolved, defaultOptions());
  const preset = resolve({ preset: "low-memory", blockCacheSizeBytes: undefined });
  assert.equal(preset.blockCacheSizeBytes, 0);
});

test("A store with a custom file system does not get the background thread", () => {
  const fileSystem = memoryFileSystem();
  assert.equal(resolve({ fileSystem }).backgroundThread, false);
  assert.equal(resolve({ fileSystem, backgroundThread: true }).backgroundThread, false);
  assert.equal(resolve({}).backgroundThread, true);
});

test("resolveOptions reads every option once", () => {
  let reads = 0;
  const options = {
    get memtableSizeBytes(): number {
      return reads++ === 0 ? 8192 : -1;
    },
  };
  assert.equal(resolve(options).memtableSizeBytes, 8192);
  assert.equal(reads, 1);
});

test("resolveOptions does not change or keep the object that it is given", () => {
  const given = Object.freeze({ maxLevels: 3 });
  const resolved = resolve(given);
  assert.equal(resolved.maxLevels, 3);
  assert.notEqual(resolved as unknown, given);
});

test("compactionOptions derives sizes from that of the memtable", () => {
  const of = (memtableSizeBytes: number): unknown =>
    compactionOptions(resolve({ memtableSizeBytes, l0CompactionTrigger: 5, maxLevels: 3 }));
  assert.deepEqual(of(4 * MIB), {
    l0CompactionTrigger: 5,
    levelSizeMultiplier: 10,
    maxLevels: 3,
    baseLevelSizeBytes: 20 * MIB,
    baseFileSizeBytes: 2 * MIB,
  });
  assert.deepEqual(of(1024 * MIB), {
    l0CompactionTrigger: 5,
    levelSizeMultiplier: 10,
    maxLevels: 3,
    baseLevelSizeBytes: 5 * 1024 * MIB,
    baseFileSizeBytes: 512 * MIB,
  });
  assert.equal((of(4096) as { baseFileSizeBytes: number }).baseFileSizeBytes, 4096);
});
