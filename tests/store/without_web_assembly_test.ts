// Slow: a bundle, and programs that run without a compiler. Bundles are made since Node's own way
// of running TypeScript takes WebAssembly.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { type RuntimeName, runtimeName } from "../../src/platform/natives.ts";
import { type Bundle, bundle } from "../support/bundle.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What takes WebAssembly away. */
const withoutWebAssembly: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  node: { NODE_OPTIONS: "--jitless" },
  deno: { DENO_V8_FLAGS: "--jitless" },
  bun: { BUN_JSC_useWasm: "0" },
};

const WROTE = "wrote zstd\nwrote snappy\nwrote none\n";
const READ = "read zstd true\nread snappy true\nread none true\n";

let bundled: Bundle | undefined;
process.on("exit", () => bundled?.dispose());

/**
 * Runs `act` with the program in a bundle, which is made once, and an empty directory for its
 * stores.
 */
function inBundle(act: (bundled: Bundle, stores: string) => void): void {
  bundled ??= bundle("esbuild", "tests/store/codecs_program.ts");
  const stores = temporaryDirectory("codecs");
  try {
    act(bundled, stores.path);
  } finally {
    stores.dispose();
  }
}

/** Runs the program with an environment; returns what it printed. */
function run(
  runtime: RuntimeName,
  { directory }: Bundle,
  stores: string,
  environment: Readonly<Record<string, string>>,
  act: string,
  file = "program.mjs",
): string {
  const { command, args } = runtimeCommand(runtime, path.join(directory, file), [act, stores]);
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, ...environment },
    timeout: 600_000,
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test("A store cannot be used without WebAssembly: every codec, both directions", () => {
  inBundle((bundled, stores) => {
    const without = withoutWebAssembly[runtimeName]!;
    assert.equal(run(runtimeName, bundled, stores, {}, "write"), `WebAssembly true\n${WROTE}`);
    // Keys are looked for in filters that WebAssembly has written, and the other way round.
    assert.equal(run(runtimeName, bundled, stores, without, "read"), `WebAssembly false\n${READ}`);
    assert.equal(run(runtimeName, bundled, stores, without, "life"), "WebAssembly false\nlived\n");
  });
  inBundle((bundled, stores) => {
    const without = withoutWebAssembly[runtimeName]!;
    assert.equal(
      run(runtimeName, bundled, stores, without, "write"),
      `WebAssembly false\n${WROTE}`,
    );
    assert.equal(run(runtimeName, bundled, stores, {}, "read"), `WebAssembly true\n${READ}`);
  });
});

test("A store cannot be used if a policy forbids WebAssembly", () => {
  inBundle((bundled, stores) => {
    assert.equal(
      run(runtimeName, bundled, stores, {}, "refuse"),
      `WebAssembly false\n${WROTE}${READ}`,
    );
  });
});

test("Without WebAssembly and a zstd of the runtime, only calls that need zstd are refused, with a typed error", () => {
  inBundle((bundled, stores) => {
    assert.equal(run("node", bundled, stores, {}, "write"), `WebAssembly true\n${WROTE}`);
    // Node 22.14 and older have no zstd: here it is removed from what the bundle can import.
    const program = readFileSync(path.join(bundled.directory, "program.mjs"), "utf8");
    const crippled = program.replaceAll(/zlib\d*\??\.zstdDecompressSync/g, "undefined");
    assert.notEqual(crippled, program);
    writeFileSync(path.join(bundled.directory, "crippled.mjs"), crippled);
    const without = withoutWebAssembly["node"]!;
    const why = "node has neither WebAssembly nor its own zstd here, and needs one of them";
    assert.equal(
      run("node", bundled, stores, without, "read", "crippled.mjs"),
      "WebAssembly false\n" +
        `zstd UnsupportedFormatError UNSUPPORTED_FORMAT Cannot read _: its format is codec 0 ` +
        `(zstd: ${why}), supported is table format 1, codecs snappy, none and MinLZ\n` +
        "read snappy true\nread none true\n",
    );
    assert.equal(
      run("node", bundled, stores, without, "write", "crippled.mjs"),
      "WebAssembly false\n" +
        `zstd StoreError UNSUPPORTED_FORMAT Cannot open _ for writing with compression _: ${why}; ` +
        "compression _ and _ need neither\nwrote snappy\nwrote none\n",
    );
  });
});
