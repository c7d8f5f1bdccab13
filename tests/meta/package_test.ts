/**
 * Guards the package itself: one version, the three runtime dependencies, no install scripts
 * beyond our own `prepare`, and tool versions pinned by the lock file.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readSource } from "./source_text.ts";

interface PackageJson {
  name: string;
  version: string;
  exports: unknown;
  license: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

interface LockFile {
  version: string;
  packages: Record<
    string,
    {
      version?: string;
      integrity?: string;
      dev?: boolean;
      hasInstallScript?: boolean;
      link?: boolean;
    }
  >;
}

const packageJson = JSON.parse(readSource("package.json")) as PackageJson;
const denoJson = JSON.parse(readSource("deno.json")) as PackageJson;
const lockFile = JSON.parse(readSource("package-lock.json")) as LockFile;

test("package.json, deno.json and the lock file state the same name, version and entry", () => {
  for (const field of ["name", "version", "license", "exports"] as const) {
    assert.deepEqual(denoJson[field], packageJson[field], field);
  }
  assert.equal(lockFile.version, packageJson.version);
});

test("The runtime dependencies are exactly those that were decided on", () => {
  assert.deepEqual(Object.keys(packageJson.dependencies).sort(), [
    "@bokuweb/zstd-wasm",
    "snappyjs",
  ]);
});

test("No script of the package runs at installation but prepare", () => {
  const atInstallation = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
  ];
  const found = Object.keys(packageJson.scripts).filter((name) => atInstallation.includes(name));
  assert.deepEqual(found, ["prepare"]);
});

test("No runtime dependency runs a script at installation or brings further packages", () => {
  const installed = Object.entries(lockFile.packages).filter(([path, entry]) =>
    path !== "" && entry.dev !== true
  );
  assert.deepEqual(
    installed.map(([path]) => path.replace("node_modules/", "")).sort(),
    Object.keys(packageJson.dependencies).sort(),
  );
  for (const [path, entry] of installed) assert.notEqual(entry.hasInstallScript, true, path);
});

test("Every dependency is pinned to one exact version, and the lock file agrees", () => {
  const pinned = { ...packageJson.dependencies, ...packageJson.devDependencies };
  for (const name of ["deno", "bun", "node"]) assert.ok(name in pinned, `"${name}" is not pinned`);
  for (const [name, version] of Object.entries(pinned)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `"${name}" is not an exact version`);
    assert.equal(lockFile.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test("The lock file holds a checksum for every package", () => {
  const without = Object.entries(lockFile.packages)
    .filter(([path, entry]) => path !== "" && entry.integrity === undefined)
    .map(([path]) => path);
  assert.deepEqual(without, []);
});
